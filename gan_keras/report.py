"""Turn a demo's ``results.json`` into one HTML page that needs nothing but a browser."""

import base64
import io
import json
import math
import re
from pathlib import Path

import numpy as np
from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup
from matplotlib import rc_context
from PIL import Image

from gan_keras.errors import UserError
from gan_keras.plots import read_metrics, training_curves

LARGEST_PNG = 150_000  # bytes; a larger file is a photograph, and goes in as a JPEG
LARGEST_SIDE = 1280  # pixels; the page is 1,100 wide


def write_report(folder):
    """Write ``folder/report.html`` from ``folder/results.json`` and the files that it names.

    The page holds its images, curves, styles and script; a section whose key is missing from the
    results is left out.

    Args:
        folder: Where ``python -m gan_keras demo`` put its results; paths in the results start here.

    Returns:
        The path of the page.

    Raises:
        UserError: There are no complete results, or a file that they name is missing.
    """
    folder = Path(folder)
    try:
        results = json.loads((folder / "results.json").read_text("utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        message = f"No complete results.json in {folder}: run `python -m gan_keras demo`."
        raise UserError(message) from error
    templates = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=templates, autoescape=True, undefined=ChainableUndefined)
    environment.filters |= {
        "curves": lambda path: _curves(_existing(folder, path)),
        "duration": _duration,
        "embed": lambda path: _embed(_existing(folder, path)),
        "epoch": lambda path: re.sub(r"\D*0*(\d+)$", r"epoch \1", Path(path).stem),
        "milestones": _milestones,
        "show": _show,
    }
    page = folder / "report.html"
    page.write_text(environment.get_template("report.html.j2").render(results), "utf-8")
    return page


def _existing(folder, path):
    """Join the two, or say what is missing."""
    if not (folder / path).is_file():
        raise UserError(f"results.json names {path}, which is not in {folder}: run the demo again.")
    return folder / path


def _embed(path):
    """Return an image as a data URI: a small PNG as it is, a photograph as a JPEG."""
    data, kind = path.read_bytes(), "png"
    if path.suffix.lower() != ".png" or len(data) > LARGEST_PNG:
        image, buffer = Image.open(path).convert("RGB"), io.BytesIO()
        image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
        image.save(buffer, "JPEG", quality=88, optimize=True)
        data, kind = buffer.getvalue(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _curves(path):
    """Draw a run's curves as inline SVG in the page's own text colour, light or dark."""
    figure, buffer = training_curves(read_metrics(path), title=""), io.StringIO()
    unsaid = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=unsaid)
    svg = buffer.getvalue()
    return Markup(svg[svg.index("<svg") :].replace("#000000", "currentColor"))


def _milestones(items, count=6):
    """Pick about `count` items, close together at first: a network learns most at the start."""
    return [items[round(i) - 1] for i in np.unique(np.geomspace(1, len(items), count).round())]


def _show(value, form=",.1f"):
    """Format a number; a dash stands for what was not measured."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    mantissa, _, exponent = format(value, form).replace("-", "−").partition("e")
    power = re.sub(r"[+0]*(−?)0*(\d+)", r"\1\2", exponent)
    return Markup(f"{mantissa} × 10<sup>{power}</sup>") if exponent else mantissa


def _duration(seconds):
    """Say seconds as a person does: ``45 s``, ``8 min 32 s``, ``2 h 5 min``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"

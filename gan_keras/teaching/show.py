"""How a chapter shows things: source, figures, tables, a knob, and where in the course it is.

Everything here returns an object that Jupyter displays as the last line of a cell, or that
`IPython.display.display` takes anywhere else. Figures are plain ``Figure``s, never pyplot's, and
are kept small: a palette of 64 colours, and words for those who cannot see them.
"""

import inspect
import io
import os
import re
import textwrap
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from gan_keras.data.ranges import to_uint8

ROOT = Path(__file__).parents[2]
STATIC = "GAN_KERAS_STATIC"  # set while a notebook is built: knobs become rows of figures
BLUE, ORANGE, GREEN, GREY = "#2f6690", "#d1603d", "#4f8a5b", "#8a8f94"

CHAPTERS = {
    "00": "Toolbox",
    "01": "Seeing quality",
    "02": "The adversarial game",
    "03": "DCGAN on MNIST",
    "04": "Training that does not collapse",
    "05": "Variational autoencoders",
    "06": "Conditional GANs and pix2pix",
    "07": "Super-resolution",
    "08": "Without pairs",
    "09": "Degrading on purpose",
    "10": "Making it cheap",
    "11": "Private and fair",
    "12": "Serving",
    "13": "Frontiers",
}
WRITTEN = ("01", "02", "03", "05", "06")
DPI = 110  # of a `Picture`


def quiet_tensorflow():
    """Import TensorFlow without its greeting."""
    from gan_keras.cli import _quiet

    _quiet()


class Text:
    """Markdown that Jupyter renders, and that reads well where nothing does."""

    def __init__(self, text):
        self.text = text

    def _repr_markdown_(self):
        return self.text

    def __repr__(self):
        return self.text


def show_source(thing):
    """Show the package's own source of a function, method or class, and where it is.

    Args:
        thing: What `inspect.getsource` takes.

    Returns:
        A `Text`: the path and first line, then the code.

    Example:
        >>> show_source(DCGAN.train_step)
    """
    thing = inspect.unwrap(thing)
    lines, first = inspect.getsourcelines(thing)
    path = Path(inspect.getsourcefile(thing)).resolve()
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    code = textwrap.dedent("".join(lines)).rstrip()
    return Text(f"`{Path(name).as_posix()}`, line {first}\n\n```python\n{code}\n```")


def number(value):
    """Write a float with three digits, without an exponent below a million: 0.25, 48.7, 1,720."""
    if 1000 <= abs(value) < 1e6:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def table(header, *rows):
    r"""Lay rows out as a Markdown table: words to the left, numbers (see `number`) to the right.

    A bar in a cell, as in q(z|x), is no border; write a formula's as \mid.

    Args:
        header: Names of the columns.
        *rows: Sequences of as many cells.
    """

    def line(cells):
        written = [number(c) if isinstance(c, float) else str(c) for c in cells]
        written = [cell.replace("|", "&#124;") for cell in written]
        return f"| {' | '.join(written)} |"

    wordy = (
        any(re.match(r"[^\W\d_]|`", str(cell)) for cell in column)
        for column in zip(*rows, strict=True)
    )
    ruler = "|" + "".join(":--|" if words else "--:|" for words in wordy)
    return Text("\n".join([line(header), ruler, *map(line, rows)]))


class Picture:
    """A figure as a small PNG with words for those who cannot see it.

    Args:
        figure: A matplotlib ``Figure``.
        words: What there is to see, in one sentence.
        colours: Size of the palette.
    """

    def __init__(self, figure, words="", colours=64):
        self.figure, self.words, self.colours = figure, words, colours

    def png(self):
        """Return the bytes of a PNG."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
        image = Image.open(buffer).convert("RGB")
        small = io.BytesIO()
        image.quantize(self.colours, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
        return small.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"image/png": self.png(), "text/plain": repr(self)}
        return data, {"image/png": {"alt": self.words}} if self.words else {}

    def __repr__(self):
        return f"[figure: {self.words}]"


def panels(rows=1, columns=1, width=8.0, height=3.0, **options):
    """Make a figure and its axes, without the frames that say nothing.

    Args:
        rows: Of axes.
        columns: Of axes.
        width: In inches.
        height: In inches.
        **options: Of `Figure.subplots`.

    Returns:
        (figure, axes): axes is one, or an array as `Figure.subplots` makes it.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, **options)
    for one in np.ravel(axes):
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def draw_image(axes, image, title="", **options):
    """Draw one image in [-1, 1], (h, w, 1 or 3), or a uint8 picture, on axes without ticks."""
    image = np.asarray(image)
    pixels = image if image.dtype == np.uint8 else to_uint8(image)
    axes.imshow(np.squeeze(pixels), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title, **{"fontsize": 9, **options})


def image_rows(rows, labels=(), titles=(), colours=None, scale=0.72):
    """Draw rows of images, each row with its label on the left.

    Args:
        rows: (R, N, h, w, c) in [-1, 1], or R lists of N images.
        labels: R texts.
        titles: N texts, above the first row.
        colours: (R, N) names of frames' colours, or None for no frames.
        scale: Inches an image.
    """
    count, across = len(rows), max(map(len, rows))
    left = 0.085 * max((len(line) for label in labels for line in label.split("\n")), default=0)
    figure = Figure(
        figsize=(left + scale * across + 0.3, (scale + 0.05) * count + 0.25 * bool(titles)),
        layout="constrained",
    )
    axes = figure.subplots(count, across, squeeze=False)
    for r, row in enumerate(rows):
        for n in range(across):
            if n >= len(row):
                axes[r, n].set_axis_off()
                continue
            draw_image(axes[r, n], row[n], titles[n] if titles and r == 0 else "")
            if colours is not None:
                axes[r, n].spines[:].set(visible=True, color=colours[r][n], linewidth=2.5)
        if labels:
            axes[r, 0].set_ylabel(labels[r], rotation=0, ha="right", va="center", fontsize=9)
    return figure


def turn(draw, values, name, width=2.6, height=2.6):
    """Let a reader turn a knob; where no kernel runs, show a row of figures in its place.

    Args:
        draw: Called as ``draw(axes, value)``; it draws on the axes.
        values: The knob's positions, in order; about five of them fit in a row.
        name: What is turned.
        width: Of one panel, in inches.
        height: Of one panel, in inches.

    Returns:
        An ipywidgets slider with its figure; or a `Picture`, while the notebook is built (the
        environment's GAN_KERAS_STATIC) and where ipywidgets is not installed.
    """
    try:
        if os.environ.get(STATIC):
            raise ImportError
        import ipywidgets
    except ImportError:
        figure, axes = panels(1, len(values), width * len(values), height, squeeze=False)
        for one, value in zip(axes[0], values, strict=True):
            draw(one, value)
        return Picture(figure, f"one panel for each {name}: {', '.join(map(str, values))}")

    def drawn(value):
        from IPython.display import display

        figure, axes = panels(1, 1, 1.7 * width, 1.7 * height)
        draw(axes, value)
        display(Picture(figure, f"{name} {value}"))

    slider = ipywidgets.SelectionSlider(
        options=[(str(value), value) for value in values],
        description=name,
        continuous_update=False,
        style={"description_width": "initial"},
    )
    return ipywidgets.VBox([slider, ipywidgets.interactive_output(drawn, {"value": slider})])


def course_map(current):
    """Draw the course's fourteen chapters, this one lit; those to come are dashed.

    Args:
        current: "00" to "13".

    Returns:
        A `Picture`.
    """
    figure = Figure(figsize=(9.4, 2.1))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 7), ylim=(0, 2))
    axes.set_axis_off()
    for index, (number, title) in enumerate(CHAPTERS.items()):
        row, column = divmod(index, 7)
        lit, written = number == current, number in WRITTEN
        box = FancyBboxPatch(
            (column + 0.07, 1.12 - row),
            0.86,
            0.76,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=ORANGE if lit else "white",
            edgecolor=ORANGE if lit else BLUE if written else GREY,
            linestyle="-" if lit or written else (0, (4, 3)),
            linewidth=1.6,
        )
        axes.add_patch(box)
        colour = "white" if lit else "black" if written else "#5c6166"
        at = {"ha": "center", "va": "center", "color": colour}
        axes.text(column + 0.5, 1.7 - row, number, fontsize=12, fontweight="bold", **at)
        words = "\n".join(textwrap.wrap(title, 15))
        axes.text(column + 0.5, 1.38 - row, words, fontsize=8.5, linespacing=1.1, **at)
    words = f"the course's fourteen chapters, chapter {current} lit; dashed ones are to come"
    return Picture(figure, words)

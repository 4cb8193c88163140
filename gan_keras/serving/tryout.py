"""What the page to try the models does, without the page: a picture in, pictures and words out."""

import math
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from gan_keras.algorithms.latents import draw_latents, spherical
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.ranges import from_integers, to_integers, to_uint8
from gan_keras.errors import UserError
from gan_keras.evaluation import test_photographs
from gan_keras.loading import load, run_settings, shipped_card
from gan_keras.plots import repeat_pixels, sample_grid
from gan_keras.restoration.changes import map_of_changes, read_mask
from gan_keras.restoration.enhancer import Enhancer
from gan_keras.restoration.files import Picture, image_size, read_image, write_image
from gan_keras.serving.export import exportable

MAX_PIXELS = 40_000_000  # of a result: a minute or two on two cores, and half a gigabyte
SHOWN_PIXELS, SHOWN_SIDE = 4_000_000, 8192  # of a picture on the page; the download has them all
STEPS = 11  # of a walk: t = 0, 0.1, … 1


@dataclass(frozen=True)
class Restored:
    """A restored photograph, as the page shows it.

    Attributes:
        before: PNG of the page's size; of an enlarging model, the photograph enlarged.
        after: PNG of the same size.
        changes: PNG of the same size: see `restoration.changes.map_of_changes`.
        file: The result itself, a PNG with all its pixels.
        facts: One line: sizes and time.
    """

    before: Path
    after: Path
    changes: Path
    file: Path
    facts: str


def gather(paths=()):
    """Load all that ships, what is for measuring left out, and models of one's own.

    Args:
        paths: `.keras` files or run folders.

    Returns:
        (enhancers, generators): name or path → `Enhancer`; name or path → a model that generates.

    Raises:
        UserError: One of `paths` is no model, or neither kind.
    """
    enhancers, generators = {}, {}
    for name in [*paths, *exportable()]:
        model = load(name)
        if hasattr(model, "generate"):
            generators[name] = model
            continue
        try:
            enhancers[name] = Enhancer(getattr(model, "averaged_generator", model))
        except (UserError, AttributeError) as error:
            raise UserError(f"--model {name} neither enhances nor generates") from error
    return enhancers, generators


def words(name):
    """Say what a model is and what it is bad at, in Markdown: what its card or its run knows."""
    card = shipped_card(name) or run_settings(name)
    if not card:
        return (
            f"**{name}**\n\nNo card: what it was trained for, and what it is bad at, is not known."
        )
    recipe = card["recipe"]
    data = "" if recipe["degradation"] else f"; trained on `{recipe['data']}`"
    lines = [f"**{name}**: {recipe['title']}{data}."]
    if "bad_at" in card:
        lines.append(f"**Bad at:** {card['bad_at']}.")
    else:
        lines.append(f"A run of your own: `gan-keras evaluate {name}` measures it.")
    if recipe["degradation"] and recipe["algorithm"] != "restorer":
        lines.append(
            "**Detail may be invented:** it learned against a discriminator, to look real. What "
            "it draws need not have been there."
        )
    if "licence" in card:
        lines.append(f"Licence: {card['licence']}.")
    return "\n\n".join(lines)


def examples(name, folder):
    """Write the test photographs, degraded as a model was trained to repair.

    Args:
        name: A shipped name or a run.
        folder: Where to.

    Returns:
        PNG files. What a degradation has lost for an inpainter is transparent.
    """
    recipe = shipped_card(name).get("recipe") or run_settings(name).get("recipe", {})
    if recipe.get("degradation"):
        pictures = test_photographs(recipe | {"data": "photos"})
        degraded = {photograph: degraded for photograph, degraded, _ in pictures}
    else:
        degraded = {path.stem: read_image(path).pixels for path in photo_paths(split="test")}
    files = []
    for photograph, pixels in degraded.items():
        samples = to_integers(pixels, np.uint8)
        alpha = samples[..., 3] if samples.shape[2] == 4 else None
        files.append(Path(folder) / f"{photograph}.png")
        write_image(files[-1], Picture(samples[..., :3], alpha))
    return files


def preview(source, folder, scale=1):
    """Show a photograph before anything is done to it.

    Args:
        source: An image file.
        folder: Where the picture is written.
        scale: How many times larger the enhancer will make it.

    Returns:
        (picture, facts): a PNG of the page's size, and one line.

    Raises:
        UserError: It is no photograph, or too large for this page.
    """
    height, width = _fitting(source, scale)
    shown = Path(folder) / "photograph.png"
    _show(read_image(source), _page_size(scale * height, scale * width), shown)
    return shown, f"{width:,} × {height:,} pixels"


def restore(enhancer, source, folder, strength=1.0, best=False, mask=None, on_tile=None):
    """Restore a photograph, as `gan-keras enhance` does, and prepare what the page shows.

    Args:
        enhancer: An `Enhancer`; its own dials do not count.
        source: An image file.
        folder: Where the pictures are written.
        strength: See `Enhancer`.
        best: See `Enhancer`.
        mask: For an inpainter: a picture, white where to fill in; None takes what is transparent.
        on_tile: Called with the share done after each tile.

    Returns:
        A `Restored`.

    Raises:
        UserError: It is no photograph, too large for this page, or lacks a mask that fits.
    """
    _fitting(source, enhancer.scale)
    enhancer = Enhancer(enhancer.network, strength, best)
    file = Path(folder) / f"{Path(source).stem}-restored.png"
    missing = partial(read_mask, mask) if mask and enhancer.masked else None
    started = time.perf_counter()
    before, after = enhancer.enhance_file(source, file, missing, on_tile)
    seconds = time.perf_counter() - started
    (height, width), size = (picture.samples.shape[:2] for picture in (before, after))
    shown = _page_size(*size)
    pictures = {"before": before, "after": after, "changes": map_of_changes(before, after)}
    paths = {name: Path(folder) / f"{name}.png" for name in pictures}
    for name, picture in pictures.items():
        _show(picture, shown, paths[name])
    facts = [f"{width:,} × {height:,} pixels", f"{seconds:.1f} s"]
    if enhancer.scale > 1:
        facts[0] += f" → {size[1]:,} × {size[0]:,}"
    if shown != size:
        share = shown[1] / size[1]
        facts.append(f"shown at {share:.0%} of its width; the download has every pixel")
    return Restored(**paths, file=file, facts=" · ".join(facts))


def _fitting(source, scale):
    """Return a photograph's (height, width) if the page takes it."""
    height, width = image_size(source)
    limit = MAX_PIXELS // scale**2
    if height * width > limit:
        raise UserError(
            f"the photograph has {height * width:,} pixels, and for this task the page takes up "
            f"to {limit:,}: make it smaller, or use `gan-keras enhance`, which takes more"
        )
    return height, width


def _page_size(height, width):
    share = min(1, math.sqrt(SHOWN_PIXELS / (height * width)), SHOWN_SIDE / max(height, width))
    return max(1, round(share * height)), max(1, round(share * width))


def _show(picture, size, path):
    """Write 8 bits at another size, bicubic, over white, with its colour profile."""
    samples, alpha = (_in_8_bits(plane) for plane in (picture.samples, picture.alpha))
    image = Image.fromarray(samples[..., 0] if picture.grey else samples)
    if alpha is not None:
        white = Image.new(image.mode, image.size, "white")
        white.paste(image, mask=Image.fromarray(alpha))
        image = white
    if image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BICUBIC)
    image.save(path, icc_profile=picture.icc or None, compress_level=1)


def _in_8_bits(samples):
    if samples is None or samples.dtype == np.uint8:
        return samples
    return to_uint8(from_integers(samples))


def walk(model, seeds, shares, label=None):
    """Generate along the arc between the latents of two seeds.

    Args:
        model: A `Generator`, a GAN (its averaged weights are used) or a `VAE`.
        seeds: Two; the ends are what `model.generate(1, seed)` draws.
        shares: (N,) of t in [0, 1].
        label: The class, where the model knows classes.

    Returns:
        float32 (N, h, w, c) in [-1, 1].

    Raises:
        UserError: A seed is none, or there is no such class.
    """
    for seed in seeds:
        if not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise UserError(f"seed {seed}: a whole number from 0 to {2**32 - 1:,} is wanted")
    ends = (draw_latents(1, model.latent_dim, seed)[0] for seed in seeds)
    latents = spherical(*ends, shares)  # z
    classes = getattr(model, "classes", None)
    if classes is None:
        return np.asarray(getattr(model, "decode", model)(latents))
    if label not in range(classes):
        raise UserError(f"class {label}: it knows 0 to {classes - 1}")
    return np.asarray(model([latents, np.full(len(latents), label, "int32")]))


def strip(images, factor=3):
    """Lay the images of a walk out in a row: uint8 (h', w', 3), each pixel repeated."""
    return _in_colour(repeat_pixels(sample_grid(images, columns=len(images)), factor))


def large(image, factor=12):
    """Show one small image large: uint8 (h', w', 3), each pixel repeated."""
    return _in_colour(repeat_pixels(to_uint8(image), factor))


def _in_colour(samples):
    return np.repeat(samples, 3 // samples.shape[-1], axis=-1)

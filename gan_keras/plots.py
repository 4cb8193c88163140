"""Figures that notebooks, commands and the report share: plain ``Figure``s, no pyplot."""

import math
from pathlib import Path

import numpy as np

from gan_keras.data.ranges import to_uint8
from gan_keras.errors import UserError

BACKGROUND = 208  # the grey between a grid's cells: apart from black paper and from white paper
LABELS = {"psnr": "PSNR (dB)", "ssim": "SSIM", "elbo": "ELBO (nats)", "kl": "KL (nats)"}


def repeat_pixels(images, factor):
    """Enlarge (…, H, W, C) by repeating pixels: what is small is shown as it is."""
    return images.repeat(factor, axis=-3).repeat(factor, axis=-2)


def sample_grid(images, columns=10, padding=2):
    """Lay images out as one picture, row by row, with a light grey frame around each.

    Args:
        images: Floats in [-1, 1], shape (N, H, W, C).
        columns: The most images in a row; fewer images make a narrower grid.
        padding: Width of the frame in pixels.

    Returns:
        uint8, shape (padding + rows (H + padding), padding + columns (W + padding), C).
    """
    cells = to_uint8(images)
    count, height, width, channels = cells.shape
    columns, down, across = min(columns, count), height + padding, width + padding
    shape = padding + math.ceil(count / columns) * down, padding + columns * across, channels
    grid = np.full(shape, BACKGROUND, np.uint8)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        grid[padding + row * down :, padding + column * across :][:height, :width] = cell
    return grid


def read_metrics(path):
    """Read a run's ``metrics.csv`` into a dictionary of columns, NaN where a cell is empty."""
    if not Path(path).is_file() or not Path(path).stat().st_size:
        raise UserError(f"No metrics in {path}: name the metrics.csv that a training run wrote.")
    table = np.genfromtxt(path, delimiter=",", names=True, ndmin=1)
    return {name: table[name].tolist() for name in table.dtype.names}


def training_curves(metrics, title):
    """Draw a run's metrics by epoch: the losses in one panel, every other measure in its own.

    A measure and its ``val_`` twin share a panel and a colour; validation is dashed. Clocks and
    counters (``epoch``, ``seconds``) are left out. Takes what `read_metrics` returns.
    """
    from matplotlib.figure import Figure  # half a second, which loading a model need not wait for

    panels = {}  # group -> its columns
    for column in metrics:
        if column != "epoch" and not column.endswith("seconds"):
            group = "loss" if column.endswith("loss") else column.removeprefix("val_")
            panels.setdefault(group, []).append(column)
    columns, rows = min(3, len(panels)), math.ceil(len(panels) / 3)
    figure = Figure(figsize=(max(5, 3.7 * columns), 0.4 + 2.7 * rows), layout="constrained")
    figure.suptitle(title)
    for position, (group, curves) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, position)
        measures = list(dict.fromkeys(column.removeprefix("val_") for column in curves))
        for column in curves:
            values = np.asarray(metrics[column], float)
            known = np.flatnonzero(np.isfinite(values))  # a measure may skip epochs
            line = ("." if len(known) < 20 else "") + ("--" if column.startswith("val_") else "-")
            color = f"C{measures.index(column.removeprefix('val_'))}"
            name = column.replace("val_", "validation ").replace("_", " ")
            if len(measures) == 1:
                name = "validation" if column.startswith("val_") else "training"
            axes.plot(known + 1, values[known], line, color=color, label=name)
        axes.set(xlabel="epoch", ylabel=LABELS.get(group, group.replace("_", " ")))
        axes.locator_params(axis="x", integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
        if len(curves) > 1:
            axes.legend(frameon=False, fontsize="small")
    return figure


def comparison(pictures, corner=None, side=96):
    """Set versions of one picture side by side, each above a threefold zoom into the same square.

    Args:
        pictures: Pairs such as ``("restored, 29.1 dB", image)``: images of equal height and
            width, floats in [-1, 1], shape (H, W, C).
        corner: (top, left) of the zoomed square; by default the square is in the middle.
        side: Width of the square in picture pixels.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    height, width = np.shape(pictures[0][1])[:2]
    side = min(side, height, width)
    top, left = corner or ((height - side) // 2, (width - side) // 2)
    panel, gap = 3 * side, 12  # in screen pixels, as all lengths below
    above = round(panel * height / width)
    text = 10 + 17 * max(label.count("\n") + 1 for label, _ in pictures)
    size = np.array([gap + len(pictures) * (panel + gap), panel + 2 * gap + above + text])
    figure = Figure(figsize=size / 100, dpi=100)
    for index, (label, image) in enumerate(pictures):
        pixels = np.broadcast_to(to_uint8(image), (height, width, 3))
        square = pixels[top : top + side, left : left + side]
        zoom, whole = (square, gap, panel, "nearest"), (pixels, panel + 2 * gap, above, None)
        for part, bottom, tall, interpolation in (zoom, whole):
            place = np.array([gap + index * (panel + gap), bottom, panel, tall])
            axes = figure.add_axes(place / np.tile(size, 2), frameon=False, xticks=[], yticks=[])
            axes.imshow(part, aspect="auto", interpolation=interpolation)
        axes.set_title(label, fontsize=10, pad=5)
        for style in ({"color": "black", "lw": 3}, {"color": "white", "lw": 1.2}):
            axes.add_patch(Rectangle((left, top), side, side, fill=False, **style))
    return figure

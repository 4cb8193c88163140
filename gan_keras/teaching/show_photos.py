"""Photographs in a notebook, pixel for pixel: to resample a picture is to degrade it once more."""

import numpy as np
from matplotlib.figure import Figure

from gan_keras.data.ranges import to_uint8
from gan_keras.teaching.show import DPI

LINE, LETTER, BELOW = 18, 7.4, 8  # screen pixels: a title's line, a label's letter, under a row


def photo_rows(rows, titles=(), labels=(), zoom=1, gap=8):
    """Lay photographs out in rows; each of their pixels is zoom × zoom pixels of a `Picture`.

    Args:
        rows: R lists of images of one size, (h, w, 1 or 3): floats in [-1, 1], or uint8.
        titles: R lists of texts, above each image; one line or more.
        labels: R texts, to the left of each row.
        zoom: Screen pixels an image pixel.
        gap: Screen pixels between the images of a row.

    Returns:
        A matplotlib ``Figure``; its axes are in the order of the images.
    """
    height, width = (zoom * side for side in np.shape(rows[0][0])[:2])
    letters = max((len(line) for label in labels for line in label.split("\n")), default=0)
    left = gap + round(LETTER * letters)
    heads = [
        LINE * max(title.count("\n") + 1 for title in titles[r]) if titles else 0
        for r in range(len(rows))
    ]
    size = np.array([
        left + max(map(len, rows)) * (width + gap),
        BELOW + sum(heads) + len(rows) * (height + BELOW),
    ])  # fmt: skip
    figure = Figure(figsize=size / DPI, dpi=DPI)
    top = size[1] - BELOW
    for r, row in enumerate(rows):
        bottom = top - heads[r] - height
        for n, image in enumerate(row):
            place = np.array([left + n * (width + gap), bottom, width, height])
            axes = figure.add_axes(place / np.tile(size, 2), xticks=[], yticks=[], frameon=False)
            image = np.asarray(image)
            pixels = image if image.dtype == np.uint8 else to_uint8(image)
            pixels = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
            axes.imshow(
                np.squeeze(pixels),
                cmap="gray",
                vmin=0,
                vmax=255,
                aspect="auto",
                interpolation="nearest",
            )
            if titles:
                axes.set_title(titles[r][n], fontsize=9, pad=4, linespacing=1.1)
            if labels and n == 0:
                axes.set_ylabel(
                    labels[r], rotation=0, ha="right", va="center", fontsize=9, labelpad=6
                )
        top = bottom - BELOW
    return figure

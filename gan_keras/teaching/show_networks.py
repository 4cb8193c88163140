"""A convolutional network as a picture: a slab for each resolution, drawn from the model itself."""

import math

import numpy as np
from keras import layers
from matplotlib.patches import Polygon

from gan_keras.teaching.show import BLUE, GREY, ORANGE, panels

_RESHAPING = (layers.Reshape, layers.Conv2D, layers.Conv2DTranspose)


def slabs(model):
    """Return the (height, width, channels) of a model's stages, the images it takes included."""
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs if len(tensor.shape) == 4]
    shapes += [tuple(x.output.shape[1:]) for x in model.layers if isinstance(x, _RESHAPING)]
    return shapes


def draw_network(axes, model, left=0.0):
    """Draw a model's stages from left to right: side ∝ resolution, thickness by channels.

    Args:
        axes: Of matplotlib.
        model: A functional model with images at one end.
        left: Where the first slab begins.

    Returns:
        Where the last slab ends, and the middle height of all.
    """
    x, middle = left, 14.0
    for height, width, channels in slabs(model):
        thick, half, lean = 1.0 + 1.2 * math.log2(channels), height / 2, 0.32 * width
        low, high = middle - half, middle + half
        for corners, shade in (
            ([(0, low), (thick, low), (thick, high), (0, high)], 0.55),
            ([(0, high), (lean, high + lean), (thick + lean, high + lean), (thick, high)], 0.8),
            (
                [(thick, low), (thick + lean, low + lean), (thick + lean, high + lean),
                 (thick, high)],
                0.3,
            ),
        ):  # fmt: skip
            colour = ORANGE if channels <= 3 else BLUE
            points = np.add(corners, (x, 0))
            axes.add_patch(Polygon(points, facecolor=colour, alpha=shade, edgecolor="white"))
        label = f"{height}×{width}×{channels}"
        axes.text(x + thick / 2 + lean / 2, -3.2, label, ha="center", va="top", fontsize=8)
        x += thick + lean + 7
    return x - 7, middle


def two_players(generator, discriminator, words=("z", "logit")):
    """Draw G and D facing each other: noise in, image, judgement out.

    Args:
        generator: z → images.
        discriminator: images → logits.
        words: What goes in on the left and comes out on the right.

    Returns:
        A ``Figure``.
    """
    figure, axes = panels(1, 1, 9.4, 2.9)
    arrow = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.6}
    axes.text(-13, 14, words[0], ha="center", va="center", fontsize=15, style="italic")
    axes.annotate("", (-1.5, 14), (-10.5, 14), arrowprops=arrow)
    end, middle = draw_network(axes, generator)
    axes.text(end / 2, 39, "G paints", ha="center", fontsize=11, fontweight="bold")
    start = end + 12
    axes.annotate("", (start - 1.5, middle), (end + 1, middle), arrowprops=arrow)
    last, _ = draw_network(axes, discriminator, start)
    axes.text((start + last) / 2, 39, "D judges", ha="center", fontsize=11, fontweight="bold")
    axes.annotate("", (last + 10, middle), (last + 1, middle), arrowprops=arrow)
    axes.text(last + 16, middle, words[1], ha="center", va="center", fontsize=12, style="italic")
    axes.set(xlim=(-17, last + 23), ylim=(-9, 43), aspect="equal")
    axes.set_axis_off()
    return figure

"""Applying a local function to an image of any size, tile by tile, exactly."""

import math

import numpy as np


def apply_tiled(function, image, result, field, stride, tile=384, on_tile=None):
    """Apply a function of windows to an image; the result is that of the whole image at once.

    Each tile is read with a halo that covers the receptive field, on the function's own grid of
    strides, and only its core is kept: no blending, no seams. Windows at the lower and right
    border are reflected to a multiple of the stride, so any size works, from 1×1 up. Memory: one
    window and what the function makes of it.

    Args:
        function: (h, w, C) window of `image`, its sides multiples of `stride` → (s·h, s·w, C').
        image: (H, W, C).
        result: (s·H, s·W, C'), written in place; s is a whole number.
        field: Receptive field of the function, in pixels of `image` (see `receptive_field`).
        stride: Its greatest stride, likewise.
        tile: Side of a tile's core in pixels of `image`, rounded up to the stride.
        on_tile: Called with the share done, in (0, 1], after each tile.
    """
    tile, halo = on_the_grid(tile, field, stride)
    height, width = image.shape[:2]
    s = result.shape[0] // height
    corners = [(y, x) for y in range(0, height, tile) for x in range(0, width, tile)]
    for done, (y, x) in enumerate(corners, start=1):
        top, left = max(y - halo, 0), max(x - halo, 0)
        window = image[top : y + tile + halo, left : x + tile + halo]
        below, right = -window.shape[0] % stride, -window.shape[1] % stride
        if below or right:
            window = np.pad(window, ((0, below), (0, right), (0, 0)), "reflect")
        core = result[s * y : s * (y + tile), s * x : s * (x + tile)]
        y0, x0 = s * (y - top), s * (x - left)
        core[:] = function(window)[y0 : y0 + core.shape[0], x0 : x0 + core.shape[1]]
        if on_tile is not None:
            on_tile(done / len(corners))


def on_the_grid(tile, field, stride):
    """Return (tile, halo), multiples of the stride; the halo covers the field's radius."""
    halo = math.ceil((field // 2 + stride) / stride) * stride
    return math.ceil(tile / stride) * stride, halo

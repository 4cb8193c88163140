"""Applying a convolutional network to an image of any size, tile by tile, exactly."""

import math

import numpy as np
from keras import ops

from gan_keras.networks.receptive_field import receptive_field


def restore_tiled(network, image, tile=384, on_tile=None):
    """Apply a network to an image; the result is that of the whole image at once.

    Each tile is read with a halo that covers the receptive field, on the network's own grid of
    strides, and only its core is kept: no blending, no seams. The image is reflected to a
    multiple of the stride, so any size works, from 1×1 up. Memory: the output, a
    reflected copy of the input, and one tile.

    Args:
        network: Functional, local (`receptive_field` says), with an output of its input's size.
        image: float32 (H, W, C) in [-1, 1].
        tile: Side of a tile's core in pixels, rounded up to the stride.
        on_tile: Called with the share done, in (0, 1], after each tile.

    Returns:
        float32 (H, W, C), not clipped.

    Raises:
        ValueError: The network reads the whole image at once.
    """
    field, stride = receptive_field(network)
    halo = math.ceil((field // 2 + stride) / stride) * stride
    tile = math.ceil(tile / stride) * stride
    height, width = image.shape[:2]
    bottom, right = -height % stride, -width % stride
    padded = np.pad(image, ((0, bottom), (0, right), (0, 0)), mode="reflect")
    restored = np.empty((height, width, network.output_shape[-1]), np.float32)
    corners = [(y, x) for y in range(0, height, tile) for x in range(0, width, tile)]
    for done, (y, x) in enumerate(corners, start=1):
        y0, x0 = max(y - halo, 0), max(x - halo, 0)
        window = padded[y0 : y + tile + halo, x0 : x + tile + halo]
        output = ops.convert_to_numpy(network(window[None], training=False))[0]
        target = restored[y : y + tile, x : x + tile]
        target[:] = output[y - y0 : y - y0 + target.shape[0], x - x0 : x - x0 + target.shape[1]]
        if on_tile is not None:
            on_tile(done / len(corners))
    return restored

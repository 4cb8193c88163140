"""Bicubic enlarging of images of any size by convolutions, which every runtime has.

Keras 3.15 does not trace `UpSampling2D(interpolation="bicubic")` where a side is unknown, and
LiteRT has no such operation.
"""

import keras
import numpy as np
from keras import ops


class Bicubic(keras.layers.Layer):
    r"""What `UpSampling2D(factor, interpolation="bicubic")` computes: Keys' kernel with a = -1/2.

    Output i lies at (i + ½)/s − ½ of the input, and pixel j counts by its distance to that: a
    transposed convolution of stride s. Beyond the border there is nothing: what is left of the
    kernel is divided by its sum.

    Args:
        factor: s, how many times larger: a power of two, to be as exact (TensorFlow keeps the
            kernel in a table of 1024 places a pixel).
        **kwargs: Passed to `keras.layers.Layer`.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, images):
        """Enlarge (B, H, W, C) to (B, s·H, s·W, C)."""
        for axis in (0, 1):
            total = self._stretch(ops.ones_like(images[..., :1]), axis)
            images = self._stretch(images, axis) / total
        return images

    def _stretch(self, images, axis):
        """Enlarge one side, not normalised at the border."""
        length = 4 * self.factor - self.factor % 2
        weights = _keys((np.arange(length) - (length - 1) / 2) / self.factor)
        shape = [1, 1]
        shape[axis] = length
        channels = np.eye(images.shape[-1])  # each by itself
        kernel = weights.reshape(*shape, 1, 1) * channels
        strides = [1, 1]
        strides[axis] = self.factor
        return ops.conv_transpose(images, kernel.astype(np.float32), strides, "same")


def _keys(distance):
    """Evaluate Keys' cubic kernel (1981, a = -1/2) at distances in pixels of the input."""
    d = np.abs(distance)
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0))

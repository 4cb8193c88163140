"""The only place where pixel ranges are converted.

Inside the project an image is float32, channels last, in [-1, 1]. Nothing guesses a range: each
function says which one it reads and which one it returns.
"""

import numpy as np

DATA_RANGE = 2.0  # the width of [-1, 1]: the `data_range` of PSNR and SSIM
GREY_LEVEL = DATA_RANGE / 255  # one 8-bit grey level, in units of [-1, 1]


def from_uint8(image):
    """Convert 8-bit pixels in [0, 255] to float32 in [-1, 1]."""
    return np.asarray(image, np.float32) / 127.5 - 1


def to_uint8(image):
    """Convert floats in [-1, 1] to 8-bit pixels: clipped, rounded to the nearest level."""
    return to_integers(image, np.uint8)


def from_integers(samples):
    """Convert unsigned integers, 0 to the greatest of their type, to float32 in [-1, 1]."""
    return np.asarray(samples, np.float32) / np.float32(np.iinfo(samples.dtype).max / 2) - 1


def to_integers(image, dtype):
    """Convert floats in [-1, 1] to unsigned integers: clipped, rounded to the nearest level."""
    middle = np.float32(np.iinfo(dtype).max / 2)
    return np.round((np.clip(np.asarray(image, np.float32), -1, 1) + 1) * middle).astype(dtype)


def from_unit(image):
    """Convert [0, 1] to [-1, 1]; an array or a tensor, of the same type."""
    return image * 2 - 1


def to_unit(image):
    """Convert [-1, 1] to [0, 1]; an array or a tensor, of the same type."""
    return (image + 1) / 2

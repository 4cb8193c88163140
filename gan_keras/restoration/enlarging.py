"""Larger by interpolation: what an enlarging network starts from, and is compared with."""

import numpy as np
from PIL import Image


def enlarge(image, factor, kernel=Image.Resampling.BICUBIC):
    """Enlarge by interpolation; an image is its own enlargement by 1.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        factor: Whole number ≥ 1.
        kernel: One of Pillow's; bicubic has a = -0.5, Lanczos three lobes.

    Returns:
        float32 (factor·H, factor·W, C); bicubic and Lanczos overshoot a little.
    """
    if factor == 1:
        return image
    size = factor * image.shape[1], factor * image.shape[0]
    planes = [Image.fromarray(plane).resize(size, kernel) for plane in np.moveaxis(image, -1, 0)]
    return np.stack(planes, axis=-1)

r"""Differentiable augmentation: Zhao et al. 2020, "Differentiable Augmentation for GAN Training".

======  =============  =====================================================
T       `augment`      a random change that gradients pass through
D(T x)  –              what the discriminator sees in place of x
======  =============  =====================================================

D sees only changed images, real and generated alike, in its own update and in the generator's; so
it cannot learn a small training set by heart, and G is not taught to make changed images (§3.2).
Each function here is a pure one of images and of uniform draws; what leaves the image, or is cut
out of it, is replaced by black, -1.
"""

from keras import ops


def recolour(images, draws):
    """Shift brightness by up to ±0.5, scale saturation by 0 to 2 and contrast by 0.5 to 1.5.

    Args:
        images: (B, h, w, c) in [-1, 1].
        draws: (B, 3) in [0, 1).

    Returns:
        (B, h, w, c); may leave [-1, 1].
    """
    brightness, saturation, contrast = (draws[:, i, None, None, None] for i in range(3))
    images = images + brightness - 0.5
    grey = ops.mean(images, axis=3, keepdims=True)
    images = grey + 2 * saturation * (images - grey)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (0.5 + contrast) * (images - mean)


def translate(images, draws):
    """Move each image by up to an eighth of its sides.

    Args:
        images: (B, h, w, c) in [-1, 1].
        draws: (B, 2) in [0, 1); 0.5 moves nothing.

    Returns:
        (B, h, w, c), black where nothing was.
    """
    images = images + 1
    for axis, equation in ((1, "bij,bjwc->biwc"), (2, "bij,bhjc->bhic")):
        side = images.shape[axis]
        reach = (side + 4) // 8
        shifts = ops.floor(draws[:, axis - 1] * (2 * reach + 1)) - reach
        sources = ops.arange(side)[None] - ops.cast(shifts, "int32")[:, None]  # (B, side)
        # a product with a shift matrix: its gradient is a product too, where a gather scatters
        images = ops.einsum(equation, ops.one_hot(sources, side, dtype=images.dtype), images)
    return images - 1


def cut_out(images, draws):
    """Black out a square, half an image's sides wide, that may stick out of the image.

    Args:
        images: (B, h, w, c) in [-1, 1].
        draws: (B, 2) in [0, 1): where the square's centre lies.

    Returns:
        (B, h, w, c).
    """
    inside = []
    for axis in (1, 2):
        side = images.shape[axis]
        centres = ops.floor(draws[:, axis - 1] * (side + 1))
        distance = ops.arange(side, dtype="float32")[None] + 0.5 - centres[:, None]
        inside.append(ops.abs(distance) < side / 4)
    rows, columns = inside
    cut = ops.logical_and(rows[:, :, None], columns[:, None, :])[..., None]  # (B, h, w, 1)
    return ops.where(cut, -1.0, images)


AUGMENTATIONS = {"colour": (recolour, 3), "translation": (translate, 2), "cutout": (cut_out, 2)}

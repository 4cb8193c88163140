"""What an enhancer is told, and what it did, as pictures: masks, and the map of changes."""

import numpy as np
from PIL import ImageColor
from scipy import ndimage

from gan_keras.data.ranges import from_integers, to_integers
from gan_keras.errors import UserError
from gan_keras.restoration.enlarging import enlarge
from gan_keras.restoration.files import Picture, read_image

GAIN = 4  # of the map of changes
STRIP, MARGIN = 256, 4  # rows; bicubic interpolation reads two beyond
NEAR = 24  # a marked colour is met within so many grey levels in each channel
SPILL = 4  # pixels; so far around those met has a lossy file some of a painted colour


def read_mask(path, picture):
    """Read which pixels of a picture are missing: where a mask's file is white, and opaque.

    Args:
        path: An image file of the picture's size.
        picture: The `Picture` that it is for.

    Returns:
        bool (H, W).

    Raises:
        UserError: The file cannot be read, has another size, or no white.
    """
    file = read_image(path)
    half = np.iinfo(file.samples.dtype).max / 2
    mask = file.samples.sum(axis=2, dtype=np.uint32) > half * file.samples.shape[2]
    if file.alpha is not None:
        mask &= file.alpha > half
    if mask.shape != picture.samples.shape[:2]:
        raise UserError(
            f"{path}: a mask of {mask.shape} for a picture of {picture.samples.shape[:2]} pixels: "
            "equal sizes are wanted, white where a pixel is missing"
        )
    if not mask.any():
        raise UserError(f"{path}: no pixel of the mask is white (over half of full): all is known")
    return mask


def marked(colour, picture):
    """Find the pixels of a picture that were painted in one colour.

    In a lossy file (JPEG, WebP) those within 4 pixels of them too, which have some of it.

    Args:
        colour: Its name or "#rrggbb", as CSS has them.
        picture: A `Picture`.

    Returns:
        bool (H, W).

    Raises:
        UserError: There is no such colour, or no pixel of it.
    """
    try:
        wanted = np.array(ImageColor.getrgb(colour)[:3])
    except ValueError as error:
        raise UserError(f"no colour {colour!r}: give a name or #rrggbb") from error
    samples, level = picture.samples, np.iinfo(picture.samples.dtype).max // 255
    low, high = ((wanted + near).clip(0, 255) * level for near in (-NEAR, NEAR))
    mask = ((samples >= low.astype(samples.dtype)) & (samples <= high.astype(samples.dtype))).all(2)
    if not mask.any():
        raise UserError(f"no pixel is marked in {colour}: nothing to fill in")
    lossy = picture.format in ("JPEG", "MPO", "WEBP")  # MPO: a camera's JPEG of several pictures
    return ndimage.binary_dilation(mask, iterations=SPILL) if lossy else mask


def transparent(picture):
    """Find the pixels of a picture that are transparent, by half and more: bool (H, W).

    Raises:
        UserError: There is none.
    """
    mask = picture.alpha <= np.iinfo(picture.alpha.dtype).max // 2
    if not mask.any():
        raise UserError("no pixel is transparent: give a mask of what to fill in")
    return mask


def map_of_changes(before, after):
    """Show what was added: mid-grey where nothing was, four times the difference elsewhere.

    Args:
        before: A `Picture`.
        after: The same, restored; where it is larger, compared with bicubic interpolation.

    Returns:
        A `Picture` of 8 bits.
    """
    old, new = before.samples, after.samples
    scale = new.shape[0] // old.shape[0]
    result = np.empty(new.shape, np.uint8)
    for top in range(0, old.shape[0], STRIP):  # floats are made of one strip at a time
        start = max(top - MARGIN, 0)
        reference = enlarge(from_integers(old[start : top + STRIP + MARGIN]), scale)
        rows = slice(scale * top, scale * (top + STRIP))
        change = from_integers(new[rows])
        change -= reference[scale * (top - start) :][: len(change)]
        result[rows] = to_integers(GAIN * change, np.uint8)
    return Picture(result)

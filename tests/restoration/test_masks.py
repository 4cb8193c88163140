"""Which pixels are missing: a file says, or a colour that they were painted in."""

import numpy as np
import pytest
from PIL import Image

from gan_keras.errors import UserError
from gan_keras.restoration.changes import marked, read_mask, transparent
from gan_keras.restoration.files import Picture, read_image

PHOTO = np.random.default_rng(5).integers(60, 180, (20, 30, 3), np.uint8)
LOST = np.zeros((20, 30), bool)
LOST[5:9, 4:20] = True


def painted(colour):
    return np.where(LOST[..., None], np.uint8(colour), PHOTO)


@pytest.mark.parametrize("kind", ["1", "L", "RGB", "I;16"])
def test_a_mask_is_white_where_a_pixel_is_missing(tmp_path, kind):
    white = Image.fromarray(LOST.astype(np.uint16) * 65535) if kind == "I;16" else None
    (white or Image.fromarray(LOST).convert(kind)).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", Picture(PHOTO)), LOST)


def test_what_is_transparent_in_a_mask_is_known(tmp_path):
    """As a layer is that somebody painted on."""
    layer = np.full((20, 30, 4), 255, np.uint8)
    layer[..., 3] = 255 * LOST
    Image.fromarray(layer).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", Picture(PHOTO)), LOST)


@pytest.mark.parametrize("value", [0, 1])
def test_a_mask_without_white_is_a_mistake(tmp_path, value):
    Image.fromarray(LOST.astype(np.uint8) * value).save(tmp_path / "mask.png")
    with pytest.raises(UserError, match="no pixel of the mask is white"):
        read_mask(tmp_path / "mask.png", Picture(PHOTO))


@pytest.mark.parametrize(("dtype", "level"), [(np.uint8, 1), (np.uint16, 257)])
def test_a_marked_colour_is_met_within_24_grey_levels(dtype, level):
    for colour, expected in (("red", LOST), ("#e70018", LOST)):  # 24 levels off in two channels
        picture = Picture(painted([255, 0, 0]).astype(dtype) * level)
        np.testing.assert_array_equal(marked(colour, picture), expected)
    with pytest.raises(UserError, match="no pixel is marked in #e60018"):
        marked("#e60018", picture)
    grey = Picture(np.where(LOST, 255, 100)[..., None].astype(dtype) * level)
    np.testing.assert_array_equal(marked("white", grey), LOST)


def test_what_is_transparent_is_missing():
    opacity = np.where(LOST, 127, 128).astype(np.uint8)
    np.testing.assert_array_equal(transparent(Picture(PHOTO, opacity)), LOST)
    with pytest.raises(UserError, match="no pixel is transparent"):
        transparent(Picture(PHOTO, np.full((20, 30), 65535, np.uint16)))


@pytest.mark.parametrize("suffix", ["jpg", "mpo", "webp"])
def test_of_a_lossy_file_all_that_the_paint_has_touched_is_missing(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    pixels = np.full_like(PHOTO, 120)
    pixels[LOST] = 255, 0, 255
    Image.fromarray(pixels).save(path, quality=95)
    missing = marked("magenta", read_image(path))
    assert missing[LOST].all() and missing.sum() <= 12 * 24  # four pixels around it
    touched = np.abs(read_image(path).samples.astype(int) - 120).max(axis=2)
    assert touched[~missing].max() < 30 < touched[~LOST].max()

"""Photographs in a notebook are shown pixel for pixel."""

import io

import numpy as np
from PIL import Image

from gan_keras.teaching.show import DPI, Picture
from gan_keras.teaching.show_photos import photo_rows


def found(page, patch):
    """Return where a patch is in a page, (top, left) of each place."""
    windows = np.lib.stride_tricks.sliding_window_view(page, patch.shape)
    return np.argwhere((windows == patch).all(axis=(-3, -2, -1))[..., 0])


def test_each_pixel_is_zoom_by_zoom_pixels_of_the_page():
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 7, 3), np.uint8)
    rows = [list(images[:3]), [images[3]]]
    figure = photo_rows(rows, [["one", "two\nlines", ""], ["b"]], ["first", "second"], zoom=3)
    page = io.BytesIO()
    figure.savefig(page, dpi=DPI)
    page = np.asarray(Image.open(page).convert("RGB"))
    places = [found(page, image.repeat(3, axis=0).repeat(3, axis=1)) for image in images]
    assert [len(place) for place in places] == [1, 1, 1, 1]
    first, second, third, below = (place[0] for place in places)
    assert first[0] == second[0] == third[0] and second[1] - first[1] == 7 * 3 + 8
    assert below[1] == first[1] and below[0] > first[0] + 6 * 3
    assert [axes.get_title() for axes in figure.axes] == ["one", "two\nlines", "", "b"]


def test_floats_and_greys_are_shown_as_what_they_are():
    grey = np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4, 1)
    page = np.asarray(Image.open(io.BytesIO(Picture(photo_rows([[grey]])).png())).convert("L"))
    shown = np.round((grey[..., 0] + 1) * 127.5).astype(np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(page, (4, 4))
    assert (np.abs(windows.astype(int) - shown).max(axis=(-2, -1)) <= 1).sum() == 1

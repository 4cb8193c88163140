import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from gan_keras.data.ranges import from_uint8
from gan_keras.errors import UserError
from gan_keras.plots import BACKGROUND, comparison, read_metrics, sample_grid, training_curves


def drawn(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_places_every_pixel(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 6, channels), np.uint8)
    grid = sample_grid(from_uint8(pixels), columns=3, padding=2)
    expected = np.full((2 + 2 * (4 + 2), 2 + 3 * (6 + 2), channels), BACKGROUND, np.uint8)
    for image, (top, left) in zip(pixels, [(2, 2), (2, 10), (2, 18), (8, 2), (8, 10)], strict=True):
        expected[top : top + 4, left : left + 6] = image
    np.testing.assert_array_equal(grid, expected)
    assert grid.dtype == np.uint8


def test_grid_is_no_wider_than_its_images():
    assert sample_grid(np.zeros((3, 28, 28, 1)), columns=10).shape == (32, 92, 1)
    assert sample_grid(np.zeros((2, 5, 5, 1)), columns=1, padding=0).shape == (10, 5, 1)


def test_read_metrics(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,loss,val_psnr\n0,0.5,\n1,0.25,28.5\n2,0.2,NA\n")
    metrics = read_metrics(path)
    assert metrics["epoch"] == [0, 1, 2]
    assert metrics["loss"] == [0.5, 0.25, 0.2]
    assert math.isnan(metrics["val_psnr"][0]) and math.isnan(metrics["val_psnr"][2])
    assert metrics["val_psnr"][1] == 28.5


def test_read_metrics_without_metrics(tmp_path):
    path = tmp_path / "metrics.csv"
    with pytest.raises(UserError, match=r"No metrics in .*metrics\.csv"):
        read_metrics(path)
    path.touch()
    with pytest.raises(UserError, match=r"No metrics in .*metrics\.csv"):
        read_metrics(path)


def test_curves_group_measures_and_name_units():
    nan = math.nan
    figure = training_curves(
        {
            "epoch": [0, 1, 2],
            "generator_loss": [1.0, 2.0, 3.0],
            "discriminator_loss": [0.5, 0.4, 0.3],
            "psnr": [20.0, 24.0, 26.0],
            "val_psnr": [nan, 23.0, nan],
            "elbo": [-200.0, -150.0, -104.0],
            "learning_rate": [1e-3, 1e-3, 1e-4],
            "seconds": [9.0, 8.0, 8.0],
        },
        "DCGAN <run 1>",
    )
    drawn(figure)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["loss", "PSNR (dB)", "ELBO (nats)", "learning rate"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"epoch"}
    assert figure.get_suptitle() == "DCGAN <run 1>"
    losses, psnr = figure.axes[:2]
    assert [line.get_label() for line in losses.lines] == ["generator loss", "discriminator loss"]
    np.testing.assert_array_equal(losses.lines[0].get_xydata(), [[1, 1], [2, 2], [3, 3]])
    training, validation = psnr.lines
    assert validation.get_label() == "validation"
    assert training.get_color() == validation.get_color()
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    np.testing.assert_array_equal(validation.get_xydata(), [[2, 23]])


def test_comparison_zoom_repeats_pixels_exactly():
    generator = np.random.default_rng(1)
    pixels = [generator.integers(0, 256, (40, 60, c), np.uint8) for c in (3, 1)]
    figure = comparison(
        [("degraded", from_uint8(pixels[0])), ("restored\n29 dB", from_uint8(pixels[1]))],
        corner=(8, 16),
        side=24,
    )
    canvas = drawn(figure)
    assert canvas.shape == (12 + 72 + 12 + 48 + 10 + 2 * 17, 12 + 2 * (72 + 12), 3)
    for image, left in zip(pixels, (12, 96), strict=True):
        square = np.broadcast_to(image[8:32, 16:40], (24, 24, 3))
        zoom = canvas[-12 - 72 : -12, left : left + 72]
        np.testing.assert_array_equal(zoom, square.repeat(3, 0).repeat(3, 1))
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["degraded", "restored\n29 dB"]


def test_comparison_of_pictures_smaller_than_the_square():
    figure = comparison([("tiny", np.zeros((10, 30, 3)))])
    assert drawn(figure).shape == (12 + 30 + 12 + 10 + 27, 12 + 30 + 12, 3)

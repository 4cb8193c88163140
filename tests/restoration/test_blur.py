"""The blur that is estimated is the one that was made."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from gan_keras.data.blurs import gaussian_kernel, motion_kernel
from gan_keras.data.degradations import gaussian_noise
from gan_keras.data.photos import Photographs, photo_paths
from gan_keras.data.ranges import from_integers, from_uint8, to_integers, to_uint8
from gan_keras.networks.restorer import build_deblurrer, build_restorer
from gan_keras.restoration.blur import NOTHING, SIDE, estimate_blur, power_spectrum
from gan_keras.restoration.enhancer import Enhancer

PHOTOGRAPHS = [from_uint8(p)[:400, :400] for p in Photographs(photo_paths("photos", "test"))]


def spoil(image, kernel, noise, seed=0):
    blurred = ndimage.convolve(image, kernel[..., None], mode="reflect")
    return gaussian_noise(blurred, np.random.default_rng(seed), sigma=noise)


@pytest.mark.parametrize("image", PHOTOGRAPHS, ids=["china", "coffee"])
@pytest.mark.parametrize(("length", "angle"), [(5, 100), (12, 40), (18, 0), (18, 155)])
@pytest.mark.parametrize("noise", [0.5, 3])
def test_a_motion_is_found(image, length, angle, noise):
    blur = estimate_blur(spoil(image, motion_kernel(length, angle), noise))
    assert blur.sigma == 0
    assert blur.length == pytest.approx(length, rel=0.06, abs=0.3)
    assert (blur.angle - angle + 90) % 180 - 90 == pytest.approx(0, abs=40 / length)
    assert blur.noise == pytest.approx(noise, rel=0.3, abs=1.2)  # fine texture counts as noise


@pytest.mark.parametrize("image", PHOTOGRAPHS, ids=["china", "coffee"])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 2.8])
def test_a_gaussian_is_found(image, sigma):
    blur = estimate_blur(spoil(image, gaussian_kernel(sigma), 1))
    assert blur.length == 0
    assert blur.sigma == pytest.approx(sigma, rel=0.15, abs=0.1)


@pytest.mark.parametrize("image", PHOTOGRAPHS, ids=["china", "coffee"])
def test_what_is_sharp_is_left_alone(image):
    assert estimate_blur(image) == NOTHING
    assert estimate_blur(gaussian_noise(image, np.random.default_rng(0), sigma=15)) == NOTHING


def test_a_wall_is_no_motion():
    """Its joints, as stripes and horizons, look like a longer motion than is looked for."""
    assert estimate_blur(data.brick()[..., None]) == NOTHING


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 300, 1), (129, 40, 3)])
def test_any_size_has_an_estimate(shape):
    assert estimate_blur(np.zeros(shape, np.float32)) == NOTHING
    estimate_blur(np.random.default_rng(0).integers(0, 255, shape, np.uint8))


def test_types_agree():
    spoilt = spoil(PHOTOGRAPHS[0], motion_kernel(9, 20), 2)
    blurs = [estimate_blur(x) for x in (to_uint8(spoilt), to_integers(spoilt, np.uint16), spoilt)]
    for blur in blurs[:2]:
        assert (blur.length, blur.angle) == (blurs[2].length, blurs[2].angle)


def test_the_power_of_white_noise_is_its_variance():
    noise = np.random.default_rng(0).normal(0, 0.1, (5 * SIDE, 5 * SIDE, 1))
    power = power_spectrum(noise)
    assert power.mean() == pytest.approx(0.01, rel=0.02)
    assert np.percentile(power, [5, 95]) == pytest.approx([0.01, 0.01], rel=0.6)


def test_an_enhancer_takes_the_blur_out_and_tiles_equal_the_whole(monkeypatch):
    """An untrained network changes nothing: what is left is the filter."""
    image = PHOTOGRAPHS[1][:300, :280]
    spoilt = spoil(image, motion_kernel(12, 60), 1)
    shape = {"filters": (4,), "blocks": (1,)}
    whole = Enhancer(build_deblurrer(**shape))(spoilt)
    before, after = (np.mean((picture - image) ** 2) for picture in (spoilt, whole))
    assert after < 0.7 * before
    np.testing.assert_array_equal(Enhancer(build_restorer(**shape))(spoilt), np.clip(spoilt, -1, 1))
    from gan_keras.restoration import enhancer, tiling

    def small_tiles(*args, **options):
        tiling.apply_tiled(*args, **options, tile=64)

    monkeypatch.setattr(enhancer, "apply_tiled", small_tiles)
    np.testing.assert_allclose(Enhancer(build_deblurrer(**shape))(spoilt), whole, atol=2e-5)


def test_strength_is_of_the_whole_change():
    spoilt = to_uint8(spoil(PHOTOGRAPHS[0][:200, :200], motion_kernel(10, 120), 1))
    network = build_deblurrer(filters=(4,), blocks=(1,))
    full, half = (Enhancer(network, strength=s)(spoilt).astype(float) for s in (1, 0.5))
    np.testing.assert_array_equal(Enhancer(network, strength=0)(spoilt), spoilt)
    np.testing.assert_allclose(half, (full + spoilt) / 2, atol=1)


def test_grey_and_16_bits_are_sharpened_alike():
    spoilt = spoil(PHOTOGRAPHS[1][:200, :190], motion_kernel(10, 120), 1).mean(-1)
    enhancer = Enhancer(build_deblurrer(filters=(4,), blocks=(1,)))
    expected = enhancer(spoilt)
    assert expected.shape == spoilt.shape and np.abs(expected - spoilt).max() > 0.2
    found = enhancer(to_integers(spoilt, np.uint16))
    assert found.dtype == np.uint16 and found.flags.c_contiguous
    np.testing.assert_allclose(from_integers(found), np.clip(expected, -1, 1), atol=0.02)

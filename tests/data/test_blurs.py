"""Point-spread functions have their shape, inverse filters undo them."""

import numpy as np
import pytest
from scipy import ndimage

from gan_keras.data.blurs import (
    RADIUS,
    convolve,
    extend_blurred,
    gaussian_kernel,
    inverse_filter,
    motion_kernel,
)
from gan_keras.data.photos import Photographs, photo_paths
from gan_keras.data.ranges import GREY_LEVEL, from_integers, from_uint8, to_integers


def test_motion_kernel_by_hand():
    # A path from -1 to 1 through bilinear cells: half in the middle, a quarter on either side.
    expected = np.zeros((5, 5))
    expected[2, 1:4] = [0.25, 0.5, 0.25]
    np.testing.assert_allclose(motion_kernel(2, 0), expected, atol=0.003)
    np.testing.assert_allclose(motion_kernel(2, 90), expected.T, atol=0.003)


@pytest.mark.parametrize("length", [0.3, 1, 4.5, 15])
@pytest.mark.parametrize("angle", [0, 30, 45, 100])
def test_motion_kernels_sum_to_one_and_are_centred(length, angle):
    kernel = motion_kernel(length, angle)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert kernel.min() >= 0
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)


@pytest.mark.parametrize("sigma", [0.0, 0.7, 2.0])
def test_gaussian_kernel_is_scipys(sigma):
    kernel = gaussian_kernel(sigma)
    impulse = np.zeros(kernel.shape)
    impulse[len(kernel) // 2, len(kernel) // 2] = 1
    np.testing.assert_allclose(kernel, ndimage.gaussian_filter(impulse, sigma), atol=1e-7)


@pytest.mark.parametrize("shape", [(40, 30, 3), (1, 1, 1), (7, 50, 1)])
def test_convolution_is_scipys_with_reflected_borders(shape):
    generator = np.random.default_rng(0)
    image, kernel = generator.normal(size=shape), generator.normal(size=(13, 13))
    image, kernel = image.astype(np.float32), kernel.astype(np.float32)
    expected = ndimage.convolve(image, kernel[..., None], mode="reflect")
    found = convolve(image, kernel)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_inverse_filter_undoes_what_it_can():
    """Of a kernel without zeros and no noise nearly all; no blur it leaves as it is."""
    mild = np.float32([[0, 0, 0], [0.2, 0.6, 0.2], [0, 0, 0]])
    both = convolve(inverse_filter(mild, 0)[..., None], mild)[..., 0]
    centre = len(both) // 2
    assert both.sum() == pytest.approx(1, abs=1e-3)
    assert both[centre, centre] > 0.95
    nothing = inverse_filter(gaussian_kernel(0), 0)
    assert nothing[centre, centre] == pytest.approx(1, abs=0.01)


def test_inverse_filter_is_weaker_where_there_is_more_noise():
    gains = [np.sum(inverse_filter(motion_kernel(9, 30), s) ** 2) for s in (0, 2, 8, 32)]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > 3 * gains[2]


@pytest.mark.parametrize("shape", [(1, 1, 1), (30, 7, 3), (120, 200, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_photograph_is_extended_by_what_is_blurred_once_more(shape, dtype):
    image = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    samples = image if dtype == np.float32 else to_integers(image, dtype)
    kernel = motion_kernel(9, 30)
    extended = extend_blurred(samples, kernel)
    assert extended.dtype == dtype
    inside = np.s_[RADIUS:-RADIUS, RADIUS:-RADIUS]
    np.testing.assert_array_equal(extended[inside], samples)
    whole = convolve(
        np.pad(image, ((RADIUS, RADIUS), (RADIUS, RADIUS), (0, 0)), "symmetric"), kernel
    )
    whole[inside] = image
    found = extended if dtype == np.float32 else from_integers(extended)
    atol = {np.uint8: 1.01, np.uint16: 0.02, np.float32: 1e-3}[dtype] * GREY_LEVEL
    np.testing.assert_allclose(found, whole, atol=atol)


def test_an_extended_photograph_does_not_ring():
    """The scene goes on beyond the borders, as scenes do; the filter is not told how."""
    photograph = from_uint8(Photographs(photo_paths("photos", "test"))[0])
    kernel = motion_kernel(15, 30)
    seen, inverse = np.s_[40:-40, 40:-40], inverse_filter(kernel, 1)
    sharp, blurred = photograph[seen], convolve(photograph, kernel)[seen]
    border = np.ones(sharp.shape[:2], bool)
    border[24:-24, 24:-24] = False
    plain = convolve(blurred, inverse)
    extended = convolve(extend_blurred(blurred, kernel), inverse)[RADIUS:-RADIUS, RADIUS:-RADIUS]
    errors = [np.mean((x - sharp)[border] ** 2) for x in (blurred, plain, extended)]
    assert errors[2] < 0.6 * errors[1] and errors[2] < 0.8 * errors[0]

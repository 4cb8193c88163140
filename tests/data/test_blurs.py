"""Point-spread functions have their shape, inverse filters undo them."""

import numpy as np
import pytest
from scipy import ndimage

from gan_keras.data.blurs import convolve, gaussian_kernel, inverse_filter, motion_kernel


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

"""Blurs: their point-spread functions, and linear filters that undo them."""

import math

import numpy as np
from scipy import fft

from gan_keras.data.ranges import from_integers, to_integers

RADIUS = 48  # of an inverse filter: beyond it little is left of those for up to 20 pixels
_GRID = 256  # frequencies a side on which it is computed


def motion_kernel(length, angle):
    """Return the point-spread function of a camera that moves steadily along a line.

    It is the mean of many instants of the exposure, each a bilinear shift: anti-aliased, at any
    angle, and for lengths below a pixel too.

    Args:
        length: Path during the exposure in pixels, ≥ 0.
        angle: Direction in degrees, counter-clockwise from the horizontal.

    Returns:
        float32 (K, K), K odd: non-negative, symmetric about its centre, of sum 1.
    """
    instants = math.ceil(16 * length) + 1
    path = ((np.arange(instants) + 0.5) / instants - 0.5) * length
    radius = math.ceil(length / 2) + 1
    cells = np.arange(-radius, radius + 1)[:, None]
    rows = np.maximum(1 - abs(cells + path * math.sin(math.radians(angle))), 0)  # (K, instants)
    columns = np.maximum(1 - abs(cells - path * math.cos(math.radians(angle))), 0)
    return (rows @ columns.T / instants).astype(np.float32)


def gaussian_kernel(sigma):
    """Return a Gaussian's point-spread function, out to 4 σ: float32 (K, K), K odd, of sum 1."""
    cells = np.arange(-math.ceil(4 * sigma), math.ceil(4 * sigma) + 1)
    line = np.exp(-0.5 * (cells / max(sigma, 1e-3)) ** 2)
    return (np.outer(line, line) / line.sum() ** 2).astype(np.float32)


def inverse_filter(kernel, sigma):
    r"""Return a filter that undoes a blur, as far as the noise lets it.

    Of a Wiener filter, conj(K) / (|K|² + N/S), with N/S = (5e-4 + 1.5e-3 σ²) (f/0.15)²: a sharp
    photograph's power S falls with the square of the frequency f, and a network that is to clean
    up afterwards can take a little more noise than the eye. Cut off at 48 pixels, gently, so that
    tiles equal the whole.

    Args:
        kernel: Point-spread function (K, K), K odd, symmetric about its centre.
        sigma: Standard deviation of the noise, in grey levels.

    Returns:
        float32 (97, 97) of sum 1.
    """
    radius = len(kernel) // 2
    centred = np.zeros((_GRID, _GRID))
    centred[: len(kernel), : len(kernel)] = kernel
    passed = fft.rfft2(np.roll(centred, (-radius, -radius), (0, 1)))  # K(f)
    frequency = np.hypot(fft.fftfreq(_GRID)[:, None], fft.rfftfreq(_GRID)[None])
    noise = (5e-4 + 1.5e-3 * sigma**2) * (np.maximum(frequency, 0.01) / 0.15) ** 2
    inverse = fft.irfft2(np.conj(passed) / (np.abs(passed) ** 2 + noise), s=(_GRID, _GRID))
    inverse = np.roll(inverse, (RADIUS, RADIUS), (0, 1))[: 2 * RADIUS + 1, : 2 * RADIUS + 1]
    beyond = np.clip(2 * np.abs(np.arange(-RADIUS, RADIUS + 1)) / RADIUS - 1, 0, 1)
    inverse *= np.outer(np.cos(np.pi / 2 * beyond), np.cos(np.pi / 2 * beyond)) ** 2
    return (inverse / inverse.sum()).astype(np.float32)


def convolve(image, kernel):
    """Convolve each channel with a kernel that may be large; borders are reflected.

    Args:
        image: float32 (H, W, C).
        kernel: float32 (K, K), K odd.

    Returns:
        float32 (H, W, C).
    """
    height, width = image.shape[:2]
    radius = len(kernel) // 2
    padded = np.pad(image, ((radius, radius), (radius, radius), (0, 0)), "symmetric")
    size = [fft.next_fast_len(side, real=True) for side in padded.shape[:2]]  # no wrap: see below
    spectrum = fft.rfft2(padded, size, axes=(0, 1)) * fft.rfft2(kernel, size)[..., None]
    whole = fft.irfft2(spectrum, size, axes=(0, 1))  # what wraps lies within the first 2·radius
    return whole[2 * radius : 2 * radius + height, 2 * radius : 2 * radius + width]


def extend_blurred(image, kernel):
    """Continue a blurred photograph beyond its borders, for a filter that is to undo the blur.

    What moved in over a border was never seen, and a filter that meets a plain reflection there
    rings: of a reflected motion, the direction is another. What is added is reflected and blurred
    once more, as if the photograph lay in a scene that it knows only blurred (an edge taper): 48
    pixels, as far as `inverse_filter` looks.

    Args:
        image: (H, W, C): uint8, uint16, or floats in [-1, 1].
        kernel: Point-spread function (K, K), K odd, of the blur.

    Returns:
        The same type, (H + 96, W + 96, C); the photograph itself, in the middle, is as it was.
    """
    is_float = image.dtype.kind == "f"
    reach = RADIUS + len(kernel) // 2
    extended = np.pad(image, ((RADIUS, RADIUS), (RADIUS, RADIUS), (0, 0)), "symmetric")
    strips = []
    for near, outside in ((np.s_[:reach], np.s_[:RADIUS]), (np.s_[-reach:], np.s_[-RADIUS:])):
        for every in ((), (np.s_[:],)):  # above or below; left or right
            strip = extended[(*every, near)]
            blurred = convolve(strip if is_float else from_integers(strip), kernel)
            strips.append(((*every, outside), blurred[(*every, outside)]))
    for outside, strip in strips:
        extended[outside] = strip if is_float else to_integers(strip, image.dtype)
    return extended

r"""Which blur a photograph has: the one under which its spectrum is the most likely.

A sharp photograph's power falls with the frequency, its edges' like 1 / f³ and its texture's like
1 / f; a blur lets |K(f)|² of it pass, noise adds N:

    M(f) = |K(f)|² (A / f³ + B / f) + N,    −log p = Σ_f [log M(f) + P(f) / M(f)]

with P the power that is measured (Whittle 1953). A camera that moved leaves the zeros of a sinc
across its direction, which few scenes have; a lens out of focus leaves a Gaussian. For each of many
blurs A, B and N are fitted, and the most likely blur wins.

======  ==========  =================================================
f       `_F`        frequency in cycles a pixel, `_U` across, `_V` up
P       `power`     of the photograph's blocks
\|K|²   `passed`    what a blur lets pass
======  ==========  =================================================
"""

import dataclasses
import math

import numpy as np
from scipy import fft

from gan_keras.data.blurs import gaussian_kernel, inverse_filter, motion_kernel
from gan_keras.data.ranges import GREY_LEVEL, from_integers

SIDE = 128  # of a block
CAUTION = 0.85  # of a Gaussian's σ: on the embedded photographs 0.9 is best, 1 worse than 0.8
LONGEST = 22  # pixels that a motion is believed to have: stripes and horizons look like more
BLOCKS = 24  # of each row and column of them are looked at, at most
_U, _V = fft.fftfreq(SIDE)[None], fft.fftfreq(SIDE)[:, None]
_F = np.maximum(np.hypot(_U, _V), 1 / SIDE)
_SHARP = np.stack([_F**-3.0, 1 / _F])
_USED = (_F > 2.5 / SIDE) & (_F < 0.48) & (_U >= 0)  # one of each pair f, −f; not the mean


@dataclasses.dataclass(frozen=True)
class Blur:
    """A blur and the noise that came after it.

    Attributes:
        sigma: Of a Gaussian, in pixels.
        length: Of a motion, in pixels; 0 where the blur is a Gaussian.
        angle: Its direction in degrees, counter-clockwise from the horizontal.
        noise: Standard deviation of the noise in a channel, in grey levels.
    """

    sigma: float = 0.0
    length: float = 0.0
    angle: float = 0.0
    noise: float = 0.0

    def kernel(self):
        """Return what is to be undone of it, a point-spread function (K, K).

        Of a Gaussian that is a smaller one: how sharp the photograph was is not known to a tenth,
        and what is undone too far rings, where a network sharpens what is left of a blur.
        """
        if self.length:
            return motion_kernel(self.length, self.angle)
        return gaussian_kernel(CAUTION * self.sigma)

    def inverse(self):
        """Return the filter that undoes it, (97, 97): see `inverse_filter`."""
        return inverse_filter(self.kernel(), self.noise)

    def passed(self):
        """Return |K(f)|², (128, 128)."""
        if self.length:
            turn = math.radians(self.angle)
            return np.sinc(self.length * (_U * math.cos(turn) - _V * math.sin(turn))) ** 2
        return np.exp(-((2 * math.pi * self.sigma * _F) ** 2))


def _turn(length):
    """Return the first grid's step of the angle, in degrees."""
    return 15 if length < 7 else 7.5


NOTHING = Blur()
_GAUSSIANS = [Blur(sigma) for sigma in np.arange(0.6, 3.3, 0.3)]
_MOTIONS = [
    Blur(0.0, length, angle)
    for length in (3, 4, 5.5, 7, 9, 11, 13, 15, 17, 19, 21)
    for angle in np.arange(0, 180, _turn(length))
]


def power_spectrum(image):
    """Return the power of an image's blocks of 128×128, the mean over them (Welch 1967).

    Args:
        image: (H, W, C), floats or integers; a side below 128 is reflected to that.

    Returns:
        float (F,), of the mean of the channels in [-1, 1], at the frequencies that are looked
        at; white noise of deviation s has s².
    """
    short = [(0, max(SIDE - side, 0)) for side in image.shape[:2]]
    image = np.pad(image, (*short, (0, 0)), "symmetric") if np.any(short) else image
    window = np.outer(np.hanning(SIDE + 1)[:-1], np.hanning(SIDE + 1)[:-1]) * (8 / 3)  # of power 1
    tops, lefts = (
        np.linspace(0, side - SIDE, min(math.ceil(2 * side / SIDE), BLOCKS)).astype(int)
        for side in image.shape[:2]
    )
    total = 0.0
    for top, left in [(top, left) for top in tops for left in lefts]:
        block = image[top : top + SIDE, left : left + SIDE]
        block = (block if block.dtype.kind == "f" else from_integers(block)).mean(-1)
        total = total + np.abs(fft.fft2((block - block.mean()) * window)) ** 2
    return total[_USED] / (len(tops) * len(lefts) * SIDE**2)


def _fit(power, blur, rounds=12):
    """Return (−log p a frequency, N) of one blur, A, B and N fitted.

    Each round multiplies each by the ratio of the two parts of its gradient, which keeps it
    positive (Févotte et al. 2009, §4.1).
    """
    signals = blur.passed() * _SHARP
    for axis in (1, 2):  # a block's window, Hann's, spreads each frequency over its neighbours
        signals = signals * 2 / 3 + (np.roll(signals, 1, axis) + np.roll(signals, -1, axis)) / 6
    parts = np.stack([*signals[:, _USED], np.ones(len(power))])  # (3, F)
    weights = power.mean() / parts.mean(1) * (0.4, 0.4, 0.0) + (0, 0, np.quantile(power, 0.05))
    for _ in range(rounds):
        model = weights @ parts
        weights *= (parts @ (power / model**2)) / (parts @ (1 / model))
    model = weights @ parts
    return np.mean(np.log(model) + power / model), weights[2]


def estimate_blur(image, doubt=0.1, noisiest=6):
    """Return the most likely `Blur` of a photograph: none, a Gaussian or a motion.

    Args:
        image: (H, W, C): uint8, uint16, or floats in [-1, 1].
        doubt: By how much −log p a frequency must fall for a blur to be believed in.
        noisiest: The most noise, in grey levels, that it may come with: more is a sharp
            photograph of grass or sand, or hides the blur.
    """
    power = power_spectrum(image) + 1e-12
    sharp, _ = _fit(power, NOTHING)
    best = {}  # of each length
    for blur in (*_GAUSSIANS, *_MOTIONS):
        fit = (*_fit(power, blur), blur)
        best[blur.length] = min(best.get(blur.length, fit), fit, key=_misfit)
    best = sorted(best.values(), key=_misfit)[:4]
    for step in (0.5, 0.25, 0.125):
        for i, fit in enumerate(best):
            near = [(*_fit(power, blur), blur) for blur in _neighbours(fit[2], step)]
            best[i] = min([fit, *near], key=_misfit)
    misfit, noise, blur = min(best, key=_misfit)
    noise = math.sqrt(noise * image.shape[2]) / GREY_LEVEL  # the channels' mean has less of it
    known = misfit < sharp - doubt and noise < noisiest and blur.length <= LONGEST
    return dataclasses.replace(blur, noise=noise) if known else NOTHING


def _misfit(fit):
    return fit[0]


def _neighbours(blur, step):
    """Return the blurs around one, `step` of the first grid away."""
    if not blur.length:
        return [Blur(max(blur.sigma + 0.3 * i * step, 0.1)) for i in (-1, 1)]
    long, turn = 2 * step, _turn(blur.length) * step
    sides = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return [Blur(0.0, blur.length + i * long, blur.angle + j * turn) for i, j in sides]

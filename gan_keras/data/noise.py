"""Noise: what a sensor adds to a photograph, as degradations (see `data/degradations.py`)."""

import numpy as np

from gan_keras.data.parameters import draw
from gan_keras.data.ranges import GREY_LEVEL, from_unit, to_unit


def gaussian_noise(image, generator, *, sigma=25, grey=0, clipped=0):
    r"""Add white Gaussian noise, y = x + n with n ~ N(0, σ²).

    Not clipped to [-1, 1]: clipping shrinks the noise in blacks and whites, and biases it.
    Unclipped, the squared error is σ² everywhere and doing nothing has a PSNR of
    20·log₁₀(255/σ), 20.17 dB at σ = 25. (A table that clips every output shows a little more.)

    Args:
        image: float32 (H, W, C) in [-1, 1].
        generator: Source of randomness.
        sigma: σ in 8-bit grey levels, ≥ 0; or a pair.
        grey: Chance that all channels get the same noise, as a grey photograph has it, 0 to 1.
        clipped: Chance that the result is clipped all the same, as a file clips it, 0 to 1.
    """
    scale = np.float32(draw(generator, "sigma", sigma) * GREY_LEVEL)
    same = draw(generator, "grey", grey) and generator.random() < grey
    channels = 1 if same else image.shape[-1]
    noise = generator.standard_normal((*image.shape[:-1], channels), dtype=np.float32)
    image = image + scale * noise
    clip = draw(generator, "clipped", clipped) and generator.random() < clipped
    return np.clip(image, -1, 1) if clip else image


def poisson_noise(image, generator, *, peak=100):
    """Add photon (shot) noise: a sensor counts whole photons.

    With white = 1 and black = 0, the mean is the signal and the variance is signal/peak. Not
    clipped: a white pixel collects more than `peak` photons about half of the time.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        generator: Source of randomness.
        peak: Mean number of photons in a white pixel, ≥ 1; or a pair.
    """
    peak = draw(generator, "peak", peak)
    photons = generator.poisson(np.maximum(to_unit(image), 0) * peak)
    return from_unit(photons / peak).astype(np.float32)

"""Classical restoration, the rows that a trained model must beat.

Each denoiser is told the noise's true σ, which a trained model is not, and has the settings that
did best on the training photographs at σ = 25 (`python benchmarks/classical_settings.py`).
"""

from functools import partial

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import restoration

from gan_keras.data.ranges import GREY_LEVEL, from_unit, to_unit
from gan_keras.restoration.enlarging import enlarge


def median(image, sigma):
    """Take the median of a 3×3 window in each channel; `sigma` plays no part.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        sigma: Standard deviation of the noise in grey levels.

    Returns:
        float32 (H, W, C).
    """
    return ndimage.median_filter(image, size=(3, 3, 1))


def bilateral(image, sigma, colour=0.5, space=2.0):
    """Average pixels that are near in place and in colour (Tomasi & Manduchi 1998).

    Args:
        image: float32 (H, W, C) in [-1, 1].
        sigma: Standard deviation of the noise in grey levels.
        colour: σ of the weights' Gaussian in colour, in units of `sigma`.
        space: σ of the weights' Gaussian in place, in pixels.

    Returns:
        float32 (H, W, C).
    """
    smooth = restoration.denoise_bilateral(
        np.clip(to_unit(image), 0, 1),
        sigma_color=colour * sigma / 255,
        sigma_spatial=space,
        channel_axis=2,
    )
    return from_unit(smooth).astype(np.float32)


def non_local_means(image, sigma, strength=0.5):
    """Average pixels whose 5×5 patches are alike (Buades et al. 2005), with the noise's σ known.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        sigma: Standard deviation of the noise in grey levels.
        strength: The filter's h, in units of `sigma`; scikit-image's documentation suggests 0.8.

    Returns:
        float32 (H, W, C).
    """
    return restoration.denoise_nl_means(
        image,
        patch_size=5,
        patch_distance=6,
        h=strength * sigma * GREY_LEVEL,
        sigma=sigma * GREY_LEVEL,
        fast_mode=True,
        channel_axis=2,
    ).astype(np.float32)


DENOISERS = {
    "median 3×3": median,
    "bilateral": bilateral,
    "non-local means, h = 0.8 σ": partial(non_local_means, strength=0.8),
    "non-local means, tuned": non_local_means,
}


def classics_for(degradation):
    """Return what there is to compare with, where a degradation is one that classics repair.

    Args:
        degradation: A recipe's: what `data.degradations.build_degradation` takes.

    Returns:
        {name: function from a degraded image to a restored one}: the denoisers, for Gaussian noise
        of one σ; interpolation, for `downsample`; else nothing.
    """
    settings = degradation if isinstance(degradation, dict) else {}
    if "chance" in settings:
        return {}
    sigma = settings.get("sigma", 25)
    if settings.get("name") == "gaussian_noise" and np.ndim(sigma) == 0:
        return {k: partial(method, sigma=sigma) for k, method in DENOISERS.items()}
    if settings.get("name") == "downsample":
        kernels = {"bicubic": Image.Resampling.BICUBIC, "Lanczos": Image.Resampling.LANCZOS}
        factor = settings.get("factor", 4)
        return {k: partial(enlarge, factor=factor, kernel=kernel) for k, kernel in kernels.items()}
    return {}

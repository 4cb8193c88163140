"""The tasks of `restoration.py`: what is done to a photograph, and what the classics make of it."""

import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import ndimage
from skimage import restoration

from gan_keras.data.blurs import gaussian_kernel, motion_kernel
from gan_keras.data.degradations import build_degradation, gaussian_noise
from gan_keras.data.ranges import GREY_LEVEL, from_uint8, from_unit, to_uint8, to_unit
from gan_keras.restoration.classical import classics_for

try:
    import bm3d
    import cv2
except ImportError:
    bm3d = cv2 = None


@dataclasses.dataclass(frozen=True)
class Task:
    """One row of what is to be repaired.

    Attributes:
        degrade: (image, generator) → (degraded, told): the latter goes to each classic by name.
        classics: {name: function(degraded, **told)}.
        models: Shipped models that are made for it, the specialist first.
        luma: Whether Y is measured, without the border.
    """

    degrade: Callable
    classics: dict
    models: tuple
    luma: bool = False


def plain(specification):
    """Return a `degrade` that tells nothing."""
    degradation = build_degradation(specification)
    return lambda image, generator: (degradation(image, generator), {})


def blurred(kernel):
    """Return a `degrade` that tells its kernel; a little noise (σ = 2) is added, as by a sensor.

    Args:
        kernel: generator → point-spread function.
    """

    def degrade(image, generator):
        psf = kernel(generator)
        blur = ndimage.convolve(image, psf[..., None], mode="reflect")
        return gaussian_noise(blur, generator, sigma=2), {"psf": psf}

    return degrade


def deconvolved(method):
    """Return a classic that repairs each channel in [0, 1], its border reflected."""

    def restore(image, psf):
        margin = 2 * len(psf)
        padded = np.pad(to_unit(image), ((margin, margin), (margin, margin), (0, 0)), "symmetric")
        planes = [method(plane, psf) for plane in np.moveaxis(padded, -1, 0)]
        return from_unit(np.stack(planes, axis=-1)[margin:-margin, margin:-margin])

    return restore


def colour_bm3d(image, sigma):
    """Run BM3D in the opponent colours of its paper (Dabov et al. 2007)."""
    profile = bm3d.BM3DProfile()
    profile.num_threads = 1  # on two virtual cores two, which wait for each other, are slower
    return from_unit(bm3d.bm3d_rgb(to_unit(image), sigma * GREY_LEVEL / 2, profile))


def opencv_inpainter(method):
    """Return one of OpenCV's two inpainters, radius 3."""

    def restore(image):
        lost = (image[..., 3] < 0).astype(np.uint8)
        return from_uint8(cv2.inpaint(to_uint8(image[..., :3]), lost, 3, method))

    return restore


def _smoothers(degradation):
    """Return the classics for white noise, which are told its σ."""
    classics = classics_for(degradation)
    if bm3d:
        classics["BM3D"] = partial(colour_bm3d, sigma=degradation["sigma"])
    return classics


def _noise(sigma):
    degradation = {"name": "gaussian_noise", "sigma": sigma}
    return Task(plain(degradation), _smoothers(degradation), ("denoise", "auto"))


def _deconvolvers(balance, iterations):
    """Return Wiener's filter and Richardson–Lucy, with settings tried by hand for a blur.

    Args:
        balance: Of Wiener's filter; 0.3 is right where a kernel has zeros, as a motion's has.
        iterations: Of Richardson–Lucy.
    """
    return {
        "Wiener": deconvolved(
            lambda plane, psf: restoration.wiener(plane, psf, balance, clip=False)
        ),
        "Richardson–Lucy": deconvolved(
            lambda plane, psf: restoration.richardson_lucy(np.clip(plane, 0, 1), psf, iterations)
        ),
    }


INPAINTERS = {}
if cv2:
    INPAINTERS["OpenCV, Telea"] = opencv_inpainter(cv2.INPAINT_TELEA)
    INPAINTERS["OpenCV, Navier–Stokes"] = opencv_inpainter(cv2.INPAINT_NS)
ENLARGE = {"name": "downsample", "factor": 4}


def _mixed(*specification):
    """A task of `auto`: the classics smooth as they would noise of σ = 10."""
    classics = _smoothers({"name": "gaussian_noise", "sigma": 10})
    return Task(plain(list(specification)), classics, ("auto", "denoise"))


TASKS = {
    "denoise-15": _noise(15),
    "denoise-25": _noise(25),
    "denoise-50": _noise(50),
    "enlarge-4": Task(plain(ENLARGE), classics_for(ENLARGE), ("super_resolve",), luma=True),
    "deblur-gaussian": Task(
        blurred(lambda generator: gaussian_kernel(2)), _deconvolvers(0.003, 50), ("deblur", "auto")
    ),
    "deblur-motion": Task(
        blurred(lambda generator: motion_kernel(15, generator.uniform(0, 180))),
        _deconvolvers(0.3, 30),
        ("deblur",),
    ),
    "inpaint-50": Task(
        plain({"name": "holes", "fraction": 0.5, "count": 0}), INPAINTERS, ("inpaint",)
    ),
    "inpaint-scratches": Task(
        plain({"name": "holes", "fraction": 0, "count": 8, "width": 6}), INPAINTERS, ("inpaint",)
    ),
    "jpeg-10": _mixed({"name": "jpeg", "quality": 10}),
    "mixed": _mixed(
        {"name": "gaussian_blur", "sigma": 1},
        {"name": "gaussian_noise", "sigma": 10},
        {"name": "jpeg", "quality": 40},
    ),
}

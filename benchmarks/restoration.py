"""Every task of restoration, every method, on photographs that nobody trained on: one table a task.

Each photograph is degraded once, from (seed, its number), and every method gets that same picture.
The classics are told what a trained model is not: the noise's σ, the blur's kernel; inpainters of
both kinds are told where pixels are missing. Outputs are clipped and rounded to 8 bits. PSNR and
SSIM are of RGB; for enlarging of Y (BT.601) without a border of 4 pixels, as papers do.

Usage: python benchmarks/restoration.py FOLDER --tasks denoise-25 enlarge-4 --out results.md
       python benchmarks/restoration.py FOLDER --tasks denoise-25 --models runs/mine --peer a.onnx
BM3D and OpenCV's inpainters are left out, and said to be, without `pip install -e .[bench]`.
"""

import argparse
import dataclasses
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from scipy import ndimage
from skimage import restoration

from gan_keras.data.degradations import build_degradation, gaussian_noise, motion_kernel
from gan_keras.data.photo_files import images_in
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import GREY_LEVEL, from_uint8, from_unit, to_uint8, to_unit
from gan_keras.errors import UserError
from gan_keras.loading import shipped
from gan_keras.metrics.image_quality import psnr, ssim
from gan_keras.plots import repeat_pixels
from gan_keras.restoration.classical import classics_for
from gan_keras.restoration.enhancer import Enhancer, enhance_degraded

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


def gaussian_kernel(generator, sigma=2.0):
    """Return a Gaussian's point-spread function."""
    impulse = np.zeros((17, 17), np.float32)
    impulse[8, 8] = 1
    return ndimage.gaussian_filter(impulse, sigma)


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
    return from_unit(bm3d.bm3d_rgb(to_unit(image), sigma * GREY_LEVEL / 2))


def opencv_inpainter(method):
    """Return one of OpenCV's two inpainters, radius 3."""

    def restore(image):
        lost = (image[..., 3] < 0).astype(np.uint8)
        return from_uint8(cv2.inpaint(to_uint8(image[..., :3]), lost, 3, method))

    return restore


def _noise(sigma):
    degradation = {"name": "gaussian_noise", "sigma": sigma}
    classics = classics_for(degradation)
    if bm3d:
        classics["BM3D"] = partial(colour_bm3d, sigma=sigma)
    return Task(plain(degradation), classics, ("denoise", "auto"))


def _deconvolvers(balance, iterations):
    """Return Wiener's filter and Richardson–Lucy, each with its best setting for a blur.

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
    classics = classics_for({"name": "gaussian_noise", "sigma": 10})
    return Task(plain(list(specification)), classics, ("auto", "denoise"))


TASKS = {
    "denoise-15": _noise(15),
    "denoise-25": _noise(25),
    "denoise-50": _noise(50),
    "enlarge-4": Task(plain(ENLARGE), classics_for(ENLARGE), ("super_resolve",), luma=True),
    "deblur-gaussian": Task(blurred(gaussian_kernel), _deconvolvers(0.003, 50), ("deblur", "auto")),
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


def measure(task, restored, target):
    """Return (PSNR, SSIM) of a restored picture; both float32 (H, W, 3) in [-1, 1]."""
    if restored.shape != target.shape:
        raise UserError(f"a model for another task: {restored.shape}, {target.shape} is wanted")
    pair = from_uint8(to_uint8(restored)), target
    if task.luma:
        pair = [_luma(image)[4:-4, 4:-4] for image in pair]
    first, second = (to_unit(image)[None] for image in pair)
    return float(psnr(second, first, 1.0)[0]), float(ssim(second, first, 1.0)[0])


def _luma(image):
    """Return Y of BT.601, (H, W, 1), black at 16 and white at 235 of 255, in [-1, 1]."""
    y = 16 + to_unit(image) @ np.float32([[65.481], [128.553], [24.966]])
    return from_uint8(y)


def peer(path):
    """Load another model, degraded → restored, (1, H, W, 3) in [0, 1]: SavedModel or ONNX."""
    if Path(path).suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path)
        name = session.get_inputs()[0].name
        return lambda image: from_unit(session.run(None, {name: to_unit(image)[None]})[0][0])
    import tensorflow as tf

    serve = tf.saved_model.load(path).signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]

    def restore(image):
        (output,) = serve(**{name: tf.constant(to_unit(image)[None])}).values()
        return from_unit(output.numpy()[0])

    return restore


def run(task, photographs, models, peers, seed):
    """Measure all methods of one task.

    Returns:
        {method: (PSNR, SSIM, seconds a megapixel, parameters)}, means over the photographs.
    """
    methods = {name: (method, 0) for name, method in task.classics.items()}
    for name, enhancer in models.items():
        methods[name] = (partial(enhance_degraded, enhancer), enhancer.network.count_params())
    methods |= {name: (restore, None) for name, restore in peers.items()}
    values = {name: [] for name in ("do nothing", *methods)}
    for index, path in enumerate(photographs.paths):
        target = from_uint8(photographs.decode(path))
        degraded, told = task.degrade(target, np.random.default_rng([seed, index]))
        scale = target.shape[0] // degraded.shape[0]
        target = target[: scale * degraded.shape[0], : scale * degraded.shape[1]]
        values["do nothing"].append(
            (*measure(task, repeat_pixels(degraded[..., :3], scale), target), 0.0)
        )
        for name, (restore, _) in methods.items():
            started = time.perf_counter()
            restored = restore(degraded, **told) if name in task.classics else restore(degraded)
            seconds = time.perf_counter() - started
            values[name].append((*measure(task, restored, target), seconds / (target.size / 3e6)))
    counts = {name: count for name, (_, count) in methods.items()}
    return {k: (*np.mean(v, axis=0).tolist(), counts.get(k, 0)) for k, v in values.items()}


def table(rows):
    """Return a task's Markdown lines."""
    lines = ["| method | PSNR (dB) | SSIM | s/MP | parameters |", "|---|---|---|---|---|"]
    for name, (quality, similarity, seconds, count) in rows.items():
        size = "–" if count is None else f"{count:,}"
        lines.append(f"| {name} | {quality:.2f} | {similarity:.4f} | {seconds:.2f} | {size} |")
    return lines


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="photographs that nobody trained on")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS, metavar="TASK")
    parser.add_argument("--models", nargs="+", help="in place of the shipped ones")
    parser.add_argument("--peer", nargs="+", default=[], help="SavedModels or ONNX files")
    parser.add_argument("--best", action="store_true", help="a row more: mean over eight turns")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, help="a Markdown file")
    args = parser.parse_args()
    load_at_start = os.getloadavg()[0]
    photographs = Photographs(images_in(args.folder), cache_bytes=2**30)
    missing = "" if bm3d else "; BM3D and OpenCV are not installed: their rows are left out"
    lines = [
        f"# {' '.join(['python', *sys.argv])}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}; {len(photographs)} photographs; {platform.machine()}, "
        f"{os.cpu_count()} cores, load {load_at_start:.2f} at the start; Keras "
        f"{keras.__version__} on {keras.backend.backend()}; seed {args.seed}{missing}",
    ]
    print("\n".join(lines))
    peers = {Path(path).stem: peer(path) for path in args.peer}
    for name in args.tasks:
        task, models = TASKS[name], {}
        for model in args.models or [m for m in task.models if m in shipped()]:
            models[model] = Enhancer.load(model)
            if args.best:
                models[f"{model}, best"] = Enhancer.load(model, best=True)
        result = ["", f"## {name}", "", *table(run(task, photographs, models, peers, args.seed))]
        print("\n".join(result), flush=True)
        lines += result
        if args.out:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))

"""Every task of restoration, every method, on photographs that nobody trained on: one table a task.

Each photograph is degraded once, from (seed, its number), and every method gets that same picture.
The classics are told what a trained model is not: the noise's σ, the blur's kernel; inpainters of
both kinds are told where pixels are missing. Outputs are clipped and rounded to 8 bits. PSNR and
SSIM are of RGB; for enlarging of Y (BT.601) without a border of 4 pixels, as papers do. Where a
task has a realism version, there is a row for each place on its dial; `--blend outputs` mixes the
two networks' pictures instead of their weights, to compare. FOLDER may be "photos": the
photographs that ship inside packages and may be shown, of which no shipped enhancer has seen any.

Usage: python benchmarks/restoration.py FOLDER --tasks denoise-25 enlarge-4 --out results.md
       python benchmarks/restoration.py FOLDER --tasks denoise-25 --models runs/mine --peer a.onnx
       python benchmarks/restoration.py FOLDER --plain runs/demo/restorer --blend both
       python benchmarks/restoration.py photos --gallery docs/gallery --blind blind
BM3D, OpenCV's inpainters and the distances of features (see `realism.py`) are left out, and said to
be, without `pip install -e .[bench]`.
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
from efficientnet import weights_file
from realism import Judge
from restoration_gallery import Gallery
from restoration_tables import PLAIN, summary, table
from restoration_tasks import TASKS, bm3d

from gan_keras.data.photo_files import images_in, photo_paths
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import from_uint8, from_unit, to_uint8, to_unit
from gan_keras.errors import UserError
from gan_keras.loading import shipped
from gan_keras.metrics.image_quality import psnr, ssim
from gan_keras.plots import repeat_pixels
from gan_keras.restoration.blending import realism_tasks
from gan_keras.restoration.enhancer import Enhancer, enhance_degraded


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of a table.

    Attributes:
        restore: (degraded, **told) → restored; only classics are told anything.
        kind: "classic", "ours" or "peer".
        parameters: How many; None where that is not known.
    """

    restore: Callable
    kind: str
    parameters: int | None = 0


def networks(name, dial, realism_from=None, blend="weights", best=False):
    """Return the rows of one of our models, along its dial where it has one.

    Args:
        name: A shipped name, a run or a `.keras` file.
        dial: Places on the dial, 0 (fidelity) to 1 (realism).
        realism_from: What realism leads to; None takes what ships.
        blend: What lies between the ends: "weights", as the command line has it; "outputs", the
            mean of both networks' pictures; or "both".
        best: Whether to have a row more, the mean over eight turns.

    Returns:
        {name: Method}, fidelity first.
    """
    enhancers = {name: Enhancer.load(name)}
    if best:
        enhancers[f"{name}, best"] = Enhancer.load(name, best=True)
    methods = {row: _ours(enhancer) for row, enhancer in enhancers.items()}
    if realism_from is None and name not in realism_tasks():
        return methods
    load = partial(Enhancer.load, name, realism_from=realism_from)
    ends = enhancers[name], load(realism=1)
    for share in [share for share in dial if share > 0]:
        if blend != "outputs" or share == 1:
            enhancer = ends[1] if share == 1 else load(realism=share)
            methods[f"{name}, realism {share:g}"] = _ours(enhancer)
        if blend != "weights" and share < 1:
            methods[f"{name}, outputs {share:g}"] = _mean_of_outputs(ends, share)
    return methods


def _ours(enhancer):
    restore = partial(enhance_degraded, enhancer)
    return Method(restore, "ours", enhancer.network.count_params())


def _mean_of_outputs(enhancers, share):
    def restore(degraded):
        fidelity, realism = (enhance_degraded(enhancer, degraded) for enhancer in enhancers)
        return fidelity + np.float32(share) * (realism - fidelity)

    return Method(restore, "ours", sum(e.network.count_params() for e in enhancers))


def measure(task, restored, target):
    """Return (PSNR, SSIM) of a restored picture; both float32 (H, W, 3) in [-1, 1]."""
    if restored.shape != target.shape:
        raise UserError(f"a model for another task: {restored.shape}, {target.shape} is wanted")
    pair = restored, target
    if task.luma:
        pair = [_luma(image)[4:-4, 4:-4] for image in pair]
    first, second = (to_unit(image)[None] for image in pair)
    return float(psnr(second, first, 1.0)[0]), float(ssim(second, first, 1.0)[0])


def _luma(image):
    """Return Y of BT.601, (H, W, 1), black at 16 and white at 235 of 255, in [-1, 1]."""
    y = 16 + to_unit(image) @ np.float32([[65.481], [128.553], [24.966]])
    return from_uint8(y)


def peer(path):
    """Load another model, degraded → restored in [0, 1], one of each: SavedModel or ONNX.

    (1, H, W, 3), of ONNX also (1, 3, H, W); with a mask as fourth channel where pixels are lost.
    """
    if Path(path).suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path)
        wanted = session.get_inputs()[0]
        channels_first = wanted.shape[1] in (3, 4)

        def restore_onnx(image):
            planes = to_unit(image).transpose(2, 0, 1) if channels_first else to_unit(image)
            (output, *_) = session.run(None, {wanted.name: planes[None]})
            return from_unit(output[0].transpose(1, 2, 0) if channels_first else output[0])

        return restore_onnx
    import tensorflow as tf

    serve = tf.saved_model.load(path).signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]

    def restore(image):
        (output,) = serve(**{name: tf.constant(to_unit(image)[None])}).values()
        return from_unit(output.numpy()[0])

    return restore


def run(task, photographs, methods, seed, judge=None, gallery=None):
    """Measure all methods of one task.

    Args:
        task: A `Task`.
        photographs: A `Photographs`.
        methods: {name: Method}.
        seed: Of the degradation.
        judge: A `Judge`, which gets to see every picture, or None.
        gallery: A `Gallery`, likewise.

    Returns:
        {name: (PSNR, SSIM, seconds a megapixel)}, means over the photographs, with "do nothing".
    """
    values = {name: [] for name in ("do nothing", *methods)}
    for index, path in enumerate(photographs.paths):
        target = from_uint8(photographs.decode(path))
        degraded, told = task.degrade(target, np.random.default_rng([seed, index]))
        scale = target.shape[0] // degraded.shape[0]
        target = target[: scale * degraded.shape[0], : scale * degraded.shape[1]]
        pictures = {"do nothing": repeat_pixels(degraded[..., :3], scale)}
        seconds = {"do nothing": 0.0}
        for name, method in methods.items():
            started = time.perf_counter()
            pictures[name] = method.restore(degraded, **(told if method.kind == "classic" else {}))
            seconds[name] = time.perf_counter() - started
        for name, restored in pictures.items():
            pictures[name] = from_uint8(to_uint8(restored))
            per_megapixel = seconds[name] / (target.size / 3e6)
            values[name].append((*measure(task, pictures[name], target), per_megapixel))
        pictures["target"] = target
        if judge:
            for name, picture in pictures.items():
                judge.see(name, picture)
        if gallery:
            gallery.add(Path(path).stem, pictures)
    return {name: np.mean(rows, axis=0).tolist() for name, rows in values.items()}


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help='photographs that nobody trained on, or "photos"')
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS, metavar="TASK")
    parser.add_argument("--models", nargs="+", help="in place of the shipped ones")
    parser.add_argument("--realism-model", help="the other end of the first model's dial")
    dial = [0, 0.25, 0.5, 0.75, 1]
    parser.add_argument("--dial", nargs="+", type=float, default=dial, metavar="SHARE")
    parser.add_argument("--blend", choices=["weights", "outputs", "both"], default="weights")
    parser.add_argument("--plain", help="a run of `restorer`: a row more of the denoising tasks")
    parser.add_argument("--peer", nargs="+", default=[], help="SavedModels or ONNX files")
    parser.add_argument("--without", nargs="+", default=[], help="methods to leave out, as BM3D")
    parser.add_argument("--best", action="store_true", help="a row more: mean over eight turns")
    parser.add_argument("--gallery", type=Path, help="folder for a contact sheet of each task")
    parser.add_argument("--blind", type=Path, help="folder for pairs without names, and their key")
    parser.add_argument("--every", type=int, default=1, help="of the photographs, each so many")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, help="a Markdown file")
    return parser.parse_args()


def _methods(args, task, peers):
    """Return (methods of a task, names of those that a gallery shows: both ends of the dial)."""
    methods = {name: Method(restore, "classic") for name, restore in task.classics.items()}
    if args.plain and "denoise" in task.models[:1]:
        methods[PLAIN] = _ours(Enhancer.load(args.plain))
    ends = []
    for index, name in enumerate(args.models or [m for m in task.models if m in shipped()]):
        realism_from = args.realism_model if index == 0 else None
        rows = networks(name, args.dial, realism_from, args.blend, args.best)
        methods |= rows
        whole = f"{name}, realism 1"
        ends = ends or [name, *([whole] if whole in rows else [])]
    methods |= {name: Method(restore, "peer", None) for name, restore in peers.items()}
    return {name: m for name, m in methods.items() if name not in args.without}, ends


def main():
    """Measure, print and write."""
    args = _arguments()
    load_at_start = os.getloadavg()[0]
    if args.folder == "photos":
        paths = [*photo_paths("photos", "train"), *photo_paths("photos", "test")]
        paths = [path for path in paths if path.stem != "motorcycle_left"]  # no free licence
    else:
        paths = images_in(Path(args.folder))
    photographs = Photographs(paths[:: args.every], cache_bytes=2**30)
    missing = "" if bm3d else "; BM3D and OpenCV are not installed: their rows are left out"
    judged = True
    try:
        weights_file()
    except UserError as error:
        judged, missing = False, f"{missing}; {error}: its distances are left out"
    # a table names the folder, not the place where one machine has it
    command = [Path(word).name if word == args.folder else word for word in sys.argv]
    lines = [
        f"# {' '.join(['python', *command])}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}; {len(photographs)} photographs; {platform.machine()}, "
        f"{os.cpu_count()} cores, load {load_at_start:.2f} at the start; Keras "
        f"{keras.__version__} on {keras.backend.backend()}; seed {args.seed}{missing}",
    ]
    print("\n".join(lines))
    results = {}
    peers = {Path(path).stem: peer(path) for path in args.peer}
    for name in args.tasks:
        methods, ends = _methods(args, TASKS[name], peers)
        judge = Judge() if judged else None
        drawn = ends and (args.gallery or args.blind)
        classics = [classic for classic in TASKS[name].classics if classic in methods]
        gallery = Gallery(classics, ends) if drawn else None
        rows = run(TASKS[name], photographs, methods, args.seed, judge, gallery)
        results[name] = rows, methods
        result = ["", f"## {name}", "", *table(rows, methods, judge)]
        print("\n".join(result), flush=True)
        lines += result
        if args.gallery and gallery:
            gallery.draw(args.gallery / f"{name}.jpg")
        if args.blind and gallery:
            key = args.blind / f"{name}.key.json"
            gallery.draw_blind(args.blind / f"{name}.png", key, args.seed)
        if args.out:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text("\n".join(lines) + "\n")
    whole = ["", "## All tasks, PSNR in dB", "", *summary(results)]
    print("\n".join(whole))
    if args.out:
        args.out.write_text("\n".join([*lines, *whole]) + "\n")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))

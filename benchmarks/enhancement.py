"""Denoising in megapixels a second, and how well: the network in all its homes, and classics.

Tiles of photographs that nobody trained on get Gaussian noise of σ = 25, clipped to 8 bits; each
method gets the same tiles, in turns. OpenCV's non-local means has its default windows, and the
strength that did best on these very tiles; BM3D is told σ. Both are left out, and said to be,
without `pip install -e .[bench]`. The goal is that of the precision which `gan-keras enhance`
picks; no file is read or written.

Usage: python benchmarks/enhancement.py [MODEL] [--side 256] [--rounds 5]
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from interleaved import Report, Result, build_parser, markdown, ratios, take_turns
from restoration_tasks import bm3d, colour_bm3d, cv2
from serving import build_homes

import gan_keras
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import DATA_RANGE, GREY_LEVEL, from_uint8, to_uint8
from gan_keras.metrics.image_quality import psnr
from gan_keras.restoration.commands import pick

SIGMA = 25
OPENCV = "OpenCV, non-local means"
STRENGTHS = (3, 6, 10, 14, 18, 22, 26, 30)
GOAL = 3.0


def cut_tiles(side):
    """Return (degraded, target): float32 (N, side, side, 3) in [-1, 1], of 8 bits' grey levels."""
    targets = []
    for photograph in Photographs(photo_paths("photos", "test")):
        height, width = (n // side * side for n in photograph.shape[:2])
        for top in range(0, height, side):
            for left in range(0, width, side):
                targets.append(photograph[top : top + side, left : left + side])
    target = from_uint8(np.stack(targets))
    noise = np.random.default_rng(0).normal(0, SIGMA * GREY_LEVEL, target.shape)
    return from_uint8(to_uint8(target + noise)), target


def non_local_means(image, strength):
    """Run OpenCV's colour non-local means, windows of 7 and 21, on (1, h, w, 3) in [-1, 1]."""
    pixels = cv2.fastNlMeansDenoisingColored(to_uint8(image[0]), None, strength, strength, 7, 21)
    return from_uint8(pixels)[None]


def quality(method, degraded, target):
    """Return the mean PSNR in dB of a method's results, rounded to 8 bits."""
    restored = np.concatenate([method(tile[None]) for tile in degraded])
    return float(np.mean(psnr(target, from_uint8(to_uint8(restored)), DATA_RANGE)))


def classics(degraded, target):
    """Return {name: method} of what is installed."""
    methods = {}
    if cv2:
        tuned = max(
            (partial(non_local_means, strength=h) for h in STRENGTHS),
            key=lambda method: quality(method, degraded, target),
        )
        methods[OPENCV] = tuned
    if bm3d:
        methods["BM3D"] = lambda image: colour_bm3d(image[0], SIGMA)[None]
    return methods


def main():
    """Measure all methods."""
    parser = build_parser(__doc__, rounds=5)
    parser.add_argument("model", nargs="?", default="denoise")
    parser.add_argument("--side", type=int, default=256)
    args = parser.parse_args()
    report = Report("Denoising: megapixels a second, and PSNR", args.json)
    degraded, target = cut_tiles(args.side)
    enhancer = gan_keras.Enhancer.load(args.model)
    with tempfile.TemporaryDirectory() as folder:
        methods, _ = build_homes(enhancer, Path(folder), args.side)
        methods |= classics(degraded, target)
        qualities = {name: quality(method, degraded, target) for name, method in methods.items()}
        runs = {name: partial(method, degraded[:1]) for name, method in methods.items()}
        seconds = take_turns(runs, args.rounds)
    rows, picked = [], {"bfloat16": "Keras, bfloat16", "float32": "Keras"}[pick()]
    for name in methods:
        speed = args.side**2 / 1e6 / Result("", seconds[name]).median
        against = "–"
        if OPENCV in methods:
            goal = GOAL if name == picked and qualities[name] > qualities[OPENCV] else None
            result = Result(
                f"{name} against {OPENCV}", ratios(seconds[OPENCV], seconds[name]), goal
            )
            against = result.with_range
            report.results += [result] if name != OPENCV else []
        rows.append((name, f"{qualities[name]:.2f}", f"{speed:.2f}", against))
    header = "method", "PSNR (dB)", "MP/s", f"speed against {OPENCV}"
    report.say(
        f"{args.model}; σ = {SIGMA}; {len(degraded)} tiles of {args.side}×{args.side}; one noisy "
        f"tile has {quality(lambda image: image, degraded, target):.2f} dB",
        "",
        *markdown(header, *rows),
        "",
    )
    if not (cv2 and bm3d):
        report.say("OpenCV or BM3D is not installed: left out", "")
    report.finish()


if __name__ == "__main__":
    main()

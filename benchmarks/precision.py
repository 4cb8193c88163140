"""Does bfloat16 cost quality? The same number of steps in float32 and bfloat16, several seeds each.

DCGAN: classifier-FID of as many samples as there are test digits. Restorer: PSNR on the fixed
crops that its runs are validated on. Each trains for the steps that float32 takes in `--minutes`;
the two precisions take turns. bfloat16 costs nothing that can be seen where its mean lies within
float32's spread from seed to seed, or beyond its better end.

Usage: python benchmarks/precision.py --minutes 1 --seeds 3 --out benchmarks/results/precision.md
"""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from interleaved import markdown
from quality import Judge, seconds_a_step

from gan_keras.data.ranges import DATA_RANGE
from gan_keras.metrics.image_quality import psnr
from gan_keras.recipes import get_recipe
from gan_keras.training.assembly import build_model, compile_model, load_data
from gan_keras.training.runtime import choose_runtime

PRECISIONS = ("float32", "mixed_bfloat16")


def train(recipe, precision):
    """Train a recipe, and return its model."""
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(recipe.seed)
    data, validation, _ = load_data(recipe)
    model = build_model(recipe)
    compile_model(model, recipe, choose_runtime().jit_compile)
    model.fit(data, epochs=recipe.epochs, shuffle=False, verbose=0)
    keras.config.set_dtype_policy("float32")
    return model, validation


def fid(model, validation, judge):
    """Return the classifier-FID of the averaged generator."""
    return judge(model)[0]


def mean_psnr(model, validation, judge):
    """Return the mean PSNR in dB on the validation crops."""
    degraded, target = validation
    restored = keras.ops.convert_to_numpy(model(degraded, training=False))
    return float(np.mean(psnr(target, np.clip(restored, -1, 1), DATA_RANGE)))


MEASURES = {"dcgan": ("classifier-FID", fid, -1), "restorer": ("PSNR (dB)", mean_psnr, 1)}


def verdict(values, sign):
    """Say whether bfloat16's mean lies within float32's range, or beyond its better end."""
    full, half = (sign * np.asarray(values[precision]) for precision in PRECISIONS)
    if half.mean() > full.max():
        return "better than any seed of float32"
    return "within float32's range" if half.mean() >= full.min() else "below float32's range"


def main():
    """Train, print the table as it grows, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="of each training, in float32")
    parser.add_argument("--steps", type=int, help="of each training, in place of --minutes")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", default="mnist-5k", help="of digits")
    parser.add_argument("--recipes", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--out", type=Path, help="a Markdown file")
    args = parser.parse_args()
    load_at_start, judge, rows = os.getloadavg()[0], None, []
    for name in args.recipes:
        recipe = get_recipe(name)
        if name == "dcgan":
            recipe, judge = recipe.replace(data=args.data), Judge(args.data)
        steps = args.steps or max(1, round(60 * args.minutes / seconds_a_step(recipe)))
        recipe = recipe.replace(steps_per_epoch=steps, epochs=1)
        label, measure, sign = MEASURES[name]
        values = {precision: [] for precision in PRECISIONS}
        for seed in range(1, args.seeds + 1):
            for precision in PRECISIONS:
                model, validation = train(recipe.replace(seed=seed), precision)
                values[precision].append(measure(model, validation, judge))
                print(f"{name}, seed {seed}, {precision}: {values[precision][-1]:.2f}", flush=True)
        cells = [f"{np.mean(v):.2f} ({min(v):.2f}–{max(v):.2f})" for v in values.values()]
        rows.append((f"{name}: {label}", f"{steps:,}", *cells, verdict(values, sign)))
    lines = [
        f"# {' '.join(['python', *sys.argv])}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}; {choose_runtime().device}; load {load_at_start:.2f} at the "
        f"start; mean (smallest–largest) of {args.seeds} seeds",
        "",
        *markdown(("", "steps", "float32", "bfloat16", "bfloat16 is"), *rows),
    ]
    print("\n".join(lines))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

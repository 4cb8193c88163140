"""Every generator of digits on one budget of minutes: classifier-FID against training time.

The systems take turns of equal training time, so that a busy neighbour slows all of them alike.
What is measured at the end of a turn (10,000 samples of the averaged weights against the test
images) is not counted. Each row of the table is the mean over seeds, with the smallest and the
largest. With `--reference` each system trains by its own recipe from its first step to its last,
and the usual public DCGAN tutorial (see reference_dcgan.py) takes its turns in the first seed's
contest: eight epochs of its recipe. The results are written after each seed.

Usage: python benchmarks/quality.py --minutes 3 --seeds 3 --out benchmarks/results/quality.md
       python benchmarks/quality.py --systems digits --reference --out …/time_to_quality.md
"""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import reference_dcgan
import tensorflow as tf
from matplotlib.figure import Figure

from gan_keras.data.digits import DigitBatches, load_digits
from gan_keras.data.ranges import from_uint8
from gan_keras.evaluation import digit_floor
from gan_keras.loading import load
from gan_keras.metrics.distribution import (
    class_imbalance,
    classifier_features,
    frechet_distance,
    read_images,
)
from gan_keras.recipes import get_recipe
from gan_keras.training.assembly import build_model, compile_model, load_data
from gan_keras.training.runtime import choose_runtime

REFERENCE = "tutorial"
TURNS = 24
MEASURED = {1, 3, 6, 12, 24}  # turns; with the tutorial, the ends of its epochs too


class Judge:
    """The classifier-FID and the balance of classes of a model's samples."""

    def __init__(self, data):
        self.classifier = load("digit_classifier")
        test = from_uint8(load_digits(data, "test")[0])
        self.samples, self.real = len(test), classifier_features(self.classifier, test)

    def __call__(self, model):
        """Return (FID, total variation distance of the classes from uniform)."""
        features, read = read_images(self.classifier, model.generate(self.samples, seed=1))
        return frechet_distance(features, self.real), class_imbalance(read)


class Contestant:
    """One system at one seed: trains for a share of its steps, and keeps its time."""

    def __init__(self, name, data, seed, budget):
        self.name, self.seconds, self.turn = name, 0.0, 0
        keras.utils.set_random_seed(seed)
        if name == REFERENCE:
            keras.config.set_dtype_policy("float32")
            self.model = reference_dcgan.ReferenceDCGAN()
            self.model.compile()
            images = load_digits(data, "train")[0]
            steps = reference_dcgan.EPOCHS * (len(images) // reference_dcgan.BATCH) // TURNS
            self.data = DigitBatches(images, None, reference_dcgan.BATCH, steps, seed)
        else:
            runtime = choose_runtime()
            keras.config.set_dtype_policy(runtime.precision)
            recipe = get_recipe(name).replace(data=data, seed=seed)
            steps = recipe.epochs * recipe.steps_per_epoch // TURNS
            if budget is not None:
                steps = max(1, round(budget / seconds_a_step(recipe) / TURNS))
            recipe = recipe.replace(steps_per_epoch=steps, epochs=TURNS)
            self.data, _, _ = load_data(recipe)
            self.model = build_model(recipe)
            compile_model(self.model, recipe, runtime.jit_compile)
        keras.config.set_dtype_policy("float32")

    def train(self):
        """Take one turn."""
        started = time.perf_counter()
        epochs = {"initial_epoch": self.turn, "epochs": self.turn + 1}
        self.model.fit(self.data, **epochs, shuffle=False, verbose=0)
        self.turn += 1
        self.seconds += time.perf_counter() - started


def seconds_a_step(recipe, steps=20, rounds=4):
    """Time a recipe's training step: the fastest round, compilation left out.

    What else the machine does only adds to a round; the systems' budgets must not depend on it.
    """
    recipe = recipe.replace(steps_per_epoch=steps, epochs=rounds + 1)
    data, _, _ = load_data(recipe)
    model = build_model(recipe)
    compile_model(model, recipe, choose_runtime().jit_compile)
    seconds = []
    for epoch in range(rounds + 1):
        started = time.perf_counter()
        model.fit(data, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0)
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:]) / steps


def compete(systems, data, seed, budget, judge):
    """Train all systems of one seed in turns, each for a budget of seconds or by its own recipe.

    Returns:
        {system: [{"turn", "seconds", "fid", "total_variation"}, …]}, the turns that are measured.
    """
    contestants = [Contestant(name, data, seed, budget) for name in systems]
    curves = {name: [] for name in systems}
    each = TURNS // reference_dcgan.EPOCHS  # turns an epoch of the tutorial
    measured = MEASURED | (set(range(each, TURNS + 1, each)) if REFERENCE in systems else set())
    for turn in range(1, TURNS + 1):
        for contestant in contestants:
            contestant.train()
            if turn in measured:
                fid, variation = judge(contestant.model)
                point = {"turn": turn, "seconds": contestant.seconds, "fid": fid}
                curves[contestant.name].append(point | {"total_variation": variation})
                print(f"seed {seed} {contestant.name:10} {turn:3} {point}", file=sys.stderr)
    return curves


def table(results, floor, data):
    """Return the Markdown lines of all results, {seed: {system: curve}}."""
    seeds = list(results)

    def spread(values, digits):
        values = np.asarray(values, float)
        low, high = f"{values.min():.{digits}f}", f"{values.max():.{digits}f}"
        return f"{values.mean():.{digits}f} ({low}–{high})"

    lines = [
        f"classifier-FID on {data}'s test images; real training images against them: {floor:.2f}",
        "",
        "| system | seconds | FID at 1/8 of them | at 1/2 | at the end | best | classes' TV |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in results[seeds[0]]:
        curves = [results[seed][name] for seed in seeds if name in results[seed]]

        def at(share, curves=curves):
            turn = share * TURNS
            return [point["fid"] for curve in curves for point in curve if point["turn"] == turn]

        cells = [
            spread([curve[-1]["seconds"] for curve in curves], 0),
            *(spread(at(share), 1) for share in (1 / 8, 1 / 2, 1)),
            spread([min(point["fid"] for point in curve) for curve in curves], 1),
            spread([curve[-1]["total_variation"] for curve in curves], 3),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    if REFERENCE in results[seeds[0]]:
        lines += ["", *headline(results, floor)]
    return lines


def headline(results, floor):
    """Say how much sooner each system reaches the tutorial's best FID."""
    lines, reference = [], results[1][REFERENCE]
    best, whole = min(point["fid"] for point in reference), reference[-1]["seconds"]
    for name in results[1]:
        if name == REFERENCE:
            continue
        for seed, curves in results.items():
            sooner = [p["seconds"] for p in curves[name] if p["fid"] <= best]
            end = curves[name][-1]
            lines.append(
                f"- seed {seed}: the tutorial's best in {whole:.0f} s is {best:.1f}; {name} is "
                f"below that when first measured below it, at {min(sooner, default=np.nan):.0f} s "
                f"(1/{whole / min(sooner, default=np.nan):.0f} of the time), and ends at "
                f"{end['fid']:.2f} after {end['seconds']:.0f} s: 1/{best / end['fid']:.0f} of it, "
                f"{end['fid'] / floor:.1f} times the floor, classes within "
                f"{end['total_variation']:.3f} of uniform"
            )
    return lines


def figure(results, floor):
    """Draw FID against training time, a line a seed."""
    drawing = Figure(figsize=(7, 4.5), layout="constrained")
    axes = drawing.add_subplot()
    for index, name in enumerate(next(iter(results.values()))):
        for seed, curves in results.items():
            if name not in curves:
                continue
            x, y = zip(*((p["seconds"], p["fid"]) for p in curves[name]), strict=True)
            label = name if seed == next(iter(results)) else None
            axes.loglog(x, y, ".-", color=f"C{index}", label=label, alpha=0.8)
    axes.axhline(floor, color="black", linestyle=":", label="real against real")
    axes.set(xlabel="training time (s)", ylabel="classifier-FID")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False)
    return drawing


def main():
    """Run the contest, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", default=["dcgan", "spectral", "wgan-gp", "vae"])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--minutes", type=float, default=3.0, help="training time of each system")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--reference", action="store_true", help="the tutorial, and its time")
    parser.add_argument("--out", type=Path, help="a Markdown file; the curves go beside it")
    args = parser.parse_args()
    load_at_start = os.getloadavg()[0]
    budget = None if args.reference else 60 * args.minutes
    systems = [*args.systems, *([REFERENCE] if args.reference else [])]
    judge, floor, results = Judge(args.data), digit_floor(args.data), {}
    runtime = choose_runtime()
    for seed in range(1, args.seeds + 1):
        entrants = systems if seed == 1 else args.systems
        results[seed] = compete(entrants, args.data, seed, budget, judge)
        lines = [
            f"# {' '.join(['python', *sys.argv])}",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}; {runtime.device}, {os.cpu_count()} cores, load "
            f"{load_at_start:.2f} at the start; {runtime.reason}; Python "
            f"{platform.python_version()}, TensorFlow {tf.__version__}, Keras {keras.__version__}; "
            f"{judge.samples:,} samples; mean (smallest–largest) over seeds 1 to {seed}"
            f"{', the tutorial at one' * args.reference}",
            "",
            *table(results, floor, args.data),
        ]
        if args.out:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text("\n".join(lines) + "\n")
            args.out.with_suffix(".json").write_text(json.dumps(results, indent=1))
            figure(results, floor).savefig(args.out.with_suffix(".png"), dpi=120)
    print("\n".join(lines))


if __name__ == "__main__":
    main()

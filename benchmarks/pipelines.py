"""Input pipelines alone, in images a second, beside what their training step consumes.

Each recipe has its own data, crops and degradation. A pipeline that is five times as fast as its
step leaves it four fifths of the processor, even without a core of its own.

Usage: python benchmarks/pipelines.py [--rounds 7]
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import itertools
from functools import partial

import keras
import tensorflow as tf
from interleaved import Report, Result, build_parser, markdown, ratios, take_turns
from steps import settle

from gan_keras.data.degradations import DEGRADATIONS
from gan_keras.recipes import get_recipe
from gan_keras.training.assembly import build_model, compile_model, load_data
from gan_keras.training.runtime import choose_runtime

GOAL = 5.0
RECIPES = ("dcgan", "restorer", "denoise", "super-resolve", "auto", "inpaint", "deblur")


def build_step(recipe, data):
    """Return a function that takes one training step, as picked for this machine."""
    runtime = choose_runtime()
    keras.config.set_dtype_policy(runtime.precision)
    model = build_model(recipe)
    compile_model(model, recipe, runtime.jit_compile)
    keras.config.set_dtype_policy("float32")
    step = tf.function(model.train_step, jit_compile=runtime.jit_compile)
    return partial(step, keras.tree.map_structure(tf.constant, data[0]))


def endless(data):
    """Return a function that makes the next batch at each call."""
    indices = itertools.cycle(range(len(data)))
    return lambda: data[next(indices)]


def compare(recipe, rounds):
    """Time a recipe's pipeline beside its step.

    Returns:
        (images a second that are made, those that are consumed, the `Result` of their ratio).
    """
    data = load_data(recipe)[0]
    runs = {"step": build_step(recipe, data), "data": endless(data)}
    for run in runs.values():
        run()
    seconds = take_turns(runs, rounds, settle=settle)
    speeds = (recipe.batch_size / Result("", seconds[name]).median for name in ("data", "step"))
    ratio = Result(f"input: {recipe.name}", ratios(seconds["step"], seconds["data"]), GOAL)
    return *speeds, ratio


def main():
    """Compare pipelines with steps, then degradations with each other."""
    args = build_parser(__doc__, rounds=7).parse_args()
    report = Report("Input pipelines alone, beside what their training step consumes", args.json)
    rows = []
    for name in RECIPES:
        made, consumed, result = compare(get_recipe(name), args.rounds)
        report.results.append(result)
        rows.append((name, f"{made:,.0f}", f"{consumed:,.0f}", result.with_range))
    report.say(*markdown(("recipe", "images/s made", "consumed", "ratio"), *rows), "")
    photos, runs = get_recipe("restorer"), {}
    for name in DEGRADATIONS:
        runs[name] = endless(load_data(photos.replace(degradation={"name": name}))[0])
        runs[name]()
    seconds = take_turns(runs, args.rounds)
    speeds = {name: photos.batch_size / Result("", seconds[name]).median for name in runs}
    report.say(
        f"Pairs of {photos.crop}×{photos.crop} a second with each degradation at its defaults: "
        + ", ".join(f"{name} {speed:,.0f}" for name, speed in speeds.items()),
        "",
    )
    report.finish()


if __name__ == "__main__":
    main()

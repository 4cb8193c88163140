"""Input pipelines alone, in images a second, beside what their training step consumes.

Digits stand beside the step of the recipe `dcgan`; photo pairs with each degradation, at its
defaults, beside that of `restorer` (what is enlarged or filled in trains no faster). A pipeline
that is five times as fast as its step leaves it four fifths of the processor, even without a core
of its own.

Usage: python benchmarks/pipelines.py [--rounds 5]
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


def compare(recipe, pipelines, rounds, report):
    """Time pipelines beside the step of a recipe.

    Args:
        recipe: A `Recipe` with the step.
        pipelines: {name: its `PyDataset`}; the first one's batches are what the step is timed on.
        rounds: Turns of each.
        report: Gets a table, and the ratios.
    """
    step = build_step(recipe, next(iter(pipelines.values())))
    runs = {name: endless(data) for name, data in pipelines.items()}
    for run in (step, *runs.values()):
        run()
    seconds = take_turns({"step": step, **runs}, rounds, settle=settle)
    rows = []
    for name in runs:
        result = Result(f"input: {name}", ratios(seconds["step"], seconds[name]), GOAL)
        report.results.append(result)
        speed = [recipe.batch_size / Result("", seconds[key]).median for key in (name, "step")]
        rows.append(
            (name, *(f"{value:.0f}" for value in speed), " (".join(result.cells()[1:3]) + ")")
        )
    header = "pipeline", "images/s", f"{recipe.name}'s step consumes", "ratio"
    report.say(*markdown(header, *rows), "")


def main():
    """Compare digits, then photo pairs."""
    args = build_parser(__doc__, rounds=5).parse_args()
    report = Report("Input pipelines alone, beside what their training step consumes", args.json)
    digits = get_recipe("dcgan")
    compare(digits, {"digits": load_data(digits)[0]}, args.rounds, report)
    photos, pipelines = get_recipe("restorer"), {}
    for name in DEGRADATIONS:
        pipelines[name] = load_data(photos.replace(degradation={"name": name}))[0]
    compare(photos, pipelines, args.rounds, report)
    report.finish()


if __name__ == "__main__":
    main()

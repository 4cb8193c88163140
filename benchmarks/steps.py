"""Training steps of all systems beside the usual public tutorials' on the same networks and batch.

Ours draw all noise from (seed, step), keep their metrics, and move the averaged generator where
there is one; the tutorials' (see reference_steps.py) do none of that. Ours also draw a fresh z for
the generator (Algorithm 1 of Goodfellow et al. 2014), show the critic fresh images (Algorithm 1 of
Gulrajani et al. 2017), and let pix2pix' generator face the discriminator that has just moved.

GFLOP/s are of the convolutions and matrix products in the step's own graph (see flops.py), beside
what a 2048³ matrix product reaches in the same rounds. "Kernels alone" is what that graph's
convolutions and matrix products take by themselves, with nothing between them; "of Keras' parts" is
our step with Keras' Adam and batch normalisation in place of our fused ones. Where PyTorch is
installed, its users' form of the usual step is there too.

Usage: python benchmarks/steps.py [--systems dcgan vae] [--every-form] [--rounds 11]
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from functools import partial
from unittest.mock import patch

import keras
import step_systems
import tensorflow as tf
from flops import count_flops, kernels_alone
from interleaved import Report, Result, build_parser, markdown, ratios, take_turns

from gan_keras.training.runtime import choose_runtime

try:
    import reference_torch
except ImportError:
    reference_torch = None

SIDE = 2048  # of the matrices that show the ceiling
USUAL = "usual, float32, graph"


ALONE = "kernels alone"


def form(precision, mode):
    """Name one way to run our step."""
    return f"ours, {precision.removeprefix('mixed_')}, {mode}"


def build_forms(name, batch, precisions, modes):
    """Build a system's usual step, ours in each form, and PyTorch's where it is installed.

    Returns:
        ({form: function without arguments}, {form: operations a call, of ours and the usual}).
    """
    system = step_systems.SYSTEMS[name]
    keras.config.set_dtype_policy("float32")
    step, arguments = system.usual(batch)
    runs = {USUAL: partial(step, *arguments)}
    operations = {USUAL: count_flops(step.get_concrete_function(*arguments))}
    for precision in precisions:
        keras.config.set_dtype_policy(precision)
        model, data = system.ours(batch)
        step = tf.function(model.train_step)
        concrete = step.get_concrete_function(data)
        counted = count_flops(concrete)
        alone = form(precision, ALONE)
        runs[alone], operations[alone] = kernels_alone(concrete), counted
        compiled = tf.function(model.train_step, jit_compile=True)
        steps = {"graph": step, "eager": model.train_step, "XLA": compiled}
        for mode in modes:
            runs[form(precision, mode)] = partial(steps[mode], data)
            operations[form(precision, mode)] = counted
    with patch.multiple(step_systems, **step_systems.STOCK):  # in the last precision
        model, data = system.ours(batch)
    stock = form(precision, "graph, of Keras' parts")
    runs[stock], operations[stock] = partial(tf.function(model.train_step), data), counted
    if reference_torch:
        runs |= reference_torch.build_forms(name, data[0][:batch].numpy())
    keras.config.set_dtype_policy("float32")
    return runs, operations


def build_ceilings():
    """Return {precision: a function that takes one matrix product}."""

    @tf.function
    def product(a, b):
        return tf.matmul(a, b)

    runs = {}
    for precision in ("float32", "bfloat16"):
        pair = [tf.cast(tf.random.normal((SIDE, SIDE)), precision) for _ in range(2)]
        runs[precision] = partial(product, *pair)
    return runs


def settle(result):
    """Wait for a call's results: on a GPU they come later."""
    keras.tree.map_structure(keras.ops.convert_to_numpy, result)


def measure(name, batch, modes, rounds, report):
    """Time one system's forms in turns, and report them."""
    system, runtime = step_systems.SYSTEMS[name], choose_runtime()
    batch = batch or system.batch_size
    picked = form(runtime.precision, "XLA" if runtime.jit_compile else "graph")
    if runtime.jit_compile and "XLA" not in modes:
        modes = (*modes, "XLA")
    runs, operations = build_forms(name, batch, ("float32", "mixed_bfloat16"), modes)
    ceilings = build_ceilings()
    for run in (*runs.values(), *ceilings.values()):
        settle(run())
    seconds = take_turns(runs | ceilings, rounds, settle=settle)
    shares, rows = {}, []
    for key in runs:
        against = Result("", ratios(seconds[USUAL], seconds[key]))
        median = Result("", seconds[key]).median
        row = [key, against.with_range, f"{1e3 * median:.1f}", f"{batch / median:.0f}"]
        if key in operations:
            of_ceiling, precision = operations[key] / (2 * SIDE**3), key.split(", ")[1]
            shares[key] = [of_ceiling * r for r in ratios(seconds[precision], seconds[key])]
            row += [f"{operations[key] / median / 1e9:.0f}"]
            row += [f"{Result('', shares[key]).median:.2f}"]
        else:  # PyTorch's are not counted
            row += ["–", "–"]
        rows.append(row)
    header = "form", "against the usual", "ms a step", "images/s", "GFLOP/s", "of the ceiling"
    report.say(f"### {system.title}, batch {batch}", "", *markdown(header, *rows), "")
    reached = [2 * SIDE**3 / Result("", seconds[key]).median / 1e9 for key in ceilings]
    gflop = operations[picked] / 1e9
    report.say(
        f"{gflop:.1f} GFLOP a step (the usual: {operations[USUAL] / 1e9:.1f}); a {SIDE}³ matrix "
        f"product: {reached[0]:.0f} GFLOP/s in float32, {reached[1]:.0f} in bfloat16",
        "",
    )
    goals = {"dcgan": (1.35, 0.75)}.get(name, (None, None))
    slower, faster = (seconds[form(precision, "graph")] for precision in ("float32", "bfloat16"))
    report.results += [
        Result(
            f"{name}: ours against the usual step",
            ratios(seconds[USUAL], seconds[picked]),
            system.goal,
        ),
        Result(f"{name}: bfloat16 against float32", ratios(slower, faster), goals[0]),
        Result(f"{name}: share of the matrix ceiling", shares[picked], goals[1]),
    ]


def main():
    """Measure the systems, one after the other."""
    parser, systems = build_parser(__doc__, rounds=11), step_systems.SYSTEMS
    parser.add_argument("--systems", nargs="+", default=list(systems), choices=systems)
    parser.add_argument("--batch", type=int, help="images a step, in place of each system's own")
    parser.add_argument("--every-form", action="store_true", help="eager and XLA too")
    args = parser.parse_args()
    runtime, report = choose_runtime(), Report("Training steps", args.json)
    report.say(f"{runtime.reason}; medians of {args.rounds} rounds", "")
    for name in args.systems:
        modes = ("graph", "eager", "XLA") if args.every_form or name == "dcgan" else ("graph",)
        measure(name, args.batch, modes, args.rounds, report)
        keras.utils.clear_session()
    report.finish()


if __name__ == "__main__":
    main()

"""Two ratios of DCGAN training steps, interleaved in one run on the same networks and batch.

1. Our `DCGAN.train_step` in bfloat16 against float32.
2. Ours, as `choose_runtime` sets it up, against the usual public step in float32: two tapes in
   one `tf.function`, one z for both players.

Ours draws a fresh z for the generator's update (Algorithm 1 of Goodfellow et al. 2014), which the
usual step does not: it costs another pass through both networks. Ours also moves the averaged
generator and keeps its metrics. Run it on a quiet machine.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import statistics
import time

import keras
import tensorflow as tf
from reference_dcgan import ReferenceDCGAN

from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.networks.digits import build_discriminator, build_generator
from gan_keras.training.runtime import choose_runtime


def build_ours(precision, jit_compile):
    """Return a function that takes one of our steps, as `fit` runs it."""
    keras.config.set_dtype_policy(precision)
    model = DCGAN(build_generator(), build_discriminator())
    model.compile(
        keras.optimizers.Adam(2e-4, beta_1=0.5),
        keras.optimizers.Adam(2e-4, beta_1=0.5),
        jit_compile=jit_compile,
    )
    step = tf.function(model.train_step, jit_compile=jit_compile)
    return lambda images: step((images,))


def build_usual():
    """Return the usual public step: two tapes, one z, float32, no XLA."""
    keras.config.set_dtype_policy("float32")
    model = ReferenceDCGAN(build_generator(), build_discriminator())
    model.compile()
    step = tf.function(model.train_step)
    return lambda images: step((images,))


def main():
    """Time the three steps in turn, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=5, help="steps a round")
    args = parser.parse_args()
    runtime = choose_runtime()
    images = tf.random.uniform((args.batch, 28, 28, 1), -1, 1)
    steps = {
        "ours, bfloat16": build_ours("mixed_bfloat16", runtime.jit_compile),
        "ours, float32": build_ours("float32", runtime.jit_compile),
        "usual, float32": build_usual(),
    }
    for step in steps.values():
        step(images)
    seconds = {name: [] for name in steps}
    for _ in range(args.rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            for _ in range(args.steps):
                result = step(images)
            tf.nest.map_structure(lambda tensor: tensor.numpy(), result)
            seconds[name].append((time.perf_counter() - started) / args.steps)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{runtime.device}, {os.cpu_count()} cores, load {load:.2f}; {runtime.reason}")
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, batch {args.batch}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:16} {median * 1e3:7.1f} ms a step, {args.batch / median:6.0f} images/s")
    picked = f"ours, {runtime.precision.removeprefix('mixed_')}"
    pairs = [
        ("ours, bfloat16", "ours, float32", "bfloat16 against float32"),
        (picked, "usual, float32", "ours as picked against the usual step"),
    ]
    for one, other, label in pairs:
        ratios = [b / a for a, b in zip(seconds[one], seconds[other], strict=True)]
        print(f"{label}: {statistics.median(ratios):.2f}× ({min(ratios):.2f}–{max(ratios):.2f})")


if __name__ == "__main__":
    main()

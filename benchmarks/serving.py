"""One enhancer in all its homes: size, speed, and the difference from Keras on one photograph.

The homes take turns, so that a busy neighbour slows all of them alike; each row is the median.

Usage: python benchmarks/serving.py [MODEL] [--side 256] [--rounds 7]
"""

import argparse
import os
import tempfile
import warnings
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import onnxruntime
import tensorflow as tf
from interleaved import take_turns
from skimage import data

import gan_keras
from gan_keras.data.ranges import GREY_LEVEL, from_uint8
from gan_keras.networks.precision import in_bfloat16
from gan_keras.serving.export import export_enhancer
from gan_keras.serving.formats import SUFFIXES, export_as
from gan_keras.training.runtime import compile_network


def saved_model(folder):
    serve = tf.saved_model.load(str(folder)).signatures["enhance_array"]
    return lambda image: serve(images=tf.constant(image / 2 + 0.5))["images"].numpy() * 2 - 1


def litert(path):
    warnings.filterwarnings("ignore", message=".*Interpreter is deprecated")
    interpreter = tf.lite.Interpreter(str(path), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(image):
        interpreter.set_tensor(given["index"], image)
        interpreter.invoke()
        return interpreter.get_tensor(made["index"])

    return run


def onnx(path):
    session = onnxruntime.InferenceSession(str(path))
    name = session.get_inputs()[0].name
    return lambda image: session.run(None, {name: image})[0]


def size_of(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def build_homes(enhancer, folder, side):
    """Export an enhancer into each home.

    Args:
        enhancer: An `Enhancer`.
        folder: For the files; to be kept as long as the homes are.
        side: Side of LiteRT's one size of input, in pixels.

    Returns:
        ({name: function of float32 (1, side, side, 3) in [-1, 1]}, {name: bytes}).
    """
    networks = {"Keras": enhancer.network, "Keras, bfloat16": in_bfloat16(enhancer.network)}
    homes = {name: compile_network(network) for name, network in networks.items()}
    sizes = {name: 4 * network.count_params() for name, network in networks.items()}
    version = export_enhancer(enhancer, "model", folder)
    homes["SavedModel"], sizes["SavedModel"] = saved_model(version), size_of(version)
    for kind, suffix in SUFFIXES.items():
        path = folder / f"model{suffix}"
        export_as(enhancer, kind, path, side)
        homes[kind] = onnx(path) if kind == "onnx" else litert(path)
        sizes[kind] = size_of(path)
    return homes, sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", nargs="?", default="denoise")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    enhancer, generator = gan_keras.Enhancer.load(args.model), np.random.default_rng(0)
    photograph = from_uint8(data.coffee())[: args.side, 100 : 100 + args.side]
    noisy = photograph + generator.normal(0, 25 * GREY_LEVEL, photograph.shape)
    image = np.clip(noisy, -1, 1).astype(np.float32)[None]
    with tempfile.TemporaryDirectory() as folder:
        homes, sizes = build_homes(enhancer, Path(folder), args.side)
        expected = np.clip(homes["Keras"](image), -1, 1)
        for run in homes.values():
            run(image)  # warms up
        runs = {name: partial(run, image) for name, run in homes.items()}
        seconds = take_turns(runs, args.rounds, seconds=0)
        print(f"{args.model}, {args.side}×{args.side}, {os.cpu_count()} cores")
        print(f"{'':16} {'MB':>6} {'MP/s':>6}   difference in grey levels: mean, largest")
        for name, run in homes.items():
            difference = np.abs(np.clip(run(image), -1, 1) - expected) / GREY_LEVEL
            speed = args.side**2 / 1e6 / np.median(seconds[name])
            print(
                f"{name:16} {sizes[name] / 1e6:6.2f} {speed:6.2f}   "
                f"{difference.mean():.4f}, {difference.max():.4f}"
            )


if __name__ == "__main__":
    main()

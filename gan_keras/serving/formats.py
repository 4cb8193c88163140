"""Other homes of an enhancer: LiteRT for telephones and small boards, ONNX for other runtimes.

Unlike the SavedModel these hold the network alone: float32 (1, h, w, C) in [-1, 1] in and out. Who
uses them decodes, cuts tiles with a halo of the receptive radius, and clips.
"""

import numpy as np
import tensorflow as tf

from gan_keras.data.photo_files import photo_paths
from gan_keras.data.ranges import GREY_LEVEL
from gan_keras.errors import UserError
from gan_keras.restoration.files import read_image
from gan_keras.serving.signatures import as_float32
from gan_keras.training.checkpoint import atomic_path

SUFFIXES = {"litert": ".tflite", "litert-int8": ".int8.tflite", "onnx": ".onnx"}


def export_as(enhancer, kind, path, side=256):
    """Write an enhancer's network in another format; a file that is there is replaced.

    Args:
        enhancer: An `Enhancer` of photographs without masks.
        kind: A key of `SUFFIXES`. "litert-int8" has weights and activations of 8 bits, their
            ranges measured on `typical_tiles`.
        path: File to write.
        side: Side of LiteRT's one size of input, in pixels; ONNX takes any.

    Raises:
        UserError: The converter is not installed, the network wants a mask, or the folder cannot
            be written.
    """
    if enhancer.masked:
        raise UserError("an enhancer that wants a mask goes into a SavedModel only")
    network, options = as_float32(enhancer.network), {"format": kind.split("-")[0]}
    if kind == "onnx":
        try:
            import tf2onnx  # noqa: F401
        except ImportError as error:
            raise UserError("ONNX wants its converter: pip install 'gan_keras[onnx]'") from error
        network(np.zeros((1, side, side, 3), np.float32))  # Keras exports what has been called
    else:
        options["input_signature"] = [tf.TensorSpec((1, side, side, 3), name="degraded")]
    if kind == "litert-int8":
        options["optimizations"] = [tf.lite.Optimize.DEFAULT]
        options["representative_dataset"] = lambda: ([tile] for tile in typical_tiles(side))
    with atomic_path(path) as temporary:
        network.export(temporary, verbose=False, **options)


def typical_tiles(side, count=24):
    """Cut tiles from the training photographs that packages contain, every other one noisy.

    Args:
        side: In pixels.
        count: How many.

    Returns:
        A list of float32 (1, side, side, 3) in [-1, 1]; the noise is Gaussian, σ = 25.
    """
    generator, tiles = np.random.default_rng(0), []
    photographs = [read_image(path).pixels for path in photo_paths("photos", "train")]
    for index in range(count):
        photograph = photographs[index % len(photographs)]
        top, left = (int(generator.integers(max(n - side, 0) + 1)) for n in photograph.shape[:2])
        tile = photograph[top : top + side, left : left + side]
        short = [(0, side - n) for n in tile.shape[:2]]
        tile = np.pad(tile, (*short, (0, 0)), "reflect")
        if index // len(photographs) % 2:
            tile = tile + generator.normal(0, 25 * GREY_LEVEL, tile.shape)
        tiles.append(np.clip(tile, -1, 1).astype(np.float32)[None])
    return tiles

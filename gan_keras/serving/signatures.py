"""What an exported model can be asked: functions of named tensors, the batch first everywhere.

A server may put several requests into one batch, whatever the signature, so a batch is the first
dimension of each tensor, and an element's answer does not depend on its neighbours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from gan_keras.algorithms.latents import count_classes
from gan_keras.data.ranges import from_unit, to_unit
from gan_keras.networks.receptive_field import receptive_field
from gan_keras.serving.codec import decode, encode, enlarge
from gan_keras.serving.tiling import apply_tiled

MAX_PIXELS = 40_000_000  # at some 53 bytes a pixel, measured: 2 GB beside the network
_FILES = {"restored_bytes": tf.TensorSpec((), tf.string), "error": tf.TensorSpec((), tf.string)}


@dataclass(frozen=True)
class Signature:
    """One thing that a served model can be asked.

    Attributes:
        function: Takes tensors of the specs' names, returns a dictionary of tensors.
        specs: `tf.TensorSpec`s with names, in the order of the function's arguments.
        example: Name → array: a small request, which warms a server up.
    """

    function: Callable
    specs: list
    example: dict


def as_float32(network):
    """Return a network that computes in float32, with the same weights.

    A training may have used bfloat16, which is slow or missing on a server's processor.
    """
    if all(layer.compute_dtype == "float32" for layer in network.layers):
        return network

    def copy(layer):
        return type(layer).from_config(layer.get_config() | {"dtype": "float32"})

    copied = keras.models.clone_model(network, clone_function=copy)
    copied.set_weights(network.get_weights())
    return copied


def enhancer_signatures(network, max_pixels=MAX_PIXELS):
    """Return the signatures of a photo enhancer.

    `serving_default` takes `image_bytes` (B,), files, and returns `restored_bytes` (B,), PNG files,
    and `error` (B,), empty or the reason; `enhance_with_strength` takes `strength` float32 (B,)
    too, the share of the change that is applied, 0 to 1. `enhance_array` takes and returns
    `images`, float32 (B, H, W, 3) in [0, 1]. A network that fills in what is missing is told by
    transparency what that is: `images` (B, H, W, 4), the fourth above 0.5 where a pixel is known.

    Args:
        network: Functional and local: images in [-1, 1] of any size, and for inpainting a channel
            that is 1 where a pixel is known and -1 elsewhere → images, a whole number of times as
            large.
        max_pixels: Larger files are answered with an error.
    """
    field, stride = receptive_field(network)
    channels = network.input_shape[-1]
    side = 8 * stride
    scale = network.compute_output_shape((1, side, side, channels))[1] // side
    window = tf.function(
        partial(as_float32(network), training=False),
        [tf.TensorSpec((1, None, None, channels))],
        autograph=False,
    )

    def restore(samples, strength=None):
        """Restore float32 (H, W, 3 or 4) in [0, 1], RGB and opacity: (s·H, s·W, 3) in [-1, 1]."""
        colours = given = from_unit(samples[..., :3])
        if channels == 4:
            known = samples[..., 3:] > 0.5
            given = tf.concat([tf.where(known, colours, 0), tf.where(known, 1.0, -1.0)], -1)
        restored = tf.clip_by_value(apply_tiled(window, given, field, stride), -1, 1)
        if strength is not None:
            larger = enlarge(colours, scale * tf.shape(colours)[:2]) if scale > 1 else colours
            before = tf.clip_by_value(larger, -1, 1)
            restored = before + strength * (restored - before)
        return tf.where(known, colours, restored) if channels == 4 else restored

    def answer(data, strength=None):
        decoded = decode(data, max_pixels)
        error = decoded["error"]
        if strength is not None:
            fits = (strength >= 0) & (strength <= 1)
            error = tf.where(fits, error, "a strength from 0 to 1 is wanted")

        def restored():
            pixels = restore(decoded["samples"], strength)
            return encode(pixels, decoded, opaque=channels == 4)

        restored_bytes = tf.cond(error == "", restored, lambda: "")
        return {"restored_bytes": restored_bytes, "error": error}

    def restore_files(image_bytes):
        return _each(answer, image_bytes, _FILES)

    def restore_files_with_strength(image_bytes, strength):
        return _each(lambda pair: answer(*pair), (image_bytes, strength), _FILES)

    def restore_arrays(images):
        restored = _each(restore, images, tf.TensorSpec((None, None, 3)))
        return {"images": _unit(restored)}

    files, strength = _spec("image_bytes", dtype=tf.string), _spec("strength")
    noise = np.random.default_rng(0).random((1, 64, 64, channels), np.float32)
    png = np.array([tf.io.encode_png(tf.cast(255 * noise[0], tf.uint8)).numpy()], object)
    half = np.array([0.5], np.float32)
    return {
        "serving_default": Signature(restore_files, [files], {"image_bytes": png}),
        "enhance_with_strength": Signature(
            restore_files_with_strength, [files, strength], {"image_bytes": png, "strength": half}
        ),
        "enhance_array": Signature(
            restore_arrays, [_spec("images", None, None, channels)], {"images": noise}
        ),
    }


def generator_signatures(network):
    """Return the signatures of a generator of noise, or of noise and labels.

    `serving_default` takes `latents` float32 (B, latent_dim), and `labels` int32 (B,) where the
    generator knows classes, and returns `images` float32 (B, h, w, c) in [0, 1]; `sample` takes
    `seeds` int64 (B,), and `labels`, and returns `png_bytes` (B,): the same seed, the same image.

    Args:
        network: latents → images in [-1, 1], or [latents, labels] → images.
    """
    network, latent_dim = as_float32(network), network.inputs[0].shape[-1]
    labelled = count_classes(network) is not None

    def generate(latents, labels=None):
        images = network([latents, labels] if labelled else latents, training=False)
        return {"images": _unit(images)}

    return {
        "serving_default": Signature(generate, *_asked("latents", latent_dim, labelled)),
        "sample": _sampling(generate, latent_dim, labelled),
    }


def vae_signatures(encoder, decoder):
    """Return the signatures of a VAE; no random operation but the seeded one of `sample`.

    Images are float32 (B, h, w, c) in [0, 1]. `serving_default` and `reconstruct`: `images` →
    `images` by the mean of q(z|x); `encode`: `images` → `mean`, `log_variance` (B, latent_dim);
    `decode`: `latents` → `images`; `sample`: `seeds` → `png_bytes`.

    Args:
        encoder: images in [-1, 1] → [mean, log variance].
        decoder: latents → Bernoulli logits.
    """
    encoder, decoder = as_float32(encoder), as_float32(decoder)
    shape, latent_dim = encoder.input_shape[1:], decoder.input_shape[-1]

    def encode_images(images):
        mean, log_variance = encoder(from_unit(images), training=False)
        return {"mean": mean, "log_variance": log_variance}

    def decode_latents(latents):
        return {"images": tf.sigmoid(decoder(latents, training=False))}

    def reconstruct(images):
        return decode_latents(encode_images(images)["mean"])

    images = [_spec("images", *shape)], {"images": np.zeros((1, *shape), np.float32)}
    return {
        "serving_default": Signature(reconstruct, *images),
        "reconstruct": Signature(reconstruct, *images),
        "encode": Signature(encode_images, *images),
        "decode": Signature(decode_latents, *_asked("latents", latent_dim)),
        "sample": _sampling(decode_latents, latent_dim),
    }


def _sampling(generate, latent_dim, labelled=False):
    """Return `sample`: each seed alone, for a batch's size can change an image's last bit."""

    def one(arguments):
        seed, *labels = arguments
        key = tf.stack([seed, 0])
        latents = tf.random.stateless_normal((1, latent_dim), key, alg="philox")  # on any device
        image = generate(latents, *(label[None] for label in labels))["images"][0]
        return tf.io.encode_png(tf.cast(tf.round(255 * image), tf.uint8))

    def sample(seeds, *labels):
        return {"png_bytes": _each(one, (seeds, *labels), tf.TensorSpec((), tf.string))}

    return Signature(sample, *_asked("seeds", None, labelled))


def _each(function, elements, output):
    """Apply a function to each element of a batch by itself, one after the other."""
    return tf.map_fn(function, elements, fn_output_signature=output, parallel_iterations=1)


def _asked(name, size, labelled=False):
    """Return the specs and the example of latents or seeds, with labels where there are any."""
    specs = [_spec(name, size)] if size else [_spec(name, dtype=tf.int64)]
    specs += [_spec("labels", dtype=tf.int32)] if labelled else []
    example = {s.name: np.zeros((1, *s.shape[1:]), s.dtype.as_numpy_dtype) for s in specs}
    return specs, example


def _spec(name, *shape, dtype=tf.float32):
    return tf.TensorSpec((None, *shape), dtype, name=name)


def _unit(images):
    return tf.clip_by_value(to_unit(images), 0, 1)

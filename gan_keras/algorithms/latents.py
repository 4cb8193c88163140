"""Generators of noise, and of noise and a label: what DCGAN and WGAN-GP share."""

import keras
import numpy as np
import tensorflow as tf

from gan_keras.algorithms.randomness import EVALUATION
from gan_keras.errors import UserError


def draw_latents(count, latent_dim, seed=0):
    """Draw z ~ N(0, I) as float32 (count, latent_dim), a pure function of the seed."""
    return np.random.default_rng(seed).standard_normal((count, latent_dim), dtype=np.float32)


def spherical(start, end, shares):
    r"""Walk between two draws of N(0, I) on the arc between them (Shoemake 1985; White 2016).

    In d dimensions N(0, I) lies in a thin shell of radius √d. The straight line leaves it: halfway
    between independent draws the norm is √(d/2), of which no generator has ever seen a vector. On
    the arc, sin((1 − t)ω)/sin ω · start + sin(tω)/sin ω · end with ω the angle between the two, it
    stays near √d.

    Args:
        start: float32 (d,).
        end: float32 (d,).
        shares: (N,) of t in [0, 1].

    Returns:
        float32 (N, d); start itself at t = 0, end at t = 1.
    """
    t = np.asarray(shares, np.float64)[:, None]
    cosine = np.dot(start, end) / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(np.clip(cosine, -1, 1))  # ω
    if np.sin(angle) < 1e-3:  # the same vector, or opposite ones, between which no arc is shortest
        return ((1 - t) * start + t * end).astype(np.float32)
    weights = np.sin((1 - t) * angle), np.sin(t * angle)
    return ((weights[0] * start + weights[1] * end) / np.sin(angle)).astype(np.float32)


def count_classes(generator):
    """Return how many labels a generator's embedding knows; None where it takes none."""
    sizes = [layer.input_dim for layer in generator.layers if hasattr(layer, "input_dim")]
    return sizes[0] if sizes else None


def draw_images(generator, count, seed=0, labels=None):
    """Draw images from a generator network; the same for the same seed.

    Args:
        generator: latents → images, or [latents, labels] → images.
        count: How many.
        seed: Seed of z.
        labels: (count,) integers, or one for all; None takes the classes in turn.

    Returns:
        float32 (count, h, w, c) in [-1, 1].

    Raises:
        UserError: The generator takes no labels, or knows no such label.
    """
    latents = draw_latents(count, generator.inputs[0].shape[-1], seed)
    classes = count_classes(generator)
    if classes is None:
        if labels is not None:
            raise UserError("this generator takes no labels: name a class-conditional one")
        return generator.predict(latents, batch_size=256, verbose=0)
    labels = np.arange(count) % classes if labels is None else np.broadcast_to(labels, count)
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(f"labels {labels.min()} to {labels.max()}: it knows 0 to {classes - 1}")
    return generator.predict([latents, labels.astype("int32")], batch_size=256, verbose=0)


class Generator:
    """A trained generator network alone, as it ships: ready to draw from.

    Args:
        network: latents → images, or [latents, labels] → images.
    """

    def __init__(self, network):
        self.network = network
        self.latent_dim = network.inputs[0].shape[-1]
        self.classes = count_classes(network)
        self.trainable_variables = network.trainable_variables

    def __call__(self, inputs):
        """Return the images of given latents, or of [latents, labels]."""
        return self.network(inputs, training=False)

    def generate(self, count, seed=0, labels=None):
        """Draw images: see `draw_images`."""
        return draw_images(self.network, count, seed, labels)


class LatentGenerator:
    """A mixin for an `AdversarialModel` whose generator turns noise into images.

    Where both networks take labels, batches are (images, labels): G draws an image of each label,
    and D judges whether the image is real and of that label (Mirza & Osindero 2014).
    """

    def _init_latents(self):
        self.latent_dim = self.generator.inputs[0].shape[-1]
        self.classes = count_classes(self.generator)
        judged = getattr(self.discriminator, "inputs", None)  # of a subclass they are unknown
        if judged and len(judged) != len(self.generator.inputs):
            raise ValueError("one player takes labels, the other does not: both must, or neither")

    def _with(self, values, labels):
        """Return what a network takes: z or an image, and its label where there are labels."""
        return values if self.classes is None else [values, labels]

    def _judge_held_out(self, data):
        """Return D's logits of held-out real images and of images of the averaged generator."""
        real_images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        shape = (tf.shape(real_images)[0], self.latent_dim)
        latents = self.random_normal(shape, EVALUATION, counter=self.discriminator_loss.count)
        fake_images = self(self._with(latents, labels))
        real_logits = self.discriminator(self._with(real_images, labels), training=False)
        return real_logits, self.discriminator(self._with(fake_images, labels), training=False)

    def generate(self, count, seed=0, labels=None):
        """Draw images from the averaged generator: see `draw_images`."""
        return draw_images(self.averaged_generator, count, seed, labels)

"""The DCGAN of the usual public tutorials, in the form in which most people first meet one.

Its facts: 5×5 kernels, a generator of Dense → 7×7×256 → 128 → 64 → 1 with batch normalisation and
LeakyReLU(0.3), a discriminator of 64 and 128 filters with dropout 0.3 and no normalisation, binary
cross-entropy on logits, Adam 1e-4 with its default momenta, batch 256, float32, one z a step for
both players, no averaging.
"""

import keras
import tensorflow as tf
from keras import layers

from gan_keras.algorithms.latents import draw_images

BATCH, EPOCHS, LATENT_DIM = 256, 8, 100


def build_generator():
    """Return latents (B, 100) → images (B, 28, 28, 1) in [-1, 1]."""
    network = keras.Sequential([keras.Input((LATENT_DIM,), name="latents")], name="generator")
    network.add(layers.Dense(7 * 7 * 256, use_bias=False))
    network.add(layers.BatchNormalization())
    network.add(layers.LeakyReLU())
    network.add(layers.Reshape((7, 7, 256)))
    for filters, stride in ((128, 1), (64, 2)):
        network.add(layers.Conv2DTranspose(filters, 5, stride, "same", use_bias=False))
        network.add(layers.BatchNormalization())
        network.add(layers.LeakyReLU())
    network.add(layers.Conv2DTranspose(1, 5, 2, "same", use_bias=False, activation="tanh"))
    return network


def build_discriminator():
    """Return images (B, 28, 28, 1) → logits (B, 1)."""
    network = keras.Sequential([keras.Input((28, 28, 1))], name="discriminator")
    for filters in (64, 128):
        network.add(layers.Conv2D(filters, 5, 2, "same"))
        network.add(layers.LeakyReLU())
        network.add(layers.Dropout(0.3))
    network.add(layers.Flatten())
    network.add(layers.Dense(1))
    return network


class ReferenceDCGAN(keras.Model):
    """The tutorials' training step as a Keras model.

    Args:
        generator: latents → images; None builds the tutorials'.
        discriminator: images → logits; likewise.
    """

    def __init__(self, generator=None, discriminator=None):
        super().__init__()
        self.generator = generator or build_generator()
        self.discriminator = discriminator or build_discriminator()
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.built = True

    def compile(self):
        """Make the two optimisers."""
        super().compile(optimizer=None, jit_compile=False)
        self.optimizers = keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)
        for optimizer, network in zip(self.optimizers, self._players(), strict=True):
            optimizer.build(network.trainable_variables)

    def _players(self):
        return self.generator, self.discriminator

    @property
    def metrics(self):
        """None."""
        return []

    def train_step(self, data):
        """Update both players from the same forward passes."""
        (images,) = data
        latents = tf.random.normal((tf.shape(images)[0], self.generator.input_shape[-1]))
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fake_images = self.generator(latents, training=True)
            real = self.discriminator(images, training=True)
            fake = self.discriminator(fake_images, training=True)
            generator_loss = self.cross_entropy(tf.ones_like(fake), fake)
            discriminator_loss = self.cross_entropy(tf.ones_like(real), real)
            discriminator_loss += self.cross_entropy(tf.zeros_like(fake), fake)
        tapes = generator_tape, discriminator_tape
        losses = generator_loss, discriminator_loss
        players = zip(self.optimizers, self._players(), tapes, losses, strict=True)
        for optimizer, network, tape, loss in players:
            variables = network.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
        return {"generator_loss": generator_loss, "discriminator_loss": discriminator_loss}

    def generate(self, count, seed=0):
        """Draw images from the generator as it is."""
        return draw_images(self.generator, count, seed)

"""Chapter 03's room, continued: batch normalisation's modes, and who is trained."""

import math
import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from gan_keras.algorithms.latents import draw_latents
from gan_keras.losses.adversarial import discriminator_cross_entropy
from gan_keras.networks.digits import build_generator
from gan_keras.teaching.museum import Damage, unless
from gan_keras.teaching.show import GREEN, ORANGE, panels


def inert_batch_norm():
    """Exhibit 5: without training=True batch normalisation divides by an untouched 1."""

    def watch(training):
        keras.utils.set_random_seed(0)
        generator = build_generator()
        chosen = [x for x in generator.layers if isinstance(x, layers.ReLU | layers.Activation)]
        outputs = [layer.output for layer in chosen]
        spread = keras.Model(generator.input, outputs)(draw_latents(64, 100), training=training)
        return generator, [float(np.std(values)) for values in spread]

    def check(generator):
        norms = [x for x in generator.layers if isinstance(x, layers.BatchNormalization)]
        moved = [float(ops.max(ops.abs(norm.moving_mean))) for norm in norms]
        return unless(
            all(moved),
            f"the running means of {sum(m == 0 for m in moved)} of {len(norms)} batch "
            "normalisations are still exactly 0 after a call: was training=True passed?",
        )

    (inert, faded), (alive, kept) = watch(False), watch(True)
    figure, axes = panels(1, 1, 6, 2.8)
    names = ["7×7", "14×14", "image"]
    axes.semilogy(names, kept, "o-", color=GREEN, label="training=True (right)")
    axes.semilogy(names, faded, "o-", color=ORANGE, label="not passed (broken)")
    axes.set(xlabel="after the activation at", ylabel="std of activations", ylim=(0.008, 1))
    axes.set_yticks([0.01, 0.03, 0.1, 0.3, 1], ["0.01", "0.03", "0.1", "0.3", "1"])
    axes.minorticks_off()
    axes.legend(frameon=False)
    return Damage(
        faded[-1],
        kept[-1],
        "Keras 3 calls a layer in inference mode unless it is told otherwise: batch normalisation "
        "then uses running statistics that nobody updates, and weights of N(0, 0.02) let the "
        "signal fade layer by layer. Dropout goes the same way.",
        check(inert),
        check(alive),
        "`fit` calls a stock model: it passes training=True by itself. A train_step of your own "
        "that calls the networks does not.",
        figure,
    )


def frozen_discriminator():
    """Exhibit 6: the stacked GAN of Keras 2, in which D was frozen after its own compile."""

    def build():
        keras.utils.set_random_seed(0)
        generator = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
        hidden = layers.Dense(8, activation="relu")
        return generator, keras.Sequential([keras.Input((2,)), hidden, layers.Dense(1)])

    def distance(network, start):
        return math.sqrt(
            sum(np.sum((a - b) ** 2) for a, b in zip(network.get_weights(), start, strict=True))
        )

    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    data = np.random.default_rng(0).normal(2, 1, (30, 64, 2)).astype(np.float32)
    noise = np.random.default_rng(1).normal(0, 1, (30, 64, 2)).astype(np.float32)
    labels = np.concatenate([np.ones((64, 1)), np.zeros((64, 1))])

    def stacked():
        generator, discriminator = build()
        discriminator.compile("adam", loss)
        discriminator.trainable = False  # "only inside the stack", says the Keras 2 book
        stack = keras.Sequential([keras.Input((2,)), generator, discriminator])
        stack.compile("adam", loss)
        start, moved = discriminator.get_weights(), []
        for x, z in zip(data, noise, strict=True):
            both = np.concatenate([x, generator(z)])
            discriminator.train_on_batch(both, labels)
            stack.train_on_batch(z, np.ones((64, 1)))
            moved.append(distance(discriminator, start))
        return discriminator, moved

    def two_tapes():
        generator, discriminator = build()
        start, moved = discriminator.get_weights(), []
        optimizers = keras.optimizers.Adam(), keras.optimizers.Adam()
        for x, z in zip(data, noise, strict=True):
            for player, optimizer in zip((discriminator, generator), optimizers, strict=True):
                with tf.GradientTape() as tape:
                    fake = discriminator(generator(z, training=True), training=True)
                    cost = loss(np.ones((64, 1)), fake)
                    if player is discriminator:
                        real = discriminator(x, training=True)
                        cost = discriminator_cross_entropy(real, fake)
                variables = player.trainable_variables
                optimizer.apply(tape.gradient(cost, variables), variables)
            moved.append(distance(discriminator, start))
        return discriminator, moved

    def check(discriminator):
        count = len(discriminator.trainable_variables)
        return unless(
            count,
            "when D's turn comes it has 0 trainable variables: Keras 3 looks at `trainable` "
            "when it trains, not when you compiled",
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "The model does not have any trainable weights."
        frozen, broken = stacked()
    trained, right = two_tapes()
    figure, axes = panels(1, 1, 6, 2.6)
    axes.plot(right, color=GREEN, label="two tapes (right)")
    axes.plot(broken, color=ORANGE, label="trainable = False (broken)")
    axes.set(xlabel="step", ylabel="distance of D\nfrom its start")
    axes.legend(frameon=False)
    return Damage(
        broken[-1],
        right[-1],
        "D never learns, G learns to please a random function, and both losses look busy. Keras 2 "
        "kept the list of weights that compile had seen, so the trick worked there; Keras 3 warns "
        "once ('does not have any trainable weights') and goes on. One tape and one list of "
        "variables a player needs no toggling.",
        check(frozen),
        check(trained),
        "",
        figure,
    )

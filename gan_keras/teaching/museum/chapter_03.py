"""Chapter 03's room: shapes, logits, batches; `chapter_03_players` has modes and training."""

import math
import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from gan_keras.algorithms.latents import draw_latents
from gan_keras.data.digits import DigitBatches, load_digits
from gan_keras.losses.adversarial import discriminator_cross_entropy
from gan_keras.networks.digits import build_discriminator
from gan_keras.teaching.museum import Damage, unless
from gan_keras.teaching.museum.chapter_03_players import frozen_discriminator, inert_batch_norm
from gan_keras.teaching.show import BLUE, GREEN, ORANGE, draw_image, panels


def three_doublings():
    """Exhibit 1: 7 doubled three times is 56."""

    def build(doublings):
        latents = x = keras.Input((100,))
        x = layers.Reshape((7, 7, 32))(layers.Dense(7 * 7 * 32)(x))
        for _ in range(doublings):
            x = layers.Conv2DTranspose(
                32 if x.shape[1] < 7 * 2 ** (doublings - 1) else 1, 4, 2, "same"
            )(x)
        return keras.Model(latents, layers.Activation("tanh")(x))

    def check(network):
        got, wanted = network.output_shape[1:], build_discriminator().input_shape[1:]
        return unless(got == wanted, f"G makes images {got}, D takes {wanted}: count doublings")

    keras.utils.set_random_seed(0)
    broken, right = build(3), build(2)
    figure, axes = panels(1, 2, 6, 3.2, width_ratios=[2, 1])
    for one, network in zip(axes, (broken, right), strict=True):
        image = np.asarray(network(draw_latents(1, 100)))[0]
        draw_image(one, image / np.abs(image).max(), f"{len(image)}×{len(image)}")
    try:
        build_discriminator()(broken(draw_latents(1, 100)))
        harmless = ""
    except ValueError:
        harmless = (
            "D has a fixed input shape, as here: Keras refuses the first batch. A D that ends in "
            "global pooling takes any size, and then the mistake is silent."
        )
    return Damage(
        broken.output_shape[1],
        right.output_shape[1],
        "Each stride-2 layer doubles the side: 7·2·2·2 = 56. From 7 to 28 there are two doublings.",
        check(broken),
        check(right),
        harmless,
        figure,
    )


def probabilities_as_logits():
    """Exhibit 2: a probability between 0 and 1, read as a logit, is never sure of anything."""
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    logits = np.linspace(-8, 8, 161, dtype=np.float32)[:, None]
    scores = keras.Input((1,))
    head = keras.Model(scores, layers.Activation("sigmoid")(scores))

    def cost(size, probabilities):
        """Return D's loss where it gives a real image the logit `size`, a fake one −`size`."""
        outputs = [
            head(np.full((1, 1), sign * size)) if probabilities else ops.full((1, 1), sign * size)
            for sign in (1.0, -1.0)
        ]
        labels = np.array([[1.0], [0.0]], np.float32)
        return float(loss(labels, ops.concatenate(outputs, axis=0)))

    def check(value):
        return unless(
            value < 0.01,
            f"a discriminator that is right and sure pays {value:.2f} nats instead of 0: "
            "the loss reads probabilities as logits",
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras says that it repairs
        direct = float(loss(np.array([[1.0], [0.0]]), head(np.array([[20.0], [-20.0]]))))
    figure, axes = panels(1, 1, 6, 2.8)
    sizes = logits[80:, 0]
    axes.plot(sizes, [cost(a, False) for a in sizes], color=GREEN, label="logits (right)")
    axes.plot(sizes, [cost(a, True) for a in sizes], color=ORANGE, label="sigmoid, concat (broken)")
    axes.set(xlabel="how sure a right D is: its logit ±a", ylabel="loss (nats)", ylim=(0, 0.75))
    axes.legend(frameon=False)
    return Damage(
        cost(20.0, True),
        cost(20.0, False),
        "A second sigmoid squeezes [0, 1] to [0.5, 0.73]: no output can be right, the loss has a "
        f"floor of {(math.log1p(math.exp(-1)) + math.log(2)) / 2:.3f} and its slope fades early.",
        check(cost(20.0, True)),
        check(cost(20.0, False)),
        "the loss gets the sigmoid's own output: Keras sees which layer made it, uses the logit "
        f"and warns (loss {direct:.1g}). Any op in between, here `concatenate`, hides it.",
        figure,
    )


def unbalanced_batch():
    """Exhibit 3: 96 real and 256 fake: the best logit is no longer 0 where p = q."""

    def train(fakes, joined=True, reals=96, steps=300):
        """Train D(x) = wx + b where real and fake are both N(0, 1): nothing can be told apart."""
        weights, generator = tf.Variable([0.0, 0.0]), np.random.default_rng(0)
        history = []

        @tf.function
        def step(real, fake):
            with tf.GradientTape() as tape:
                a, b = weights[0] * real + weights[1], weights[0] * fake + weights[1]
                if joined:
                    labels = tf.concat([tf.ones_like(a), tf.zeros_like(b)], 0)
                    logits = tf.concat([a, b], 0)
                    loss = keras.losses.BinaryCrossentropy(from_logits=True)(labels, logits)
                else:
                    loss = discriminator_cross_entropy(a, b)
            weights.assign_sub(0.3 * tape.gradient(loss, weights))

        for _ in range(steps):
            step(*(generator.standard_normal((n, 1), np.float32) for n in (reals, fakes)))
            history.append(float(weights[1]))  # the mean logit: x has mean 0
        return history

    def check(reals, fakes):
        return unless(
            reals == fakes,
            f"{reals} real images and {fakes} generated ones in one batch: draw as much noise "
            "as the batch has images, or average the two losses apart",
        )

    curves = {"256 fakes, joined (broken)": train(256), "96 fakes, joined (right)": train(96)}
    apart = train(256, joined=False)
    figure, axes = panels(1, 1, 6.2, 2.8)
    for (label, curve), colour in zip(curves.items(), (ORANGE, GREEN), strict=True):
        axes.plot(curve, color=colour, label=label)
    axes.plot(apart, "--", color=BLUE, label="256 fakes, two means (harmless)")
    axes.axhline(math.log(96 / 256), color="black", linestyle=":", label="log(96/256)")
    axes.set(xlabel="step", ylabel="D's mean logit", ylim=(-1.1, 0.45))
    axes.legend(frameon=False, ncols=2, fontsize="small", loc="upper right")
    return Damage(
        np.mean(curves["256 fakes, joined (broken)"][-50:]).item(),
        np.mean(curves["96 fakes, joined (right)"][-50:]).item(),
        "Where nothing can be told apart the best logit is log(real/fake), not 0: D says 'fake' "
        "before it has looked. Of 60,000 images in batches of 256 it is one step in 235: a kick an "
        "epoch.",
        check(96, 256),
        check(96, 96),
        "the loss averages real and fake apart and adds, as this package's does: then the share of "
        f"each no longer counts (mean logit {abs(np.mean(apart[-50:])):.2f}).",
        figure,
    )


def sorted_data():
    """Exhibit 28: a shuffle buffer of 256 in front of 400 zeros."""
    images, labels = load_digits("mnist-5k", "train")

    def check(batch):
        seen = len(np.unique(batch))
        return unless(
            seen > 5,
            f"{len(batch)} images of the first batch show {seen} of 10 digits: shuffle the "
            "whole set, not a buffer of it",
        )

    order = tf.data.Dataset.from_tensor_slices(labels).shuffle(256, seed=0).batch(64)
    broken = [batch.numpy() for batch in order]
    right = [batch for _, batch in map(DigitBatches(images, labels, 64).__getitem__, range(62))]
    figure, axes = panels(1, 2, 7, 2.6, sharey=True)
    for one, batches, title in zip(axes, (broken, right), ("broken", "right"), strict=True):
        shares = np.stack([np.bincount(b, minlength=10) / len(b) for b in batches], axis=1)
        drawn = one.imshow(shares, aspect="auto", vmin=0, vmax=1, cmap="magma", origin="lower")
        one.set(xlabel="batch", title=title, yticks=range(10))
    axes[0].set_ylabel("digit")
    figure.colorbar(drawn, ax=axes, label="share of the batch")
    pairs = min(np.sort(np.bincount(batch))[-2:].sum() / len(batch) for batch in broken)
    alone = next(index for index, batch in enumerate(broken) if len(np.unique(batch)) > 1)
    return Damage(
        len(np.unique(broken[0])),
        len(np.unique(right[0])),
        f"A buffer only mixes what it holds. D meets nothing but zeros for {alone} batches, and of "
        f"every later batch two digits make up {pairs:.0%} or more; G's batch normalisation never "
        "sees the classes together.",
        check(broken[0]),
        check(right[0]),
        "`fit` gets arrays: it permutes all of them each epoch. A tf.data pipeline does what its "
        "buffer allows; `DigitBatches` permutes the whole set.",
        figure,
    )


EXHIBITS = {
    1: three_doublings,
    2: probabilities_as_logits,
    3: unbalanced_batch,
    5: inert_batch_norm,
    6: frozen_discriminator,
    28: sorted_data,
}

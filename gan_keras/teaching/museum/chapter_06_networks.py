"""Chapter 06's room, continued: normalisation in an enhancer, and what D is shown as real."""

import keras
import numpy as np
from keras import layers, ops

from gan_keras.algorithms.pix2pix import Pix2Pix
from gan_keras.data.degradations import gaussian_noise
from gan_keras.data.digits import load_digits
from gan_keras.data.ranges import DATA_RANGE, from_uint8
from gan_keras.metrics.image_quality import psnr
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.restorer import build_restorer
from gan_keras.teaching.museum import Damage, unless
from gan_keras.teaching.show import BLUE, GREEN, ORANGE, draw_image, image_rows, panels


def noisy_pairs(split, count, sigma=50):
    """Return digits with noise and without, (count, 28, 28, 1) each, of all classes."""
    images = from_uint8(load_digits("mnist-5k", split)[0])
    draw = np.random.default_rng(7)
    clean = images[draw.permutation(len(images))[:count]]
    return np.stack([gaussian_noise(x, draw, sigma=sigma) for x in clean]), clean


def _decibels(clean, restored):
    return ops.convert_to_numpy(psnr(clean, restored, DATA_RANGE))


def normalised_to_nothing():
    """Exhibit 16: one number, minus its own mean, is 0."""
    features = np.random.default_rng(0).normal(2, 3, (16, 8, 8, 12)).astype(np.float32)

    def spread(side, norm):
        """Return the variance of a normalisation's output over images and channels."""
        inputs = features[:, :side, :side]
        if norm == "batch":  # one image a batch
            outputs = [layers.BatchNormalization()(x[None], training=True) for x in inputs]
        else:
            outputs = [layers.GroupNormalization(groups=-1)(inputs)]
        return float(np.var(np.concatenate([np.asarray(out) for out in outputs])))

    def check(side, norm):
        value = spread(side, norm)
        return unless(
            value > 0.1,
            f"sixteen different inputs leave the {norm} normalisation at {side}×{side} with a "
            f"variance of {value:.1g}: it normalises one number by itself",
        )

    sides = (1, 2, 4, 8)
    figure, axes = panels(1, 1, 6.4, 2.6)
    places = np.arange(4)
    for norm, shift, colour in (("instance", -0.2, BLUE), ("batch", 0.2, ORANGE)):
        label = norm + (", any batch" if norm == "instance" else ", batch of 1, training mode")
        heights = [spread(side, norm) for side in sides]
        axes.bar(places + shift, heights, 0.36, color=colour, label=label)
        axes.text(shift, 0.03, "0", ha="center", color=colour, fontweight="bold")
    axes.set_xticks(places, [f"{side}×{side}" for side in sides])
    axes.set(xlabel="feature map", ylabel="variance of the output", ylim=(0, 1.35))
    axes.legend(frameon=False, fontsize="small", loc="upper left", ncols=2)
    whole = np.asarray(layers.BatchNormalization()(features[:, :1, :1], training=True)).var()
    return Damage(
        spread(1, "instance"),
        spread(2, "instance"),
        "A value that is its own mean normalises to 0: a U-Net's innermost 1×1 layer passes β on, "
        "the same for every photograph, and gets no gradient. All that it should know of the whole "
        "picture is lost, and the skip connections hide it.",
        check(1, "instance") + "; " + check(1, "batch"),
        check(2, "instance") + check(2, "batch"),
        f"batch normalisation has more than one image in the batch (16: variance {whole:.2f}), or "
        "runs in inference mode, where it uses running statistics.",
        figure,
    )


def tested_in_training_mode():
    """Exhibit 23: my photograph depends on yours."""
    keras.utils.set_random_seed(0)
    degraded = x = keras.Input((28, 28, 1))
    for _ in range(2):
        x = layers.Conv2D(12, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Conv2D(1, 3, padding="same", kernel_initializer="zeros")(x)
    network = keras.Model(degraded, layers.Add()([degraded, x]))
    network.compile(keras.optimizers.Adam(3e-3), loss="mse")
    network.fit(*noisy_pairs("train", 1600), batch_size=16, epochs=1, verbose=0, shuffle=False)
    noisy, clean = noisy_pairs("test", 1)
    draw = np.random.default_rng(1)
    mates = {
        "digits like it": noisy_pairs("test", 8)[0][1:],
        "other noise": noisy_pairs("train", 7, sigma=5)[0],
        "black pictures": np.full((7, 28, 28, 1), -1.0, np.float32),
        "white noise": draw.uniform(-1, 1, (7, 28, 28, 1)).astype(np.float32),
    }

    def restore(beside, training):
        batch = np.concatenate([noisy, beside])
        weights = [[v.value for v in variables] for variables in (
            network.trainable_variables, network.non_trainable_variables
        )]  # fmt: skip
        return np.asarray(network.stateless_call(*weights, batch, training=training)[0])[:1]

    def check(training):
        answers = [restore(beside, training) for beside in mates.values()]
        apart = max(float(np.abs(a - answers[0]).max()) for a in answers)
        return unless(
            apart < 1e-3,
            f"one image, {len(mates)} batches: its pixels differ by up to {127.5 * apart:.0f} grey "
            "levels with its batch-mates: say training=False",
        )

    images = {t: [restore(b, t) for b in mates.values()] for t in (True, False)}
    values = {t: [float(_decibels(clean, x)[0]) for x in some] for t, some in images.items()}
    titles = ["noisy", *(f"beside\n{name}" for name in mates), "truth"]
    rows = [[noisy[0], *(x[0] for x in images[t]), clean[0]] for t in (True, False)]
    figure = image_rows(rows, ["training\nmode", "inference"], scale=1.25)
    for n, axes in enumerate(figure.axes):
        row, column = divmod(n, len(titles))
        number = f"\n{values[not row][column - 1]:.1f} dB" if 0 < column < 5 else ""
        axes.set_title((titles[column] if not row else "") + number, fontsize=8)
    return Damage(
        float(np.ptp(values[True])),
        float(np.ptp(values[False])),
        f"The PSNR of one image goes from {min(values[True]):.1f} to {max(values[True]):.1f} dB "
        "with what else is in the batch: the mean and variance of all are subtracted from each. A "
        "server that batches requests would send your picture's brightness to a stranger.",
        check(True),
        check(False),
        "the network has no batch normalisation, no dropout and no noise layer: then both modes "
        "are one. This package's enhancers are built that way.",
        figure,
    )


def degraded_as_real():
    """Exhibit 27: who is shown noisy pictures as real learns to make noisy pictures."""
    degraded, target = noisy_pairs("train", 1200)
    seen, sharp = noisy_pairs("test", 100)
    before = float(np.mean(_decibels(sharp, seen)))

    def train(real):
        keras.utils.set_random_seed(0)
        grey = (None, None, 1)
        generator = build_restorer(grey, filters=(12, 16), blocks=(1, 1))
        model = Pix2Pix(generator, build_patchgan(grey, 8, 1), l1_weight=100.0, average_decay=0.9)
        model.compile(*(keras.optimizers.Adam(2e-3, 0.5) for _ in range(2)))
        model.fit(degraded, real, batch_size=16, epochs=1, verbose=0, shuffle=False)
        return np.asarray(model(seen))

    def check(real):
        share = float(np.mean(np.abs(real - degraded) < 1e-6))
        return unless(
            share < 0.5,
            f"{share:.0%} of the pixels that D is shown as real are those of the degraded input: "
            "real is the sharp one",
        )

    broken, right = train(degraded), train(target)
    gains = [float(np.mean(_decibels(sharp, x))) - before for x in (broken, right)]
    figure, axes = panels(4, 8, 6.6, 3.6)
    names = ["degraded", "broken", "right", "truth"]
    for row, name, images in zip(axes, names, (seen, broken, right, sharp), strict=True):
        for one, image in zip(row, images, strict=False):
            draw_image(one, image)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, color=(
            ORANGE if name == "broken" else GREEN if name == "right" else "black"
        ))  # fmt: skip
    return Damage(
        gains[0],
        gains[1],
        "An L1 towards the input and a D that calls noisy pictures real are both content with a G "
        "that does nothing, and losses are beautiful. `D(G(y))` against `D(y)` is printed often; "
        "the pair is (y, x) against (y, G(y)).",
        check(degraded),
        check(target),
        "",
        figure,
    )

"""Chapter 06's room: what goes in, and how it is measured; `chapter_06_networks` has the rest."""

import keras
import numpy as np
import tensorflow as tf

from gan_keras.algorithms.latents import draw_latents
from gan_keras.data.degradations import gaussian_noise
from gan_keras.data.digits import load_digits
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import DATA_RANGE, from_uint8
from gan_keras.loading import load
from gan_keras.metrics.image_quality import psnr
from gan_keras.plots import sample_grid
from gan_keras.teaching.museum import Damage, unless
from gan_keras.teaching.museum.chapter_06_networks import (
    degraded_as_real,
    normalised_to_nothing,
    tested_in_training_mode,
)
from gan_keras.teaching.show import GREEN, ORANGE, draw_image, image_rows, panels


def noisy_digits(count=100, sigma=50):
    """Return held-out digits of all classes with Gaussian noise, the clean ones, and labels."""
    images, labels = (part[:: 1000 // count] for part in load_digits("mnist-5k", "test"))
    clean, draw = from_uint8(images), np.random.default_rng(0)
    return np.stack([gaussian_noise(x, draw, sigma=sigma) for x in clean]), clean, labels


def any_digit():
    """Exhibit 14: a generator of digits is no enhancer of this digit."""
    vae, classifier = load("vae"), load("digit_classifier")
    noisy, clean, labels = noisy_digits()

    def broken(images, seed=0):
        return np.asarray(vae.decode(draw_latents(len(images), vae.latent_dim, seed)))

    def right(images):
        mean, _ = vae.encode(np.clip(images, -1, 1))
        return np.asarray(vae.decode(mean))

    def check(enhance):
        same = np.abs(enhance(noisy[:8]) - enhance(noisy[8:16])).max()
        return unless(
            same > 0.1,
            f"eight digits and eight others get the same answers (largest difference {same:.1g}): "
            "what comes out does not depend on what goes in",
        )

    def agreement(images):
        read = np.asarray(classifier(images, training=False)).argmax(axis=1)
        return float(np.mean(read == labels))

    some = slice(5, None, 11)
    rows = [noisy[some], broken(noisy)[some], right(noisy)[some], clean[some]]
    return Damage(
        agreement(broken(noisy)),
        agreement(right(noisy)),
        "Fresh noise decodes to a digit, and ten classes give one chance in ten that it is this "
        "one. V(D, G) with G(z) rewards that: D sees good digits. An enhancer is G(y), and its D "
        "sees the pair.",
        check(broken),
        check(right),
        "",
        image_rows(rows, ["noisy", "broken", "right", "truth"]),
    )


def scaled_twice():
    """Exhibit 15: [-1, 1] divided by 127.5 once more is a picture of almost nothing."""
    pixels = load_digits("mnist-5k", "test")[0][::100]
    right = from_uint8(pixels)
    broken = from_uint8(right)

    def check(images):
        width = float(np.ptp(images))
        return unless(
            width > 0.1 * DATA_RANGE,
            f"all pixels lie between {images.min():.4f} and {images.max():.4f}, {width:.2g} of a "
            f"range of {DATA_RANGE:g}: they were scaled before",
        )

    figure, axes = panels(1, 2, 8.2, 2.2, width_ratios=[1.25, 1])
    draw_image(axes[0], sample_grid(np.concatenate([broken, right]), columns=len(right)))
    axes[0].set_yticks([16, 46], ["broken", "right"])
    axes[0].tick_params(length=0)
    bins = np.linspace(-1.05, 1.05, 43)
    axes[1].hist(right.ravel(), bins, color=GREEN, label="right")
    axes[1].hist(broken.ravel(), bins, color=ORANGE, alpha=0.8, label="broken")
    axes[1].set(xlabel="pixel", ylabel="pixels", yscale="log")
    axes[1].legend(frameon=False, fontsize="small")
    return Damage(
        float(broken.std()),
        float(right.std()),
        "Everything trains: an L1 of 0.005 looks like success, and D, whose real images are all "
        "one black, is fooled by black. A loader that scales, a layer that scales and a notebook "
        "that scales are each right alone.",
        check(broken),
        check(right),
        "a function says which range it reads, and gets integers: `from_uint8` here reads 0 to "
        "255 and is the only one that converts. Nothing guesses a range.",
        figure,
    )


def cached_crops():
    """Exhibit 17: what is drawn before `.cache()` is drawn once."""
    path = next(path for path in photo_paths("photos", "train") if path.stem == "chelsea")
    photograph = Photographs([path])[0]
    epochs, side = 5, 64

    def crops(cache_first):
        dice = tf.random.Generator.from_seed(1)

        def crop(image):
            top, left = (dice.uniform((), 0, s - side, tf.int32) for s in photograph.shape[:2])
            return image[top : top + side, left : left + side]

        data = tf.data.Dataset.from_tensors(photograph)
        data = data.cache().map(crop) if cache_first else data.map(crop).cache()
        return [crop.numpy() for _ in range(epochs) for crop in data]

    def check(shown):
        distinct = len({crop.tobytes() for crop in shown})
        return unless(
            distinct == len(shown),
            f"{len(shown)} epochs showed {distinct} distinct crop(s) of one photograph: what is "
            "random belongs after .cache()",
        )

    broken, right = crops(False), crops(True)
    return Damage(
        len({crop.tobytes() for crop in broken}),
        len({crop.tobytes() for crop in right}),
        "The first epoch's draws are kept and repeated: the same crops, and, worse for an "
        "enhancer, the same noise on them. A network can learn that by heart, and the training "
        "loss will look better for it.",
        check(broken),
        check(right),
        "only what costs time and no dice is cached: files and decoding. This package's "
        "`PhotoPairs` has no cache of crops; a batch is computed from (seed, epoch, index).",
        image_rows([broken, right], ["broken", "right"], [f"epoch {n + 1}" for n in range(epochs)],
                   scale=1.0),
    )  # fmt: skip


def wrong_peak():
    """Exhibit 18: a peak of 1 for a range of 2."""
    noisy, clean, _ = noisy_digits(20, sigma=25)
    values = {peak: keras.ops.convert_to_numpy(psnr(clean, noisy, peak)) for peak in (1.0, 2.0)}

    def check(measure):
        draw = np.random.default_rng(0)
        image = draw.uniform(-1, 1, (1, 256, 256, 3)).astype(np.float32)
        known = 20 * np.log10(255 / 25)
        value = float(measure(image, gaussian_noise(image, draw, sigma=25))[0])
        return unless(
            abs(value - known) < 0.1,
            f"noise of σ = 25 has {known:.2f} dB whatever the image, and this measure says "
            f"{value:.2f}: the peak is the width of the range",
        )

    figure, axes = panels(1, 1, 6.4, 2.6)
    axes.plot(values[2.0], "o-", color=GREEN, markersize=4, label="peak 2 (right)")
    axes.plot(values[1.0], "o-", color=ORANGE, markersize=4, label="peak 1 (broken)")
    axes.axhline(20 * np.log10(255 / 25), color="black", linestyle=":", label="20 log₁₀(255/25)")
    axes.set(xlabel="image", ylabel="PSNR (dB)", ylim=(12.5, 22.5), xticks=range(0, 20, 5))
    axes.legend(frameon=False, fontsize="small", ncols=3, loc="upper center")
    broken, right = (float(values[peak].mean()) for peak in (1.0, 2.0))
    return Damage(
        broken,
        right,
        f"{right - broken:.2f} dB too low for every image, 20 log₁₀ 2. No ranking changes, so "
        "nothing looks wrong, until a number is compared with somebody else's.",
        check(lambda a, b: psnr(a, b, 1.0)),
        check(lambda a, b: psnr(a, b, DATA_RANGE)),
        "every row of a table has the same wrong peak: differences in dB are right then.",
        figure,
    )


EXHIBITS = {
    14: any_digit,
    15: scaled_twice,
    16: normalised_to_nothing,
    17: cached_crops,
    18: wrong_peak,
    23: tested_in_training_mode,
    27: degraded_as_real,
}

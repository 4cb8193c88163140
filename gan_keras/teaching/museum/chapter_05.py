"""Chapter 05's room: a bound without its image, one weighed wrongly, one of known images."""

from functools import cache

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from gan_keras.algorithms.latents import draw_latents
from gan_keras.algorithms.vae import VAE
from gan_keras.data.digits import DigitBatches, load_digits
from gan_keras.data.ranges import from_uint8, to_unit
from gan_keras.losses.reconstruction import (
    bernoulli_log_likelihood,
    gaussian_kl,
    gaussian_log_density,
)
from gan_keras.networks.digits import build_decoder, build_encoder
from gan_keras.plots import sample_grid
from gan_keras.teaching.museum import Damage, unless
from gan_keras.teaching.show import BLUE, GREEN, ORANGE, draw_image, image_rows, panels

LATENTS, FILTERS, STEPS = 8, 8, 400


# Objectives: what is to be maximised, (B,), of x, the decoder's logits, z, and q's parameters


def right_bound(binary, logits, latents, mean, log_variance):
    """E_q log p(x|z) − KL, one z an image."""
    return bernoulli_log_likelihood(binary, logits) - gaussian_kl(mean, log_variance)


def without_likelihood(binary, logits, latents, mean, log_variance):
    """E_q log q(z|x) − KL: x and the decoder do not occur in it."""
    return gaussian_log_density(latents, mean, log_variance) - gaussian_kl(mean, log_variance)


def mean_over_pixels(binary, logits, latents, mean, log_variance):
    """Take the mean over pixels, as `binary_crossentropy` does, and the sum over latents."""
    pixels = ops.reshape(binary * logits - ops.softplus(logits), (ops.shape(binary)[0], -1))
    return ops.mean(pixels, axis=-1) - gaussian_kl(mean, log_variance)


def black_and_white(split):
    """Return mnist-5k's digits as uint8 0 or 255: images that are binarised once for all."""
    return np.where(load_digits("mnist-5k", split)[0] > 127, 255, 0).astype(np.uint8)


def train(objective, images, steps=STEPS, filters=FILTERS):
    """Train a small VAE on uint8 images; return it and the objective's mean at each step."""
    keras.utils.set_random_seed(0)
    vae = VAE(
        build_encoder((28, 28, 1), LATENTS, filters), build_decoder((28, 28, 1), LATENTS, filters)
    )
    variables, optimizer = vae.trainable_variables, keras.optimizers.Adam(3e-3)
    optimizer.build(variables)

    @tf.function
    def step(batch, noise):
        with tf.GradientTape() as tape:
            mean, log_variance = vae.encoder(batch, training=True)
            latents = mean + ops.exp(0.5 * log_variance) * noise
            logits = vae.decoder(latents, training=True)
            value = ops.mean(objective(to_unit(batch), logits, latents, mean, log_variance))
            loss = -value
        gradients = zip(tape.gradient(loss, variables), variables, strict=True)
        reached = [pair for pair in gradients if pair[0] is not None]  # without x, no decoder
        optimizer.apply(*zip(*reached, strict=True))
        return value

    batches = DigitBatches(images, None, 64, steps)
    noise = draw_latents(64 * steps, LATENTS).reshape(steps, 64, LATENTS)
    return vae, [float(step(batches[i][0], noise[i])) for i in range(steps)]


@cache
def _trained(objective):
    return train(objective, black_and_white("train"))


def _painted(objective, images):
    """Return what the VAE that was trained by an objective makes of images."""
    return np.asarray(_trained(objective)[0](images))


def _terms(vae, objective, images, targets):
    """Return the objective's mean where z is drawn from q(z|images) and x is `targets`."""
    mean, log_variance = vae.encode(images)
    latents = mean + ops.exp(0.5 * log_variance) * draw_latents(len(images), LATENTS, seed=1)
    logits = vae.decoder(latents, training=False)
    return float(ops.mean(objective(to_unit(targets), logits, latents, mean, log_variance)))


def bound_without_the_image():
    """Exhibit 11: E_q log q(z|x) − KL is E_q log p(z), whatever the image."""
    held_out = from_uint8(black_and_white("test"))
    shuffled = held_out[np.random.default_rng(0).permutation(len(held_out))]

    def change(objective):
        vae, _ = _trained(objective)
        pairs = ((held_out, held_out), (held_out, shuffled))
        before, after = (_terms(vae, objective, *pair) for pair in pairs)
        return abs(before - after)

    def check(value):
        return unless(
            value > 1,
            f"pairing each z with another image changed the bound by {value:.3g} nats: there is "
            "no image in it",
        )

    broken, right = change(without_likelihood), change(right_bound)
    vae, _ = _trained(without_likelihood)
    value = _terms(vae, without_likelihood, held_out, held_out)
    mean, log_variance = vae.encode(held_out)
    moments = ops.square(mean) + ops.exp(log_variance)  # E_q z², so this is E_q log p(z):
    prior = -0.5 * float(ops.mean(ops.sum(moments + np.log(2 * np.pi), axis=-1)))
    some = held_out[50::100]
    rows = [some] + [_painted(o, some) for o in (without_likelihood, right_bound)]
    figure = image_rows(rows, ["x", "broken", "right"])
    return Damage(
        broken,
        right,
        "Often printed: E_q[log q(z|x)] − KL(q‖p). The two log q cancel, and E_q log p(z) is left "
        f"(after training: {value:.2f} against {prior:.2f} nats, and the largest possible is "
        f"−{LATENTS}/2·log 2π = {-LATENTS / 2 * np.log(2 * np.pi):.2f}). It is best where q sits "
        "on 0 for every image, and no gradient ever reaches the decoder. In its place belongs "
        "log p(x|z).",
        check(broken),
        check(right),
        "",
        figure,
    )


def pixel_mean():
    """Exhibit 12: 784 times too little for the pixels is 784 times too much for the KL."""
    held_out = from_uint8(black_and_white("test"))

    def check(objective):
        zeros = np.zeros((1, 28, 28, 1), np.float32), np.zeros((1, LATENTS), np.float32)
        value = float(objective(zeros[0], zeros[0], zeros[1], zeros[1], zeros[1])[0])
        known = -784 * np.log(2)
        return unless(
            abs(value / known - 1) < 1e-3,
            f"784 pixels of which nothing is known cost 784·log 2 = {-known:.0f} nats, and this "
            f"objective says {-value:.2f}: sum over pixels, or β is 784",
        )

    def nats(objective):
        """Return each latent's KL, averaged over the held-out digits, largest first."""
        mean, log_variance = _trained(objective)[0].encode(held_out)
        each = gaussian_kl(mean[..., None], log_variance[..., None])  # (B, D)
        return np.sort(np.mean(each, axis=0))[::-1]

    broken, right = nats(mean_over_pixels), nats(right_bound)
    some, places = held_out[150::100][:7], np.arange(LATENTS)
    figure, axes = panels(1, 2, 8.2, 2.6, width_ratios=[1, 1.7])
    axes[0].bar(places - 0.2, right, 0.4, color=GREEN, label="right")
    axes[0].bar(places + 0.2, broken, 0.4, color=ORANGE, label="broken")
    axes[0].set(xlabel="latent, sorted", ylabel="KL (nats)", xticks=[])
    axes[0].legend(frameon=False)
    painted = [_painted(o, some) for o in (mean_over_pixels, right_bound)]
    draw_image(axes[1], sample_grid(np.concatenate([some, *painted]), columns=len(some)))
    axes[1].set_yticks([16, 46, 76], ["x", "broken", "right"])
    axes[1].tick_params(length=0)
    return Damage(
        float(broken.sum()),
        float(right.sum()),
        "A mean over pixels beside a sum over latents is the bound with β = 784. By section 3.5 a "
        "direction survives only if it carries 784 times the variance that is needed at β = 1: "
        "none does. The encoder says N(0, I) for every digit, and the decoder paints their mean.",
        check(mean_over_pixels),
        check(right_bound),
        "the KL is divided by 784, too: then both terms are nats a pixel, β is 1 again, and only "
        "the size of the gradient changes, which Adam hardly sees.",
        figure,
    )


def reported_wrongly():
    """Exhibit 13, two rooms: the test set in the training set; the last batch as the epoch."""
    pool = black_and_white("train")
    order = np.random.default_rng(0).permutation(len(pool))
    training, test, fresh = np.split(pool[order[:1500]], [150, 300])  # `fresh` is asked last

    def check(training):
        known = {image.tobytes() for image in training}
        copies = sum(image.tobytes() in known for image in test)
        return unless(
            copies < 0.01 * len(test),
            f"{copies} of {len(test)} test images are among the training images: what is "
            "measured on them is memory",
        )

    # 1. Both report the bound of `test`; what is true is the bound of `fresh`.
    sets = {"train + test": np.concatenate([training, test]), "train": training}
    reports, history = {}, None
    for name, images in sets.items():
        vae, history = train(right_bound, images, filters=2 * FILTERS)
        claimed, true = (vae.importance_weighted_bound(from_uint8(x), 1) for x in (test, fresh))
        error = np.sqrt(claimed.var() / len(test) + true.var() / len(fresh))
        reports[name] = claimed.mean(), true.mean(), error

    # 2. One trained model, the same digits in another order each epoch: its bound is one number.
    bounds = _trained(right_bound)[0].importance_weighted_bound(from_uint8(pool), 1)
    epochs = [
        np.random.default_rng(e).permutation(bounds)[: 62 * 64].reshape(62, 64) for e in range(30)
    ]
    last, whole = (np.std(x) for x in ([e[-1].mean() for e in epochs], [e.mean() for e in epochs]))

    figure, axes = panels(1, 2, 8.2, 2.7, width_ratios=[1, 1.3])
    for place, (claimed, true, error) in enumerate(reports.values()):
        colour = ORANGE if place == 0 else GREEN
        axes[0].errorbar(place, claimed, error, fmt="o", color=colour)
        axes[0].errorbar(place, true, error, fmt="_", color="black", markersize=16)
        axes[0].plot([place] * 2, [claimed, true], color=colour, linewidth=2)
    axes[0].set(xlim=(-0.6, 1.6), ylabel="bound (nats)", title="● reported, — on fresh digits")
    axes[0].set_xticks([0, 1], [f"trained on\n{name}" for name in reports])
    by_epoch = np.array(history).reshape(-1, 20)  # epochs of 20 steps
    axes[1].plot(by_epoch[1:, -1], "o-", color=ORANGE, markersize=4, label="its last batch")
    axes[1].plot(by_epoch[1:].mean(1), "o-", color=BLUE, markersize=4, label="mean of its batches")
    axes[1].set(xlabel="epoch of 20 steps", ylabel="bound (nats)")
    axes[1].legend(frameon=False)
    gaps = {name: claimed - true for name, (claimed, true, _) in reports.items()}
    return Damage(
        float(gaps["train + test"]),
        float(gaps["train"]),
        f"Where the test digits were trained on, the report is {gaps['train + test']:.1f} nats "
        f"better than the truth (± {reports['train + test'][2]:.1f}; honestly "
        f"{gaps['train']:.1f} ± {reports['train'][2]:.1f}). And who reports an epoch's last batch "
        f"reports chance: for one and the same model its spread is {last:.2f} nats, that of the "
        f"mean over the epoch {whole:.2f}.",
        check(sets["train + test"]),
        check(sets["train"]),
        "",
        figure,
    )


EXHIBITS = {11: bound_without_the_image, 12: pixel_mean, 13: reported_wrongly}

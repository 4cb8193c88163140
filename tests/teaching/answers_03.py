"""Chapter 03's exercises: right answers written another way, and typical wrong ones."""

import keras
import numpy as np
from answers import solution
from keras import layers, ops

from gan_keras.metrics.distribution import frechet_distance

# Right, written another way


def adam_in_full(gradient, learning_rate):
    m, v = 0.5 * gradient, 0.001 * gradient**2
    return -learning_rate * (m / 0.5) / (np.sqrt(v / 0.001) + 1e-7)


def one_layer(start, end):
    return [(end // start, end // start)]


def batch_with_fakes_first(real_images, generator, latent_dim):
    noise = np.random.default_rng(3).standard_normal((len(real_images), latent_dim))
    fake = ops.convert_to_numpy(generator(noise, training=True))
    labels = np.array([[0.0]] * len(fake) + [[1.0]] * len(real_images))
    return np.concatenate([fake, real_images]), labels


def generator_with(
    activation="tanh",
    kernel=4,
    last_norm=False,
    deviation=0.02,
    norms=True,
    bias=False,
    ups=3,
    middle="relu",
    widths=(2, 1),
):
    """Return a builder of colour generators with one thing changed."""

    def build(latent_dim, base_filters):
        def up(filters, bias):
            return layers.Conv2DTranspose(
                filters, kernel, 2, "same", use_bias=bias, kernel_initializer=init()
            )

        def init():
            return keras.initializers.RandomNormal(0, deviation)

        model = keras.Sequential([keras.Input((latent_dim,))])
        model.add(layers.Dense(64 * base_filters, use_bias=bias, kernel_initializer=init()))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
        model.add(layers.Reshape((4, 4, 4 * base_filters)))
        for width in widths[: ups - 1]:
            model.add(up(width * base_filters, bias))
            if norms:
                model.add(layers.BatchNormalization())
            model.add(layers.Activation(middle))
        model.add(up(3, True))
        if last_norm:
            model.add(layers.BatchNormalization())
        model.add(layers.Activation(activation))
        return model

    return build


def two_sizes(a, b):
    """Eliminate the bias between N and N/2: 2·d(N) − d(N/2), the halves averaged."""
    draw, n = np.random.default_rng(5), len(a)
    halves = []
    for _ in range(20):
        i, j = draw.permutation(n)[: n // 2], draw.permutation(n)[: n // 2]
        halves.append(frechet_distance(a[i], b[j]))
    return 2 * frechet_distance(a, b) - np.mean(halves)


OTHERWISE = {
    "03.1": adam_in_full,
    "03.2": one_layer,
    "03.3": batch_with_fakes_first,
    "03.4": generator_with(),
    "03.5": two_sizes,
}


# Wrong in typical ways, and what the message must say


def fixed_noise(real_images, generator, latent_dim):
    fake = generator(np.random.default_rng(0).normal(size=(256, latent_dim)), training=True)
    labels = np.repeat([1.0, 0.0], [len(real_images), 256])
    return np.concatenate([real_images, fake]), labels


def inference_mode(real_images, generator, latent_dim):
    count = len(real_images)
    fake = generator(np.random.default_rng(0).normal(size=(count, latent_dim)))
    return np.concatenate([real_images, fake]), np.repeat([1.0, 0.0], count)


def swapped_labels(real_images, generator, latent_dim):
    images, labels = solution("03.3")(real_images, generator, latent_dim)
    return images, 1 - labels


def one_noise_for_all(real_images, generator, latent_dim):
    count = len(real_images)
    noise = np.tile(np.random.default_rng(0).normal(size=(1, latent_dim)), (count, 1))
    fake = generator(noise, training=True)
    return np.concatenate([real_images, fake]), np.repeat([1.0, 0.0], count)


def against_the_square_root(a, b):
    draw, n = np.random.default_rng(0), len(a)
    sizes = np.array([n // 8, n // 4, n // 2, n])
    means = [
        np.mean([frechet_distance(*(x[draw.permutation(n)[:size]] for x in (a, b)))
                 for _ in range(6)]) for size in sizes
    ]  # fmt: skip
    return np.polyfit(sizes**-0.5, means, 1)[1]


WRONG = [
    ("03.1", lambda g, rate: -rate * g, r"gradient descent.*own size"),
    ("03.1", lambda g, rate: rate * np.sign(g), r"wrong direction"),
    ("03.1", lambda g, rate: -rate * 0.5 / np.sqrt(0.001) * np.sign(g), r"bias correction"),
    ("03.1", lambda g, rate: -rate * (1 if g >= 0 else -1), r"exactly 0 moves nothing"),
    ("03.2", lambda start, end: [(4, 2)] * 3, r"56: count the doublings"),
    ("03.2", lambda start, end: [(5, 2), (5, 2)], r"overlap alternates.*checkerboard"),
    ("03.2", lambda start, end: [(4, 2), (4, 2)], r"reach \d+, not \d+"),
    ("03.2", lambda start, end: [(1, 2), (4, 2)], r"without any stamp"),
    ("03.2", lambda start, end: [(4, 2)] * round(np.log2(end / start)), r"multiplies the side"),
    ("03.3", fixed_noise, r"256 generated ones.*last batch"),
    ("03.3", inference_mode, r"running statistics.*training=True"),
    ("03.3", swapped_labels, r"swapped"),
    ("03.3", one_noise_for_all, r"one latent an image"),
    ("03.4", generator_with(activation="sigmoid"), r"below 0.*tanh"),
    ("03.4", generator_with(activation="linear"), r"\[-1, 1\], so tanh"),
    ("03.4", generator_with(kernel=5), r"checkerboard"),
    ("03.4", generator_with(last_norm=True), r"on the output"),
    ("03.4", generator_with(deviation=0.05), r"N\(0, 0.02\)"),
    ("03.4", generator_with(norms=False), r"after each but the last"),
    ("03.4", generator_with(bias=True), r"use_bias=False"),
    ("03.4", generator_with(ups=2), r"4·2·2·2 = 32"),
    ("03.4", generator_with(widths=(4, 4)), r"should lead through .*yours: "),
    ("03.4", generator_with(middle="linear"), r"negative numbers.*a ReLU"),
    ("03.5", frechet_distance, r"still the biased"),
    ("03.5", lambda a, b: frechet_distance(a[:300], b[:300]), r"above the plain distance"),
    ("03.5", against_the_square_root, r"straight in 1/N"),
    ("03.5", lambda a, b: frechet_distance(*(np.random.permutation(x)[:600] for x in (a, b))),
     r"seed your random choices"),
]  # fmt: skip

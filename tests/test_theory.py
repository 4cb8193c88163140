"""The theorems of the course that concern what the package holds, each as a test."""

import io
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image
from scipy.fft import dctn

from gan_keras.algorithms.penalties import one_centred_penalty, zero_centred_penalty
from gan_keras.data.blurs import motion_kernel
from gan_keras.data.degradations import (
    downsample,
    gaussian_blur,
    gaussian_noise,
    jpeg,
    poisson_noise,
)
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import DATA_RANGE, from_uint8, to_uint8, to_unit
from gan_keras.layers.spectral_norm import SpectralConv2D
from gan_keras.losses.adversarial import (
    LOSSES,
    discriminator_cross_entropy,
    generator_non_saturating,
    generator_saturating,
)
from gan_keras.losses.reconstruction import gaussian_kl, gaussian_log_density, l1
from gan_keras.metrics.distribution import frechet_distance
from gan_keras.metrics.image_quality import psnr, ssim
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.teaching import dirac

P = np.array([0.5, 0.3, 0.15, 0.05])  # data, on four symbols
Q = np.array([0.1, 0.2, 0.3, 0.4])  # generator
COUNT = 100


def kl(p, q):
    return float(np.sum(p * np.log(p / q)))


def jensen_shannon(p, q):
    return 0.5 * kl(p, (p + q) / 2) + 0.5 * kl(q, (p + q) / 2)


def population(distribution):
    """Return symbols in the exact proportions of a distribution."""
    return np.repeat(np.arange(len(distribution)), np.round(distribution * COUNT).astype(int))


def discriminator_loss(logits):
    """The discriminator's expected loss where it has one logit a symbol."""
    real, fake = (tf.gather(logits, population(d))[:, None] for d in (P, Q))
    return discriminator_cross_entropy(real, fake)


# 01: what a measure rewards


@pytest.mark.parametrize("sigma", [5, 25, 50])
def test_unclipped_noise_has_a_psnr_that_needs_no_image(sigma):
    image = np.random.default_rng(0).uniform(-1, 1, (300, 300, 3)).astype(np.float32)
    noisy = gaussian_noise(image, np.random.default_rng(1), sigma=sigma)
    value = float(psnr(image[None], noisy[None], DATA_RANGE)[0])
    assert value == pytest.approx(20 * math.log10(255 / sigma), abs=0.05)


def test_the_mean_minimises_l2_and_the_median_l1():
    samples = np.random.default_rng(0).exponential(size=1001).astype(np.float32)
    grid = np.linspace(0, 3, 3001, dtype=np.float32)
    squared = [np.mean((samples - c) ** 2) for c in grid]
    assert grid[np.argmin(squared)] == pytest.approx(samples.mean(), abs=1e-3)
    column = samples.reshape(-1, 1)
    absolute = [float(l1(column, np.full_like(column, c))) for c in grid]
    assert grid[np.argmin(absolute)] == pytest.approx(np.median(samples), abs=2e-3)
    assert samples.mean() - np.median(samples) > 0.2  # they disagree: L1 is not L2


def cat(side=96):
    (path,) = (path for path in photo_paths("photos") if path.stem == "chelsea")
    return from_uint8(Photographs([path])[0][60 : 60 + side, 120 : 120 + side])


def test_clipping_and_rounding_as_derived():
    """Clipping never leads away from x; rounding adds 1/12 of a squared level."""
    image = cat()
    noisy = gaussian_noise(image, np.random.default_rng(1), sigma=50)
    clipped = np.clip(noisy, -1, 1)
    assert np.all(np.abs(clipped - image) <= np.abs(noisy - image))
    plain, better = psnr(np.stack([image] * 2), np.stack([noisy, clipped]), DATA_RANGE)
    assert float(better) > float(plain) + 0.1
    smooth = np.random.default_rng(2).uniform(-1, 1, (1, 200, 200, 3)).astype(np.float32)
    ceiling = float(psnr(smooth, from_uint8(to_uint8(smooth)), DATA_RANGE)[0])
    assert ceiling == pytest.approx(10 * math.log10(12 * 255**2), abs=0.05)


def test_the_mean_of_psnrs_is_at_least_the_psnr_of_the_mean_error():
    draw, sigmas = np.random.default_rng(3), (5, 10, 50)
    image = draw.uniform(-1, 1, (3, 160, 160, 3)).astype(np.float32)
    noisy = [gaussian_noise(x, draw, sigma=s) for x, s in zip(image, sigmas, strict=True)]
    values = psnr(image, np.stack(noisy), DATA_RANGE)
    pooled = float(
        psnr(image.reshape(1, -1, 160, 3), np.reshape(noisy, (1, -1, 160, 3)), DATA_RANGE)[0]
    )
    assert pooled == pytest.approx(
        20 * math.log10(255 / np.sqrt(np.mean(np.square(sigmas)))), abs=0.1
    )
    assert float(np.mean(values)) > pooled + 5


@pytest.mark.parametrize("peak", [20, 500])
def test_photon_noise_has_the_variance_of_its_mean_and_a_root_makes_it_even(peak):
    signal = np.array([0.3, 0.6, 1.0])
    image = np.broadcast_to(2 * signal[:, None] - 1, (40_000, 3, 1))
    photons = to_unit(poisson_noise(image, np.random.default_rng(4), peak=peak))[..., 0] * peak
    np.testing.assert_allclose(photons.mean(0), signal * peak, rtol=0.02)
    np.testing.assert_allclose(photons.var(0) / (signal * peak), 1, atol=0.05)
    np.testing.assert_allclose((2 * np.sqrt(photons)).var(0), 1, atol=0.12 if peak == 20 else 0.04)


def test_blur_multiplies_cosine_waves_and_a_motion_erases_some():
    """Whatever the picture, y's wave ÷ x's wave is B; a path of 8 pixels has zeros at n/8 turns."""
    draw, waves = np.random.default_rng(5), []
    for image in draw.uniform(-1, 1, (2, 64, 64, 1)).astype(np.float32):
        blurred = gaussian_blur(image, draw, sigma=1.0)
        waves.append((dctn(blurred, axes=(0, 1)) / dctn(image, axes=(0, 1)))[..., 0])
    omega = np.pi * np.arange(64) / 64
    low = np.add.outer(np.arange(64), np.arange(64)) < 40  # where B is not lost in rounding
    np.testing.assert_allclose(waves[0][low], waves[1][low], atol=2e-3)
    np.testing.assert_allclose(waves[0][0, :24], np.exp(-(omega[:24] ** 2) / 2), atol=2e-3)
    taps = motion_kernel(8.0, 0.0).sum(0)
    turns = np.outer(np.arange(len(taps)), [1 / 16, 1 / 8, 2 / 8, 3 / 8])
    factors = np.abs(taps @ np.exp(-2j * np.pi * turns))
    assert factors[0] > 0.5 and factors[1:].max() < 0.01


def test_sampling_folds_frequencies_and_the_packages_filter_prevents_it():
    """Z_k = (1/s) Σ_r X_{k − rM}; a wave faster than half the new rate is nearly gone."""
    row, s = np.random.default_rng(6).normal(size=60), 4
    spectrum, kept = np.fft.fft(row), np.fft.fft(row[::s])
    folded = sum(np.roll(spectrum, r * len(kept))[: len(kept)] for r in range(s)) / s
    np.testing.assert_allclose(kept, folded, atol=1e-12)
    wave = np.cos(2 * np.pi * 0.22 * np.arange(256))  # the new limit is 1/8
    image = np.broadcast_to(wave, (256, 256))[..., None].astype(np.float32)
    careful = downsample(image, np.random.default_rng(0), factor=s)
    assert image[::s, ::s].std() > 0.65 and careful[8:-8, 8:-8].std() < 0.1


def test_jpeg_leaves_multiples_of_its_step_with_an_error_of_a_twelfth_of_its_square():
    image = cat(128).mean(axis=2, keepdims=True)
    image = from_uint8(to_uint8(image))
    file, blocks = io.BytesIO(), []
    Image.fromarray(to_uint8(image)[..., 0]).save(file, "JPEG", quality=12)
    step = Image.open(file).quantization[0][0]
    for picture in (image, jpeg(image, np.random.default_rng(0), quality=12)):
        cut = to_uint8(picture)[..., 0].astype(float).reshape(16, 8, 16, 8).swapaxes(1, 2)
        blocks.append(dctn(cut, axes=(2, 3), norm="ortho")[..., 0, 0].ravel() - 8 * 128)
    before, after = blocks
    whole = ((cut > 0) & (cut < 255)).all(axis=(2, 3)).ravel()  # blocks that were not clipped
    missed = [np.abs(values - step * np.round(values / step)) for values in blocks]
    assert whole.sum() > 200
    assert missed[1][whole].max() <= 4.1  # 64 pixels, each rounded by ½ at most, over 8
    assert missed[0].mean() == pytest.approx(step / 4, rel=0.15)  # before, they lie anywhere
    assert np.var(after - before) == pytest.approx(step**2 / 12, rel=0.25)
    assert before.std() > 2 * step


def test_wieners_filter_leaves_sn_over_s_plus_n_and_no_gain_leaves_less():
    draw, waves = np.random.default_rng(7), np.arange(1, 33)
    signal = 20.0 / (waves[:, None] ** 2 + waves**2)
    noise, blur = 0.05, np.exp(-(waves[:, None] ** 2 + waves**2) / 400)
    x = np.sqrt(signal) * draw.normal(size=(400, 32, 32))
    y = blur * x + math.sqrt(noise) * draw.normal(size=x.shape)
    best = blur * signal / (blur**2 * signal + noise)
    left = np.mean((x - best * y) ** 2)
    derived = np.mean(signal * noise / (blur**2 * signal + noise))
    assert left == pytest.approx(derived, rel=0.01)
    for other in (
        1.1 * best,
        0.9 * best,
        signal / (signal + noise),
        best**0.5,
        np.minimum(1 / blur, 3),
    ):
        assert np.mean((x - other * y) ** 2) > left
    plain = signal * noise / (signal + noise)  # without a blur: less than either
    assert np.all(plain < np.minimum(signal, noise))


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_ssim_is_squared_error_divided_by_how_busy_the_window_is(scale):
    """On one 11×11 window: [1 − Δμ²/(Σμ² + C₁)] · [1 − Var(x − y)/(Σσ² + C₂)]."""
    draw = np.random.default_rng(8)
    weights = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    window = np.outer(weights, weights) / weights.sum() ** 2
    for _ in range(5):
        x, y = draw.uniform(0.2, 0.9, (2, 11, 11)) * scale
        y = 0.6 * x + 0.4 * y
        mean = [np.sum(window * i) for i in (x, y, x - y)]
        variance = [np.sum(window * (i - m) ** 2) for i, m in zip((x, y, x - y), mean, strict=True)]
        c1, c2 = (0.01 * scale) ** 2, (0.03 * scale) ** 2
        light = 1 - mean[2] ** 2 / (mean[0] ** 2 + mean[1] ** 2 + c1)
        rest = 1 - variance[2] / (variance[0] + variance[1] + c2)
        value = float(ssim(x[None, ..., None], y[None, ..., None], scale)[0])
        assert value == pytest.approx(light * rest, abs=1e-4)


def test_the_whole_perception_distortion_frontier_of_a_gaussian():
    """MMSE + (W₂ − P)²: reached by stretching the mean, undercut by none; a draw has 2 MMSE."""
    draw, deviation = np.random.default_rng(9), 1.5
    share = 1 / (1 + deviation**2)  # the posterior's mean is share · y, its variance 1 − share
    x, noise, dice = draw.normal(size=(3, 200_000))
    y = x + deviation * noise

    def measured(a, b):
        guess = a * y + b * dice
        return np.mean((x - guess) ** 2), abs(guess.std() - 1)

    def bound(perception):
        return 1 - share + max(1 - math.sqrt(share) - perception, 0) ** 2

    for t in (0.0, 0.4, 1.0):  # from the mean to the mean stretched to the law of x
        distortion, perception = measured((1 - t) * share + t * math.sqrt(share), 0)
        assert distortion == pytest.approx(bound(perception), rel=0.01)
    for a, b in draw.uniform(0, 1.5, (50, 2)):
        distortion, perception = measured(a, b)
        assert distortion > bound(perception) - 0.01
    distortion, perception = measured(share, math.sqrt(1 - share))
    assert distortion == pytest.approx(2 * (1 - share), rel=0.01) and perception < 0.01


# 02: the game


def test_the_best_discriminator_is_p_over_p_plus_q():
    logits = tf.Variable(np.log(P / Q), dtype=tf.float32)  # σ(log p/q) = p/(p + q)
    with tf.GradientTape() as tape:
        best = discriminator_loss(logits)
    gradient = tf.convert_to_tensor(tape.gradient(best, logits))
    np.testing.assert_allclose(gradient, np.zeros(4), atol=1e-6)
    np.testing.assert_allclose(tf.sigmoid(logits), P / (P + Q), rtol=1e-6)
    generator = np.random.default_rng(0)
    for _ in range(20):  # and elsewhere the loss, which is convex in the logits, is larger
        other = discriminator_loss(logits + generator.normal(0, 0.5, 4).astype(np.float32))
        assert float(other) > float(best)


def test_the_value_of_the_game_is_a_jensen_shannon_divergence():
    value = -float(discriminator_loss(tf.constant(np.log(P / Q), tf.float32)))  # V(D*)
    assert value == pytest.approx(2 * jensen_shannon(P, Q) - math.log(4), abs=1e-6)


@pytest.mark.parametrize("logit", [-6.0, -1.0, 0.0, 2.0])
def test_logit_gradients_of_the_two_generator_losses(logit):
    """The saturating loss starves G where D is sure of a fake; the other does not."""
    a = tf.Variable([[logit]])
    with tf.GradientTape(persistent=True) as tape:
        saturating = -discriminator_cross_entropy(tf.constant([[100.0]]), a)  # log(1 − σ(a))
        non_saturating = generator_non_saturating(a)
    sigma = 1 / (1 + math.exp(-logit))
    assert tape.gradient(saturating, a).numpy().item() == pytest.approx(-sigma, rel=1e-4)
    assert tape.gradient(non_saturating, a).numpy().item() == pytest.approx(-(1 - sigma), rel=1e-4)


def test_the_non_saturating_gradient_is_that_of_kl_minus_two_js():
    """At D* (Arjovsky & Bottou 2017, Theorem 2.5)."""
    scores = tf.Variable(np.log(Q), dtype=tf.float64)
    data = tf.constant(P, tf.float64)
    best = tf.constant(np.log(P / Q), tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        q = tf.nn.softmax(scores)
        losses = tf.stack([generator_non_saturating(best[i : i + 1, None]) for i in range(4)])
        loss = tf.reduce_sum(q * losses)
        middle = (data + q) / 2
        reverse = tf.reduce_sum(q * tf.math.log(q / data))
        two_js = tf.reduce_sum(data * tf.math.log(data / middle))
        two_js += tf.reduce_sum(q * tf.math.log(q / middle))
        divergence = reverse - two_js
    expected = tape.gradient(divergence, scores).numpy()
    np.testing.assert_allclose(tape.gradient(loss, scores), expected, rtol=1e-6)
    assert np.abs(expected).max() > 0.01


def test_the_dirac_gan_spirals_out_or_stays_on_its_orbit():
    """Linearised at the equilibrium: |λ|² = 1 + h²/4 simultaneously, |λ| = 1 in alternation."""
    h = 0.4

    def field(point):
        theta, psi = point[0], point[1]
        with tf.GradientTape() as tape:
            tape.watch(psi)
            value = discriminator_cross_entropy(tf.zeros((1, 1)), psi * theta * tf.ones((1, 1)))
        d_step = -tape.gradient(value, psi)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = generator_non_saturating(psi * theta * tf.ones((1, 1)))
        return -tape.gradient(value, theta), d_step

    def simultaneous(point):
        generator, discriminator = field(point)
        return tf.stack([point[0] + h * generator, point[1] + h * discriminator])

    def alternating(point):
        psi = point[1] + h * field(point)[1]
        theta = point[0] + h * field(tf.stack([point[0], psi]))[0]
        return tf.stack([theta, psi])

    def radii(step):
        origin = tf.zeros(2)
        with tf.GradientTape() as tape:
            tape.watch(origin)
            after = step(origin)
        return np.abs(np.linalg.eigvals(tape.jacobian(after, origin)))

    np.testing.assert_allclose(radii(simultaneous) ** 2, 1 + h**2 / 4, rtol=1e-5)
    np.testing.assert_allclose(radii(alternating), 1, rtol=1e-5)


@pytest.mark.parametrize("prior", [0.2, 0.5, 0.7])
def test_an_unbalanced_batch_moves_the_best_discriminator_by_the_log_odds(prior):
    """One mean over a joined batch: D* = πp/(πp + (1 − π)q); two means of their own: π is ½."""
    best = prior * P / (prior * P + (1 - prior) * Q)
    logits = tf.Variable(np.log(best / (1 - best)), dtype=tf.float32)
    np.testing.assert_allclose(logits, np.log(P / Q) + math.log(prior / (1 - prior)), rtol=1e-5)
    shares = np.round(1000 * np.concatenate([prior * P, (1 - prior) * Q])).astype(int)
    symbols = np.repeat(np.tile(np.arange(4), 2), shares)
    labels = np.repeat([1.0, 0.0], [shares[:4].sum(), shares[4:].sum()])[:, None]
    with tf.GradientTape(persistent=True) as tape:
        seen = tf.gather(logits, symbols)[:, None]
        joined = keras.losses.BinaryCrossentropy(from_logits=True)(labels, seen)
        apart = discriminator_cross_entropy(seen[labels == 1][:, None], seen[labels == 0][:, None])
    slope = tf.convert_to_tensor(tape.gradient(joined, logits))
    np.testing.assert_allclose(slope, np.zeros(4), atol=1e-6)
    slope = tf.convert_to_tensor(tape.gradient(apart, logits))
    assert (np.abs(slope).max() > 0.01) == (prior != 0.5)


@pytest.mark.parametrize("prior", [0.2, 0.5])
def test_what_the_best_discriminator_knows_is_the_mutual_information(prior):
    """The value at D* is I(x; label) − H(label), and with π = ½ that information is JS(p, q)."""
    best = prior * P / (prior * P + (1 - prior) * Q)
    value = np.sum(prior * P * np.log(best) + (1 - prior) * Q * np.log(1 - best))
    entropy = -prior * math.log(prior) - (1 - prior) * math.log(1 - prior)
    joint = np.stack([prior * P, (1 - prior) * Q])
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    information = kl(joint, independent)
    assert value == pytest.approx(information - entropy, abs=1e-12)
    assert 0 < information < entropy
    if prior == 0.5:
        assert information == pytest.approx(jensen_shannon(P, Q), abs=1e-12)


def test_kl_minus_two_js_is_twice_the_kl_of_the_mixture():
    """KL(q‖p) − 2 JS(p, q) = 2 KL(m‖p), m = (p + q)/2: never negative, and 0 only at q = p."""
    for seed in range(20):
        p, q = np.random.default_rng(seed).dirichlet(np.ones(6), 2)
        assert kl(q, p) - 2 * jensen_shannon(p, q) == pytest.approx(2 * kl((p + q) / 2, p))
        assert kl((p + q) / 2, p) > 0
    assert kl(P, P) - 2 * jensen_shannon(P, P) == 0
    for share in (0.5, 0.8):  # q copies this share of p, and leaves the rest out
        p = np.array([0.5 * share, 0.5 * share, 1 - share])
        q = np.array([0.5, 0.5, 1e-12])
        left_out = (1 + share) * math.log((1 + share) / (2 * share)) - (1 - share) * math.log(2)
        assert 2 * kl((p + q) / 2, p) == pytest.approx(left_out, abs=1e-9)
    assert 1.5 * math.log(1.5) - 0.5 * math.log(2) == pytest.approx(0.26, abs=0.005)


def test_near_the_equilibrium_both_losses_want_the_same():
    """2 JS and KL − 2 JS are both ¼ Σ ε²/p there: the two games differ only far away."""
    direction = np.array([0.03, -0.05, 0.01, 0.01])
    for scale, tolerance in ((0.1, 0.05), (0.01, 0.005)):
        q = P + scale * direction
        wanted = 0.25 * np.sum((scale * direction) ** 2 / P)
        two_js = 2 * jensen_shannon(P, q)
        assert two_js == pytest.approx(wanted, rel=tolerance)
        assert kl(q, P) - two_js == pytest.approx(wanted, rel=tolerance)
    far = np.array([1e-6, 1e-6, 1e-6, 1 - 3e-6])  # all on the symbol that p hardly has
    assert kl(far, P) - 2 * jensen_shannon(P, far) > 1.2 * 2 * jensen_shannon(P, far)


def test_the_saturating_gradient_at_the_best_discriminator_is_that_of_two_js():
    """The envelope: D* is stationary, so moving with q it changes nothing to first order."""
    scores = tf.Variable(np.log(Q), dtype=tf.float64)
    best = tf.constant(np.log(P / Q), tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        q = tf.nn.softmax(scores)
        losses = tf.stack([generator_saturating(best[i : i + 1, None]) for i in range(4)])
        loss = tf.reduce_sum(q * losses)
        middle = (P + q) / 2
        two_js = tf.reduce_sum(P * tf.math.log(P / middle))
        two_js += tf.reduce_sum(q * tf.math.log(q / middle))
    expected = tape.gradient(two_js, scores).numpy()
    np.testing.assert_allclose(tape.gradient(loss, scores), expected, rtol=1e-6)
    assert np.abs(expected).max() > 0.01


def test_the_dirac_gan_of_the_course_is_that_of_the_losses():
    """`dirac.velocity` is minus the gradients of the package's own losses, R₁ included."""
    draw = np.random.default_rng(0)
    for loss in ("saturating", "non_saturating"):
        for theta, psi, gamma in draw.uniform(-2, 2, (5, 3)):
            gamma = abs(gamma)
            players = [tf.Variable([[x]], dtype=tf.float64) for x in (theta, psi)]
            with tf.GradientTape(persistent=True) as tape:
                origin = tf.zeros((1, 1), tf.float64)
                fake = players[0] * players[1]
                by_d = discriminator_cross_entropy(origin * players[1], fake)
                by_d += gamma * tf.cast(
                    zero_centred_penalty(lambda x, psi=players[1]: x @ psi, origin), tf.float64
                )
                by_g = LOSSES[loss][1](fake)
            wanted = -tape.gradient(by_g, players[0]), -tape.gradient(by_d, players[1])
            got = dirac.velocity(theta, psi, loss, gamma)
            np.testing.assert_allclose(got, [w.numpy().item() for w in wanted], rtol=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.4, 1.0])
def test_friction_decides_where_the_dirac_gan_settles(rate):
    """Flow: λ² + γλ + ¼ = 0. In turn det = 1 − hγ; at once 1 − hγ + h²/4: below 1 iff γ > h/4."""
    for gamma in (0.0, 0.02, 0.24, 0.26, 0.6):
        pair = np.linalg.eigvals(dirac.linearised(rate, "alternating", gamma=gamma))
        assert np.prod(pair) == pytest.approx(1 - rate * gamma, abs=1e-8)
        at_once = dirac.growth(rate, "simultaneous", gamma=gamma)
        assert (at_once < 1) == (gamma > rate / 4)
        in_turn = dirac.growth(rate, "alternating", gamma=gamma)
        assert in_turn == pytest.approx(math.sqrt(1 - rate * gamma), abs=1e-8)
    for gamma in (0.0, 0.5, 1.0, 3.0):  # a pendulum: slower again beyond γ = 1
        slowest = max(np.roots([1, gamma, 0.25]).real)
        assert math.log(dirac.growth(0.01, "continuous", gamma=gamma)) / 0.01 == pytest.approx(
            slowest, abs=1e-3
        )


def test_two_time_scales_alone_do_not_stop_the_circling():
    for rates in ((0.1, 0.4), (0.4, 0.1), (0.02, 1.0)):
        assert dirac.growth(rates, "alternating") == pytest.approx(1, abs=1e-8)
        assert dirac.growth(rates, "simultaneous") ** 2 == pytest.approx(
            1 + rates[0] * rates[1] / 4, abs=1e-8
        )


def test_the_flow_of_the_dirac_gan_circles_or_creeps_in():
    """Zero-sum: θ² + ψ² is kept. Non-saturating: it falls at −2a·tanh(a/2), about like 8/t."""
    starts = np.array([[0.3, 1.0, 2.0], [0.0, 0.5, -1.0]])
    kept = np.sum(dirac.orbit(*starts, 0.05, 400, "continuous", loss="saturating") ** 2, axis=1)
    np.testing.assert_allclose(kept, np.broadcast_to(kept[0], kept.shape), rtol=1e-6)
    theta, psi = starts
    right, up = dirac.velocity(theta, psi, "non_saturating")
    logit = theta * psi
    np.testing.assert_allclose(theta * right + psi * up, -logit * np.tanh(logit / 2), atol=1e-12)
    squared = np.sum(dirac.orbit(1.0, 0.0, 0.1, 4000, "continuous") ** 2, axis=1)
    for step in (400, 1000, 4000):
        assert squared[step] == pytest.approx(1 / (1 + 0.1 * step / 8), rel=0.03)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.4])
def test_simultaneous_steps_end_on_a_circle_of_radius_root_2h(rate):
    """Growth of R = θ² + ψ² a round, hR·h/4, meets the loss's own damping, hR²/8, at R = 2h."""
    angles = np.linspace(0, 2 * np.pi, 5)[:4]
    for start in (0.5, 2.0):  # from inside as from outside
        radius = start * math.sqrt(2 * rate)
        path = dirac.orbit(
            radius * np.cos(angles),
            radius * np.sin(angles),
            rate,
            round(60 / rate**2),
            "simultaneous",
        )
        late = np.sqrt(np.mean(np.sum(path[-round(100 / rate) :] ** 2, axis=1)))
        assert late == pytest.approx(math.sqrt(2 * rate), rel=0.02)


@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_overlap_is_friction(spread):
    """Data and noise N(·, s²) and a linear D: the flow is θ̈ + ½s² θ̇ + ¼θ = 0, as R₁'s γ = ½s²."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    noise, shares = tf.constant(spread * nodes), tf.constant(weights / weights.sum())

    def flow(point):
        theta, psi = point[0], point[1]
        with tf.GradientTape() as tape:
            tape.watch(psi)
            by_d = tf.reduce_sum(
                shares * (tf.math.softplus(-psi * noise) + tf.math.softplus(psi * (theta + noise)))
            )
        up = -tape.gradient(by_d, psi)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            by_g = tf.reduce_sum(shares * tf.math.softplus(-psi * (theta + noise)))
        return tf.stack([-tape.gradient(by_g, theta), up])

    origin = tf.zeros(2, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(origin)
        velocity = flow(origin)
    jacobian = tape.jacobian(velocity, origin)
    wanted = [[0, 0.5], [-0.5, -(spread**2) / 2]]
    np.testing.assert_allclose(jacobian, wanted, atol=1e-7)


# 03: convolutions and Adam


@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 2), (2, 2), (3, 1), (6, 3)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_transposed_convolution_is_the_adjoint(kernel, stride, padding):
    """⟨Cx, y⟩ = ⟨x, Cᵀy⟩ with one array of weights for both."""
    generator = np.random.default_rng(0)
    size = 12 if padding == "same" else kernel + 3 * stride
    x = generator.normal(size=(2, size, size, 3)).astype(np.float32)
    forward = layers.Conv2D(5, kernel, stride, padding, use_bias=False)
    y = generator.normal(size=forward(x).shape).astype(np.float32)
    backward = layers.Conv2DTranspose(3, kernel, stride, padding, use_bias=False)
    assert backward(y).shape == x.shape
    backward.kernel.assign(forward.kernel)
    np.testing.assert_allclose(np.sum(forward(x) * y), np.sum(x * backward(y)), rtol=1e-4)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 6, 8])
def test_overlap_is_constant_exactly_where_the_stride_divides_the_kernel(kernel, stride):
    layer = layers.Conv2DTranspose(
        1, kernel, stride, "valid", use_bias=False, kernel_initializer="ones"
    )
    overlap = np.asarray(layer(np.ones((1, 24, 24, 1), np.float32)))[0, :, :, 0]
    inside = overlap[8:-8, 8:-8]
    assert (np.ptp(inside) == 0) == (kernel % stride == 0)


def test_adams_first_step_is_the_sign_of_the_gradient():
    gradient = tf.constant([3.0, -0.02, 500.0, -1e-3])
    variable = keras.Variable(np.zeros(4, np.float32))
    keras.optimizers.Adam(0.01, beta_1=0.5, epsilon=1e-12).apply([gradient], [variable])
    np.testing.assert_allclose(variable.value, -0.01 * np.sign(gradient), rtol=1e-4)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (4, 2), (5, 3), (2, 2), (4, 4)])
def test_sides_and_stamps_of_a_transposed_convolution(kernel, stride):
    """Sides s(m − 1) + k and sm; ⌈(k − r)/s⌉ stamps at remainder r, away from the borders."""
    for size in (5, 9):
        ones = np.ones((1, size, 1), np.float32)
        sides = {
            padding: layers.Conv1DTranspose(
                1, kernel, stride, padding, use_bias=False, kernel_initializer="ones"
            )(ones)
            for padding in ("valid", "same")
        }
        assert sides["valid"].shape[1] == stride * (size - 1) + kernel
        assert sides["same"].shape[1] == stride * size
    for place in range(kernel, stride * size - kernel):
        wanted = math.ceil((kernel - place % stride) / stride)
        assert float(sides["valid"][0, place, 0]) == wanted


def test_the_jacobian_of_batch_normalisation():
    """γ/S (δ − 1/N − ĥĥᵀ/N): what is off the diagonal is the neighbours' influence."""
    norm = layers.BatchNormalization(gamma_initializer=keras.initializers.Constant(1.7))
    values = tf.random.stateless_normal((6, 1), [0, 1])
    with tf.GradientTape() as tape:
        tape.watch(values)
        outputs = norm(values, training=True)
    jacobian = tape.jacobian(outputs, values).numpy()[:, 0, :, 0]
    h = values.numpy()[:, 0]
    spread = np.sqrt(h.var() + norm.epsilon)
    hat = (h - h.mean()) / spread
    derived = 1.7 / spread * (np.eye(6) - 1 / 6 - np.outer(hat, hat) / 6)
    np.testing.assert_allclose(jacobian, derived, atol=1e-5)
    with tf.GradientTape() as tape:
        tape.watch(values)
        outputs = norm(values, training=False)
    fixed = tape.jacobian(outputs, values).numpy()[:, 0, :, 0]
    np.testing.assert_array_equal(fixed, np.diag(np.diag(fixed)))


def test_batch_normalisation_forgets_a_common_shift_and_scale():
    norm, values = (
        layers.BatchNormalization(epsilon=1e-8),
        tf.random.stateless_normal((8, 3), [2, 3]),
    )
    plain = norm(values, training=True)
    np.testing.assert_allclose(norm(5 * values + [1.0, -2.0, 9.0], training=True), plain, atol=1e-5)
    other = tf.concat([values[:1], 3 * values[1:]], 0)  # the first stays, its neighbours change
    assert np.abs(norm(other, training=True)[0] - plain[0]).max() > 0.1


def test_running_statistics_are_a_geometric_average():
    """After t steps: mᵗ·start + (1 − m) Σ mᵗ⁻ʲ μⱼ, a memory of 1/(1 − m) steps."""
    norm, means = layers.BatchNormalization(momentum=0.8), [3.0, -1.0, 2.0, 0.5]
    for mean in means:
        norm(tf.constant([[mean - 1], [mean + 1]]), training=True)
    wanted = 0.2 * sum(0.8 ** (3 - j) * mean for j, mean in enumerate(means))
    assert float(norm.moving_mean[0]) == pytest.approx(wanted, rel=1e-5)
    assert float(norm.moving_variance[0]) == pytest.approx(0.8**4 + (1 - 0.8**4) * 1.0, rel=1e-5)


@pytest.mark.parametrize("transposed", [False, True])
def test_random_weights_scale_a_signal_by_the_root_of_their_fan_in(transposed):
    """Var(out) = F τ² E h²; F is k²C, or (k/s)²C for a transposed convolution."""
    kind = layers.Conv2DTranspose if transposed else layers.Conv2D
    init = keras.initializers.RandomNormal(0, 0.02, seed=3)
    layer = kind(128, 4, 2, "valid", use_bias=False, kernel_initializer=init)
    h = tf.nn.relu(tf.random.stateless_normal((8, 16, 16, 32), [4, 5]))
    inside = np.asarray(layer(h))[:, 2:-2, 2:-2]
    fan_in = 32 * (2**2 if transposed else 4**2)
    assert inside.var() == pytest.approx(fan_in * 0.02**2 * np.mean(np.square(h)), rel=0.1)


@pytest.mark.parametrize("beta", [-0.3, 0.0, 0.5, 0.9])
def test_momentum_makes_the_bilinear_game_spiral_outwards(beta):
    """min_x max_y xy, in turn, at one speed s: |λ| ≈ 1 + s²β/(1 − β), exactly 1 for β = 0."""

    def largest(speed):
        columns = []
        for x, y, u, w in np.eye(4):
            u = beta * u - (1 - beta) * speed * y
            x = x + u
            w = beta * w + (1 - beta) * speed * x
            columns.append([x, y + w, u, w])
        eigenvalues = np.linalg.eigvals(np.array(columns).T)
        equation = ((eigenvalues - 1) * (eigenvalues - beta)) ** 2
        wanted = -(((1 - beta) * speed) ** 2) * eigenvalues**3
        np.testing.assert_allclose(equation, wanted, atol=1e-9)
        return np.abs(eigenvalues).max()

    if beta == 0:
        assert largest(0.2) == pytest.approx(1, abs=1e-12)
    else:
        assert (largest(0.2) > 1) == (beta > 0)
        assert largest(0.001) - 1 == pytest.approx(1e-6 * beta / (1 - beta), rel=0.01)


def with_moments(mean, covariance, count=400):
    """Return samples whose sample mean and covariance are exactly these."""
    draw = np.random.default_rng(0).normal(size=(count, len(mean)))
    draw -= draw.mean(0)
    white = draw @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(draw.T)))).T
    return np.asarray(mean) + white @ np.linalg.cholesky(np.atleast_2d(covariance)).T


def test_frechet_distance_of_gaussians_in_closed_form():
    """One dimension: (μ₁ − μ₂)² + (σ₁ − σ₂)²; commuting covariances add that up."""
    a, b = with_moments([1.0], [[4.0]]), with_moments([-0.5], [[0.25]])
    assert frechet_distance(a, b) == pytest.approx(1.5**2 + 1.5**2)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    first, second = np.array([4.0, 1.0, 0.1]), np.array([1.0, 9.0, 0.4])
    a = with_moments([0, 0, 1], turn @ np.diag(first) @ turn.T)
    b = with_moments([0, 2, 1], turn @ np.diag(second) @ turn.T)
    assert frechet_distance(a, b) == pytest.approx(4 + np.sum((first**0.5 - second**0.5) ** 2))


def test_frechet_distance_is_the_cheapest_pairing():
    """No linear pairing b = Ta of two Gaussians costs less; the best one costs exactly that."""
    first, second = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])

    def root(matrix):
        values, vectors = np.linalg.eigh(matrix)
        return (vectors * np.sqrt(values)) @ vectors.T

    distance = frechet_distance(with_moments([0, 0], first), with_moments([0, 0], second))
    inner, inverse = root(root(first) @ second @ root(first)), np.linalg.inv(root(first))
    best = np.trace(first + second - 2 * (inverse @ inner @ root(first)))  # T = A⁻½ (…)½ A⁻½
    assert distance == pytest.approx(best)
    for seed in range(20):
        rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(2, 2)))[0]
        cross = root(first) @ rotation @ root(second)  # every coupling without noise
        assert np.trace(first + second - 2 * cross) >= distance - 1e-9


def test_the_bias_of_a_frechet_distance_falls_with_one_over_n():
    """Equal Gaussians: (1/N) [2 Σλ + Σ λᵢλⱼ(1 + δᵢⱼ)/(λᵢ + λⱼ)] to second order."""
    values, draw = np.exp(-np.arange(8) / 3), np.random.default_rng(0)
    pairs = np.outer(values, values) * (1 + np.eye(8)) / (values[:, None] + values)
    for count in (100, 400):
        distances = [
            frechet_distance(*(draw.normal(size=(2, count, 8)) * np.sqrt(values)))
            for _ in range(60)
        ]
        wanted = (2 * values.sum() + pairs.sum()) / count
        error = np.std(distances) / math.sqrt(60)
        assert np.mean(distances) == pytest.approx(wanted, abs=4 * error + 0.03 * wanted)


# 04: slopes and labels


@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0, 3.0])
def test_a_linear_critic_of_norm_c_pays_c_minus_one_squared(norm):
    weights = np.random.default_rng(0).normal(size=(4, 4, 2)).astype(np.float32)
    weights *= norm / np.linalg.norm(weights)
    points = tf.random.stateless_normal((5, 4, 4, 2), [0, 1])
    value = one_centred_penalty(lambda x: tf.reduce_sum(weights * x, (1, 2, 3)), points)
    assert float(value) == pytest.approx((norm - 1) ** 2, abs=1e-5)


def convolution_norm(layer, size):
    """Return the largest singular value of a convolution (h, w, 2) → (h, w, 3) as a matrix."""
    basis = np.eye(size * size * 2, dtype=np.float32).reshape(-1, size, size, 2)
    return np.linalg.svd(np.asarray(layer(basis)).reshape(len(basis), -1), compute_uv=False)[0]


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 3), (2, 4)])
def test_a_convolutions_norm_is_at_most_the_root_of_its_size_times_sigma(height, width, constant):
    """With stride 1: each input pixel is read height·width times; constant kernels come near."""
    layer = SpectralConv2D(3, (height, width), 1, "same", use_bias=False)
    layer.build((None, 8, 8, 2))
    if constant:
        layer.kernel.assign(tf.ones((height, width, 2, 3)))
    for _ in range(100):
        layer.power_iteration()
    norm, bound = convolution_norm(layer, 8), math.sqrt(height * width)
    assert norm <= bound * (1 + 1e-3)
    if constant:
        assert norm > 0.9 * bound
    if height * width == 1:
        assert norm == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (0.1, 0.0), (0.25, 0.1)])
def test_the_best_discriminator_of_smoothed_labels(alpha, beta):
    """Labels 1 − α and β: D* = ((1 − α)p + βq)/(p + q); only β moves D* towards q/(p + q)."""
    best = ((1 - alpha) * P + beta * Q) / (P + Q)
    logits = tf.Variable(np.log(best / (1 - best)), dtype=tf.float32)
    real, fake = population(P), population(Q)
    with tf.GradientTape() as tape:
        loss = discriminator_cross_entropy(
            tf.gather(logits, real)[:, None], tf.gather(logits, fake)[:, None], 1 - alpha
        )
        loss -= beta * tf.reduce_mean(tf.gather(logits, fake))  # a fake label of β
    gradient = tf.convert_to_tensor(tape.gradient(loss, logits))
    np.testing.assert_allclose(gradient, np.zeros(4), atol=1e-6)
    if not beta:
        np.testing.assert_allclose(best, (1 - alpha) * P / (P + Q))


# 05: the bound


def test_log_evidence_minus_elbo_is_the_divergence_from_the_posterior():
    """z ~ N(0, 1), x|z ~ N(wz, s²): all in closed form, for any q."""
    w, s, x = 1.7, 0.6, 0.9

    def log_normal(value, mean, variance):
        terms = (np.array([[float(t)]], np.float32) for t in (value, mean, math.log(variance)))
        return float(gaussian_log_density(*terms)[0])

    log_evidence = log_normal(x, 0, w**2 + s**2)
    variance = 1 / (1 + w**2 / s**2)  # of the posterior
    mean = variance * w * x / s**2
    for m, v in ((0.0, 1.0), (0.8, 0.3), (-0.5, 0.05), (mean, variance)):
        prior = np.array([[m]], np.float32), np.array([[math.log(v)]], np.float32)
        expected_likelihood = log_normal(x, w * m, s**2) - 0.5 * w**2 * v / s**2
        elbo = expected_likelihood - float(gaussian_kl(*prior)[0])
        # N(m, v) against N(mean, variance), shifted and scaled to N(0, 1)
        shifted = np.array([[(m - mean) / math.sqrt(variance)]], np.float32)
        divergence = float(gaussian_kl(shifted, np.log(np.array([[v / variance]], np.float32)))[0])
        assert log_evidence - elbo == pytest.approx(divergence, abs=1e-5)
    assert divergence == pytest.approx(0, abs=1e-6)  # q is the posterior: the bound is tight


def test_gaussian_kl_is_an_expectation():
    generator = np.random.default_rng(0)
    mean, log_variance = (generator.normal(size=(1, 4)).astype(np.float32) for _ in range(2))
    draws = generator.normal(size=(100_000, 4)).astype(np.float32)
    latents = mean + np.exp(0.5 * log_variance) * draws
    ratios = gaussian_log_density(latents, mean, log_variance)
    ratios -= gaussian_log_density(latents, 0 * mean, 0 * log_variance)
    error = 4 * np.std(ratios) / math.sqrt(len(ratios))
    assert abs(float(gaussian_kl(mean, log_variance)[0]) - np.mean(ratios)) < error < 0.1


# 06: what a patch discriminator sees


def reached(network, size):
    images = [tf.random.stateless_normal((1, size, size, 3), [1, i]) for i in range(2)]
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = network(images)
        value = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    return sum(np.abs(g.numpy()).sum((0, 3)) for g in tape.gradient(value, images)) > 0


def test_instance_normalisation_lets_a_patch_see_everything(randomise):
    for normalize in (False, True):
        network = randomise(build_patchgan(base_filters=2, normalize=normalize))
        seen = reached(network, 160)
        rows = np.flatnonzero(seen.any(1))
        assert len(rows) == (160 if normalize else 70)


def test_instance_normalisation_ignores_brightness_and_contrast():
    image = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype(np.float32)
    norm = layers.GroupNormalization(groups=-1, epsilon=1e-9)
    scale, shift = np.array([2.0, 0.5, 7.0], np.float32), np.array([1.0, -3.0, 0.2], np.float32)
    np.testing.assert_allclose(norm(image), norm(scale * image + shift), atol=1e-4)

"""Chapter 05's theorems: bounds, gradients through a draw, collapse, and unbiased distances.

Two more are in `test_theory`: the Gaussian KL is an expectation, and log p − ELBO is the divergence
from the posterior.
"""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp

from gan_keras.losses.reconstruction import gaussian_kl, gaussian_log_density
from gan_keras.metrics.distribution import frechet_distance, squared_mmd
from gan_keras.metrics.manifold import precision_recall

WEIGHT, NOISE, COPIES = 2.0, 1.0, 6  # z ~ N(0, I), x|z ~ N(WEIGHT·z, NOISE·I), six of each
BEST = NOISE / (WEIGHT**2 + NOISE)  # the posterior's variance


def log_normal(value, mean, variance):
    return -0.5 * ((value - mean) ** 2 / variance + np.log(2 * np.pi * variance))


def observed():
    """Return x, log p(x) and the posterior's mean."""
    x = np.random.default_rng(0).normal(size=COPIES) * math.sqrt(WEIGHT**2 + NOISE)
    evidence = log_normal(x, 0, WEIGHT**2 + NOISE).sum()
    return x, evidence, WEIGHT * x / (WEIGHT**2 + NOISE)


def log_weights(ratio, count, shift=0.0):
    """Draw log p(x, z)/q(z|x) with q = N(posterior's mean + shift, ratio · its variance)."""
    x, _, mean = observed()
    mean, variance = mean + shift, ratio * BEST
    z = mean + math.sqrt(variance) * np.random.default_rng(1).normal(size=(count, COPIES))
    terms = log_normal(x, WEIGHT * z, NOISE) + log_normal(z, 0, 1) - log_normal(z, mean, variance)
    return terms.sum(1)


def bounds(weights, samples):
    """Return L_k of disjoint blocks of k draws."""
    return logsumexp(weights.reshape(-1, samples), axis=1) - math.log(samples)


@pytest.mark.parametrize(("ratio", "shift"), [(4.0, 0.0), (0.4, 0.0), (1.5, 0.3)])
def test_the_importance_weighted_bound_does_not_fall_with_k_and_stays_below_log_p(ratio, shift):
    evidence, weights = observed()[1], log_weights(ratio, 2**16, shift)
    values = [bounds(weights, 2**power) for power in range(0, 11, 2)]
    means = np.array([v.mean() for v in values])
    errors = np.array([v.std() / math.sqrt(len(v)) for v in values])
    assert np.all(np.diff(means) > 0)  # on the same draws: log of a mean ≥ mean of logs
    assert np.all(means < evidence + 4 * errors)
    gap = gaussian_kl(
        np.full((1, COPIES), shift / math.sqrt(BEST), np.float32),
        np.full((1, COPIES), math.log(ratio), np.float32),
    )
    assert evidence - means[0] == pytest.approx(float(gap[0]), abs=4 * errors[0])  # k = 1: the ELBO
    assert evidence - means[-1] < 0.3 * float(gap[0])


def test_the_bound_is_log_p_for_any_k_where_q_is_the_posterior():
    evidence, weights = observed()[1], log_weights(1.0, 64)
    np.testing.assert_allclose(weights, evidence, atol=1e-9)


@pytest.mark.parametrize("ratio", [2.0, 4.0])
def test_the_gap_falls_with_one_over_k(ratio):
    """Half the variance of the relative weights over k; that is (r/√(2r − 1))^D − 1."""
    variance = (ratio / math.sqrt(2 * ratio - 1)) ** COPIES - 1
    evidence, weights = observed()[1], log_weights(ratio, 2**19)
    values = evidence - bounds(weights, 512)
    wanted, error = variance / (2 * 512), values.std() / math.sqrt(len(values))
    assert values.mean() == pytest.approx(wanted, abs=4 * error + 0.1 * wanted)


# Two gradients of E_q f with respect to q's mean


def score_variance(mean, deviation, dimension):
    """Return Var[−½‖z‖² ε₁/σ] for z = μ + σε, as chapter 05 derives it."""
    m, s, others = mean**2, deviation**2, dimension - 1
    first = m**2 + 18 * m * s + 15 * s**2  # E z₁⁴ε₁²
    rest = others * (2 * s**2 + 4 * m * s) + others**2 * (m + s) ** 2  # E A², A = Σ of the others
    cross = 2 * others * (m + s) * (m + 3 * s)  # 2 E A · E z₁²ε₁²
    return 0.25 * (first + cross + rest) / s - m


@pytest.mark.parametrize("dimension", [1, 8])
def test_score_and_reparameterised_gradients_have_one_mean_and_other_variances(dimension):
    mean, deviation, count = 0.7, 0.5, 200_000
    noise = np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)
    centre = tf.fill((count, dimension), mean)
    log_variance = tf.fill((count, dimension), 2 * math.log(deviation))

    def value(latents):
        return gaussian_log_density(latents, tf.zeros_like(latents), tf.zeros_like(latents))

    with tf.GradientTape() as tape:
        tape.watch(centre)
        latents = centre + tf.exp(0.5 * log_variance) * noise
        through = value(latents)
    reparameterised = tape.gradient(through, centre).numpy()[:, 0].astype(float)
    with tf.GradientTape() as tape:
        tape.watch(centre)
        log_q = gaussian_log_density(tf.stop_gradient(latents), centre, log_variance)
    grad_log_q = tape.gradient(log_q, centre).numpy()[:, 0].astype(float)
    # f without its constant, whose score gradient has the mean 0 and only adds variance
    f = value(latents).numpy() + 0.5 * dimension * math.log(2 * math.pi)
    score = f * grad_log_q
    for gradient in (reparameterised, score):
        error = gradient.std() / math.sqrt(count)
        assert gradient.mean() == pytest.approx(-mean, abs=4 * error)
    assert reparameterised.var() == pytest.approx(deviation**2, rel=0.02)
    assert score.var() == pytest.approx(score_variance(mean, deviation, dimension), rel=0.05)
    assert score.var() > 10 * reparameterised.var()
    assert np.abs(grad_log_q.mean()) < 4 * grad_log_q.std() / math.sqrt(count)


# The linear VAE


def trained_linear_vae(eigenvalues, noise, beta, steps=1500):
    """Train E log p(x|z) − β·KL in full, each direction by itself; return w² and the KLs.

    Args:
        eigenvalues: λ (K,) of the data's covariance.
        noise: σ² of p(x|z).
        beta: β.
    """
    values, count = tf.constant(eigenvalues, tf.float32), len(eigenvalues)
    starts = np.array([[0.5], [0.3], [0.0]], np.float32) * np.ones(count, np.float32)
    w, v, log_s = (keras.Variable(start) for start in starts)
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.PolynomialDecay(0.05, steps, 0.0), beta_2=0.99
    )
    optimizer.build([w, v, log_s])

    def kl():
        spread = tf.sqrt(values) * v.value  # the root of E μ²
        return gaussian_kl(spread[:, None], log_s.value[:, None])

    @tf.function
    def train():
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                error = values * (1 - w.value * v.value) ** 2 + w.value**2 * tf.exp(log_s.value)
                loss = tf.reduce_sum(error / (2 * noise) + beta * kl())
            variables = [w, v, log_s]
            optimizer.apply(tape.gradient(loss, [x.value for x in variables]), variables)

    train()
    return np.square(w.numpy()), kl().numpy()


@pytest.mark.parametrize(("noise", "beta"), [(1.0, 1.0), (0.5, 4.0), (1.0, 0.3)])
def test_a_direction_is_active_exactly_if_its_eigenvalue_exceeds_beta_sigma_squared(noise, beta):
    """And then w² = λ − βσ², and its KL is ½ log(λ/βσ²)."""
    eigenvalues = beta * noise * np.array([8.0, 3.0, 1.3, 0.8, 0.2])
    squared, nats = trained_linear_vae(eigenvalues, noise, beta)
    wanted = np.maximum(eigenvalues - beta * noise, 0)
    np.testing.assert_allclose(squared, wanted, atol=0.01 * eigenvalues[0])
    np.testing.assert_allclose(
        nats, 0.5 * np.log(np.maximum(eigenvalues / (beta * noise), 1)), atol=0.01
    )
    np.testing.assert_array_equal(nats > 0.02, [True, True, True, False, False])


def test_at_its_best_the_linear_vae_is_the_gaussian_that_fits():
    """β = 1: the bound of an active direction is log N(x; 0, λ), with no gap left."""
    value, noise = 5.0, 0.8
    t = value  # w² + σ²
    w, v, s = math.sqrt(t - noise), math.sqrt(t - noise) / t, noise / t
    x = np.random.default_rng(0).normal(size=7) * 3
    likelihood = log_normal(x, w * v * x, noise) - 0.5 * w**2 * s / noise
    mean = np.float32(v * x[:, None])
    kl = gaussian_kl(mean, np.full_like(mean, math.log(s)))
    np.testing.assert_allclose(likelihood - kl, log_normal(x, 0, t), atol=1e-5)


def test_log_q_where_log_p_belongs_leaves_no_image_in_the_bound():
    """E_q log q(z|x) − KL(q‖p) = E_q log p(z): the two log q cancel."""
    draw = np.random.default_rng(0)
    mean, log_variance = (draw.normal(size=(5, 3)).astype(np.float32) for _ in range(2))
    entropy = 0.5 * np.sum(log_variance + math.log(2 * math.pi) + 1, axis=1)
    printed = -entropy - gaussian_kl(mean, log_variance).numpy()
    second_moment = mean**2 + np.exp(log_variance)
    prior = -0.5 * np.sum(second_moment + math.log(2 * math.pi), axis=1)
    np.testing.assert_allclose(printed, prior, rtol=1e-5)


# Distances


def test_the_kernel_distance_is_unbiased_and_the_frechet_distance_is_not():
    draw, dimension = np.random.default_rng(0), 6
    kernel, frechet = ([], [])
    for _ in range(200):
        a, b = draw.normal(size=(2, 20, dimension))
        kernel.append(squared_mmd(a, b))
        frechet.append(frechet_distance(a, b))
    error = np.std(kernel) / math.sqrt(len(kernel))
    assert abs(np.mean(kernel)) < 4 * error
    assert np.mean(frechet) > 50 * np.std(frechet) / math.sqrt(len(frechet))


def test_the_kernel_distance_compares_means_covariances_and_third_moments():
    """(x·y/D + 1)³ = φ(x)·φ(y) with all monomials up to degree 3: a distance of mean φ."""
    draw, count = np.random.default_rng(0), 60

    def features(x):
        columns = [np.ones(len(x)), *(math.sqrt(3 / 2) * x.T)]
        columns += [math.sqrt(3) / 2 * x[:, i] * x[:, j] for i in range(2) for j in range(2)]
        columns += [
            x[:, i] * x[:, j] * x[:, k] / math.sqrt(8)
            for i in range(2) for j in range(2) for k in range(2)
        ]  # fmt: skip
        return np.stack(columns, axis=1)

    a, b = draw.normal(size=(count, 2)), draw.normal(size=(count, 2)) ** 3
    of_a, of_b = features(a), features(b)
    np.testing.assert_allclose(of_a @ of_b.T, (a @ b.T / 2 + 1) ** 3, atol=1e-12)

    def others(x):
        return (np.square(x.sum(0)).sum() - np.square(x).sum()) / (count * (count - 1))

    wanted = others(of_a) + others(of_b) - 2 * of_a.mean(0) @ of_b.mean(0)
    assert squared_mmd(a, b) == pytest.approx(wanted)


def test_precision_sees_bad_samples_and_recall_sees_missing_ones():
    draw = np.random.default_rng(0)
    real = draw.normal(size=(600, 2)) + 8 * draw.integers(0, 2, (600, 1))  # two clusters
    again = draw.normal(size=(600, 2)) + 8 * draw.integers(0, 2, (600, 1))
    floor = precision_recall(again, real)
    one_mode = precision_recall(draw.normal(size=(600, 2)), real)
    polluted = again.copy()
    polluted[:300] += [30, -30]
    bad = precision_recall(polluted, real)
    assert min(floor) > 0.9
    assert one_mode[0] > 0.9 and one_mode[1] == pytest.approx(0.5, abs=0.08)
    assert bad[0] == pytest.approx(0.5, abs=0.05) and bad[1] > 0.85

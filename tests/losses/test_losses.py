import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from gan_keras.losses.adversarial import (
    LOSSES,
    critic_wasserstein,
    discriminator_cross_entropy,
    discriminator_hinge,
    discriminator_least_squares,
    generator_least_squares,
    generator_non_saturating,
    generator_saturating,
    generator_wasserstein,
)
from gan_keras.losses.reconstruction import (
    bernoulli_log_likelihood,
    gaussian_kl,
    gaussian_log_density,
    l1,
)


def column(*values):
    return tf.constant(values, tf.float32)[:, None]


def gradient(function, *logits):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = function(*logits)
    return [g.numpy().ravel() for g in tape.gradient(value, logits)]


def test_a_discriminator_that_knows_nothing_loses_two_bits_of_nats():
    value = discriminator_cross_entropy(column(0, 0, 0), column(0, 0, 0))
    assert float(value) == pytest.approx(2 * math.log(2), abs=1e-6)


def test_cross_entropy_by_hand():
    # σ(log 3) = 3/4: −log ¾ for a real image, −log(1 − ¾) for a fake one
    right, wrong = -math.log(3 / 4), -math.log(1 / 4)
    assert float(discriminator_cross_entropy(column(math.log(3)), column(-100))) == pytest.approx(
        right, rel=1e-5
    )
    assert float(discriminator_cross_entropy(column(100), column(math.log(3)))) == pytest.approx(
        wrong, rel=1e-5
    )
    assert float(generator_non_saturating(column(math.log(3)))) == pytest.approx(right, rel=1e-5)


def test_gradients_in_the_logit():
    logits = np.array([-8.0, -2.0, -0.5, 0.0, 1.0, 6.0], np.float32)
    sigma = 1 / (1 + np.exp(-logits))
    count = len(logits)
    (non_saturating,) = gradient(generator_non_saturating, column(*logits))
    np.testing.assert_allclose(non_saturating, -(1 - sigma) / count, rtol=1e-4)
    real, fake = gradient(discriminator_cross_entropy, column(*logits), column(*logits))
    np.testing.assert_allclose(real, -(1 - sigma) / count, rtol=1e-4)
    np.testing.assert_allclose(fake, sigma / count, rtol=1e-4)


def test_least_squares_by_hand():
    real, fake = column(1, 3), column(0, -2)
    assert float(discriminator_least_squares(real, fake)) == pytest.approx(0.5 * (4 / 2 + 4 / 2))
    assert float(generator_least_squares(fake)) == pytest.approx(0.5 * (1 + 9) / 2)
    assert float(discriminator_least_squares(column(1), column(0))) == 0
    assert float(generator_least_squares(column(1))) == 0


def test_the_saturating_loss_is_the_value_of_the_game():
    # σ(log 3) = 3/4: log(1 − ¾); its slope is −σ, where that of the other loss is −(1 − σ)
    assert float(generator_saturating(column(math.log(3)))) == pytest.approx(-math.log(4), rel=1e-5)
    logits = np.array([-8.0, -0.5, 0.0, 1.0, 6.0], np.float32)
    (slopes,) = gradient(generator_saturating, column(*logits))
    np.testing.assert_allclose(slopes, -1 / (1 + np.exp(-logits)) / len(logits), rtol=1e-4)
    fake = column(*logits)
    game = discriminator_cross_entropy(column(100), fake)  # what D loses of fakes, G gains
    assert float(generator_saturating(fake)) == pytest.approx(-float(game), rel=1e-5)


def test_hinge_by_hand():
    # real 0.5 and 3 cost ½ and nothing; fake −2 and 0.25 nothing and 1.25
    real, fake = column(0.5, 3), column(-2, 0.25)
    assert float(discriminator_hinge(real, fake)) == pytest.approx(0.5 / 2 + 1.25 / 2)
    slopes = gradient(discriminator_hinge, real, fake)
    np.testing.assert_array_equal(slopes, [[-0.5, 0], [0, 0.5]])
    assert LOSSES["hinge"][1] is generator_wasserstein


def test_wasserstein_by_hand():
    real, fake = column(1, 5), column(-2, 0.5)
    assert float(critic_wasserstein(real, fake)) == pytest.approx(-0.75 - 3)
    assert float(generator_wasserstein(fake)) == pytest.approx(0.75)
    slopes = gradient(critic_wasserstein, real, fake)
    np.testing.assert_array_equal(slopes, [[-0.5, -0.5], [0.5, 0.5]])
    shifted = critic_wasserstein(real + 7, fake + 7)  # only differences of scores count
    assert float(shifted) == pytest.approx(-3.75, rel=1e-5)


def test_smoothed_cross_entropy_by_hand():
    # σ(log 3) = 3/4 and a real label of 0.9: −0.9·log ¾ − 0.1·log ¼
    value = discriminator_cross_entropy(column(math.log(3)), column(-100), real_label=0.9)
    assert float(value) == pytest.approx(-0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4), rel=1e-5)
    real, fake = gradient(
        lambda a, b: discriminator_cross_entropy(a, b, real_label=0.9), column(0, 2), column(0, 2)
    )
    sigma = 1 / (1 + np.exp([0.0, -2.0]))
    np.testing.assert_allclose(real, (sigma - 0.9) / 2, rtol=1e-5)
    np.testing.assert_allclose(fake, sigma / 2, rtol=1e-5)  # one-sided: fake stays 0
    best = math.log(9)  # a discriminator that is more sure than 0.9 is pulled back
    (slope,) = gradient(
        lambda a: discriminator_cross_entropy(a, column(-100), real_label=0.9), column(best)
    )
    assert slope == pytest.approx(0, abs=1e-6)


def test_smoothed_least_squares_by_hand():
    value = discriminator_least_squares(column(1, 0.5), column(0, -2), real_label=0.75)
    assert float(value) == pytest.approx(0.5 * (2 * 0.25**2 / 2 + 4 / 2))
    (slope,) = gradient(
        lambda a: discriminator_least_squares(a, column(0), real_label=0.75), column(0.75)
    )
    assert slope == 0


@pytest.mark.parametrize("name", LOSSES)
def test_patches_of_an_image_count_as_one(name):
    """The mean over one image's patches, then over images; real is large, fake is small."""
    discriminator, generator = LOSSES[name]
    patches = tf.constant(np.random.default_rng(0).normal(size=(3, 4, 5, 1)), tf.float32)
    alone = [float(generator(patches[i : i + 1])) for i in range(3)]
    assert float(generator(patches)) == pytest.approx(np.mean(alone), rel=1e-5)
    assert float(discriminator(column(1), column(0))) < float(discriminator(column(0), column(1)))
    assert float(generator(column(1))) < float(generator(column(0)))


@pytest.mark.parametrize("logit", [-100.0, 100.0])
@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_stay_finite(name, logit):
    discriminator, generator = LOSSES[name]
    values = [discriminator(column(logit), column(-logit)), generator(column(logit))]
    slopes = gradient(discriminator, column(logit), column(-logit))
    slopes += gradient(generator, column(logit))
    assert np.isfinite(np.concatenate([np.ravel(v) for v in values + slopes])).all()
    # a confident mistake costs its logit, and pulls with full strength
    if name == "non_saturating" and logit < 0:
        assert float(values[1]) == pytest.approx(100)
        assert slopes[2][0] == pytest.approx(-1)


def test_l1_is_a_mean_over_pixels_and_images():
    target = np.zeros((2, 1, 2, 1), np.float32)
    restored = np.array([1, -3, 0.5, 0.5], np.float32).reshape(2, 1, 2, 1)
    assert float(l1(target, restored)) == pytest.approx((2 + 0.5) / 2)
    assert float(l1(restored, restored)) == 0


def test_bernoulli_log_likelihood_is_scipys_and_a_sum():
    generator = np.random.default_rng(1)
    binary = generator.integers(0, 2, (3, 4, 5, 1)).astype(np.float32)
    logits = generator.normal(0, 3, binary.shape).astype(np.float32)
    expected = stats.bernoulli.logpmf(binary, 1 / (1 + np.exp(-logits.astype(float))))
    values = bernoulli_log_likelihood(binary, logits)
    assert values.shape == (3,)
    np.testing.assert_allclose(values, expected.sum((1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("logit", [-100.0, 100.0])
def test_bernoulli_log_likelihood_of_extreme_logits(logit):
    pixels = np.array([[0.0], [1.0]], np.float32)
    logits = np.full((2, 1), logit, np.float32)
    expected = [0, -100] if logit < 0 else [-100, 0]
    np.testing.assert_allclose(bernoulli_log_likelihood(pixels, logits), expected, atol=1e-6)


def test_gaussian_log_density_is_scipys():
    generator = np.random.default_rng(2)
    value, mean, log_variance = generator.normal(size=(3, 4, 6)).astype(np.float32)
    expected = stats.norm.logpdf(value, mean, np.exp(0.5 * log_variance)).sum(-1)
    np.testing.assert_allclose(gaussian_log_density(value, mean, log_variance), expected, rtol=1e-5)


def test_gaussian_kl_is_zero_at_the_prior_and_closed_form_elsewhere():
    zero = np.zeros((2, 5), np.float32)
    np.testing.assert_array_equal(gaussian_kl(zero, zero), [0, 0])
    # one axis at a time: ½μ², and ½(σ² − 1 − log σ²)
    np.testing.assert_allclose(gaussian_kl(np.array([[3.0, 0.0]], np.float32), zero[:1, :2]), [4.5])
    log_four = np.array([[math.log(4.0)]], np.float32)
    np.testing.assert_allclose(
        gaussian_kl(zero[:1, :1], log_four), [0.5 * (3 - math.log(4))], rtol=1e-6
    )


def test_gaussian_kl_is_its_monte_carlo_estimate():
    generator = np.random.default_rng(3)
    mean, log_variance = np.array([[0.7, -1.2, 0.1]]), np.array([[0.5, -1.0, 0.2]])
    samples = mean + np.exp(0.5 * log_variance) * generator.normal(size=(200_000, 3))
    ratios = stats.norm.logpdf(samples, mean, np.exp(0.5 * log_variance)).sum(-1)
    ratios -= stats.norm.logpdf(samples).sum(-1)
    error = ratios.std() / math.sqrt(len(ratios))
    exact = float(gaussian_kl(mean.astype(np.float32), log_variance.astype(np.float32))[0])
    assert abs(exact - ratios.mean()) < 4 * error < 0.02

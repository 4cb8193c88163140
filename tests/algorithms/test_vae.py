import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy import stats

import gan_keras
from gan_keras.algorithms import vae as module
from gan_keras.algorithms.vae import VAE
from gan_keras.data.digits import load_digits
from gan_keras.data.ranges import from_uint8
from gan_keras.networks.digits import build_decoder, build_encoder

SHAPE, LATENT_DIM = (12, 12, 1), 5


def build(seed=0, **settings):
    keras.utils.set_random_seed(1)
    encoder = build_encoder(SHAPE, LATENT_DIM, base_filters=4)
    return VAE(encoder, build_decoder(SHAPE, LATENT_DIM, base_filters=4), seed=seed, **settings)


def pictures(count=6, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *SHAPE)).astype(np.float32)


def linear_vae(mean=0.0, log_variance=0.0, slope=0.0, bias=0.0, pixels=1, **settings):
    """q(z|x) = N(mean, exp(log_variance)) for any x; each pixel's logit is slope·z + bias."""
    images = keras.Input((pixels, 1, 1))
    outputs = [
        layers.Dense(
            1,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(value),
            name=name,
        )(layers.Flatten()(images))
        for name, value in (("mean", mean), ("log_variance", log_variance))
    ]
    latents = keras.Input((1,))
    logits = layers.Dense(
        pixels,
        kernel_initializer=keras.initializers.Constant(slope),
        bias_initializer=keras.initializers.Constant(bias),
    )(latents)
    decoder = keras.Model(latents, layers.Reshape((pixels, 1, 1))(logits))
    return VAE(keras.Model(images, outputs), decoder, **settings)


def log_bernoulli(x, logit):
    return x * logit - np.logaddexp(0, logit)


def test_bound_of_a_model_that_ignores_z_is_exact():
    """No Monte Carlo error: the likelihood does not depend on z."""
    model = linear_vae(mean=0.5, log_variance=-1.0, bias=0.7, pixels=3)
    model.compile("sgd")
    images = np.array([[1, 1, -1], [-1, -1, -1]], np.float32).reshape(2, 3, 1, 1)
    likelihood = log_bernoulli(np.array([[1, 1, 0], [0, 0, 0]]), 0.7).sum(1)
    kl = 0.5 * (0.25 + np.exp(-1) - 1 + 1)
    result = model.evaluate(images, return_dict=True, verbose=0)
    assert result["log_likelihood"] == pytest.approx(likelihood.mean(), rel=1e-5)
    assert result["kl"] == pytest.approx(kl, rel=1e-5)
    assert result["elbo"] == pytest.approx(likelihood.mean() - kl, rel=1e-5)


@pytest.mark.parametrize("samples", [1, 3, 50])
def test_importance_weighted_bound_is_exact_where_q_is_the_posterior(samples):
    model = linear_vae(bias=-0.4, pixels=2)  # z is independent of x: q = p(z) = p(z|x)
    images = np.array([[1, -1], [1, 1], [-1, -1]], np.float32).reshape(3, 2, 1, 1)
    expected = log_bernoulli((images.reshape(3, 2) + 1) / 2, -0.4).sum(1)
    bounds = model.importance_weighted_bound(images, samples)
    np.testing.assert_allclose(bounds, expected, rtol=1e-4)
    assert bounds.shape == (3,) and bounds.dtype == np.float32


def test_the_bounds_against_quadrature():
    """One pixel, one latent: log p(x), the ELBO and what lies between are integrals."""
    mean, log_variance, slope, bias = 0.3, -0.5, 2.0, 0.2
    model = linear_vae(mean, log_variance, slope, bias)
    model.compile("sgd")
    z = np.linspace(-12, 12, 20_001)
    likelihood = log_bernoulli(1, slope * z + bias)
    log_p = np.log(np.trapezoid(np.exp(likelihood) * stats.norm.pdf(z), z))
    q = stats.norm.pdf(z, mean, np.exp(0.5 * log_variance))
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)
    elbo = np.trapezoid(q * likelihood, z) - kl
    white = np.ones((4000, 1, 1, 1), np.float32)
    result = model.evaluate(white, batch_size=1000, return_dict=True, verbose=0)
    assert result["elbo"] == pytest.approx(elbo, abs=0.05)
    bounds = [model.importance_weighted_bound(white, k) for k in (1, 5)]
    bounds.append(model.importance_weighted_bound(white[:400], 500))
    errors = [4 * b.std() / np.sqrt(len(b)) for b in bounds]
    assert abs(bounds[0].mean() - elbo) < errors[0] < 0.1  # k = 1 is the ELBO
    assert bounds[0].mean() < bounds[1].mean() < bounds[2].mean()
    assert abs(bounds[2].mean() - log_p) < errors[2] + 0.01
    assert elbo + 0.05 < log_p


def test_importance_weighted_bound_does_not_fall_with_k():
    model = build()
    model.compile("sgd")
    images = np.sign(pictures(64))
    values = [model.importance_weighted_bound(images, k).mean() for k in (1, 10, 100)]
    assert values[0] < values[1] + 0.05 and values[1] < values[2] + 0.05
    elbo = model.evaluate(images, return_dict=True, verbose=0)["elbo"]
    assert values[0] == pytest.approx(elbo, abs=1.0)
    again = model.importance_weighted_bound(images, 10)
    np.testing.assert_array_equal(again, model.importance_weighted_bound(images, 10))
    assert not np.array_equal(again, model.importance_weighted_bound(images, 10, seed=1))


def test_evaluation_is_the_sum_of_its_terms_and_repeatable():
    model = build()
    model.compile("sgd")
    results = [
        model.evaluate(pictures(12), batch_size=4, return_dict=True, verbose=0) for _ in range(2)
    ]
    assert set(results[0]) == {"elbo", "log_likelihood", "kl"}
    assert results[0] == results[1]
    difference = results[0]["log_likelihood"] - results[0]["kl"]
    assert results[0]["elbo"] == pytest.approx(difference, rel=1e-5)
    assert results[0]["kl"] > 0


@pytest.fixture
def binarised(monkeypatch):
    """Collect what the likelihood is asked about."""
    seen = []

    def spy(binary, logits):
        seen.append(np.array(binary))
        return original(binary, logits)

    original = module.bernoulli_log_likelihood
    monkeypatch.setattr(module, "bernoulli_log_likelihood", spy)
    return seen


def test_binarisation_has_the_brightness_as_its_mean(binarised):
    model = build()
    model.compile("sgd", run_eagerly=True)
    brightness = np.linspace(0, 1, 5)
    images = np.repeat(2 * brightness - 1, 200).reshape(-1, 1, 1, 1) * np.ones((1, *SHAPE))
    images = tf.constant(images, tf.float32)
    for _ in range(2):
        model.train_step((images,))
    first, second = binarised
    assert set(np.unique(first)) == {0.0, 1.0}
    means = first.reshape(5, -1).mean(1)
    np.testing.assert_allclose(means, brightness, atol=0.012)  # 28,800 draws each
    assert means[0] == 0 and means[-1] == 1
    assert 0.2 < (first != second).mean() < 0.4  # anew at each step


def test_black_and_white_images_stay_as_they_are(binarised):
    model = build()
    model.compile("sgd", run_eagerly=True)
    images = np.sign(pictures())
    model.evaluate(images, verbose=0)
    model.importance_weighted_bound(images, 1)
    for binary in binarised:
        np.testing.assert_array_equal(binary, (images + 1) / 2)
    assert len(binarised) == 2


def test_training_follows_the_gradient_of_the_bound():
    """The KL term alone moves q where the decoder ignores z; β is its weight."""
    for beta in (1.0, 3.0):
        model = linear_vae(mean=1.0, log_variance=0.5, beta=beta)
        model.compile(keras.optimizers.SGD(0.1))
        model.train_step((tf.ones((4, 1, 1, 1)),))
        # the kernel's gradient sees the black-and-white image, 1 for white
        mean, log_variance = (model.encoder.get_layer(n) for n in ("mean", "log_variance"))
        assert float(mean.bias[0]) == pytest.approx(1 - 0.1 * beta * 1, rel=1e-5)
        slope = 0.5 * (np.exp(0.5) - 1)
        assert float(log_variance.bias[0]) == pytest.approx(0.5 - 0.1 * beta * slope, rel=1e-5)
        # and the likelihood alone the decoder: d(−log p)/da = σ(0) − 1
        assert float(model.decoder.trainable_variables[-1][0]) == pytest.approx(0.05, rel=1e-5)
        assert int(model.step) == 1


def test_encode_decode_reconstruct_generate():
    model = build()
    images = pictures()
    mean, log_variance = model.encode(images)
    assert mean.shape == log_variance.shape == (6, LATENT_DIM)
    decoded = np.asarray(model.decode(mean))
    reconstructed = model.reconstruct(images)
    np.testing.assert_allclose(reconstructed, decoded, atol=1e-6)  # the mean path
    np.testing.assert_array_equal(reconstructed, model.reconstruct(images))  # no draw
    generated = model.generate(7, seed=2)
    for result, count in ((decoded, 6), (reconstructed, 6), (generated, 7)):
        assert result.shape == (count, *SHAPE) and result.dtype == np.float32
        assert np.abs(result).max() <= 1 and result.std() > 0
    np.testing.assert_array_equal(generated, model.generate(7, seed=2))
    assert not np.array_equal(generated, model.generate(7, seed=3))
    logits = np.asarray(model.decoder(mean))
    np.testing.assert_allclose(decoded, 2 / (1 + np.exp(-logits)) - 1, atol=1e-6)


def test_a_saved_model_comes_back_whole_and_goes_on(tmp_path):
    model = build(seed=4, beta=2.0)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(pictures(16), batch_size=8, shuffle=False, verbose=0)
    model.save(tmp_path / "vae.keras")
    loaded = gan_keras.load(tmp_path / "vae.keras")
    assert (type(loaded), loaded.seed, loaded.beta) == (VAE, 4, 2.0)

    def state(one):
        return [np.array(v) for v in (*one.variables, *one.optimizer.variables)]

    for step in range(2):
        for a, b in zip(state(model), state(loaded), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(model.generate(3), loaded.generate(3))
        np.testing.assert_array_equal(model.reconstruct(pictures()), loaded.reconstruct(pictures()))
        assert int(loaded.step) == 2 + step
        for one in (model, loaded):
            one.fit(pictures(8, seed=1), batch_size=8, shuffle=False, verbose=0)


def test_float16_trains_with_a_scaled_loss():
    keras.config.set_dtype_policy("mixed_float16")
    model = build()
    model.compile(keras.optimizers.Adam(1e-3))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    before = [np.array(v) for v in model.trainable_variables]
    logs = model.fit(pictures(8), epochs=10, verbose=0).history
    assert np.isfinite(logs["elbo"]).all()
    after = [np.array(v) for v in model.trainable_variables]
    assert max(np.abs(a - b).max() for a, b in zip(before, after, strict=True)) > 1e-4


def test_a_short_training_raises_the_bound_on_held_out_digits():
    images, held_out = (from_uint8(load_digits(split=s)[0][::4]) for s in ("train", "test"))
    images = images[np.random.default_rng(0).permutation(len(images))]
    keras.utils.set_random_seed(0)
    model = VAE(build_encoder(latent_dim=4, base_filters=4), build_decoder((28, 28, 1), 4, 4))
    model.compile(keras.optimizers.Adam(3e-3))
    before = model.evaluate(held_out, verbose=0, return_dict=True)["elbo"]
    model.fit(images, batch_size=50, epochs=14, verbose=0)
    after = model.evaluate(held_out, verbose=0, return_dict=True)["elbo"]
    assert before == pytest.approx(-784 * np.log(2), rel=0.05)  # it knows nothing
    assert after > -200
    # the bound beats that of the best model without latents: each pixel's mean brightness
    mean = np.clip((np.mean(images, 0) + 1) / 2, 1e-3, 1 - 1e-3)
    pixels = (held_out + 1) / 2
    alone = (pixels * np.log(mean) + (1 - pixels) * np.log(1 - mean)).sum((1, 2, 3)).mean()
    assert after > alone

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy import stats

from gan_keras.algorithms import wgan_gp
from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.penalties import one_centred_penalty
from gan_keras.algorithms.randomness import DISCRIMINATOR, GENERATOR
from gan_keras.algorithms.wgan_gp import WGANGP
from gan_keras.layers.spectral_norm import power_iteration
from gan_keras.networks.adversarial_digits import build_critic, build_spectral_discriminator
from gan_keras.networks.digits import (
    build_conditional_generator,
    build_discriminator,
    build_generator,
)

SHAPE, PIXELS, LATENT_DIM = (2, 3, 1), 6, 4


def linear_generator():
    latents = keras.Input((LATENT_DIM,))
    flat = layers.Dense(PIXELS, use_bias=False)(latents)
    return keras.Model(latents, layers.Reshape(SHAPE)(flat))


def linear_critic():
    images = keras.Input(SHAPE)
    return keras.Model(images, layers.Dense(1, use_bias=False)(layers.Flatten()(images)))


def build(seed=1, **settings):
    keras.utils.set_random_seed(seed)
    return WGANGP(linear_generator(), linear_critic(), **settings)


def sgd(generator_rate=0.0, critic_rate=0.0):
    return keras.optimizers.SGD(generator_rate), keras.optimizers.SGD(critic_rate)


def images_of(count, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape)).astype(np.float32)


def copy(variables):
    return [np.array(v) for v in variables]


def test_the_penalty_has_one_norm_an_image():
    """D(x) = ½‖x‖² has slope x: norms 3 and 0.5 cost 4 and 0.25."""
    images = np.zeros((2, *SHAPE), np.float32)
    images[0, 0, 0], images[0, 1, 2], images[1, 0, 1] = np.sqrt(5), -2, 0.5

    def judge(x):
        return 0.5 * tf.reduce_sum(tf.square(x), axis=(1, 2, 3))[:, None]

    value = one_centred_penalty(judge, tf.constant(images))
    assert value.dtype == tf.float32
    assert float(value) == pytest.approx((4 + 0.25) / 2, rel=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_zero_critic_has_a_penalty_of_one_and_a_finite_gradient(policy):
    keras.config.set_dtype_policy(policy)
    network = build_critic((8, 8, 1), base_filters=2)
    for variable in network.trainable_variables:
        variable.assign(tf.zeros(variable.shape))
    network.get_layer("down_1").kernel.assign(tf.ones((4, 4, 1, 2)))  # dead only further on
    with tf.GradientTape() as tape:
        value = one_centred_penalty(network, tf.constant(images_of(3, shape=(8, 8, 1))))
    kernels = [layer.kernel.value for layer in network.layers if hasattr(layer, "kernel")]
    gradients = tape.gradient(value, kernels)
    assert float(value) == pytest.approx(1, abs=1e-5)
    assert len(gradients) == 4 and all(np.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("updates", [1, 3])
def test_a_step_by_hand(updates):
    """A linear critic w·x: each update sees the next part of the batch; G moves once, at the end.

    Its loss is w·(mean x̃ − mean x) + λ(‖w‖ − 1)², wherever x̂ lies.
    """
    rates, weight, count = (0.2, 0.05), 3.0, 2
    model = build(n_critic=updates, penalty_weight=weight)
    model.compile(*sgd(*rates))
    real = images_of(updates * count) + np.arange(updates).repeat(count)[:, None, None, None]
    latents = model.random_normal((updates * count, LATENT_DIM), DISCRIMINATOR).numpy()
    new_latents = model.random_normal((count, LATENT_DIM), GENERATOR).numpy()
    a = np.array(model.generator.layers[1].kernel, np.float64)  # G(z) = zA
    w = np.array(model.discriminator.layers[-1].kernel, np.float64)[:, 0]
    for update in range(updates):
        part = slice(update * count, (update + 1) * count)
        difference = (latents[part] @ a).mean(0) - real[part].reshape(count, -1).mean(0)
        norm = np.linalg.norm(w)
        loss, penalty = w @ difference, (norm - 1) ** 2
        w = w - rates[1] * (difference + weight * 2 * (norm - 1) * w / norm)
    generator_loss = -(new_latents @ a @ w).mean()
    a = a + rates[0] * np.outer(new_latents.mean(0), w)

    logs = {k: float(v) for k, v in model.train_step((tf.constant(real, tf.float32),)).items()}
    np.testing.assert_allclose(model.discriminator.layers[-1].kernel[:, 0], w, atol=1e-5)
    np.testing.assert_allclose(model.generator.layers[1].kernel, a, atol=1e-5)
    expected = {"discriminator_loss": loss, "generator_loss": generator_loss, "penalty": penalty}
    assert logs == pytest.approx(expected, abs=1e-5)
    assert int(model.step) == 1
    assert int(model.generator_optimizer.iterations) == 1
    assert int(model.discriminator_optimizer.iterations) == updates


def test_points_between_have_one_uniform_share_an_image(monkeypatch):
    seen = []

    def spy(judge, images):
        seen.append(images.numpy())
        return one_centred_penalty(judge, images)

    monkeypatch.setattr(wgan_gp, "one_centred_penalty", spy)
    model = build(n_critic=2)
    model.compile(*sgd())
    real = images_of(2 * 300)
    steps = []
    for step in range(2):
        latents = model.random_normal((2 * 300, LATENT_DIM), DISCRIMINATOR)
        fake = model.generator(latents).numpy()
        model.train_step((tf.constant(real),))
        between = np.concatenate(seen[2 * step :])
        assert len(seen) == 2 * step + 2
        offset, whole = (x.reshape(len(real), -1) for x in (between - fake, real - fake))
        shares = (offset * whole).sum(1) / (whole * whole).sum(1)
        np.testing.assert_allclose(offset, shares[:, None] * whole, atol=1e-5)  # on the segment
        assert shares.min() >= -1e-5 and shares.max() <= 1 + 1e-5
        assert stats.kstest(shares, "uniform").pvalue > 0.01
        assert abs(np.corrcoef(shares[:300], shares[300:])[0, 1]) < 0.2  # the two updates
        steps.append(shares)
    assert abs(np.corrcoef(*steps)[0, 1]) < 0.15


def test_images_that_do_not_divide_are_left_out():
    weights = []
    for count in (6, 8):  # 3 updates of 2 images each
        model = build(n_critic=3)
        model.compile(*sgd(0.1, 0.1))
        model.train_step((tf.constant(images_of(8)[:count]),))
        weights.append(copy(model.variables))
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_update_without_the_penalty_is_the_gan_of_the_same_loss():
    shape, results = (8, 8, 1), []
    for algorithm, settings in ((WGANGP, {"n_critic": 1, "penalty_weight": 0.0}), (DCGAN, {})):
        keras.utils.set_random_seed(1)
        networks = build_generator(shape, LATENT_DIM, 2), build_critic(shape, 2)
        model = algorithm(*networks, **settings)
        model.compile(*sgd(0.1, 0.1), loss="wasserstein")
        before = copy(model.trainable_variables)
        model.train_step((tf.constant(images_of(4, shape=shape)),))
        results.append(copy(model.trainable_variables))
    for x, y in zip(*results, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-7)
    moved = [(x != start).any() for x, start in zip(results[0], before, strict=True)]
    assert sum(moved) >= len(moved) - 1  # the last bias cancels


def test_the_penalty_pulls_the_slope_to_one():
    model = build(n_critic=1)
    model.compile(*sgd(0.0, 0.04))
    same = images_of(4)
    model.generator.layers[1].kernel.assign(tf.zeros((LATENT_DIM, PIXELS)))
    for start in (0.1, 5.0):
        kernel = model.discriminator.layers[-1].kernel
        kernel.assign(kernel / tf.norm(kernel.value) * start)
        for _ in range(9):  # each leaves 1 − 2·λ·0.04 = 0.2 of the distance
            model.train_step((tf.constant(0 * same),))  # real and generated images agree
        assert np.linalg.norm(kernel) == pytest.approx(1, abs=1e-3)


def test_batch_normalisation_in_the_critic_is_refused():
    with pytest.raises(ValueError, match="batch normalisation"):
        WGANGP(build_generator((8, 8, 1), 4, 2), build_discriminator((8, 8, 1), 2))


def test_a_loss_without_labels_cannot_be_smoothed():
    with pytest.raises(ValueError, match="'wasserstein' has no labels"):
        build().compile(*sgd(), label_smoothing=0.1)


SMALL = (8, 8, 1)


def build_small(critic=build_critic, **settings):
    keras.utils.set_random_seed(1)
    model = WGANGP(build_generator(SMALL, 5, 2), critic(SMALL, 2), **settings)
    model.compile(*sgd(0.01, 0.01), jit_compile=False)
    return model


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_last_batch_of_few_images_does_no_harm(jit_compile):
    model = build_small(n_critic=3)
    model.compile(*sgd(0.01, 0.01), jit_compile=jit_compile)
    logs = model.fit(images_of(7, shape=SMALL), batch_size=6, shuffle=False, verbose=0).history
    assert np.isfinite([v[0] for v in logs.values()]).all()
    assert all(np.isfinite(v).all() for v in copy(model.variables))


def test_evaluation_reports_no_penalty_that_it_did_not_measure():
    model = build_small(n_critic=2)
    keys = set(model.evaluate(images_of(6, shape=SMALL), verbose=0, return_dict=True))
    assert keys == {"discriminator_loss", "generator_loss"}


def test_a_spectral_critic_has_one_power_iteration_an_update():
    model = build_small(build_spectral_discriminator, n_critic=3)
    model.compile(*sgd(), jit_compile=False)
    expected = keras.models.clone_model(model.discriminator)
    expected.set_weights(model.discriminator.get_weights())
    for _ in range(3):
        power_iteration(expected)
    model.train_step((tf.constant(images_of(6, shape=SMALL)),))
    for a, b in zip(model.discriminator.variables, expected.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_players_with_and_without_labels_do_not_play():
    generator = build_conditional_generator(SMALL, 5, 2)
    with pytest.raises(ValueError, match="labels"):
        WGANGP(generator, build_critic(SMALL, 2))

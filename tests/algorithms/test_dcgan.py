import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import gan_keras
from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.penalties import zero_centred_penalty
from gan_keras.algorithms.randomness import DISCRIMINATOR
from gan_keras.algorithms.wgan_gp import WGANGP
from gan_keras.networks.adversarial_digits import build_critic
from gan_keras.networks.digits import build_generator

SHAPE, BATCH, LATENT_DIM, RATE = (8, 8, 1), 4, 5, 0.1


def images_of(count=BATCH, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape)).astype(np.float32)


def linear_discriminator():
    images = keras.Input(SHAPE)
    return keras.Model(images, layers.Dense(1)(layers.Flatten()(images)))


def build(discriminator=linear_discriminator, **settings):
    keras.utils.set_random_seed(1)
    model = DCGAN(build_generator(SHAPE, LATENT_DIM, base_filters=2), discriminator(), **settings)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(RATE))
    return model


def kernel_of(model):
    return np.array(model.discriminator.layers[-1].kernel, np.float64)


def copy(variables):
    return [np.array(v) for v in variables]


# R₁


def test_r1_by_hand():
    """½‖w‖² where D is linear; ½‖x‖² where D(x) = ½‖x‖²: averaged over images."""
    images = tf.constant(images_of())
    weights = images_of(1, seed=1)
    linear = zero_centred_penalty(lambda x: tf.reduce_sum(weights * x, (1, 2, 3)), images)
    assert float(linear) == pytest.approx(0.5 * np.sum(weights**2), rel=1e-5)
    square = zero_centred_penalty(lambda x: 0.5 * tf.reduce_sum(x * x, (1, 2, 3)), images)
    assert float(square) == pytest.approx(0.5 * np.sum(images**2) / BATCH, rel=1e-5)
    assert linear.dtype == tf.float32
    flat = zero_centred_penalty(lambda x: 0 * tf.reduce_sum(x, (1, 2, 3)), images)
    assert float(flat) == 0


@pytest.mark.parametrize(("step", "every"), [(0, 1), (1, 1), (0, 3), (1, 3), (2, 3), (3, 3)])
def test_r1_is_taken_each_so_many_steps_and_that_much_stronger(step, every):
    """The gradient of γ·½‖w‖² is γw: it shrinks w by that much, beside the plain step."""
    weight, kernels, logs = 0.2, [], []
    for settings in ({}, {"r1_weight": weight, "r1_every": every}):
        model = build(**settings)
        model.step.assign(step)
        before = kernel_of(model)
        logs.append(model.train_step((tf.constant(images_of()),)))
        kernels.append(kernel_of(model))
    strength = every * weight if step % every == 0 else 0
    np.testing.assert_allclose(kernels[1], kernels[0] - RATE * strength * before, atol=1e-6)
    assert np.abs(kernels[0] - before).max() > 1e-3
    if not strength:
        np.testing.assert_array_equal(*kernels)
    losses = [float(log["discriminator_loss"]) for log in logs]
    assert losses[0] == losses[1]  # what is reported is the game's loss alone


def test_r1_is_measured_at_real_images():
    """D(x) = ½‖s·x‖², s a scale a pixel: R₁ is the mean of ½Σ s⁴x²."""

    class Quadratic(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=shape[1:], initializer="ones", name="scale")

        def call(self, x):
            return 0.5 * tf.reduce_sum(tf.square(self.scale * x), (1, 2, 3))[:, None]

    def quadratic():
        images = keras.Input(SHAPE)
        return keras.Model(images, Quadratic()(images))

    scales = []
    for weight in (0.0, 0.3):
        model = build(quadratic, r1_weight=weight, r1_every=1)
        model.train_step((tf.constant(images_of()),))
        scales.append(np.array(model.discriminator.layers[-1].scale))
    gradient = 0.3 * 2 * np.square(images_of()).mean(0)  # of ½s⁴x² at s = 1
    np.testing.assert_allclose(scales[1], scales[0] - RATE * gradient, atol=1e-6)


def test_r1_under_xla_is_taken_in_the_same_steps():
    states = []
    for options in ({"run_eagerly": True, "jit_compile": False}, {"jit_compile": True}):
        model = build(lambda: build_critic(SHAPE, base_filters=2), r1_weight=1.0, r1_every=2)
        sgd = keras.optimizers.SGD
        model.compile(sgd(0.01), sgd(0.01), **options)
        model.fit(images_of(3 * BATCH), batch_size=BATCH, shuffle=False, verbose=0)
        states.append(copy(model.trainable_variables))
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_settings_survive_saving(tmp_path):
    model = build(r1_weight=0.3, r1_every=7, augmentation=("cutout", "colour"))
    sgd = keras.optimizers.SGD
    model.compile(sgd(), sgd(), loss="saturating", label_smoothing=0.1)
    model.save(tmp_path / "model.keras")
    loaded = gan_keras.load(tmp_path / "model.keras")
    assert (loaded.r1_weight, loaded.r1_every) == (0.3, 7)
    assert loaded.augmentation == ("cutout", "colour")
    assert (loaded.adversarial_loss, loaded.label_smoothing) == ("saturating", 0.1)
    results = [m.train_step((tf.constant(images_of()),)) for m in (model, loaded)]
    assert results[0] == results[1]
    for a, b in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_settings_of_wgan_gp_survive_saving(tmp_path):
    networks = build_generator(SHAPE, LATENT_DIM, base_filters=2), build_critic(SHAPE, 2)
    model = WGANGP(*networks, n_critic=2, penalty_weight=3.0, augmentation=("translation",))
    model.compile("sgd", "sgd")
    model.save(tmp_path / "model.keras")
    loaded = gan_keras.load(tmp_path / "model.keras")
    assert type(loaded) is WGANGP
    assert (loaded.n_critic, loaded.penalty_weight) == (2, 3.0)
    assert (loaded.augmentation, loaded.adversarial_loss) == (("translation",), "wasserstein")


# label smoothing


def test_smoothing_teaches_the_discriminator_that_real_is_less_than_one():
    """Against gradients from the definition: −(1 − s)·log σ(a) − s·log(1 − σ(a)) for real."""
    smoothing, images = 0.25, images_of()
    model = build()
    sgd = keras.optimizers.SGD
    model.compile(sgd(0.0), sgd(RATE), label_smoothing=smoothing)
    latents = model.random_normal((BATCH, LATENT_DIM), DISCRIMINATOR)
    fake = model.generator(latents, training=True).numpy()
    w, dense = kernel_of(model)[:, 0], model.discriminator.layers[-1]
    real, fake = (x.reshape(BATCH, -1).astype(np.float64) for x in (images, fake))
    real_sigma, fake_sigma = (1 / (1 + np.exp(-x @ w)) for x in (real, fake))
    model.train_step((tf.constant(images),))
    slopes = (real_sigma - (1 - smoothing)) @ real + fake_sigma @ fake
    np.testing.assert_allclose(dense.kernel[:, 0], w - RATE * slopes / BATCH, atol=1e-5)
    bias = np.mean(real_sigma - (1 - smoothing)) + np.mean(fake_sigma)
    np.testing.assert_allclose(dense.bias, [-RATE * bias], atol=1e-5)


@pytest.mark.parametrize("loss", ["hinge", "wasserstein"])
def test_smoothing_is_refused_where_a_loss_has_no_labels(loss):
    model = build()
    with pytest.raises(ValueError, match=f"'{loss}' has no labels"):
        model.compile("sgd", "sgd", loss=loss, label_smoothing=0.1)
    model.compile("sgd", "sgd", loss=loss)


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_smoothing_outside_its_range_is_refused(value):
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        build().compile("sgd", "sgd", label_smoothing=value)

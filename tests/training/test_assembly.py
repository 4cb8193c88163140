"""From a recipe to rates, builders and batches."""

import math

import numpy as np
import pytest
import tensorflow as tf

from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.wgan_gp import WGANGP
from gan_keras.layers.spectral_norm import SpectralConv2D
from gan_keras.recipes import get_recipe
from gan_keras.training import assembly
from gan_keras.training.assembly import build_model, compile_model, load_data

RATE, STEPS = 0.01, 100


def recipe(**changes):
    settings = {"network": {"latent_dim": 4, "base_filters": 2}, "discriminator": SMALL}
    settings |= {"learning_rate": RATE, "steps_per_epoch": STEPS // 4, "epochs": 4}
    return get_recipe("dcgan").replace(**(settings | changes))


SMALL = {"base_filters": 2}


def compiled(**changes):
    model = build_model(recipe(**changes))
    compile_model(model, recipe(**changes), jit_compile=False)
    return model


def rate_at(optimizer, step):
    optimizer.iterations.assign(step)
    return float(optimizer.learning_rate)


def rates(optimizer):
    return [rate_at(optimizer, step) for step in (0, STEPS // 2, STEPS)]


def test_a_linear_schedule_halves_half_way_and_ends_at_zero():
    model = compiled(schedule="linear")
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        assert rates(optimizer) == pytest.approx([RATE, RATE / 2, 0], abs=1e-9)


def test_a_cosine_schedule_warms_up_and_ends_at_zero():
    optimizer = compiled(schedule="cosine").generator_optimizer
    assert rate_at(optimizer, 0) == 0
    assert rate_at(optimizer, 1) == pytest.approx(RATE / 2)  # 2 % of the steps are two
    assert rate_at(optimizer, 2) == pytest.approx(RATE)
    assert rate_at(optimizer, 2 + 49) == pytest.approx(RATE / 2, rel=1e-5)
    assert rate_at(optimizer, 2 + 24) == pytest.approx(
        RATE * (1 + math.cos(math.pi * 24 / 98)) / 2, rel=1e-5
    )
    assert rate_at(optimizer, STEPS) == pytest.approx(0, abs=1e-9)


def test_each_player_may_have_its_own_rate():
    model = compiled(discriminator_learning_rate=4 * RATE, schedule="linear", beta_2=0.9)
    assert rates(model.generator_optimizer)[:2] == pytest.approx([RATE, RATE / 2])
    assert rates(model.discriminator_optimizer)[:2] == pytest.approx([4 * RATE, 2 * RATE])
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.9)
    model = compiled()
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        assert rates(optimizer) == pytest.approx(3 * [RATE])


def test_loss_and_smoothing_reach_the_model():
    model = compiled(loss="least_squares", label_smoothing=0.2)
    assert (model.adversarial_loss, model.label_smoothing) == ("least_squares", 0.2)


def test_builders_by_name():
    spectral = {"builder": "build_spectral_discriminator", **SMALL}
    model = build_model(recipe(discriminator=spectral))
    assert type(model) is DCGAN
    assert sum(isinstance(layer, SpectralConv2D) for layer in model.discriminator.layers) == 3
    model = build_model(recipe(algorithm="wgan_gp", algorithm_settings={"n_critic": 3}))
    assert (type(model), model.n_critic, model.discriminator.name) == (WGANGP, 3, "critic")
    with pytest.raises(ValueError, match="no builder 'build_castle'"):
        build_model(recipe(network={"builder": "build_castle"}))


def test_a_batch_of_wgan_gp_holds_the_images_of_all_updates():
    settings = {"n_critic": 3}
    batches, _, _ = load_data(recipe(algorithm="wgan_gp", algorithm_settings=settings))
    (images,) = batches[0]
    assert images.shape == (3 * recipe().batch_size, 28, 28, 1)


def test_recipes_with_classes_have_labels():
    labels = {"builder": "build_projection_discriminator", "classes": 10, **SMALL}
    generator = {"builder": "build_conditional_generator", "classes": 10, "base_filters": 2}
    conditional = recipe(network=generator, discriminator=labels)
    batches, validation, _ = load_data(conditional)
    images, numbers = batches[0]
    assert len(images) == len(numbers) == conditional.batch_size
    assert set(numbers) <= set(range(10)) and len(validation) == 2
    model = build_model(conditional)
    compile_model(model, conditional, jit_compile=False)
    assert model.classes == 10
    model.train_step((tf.constant(images), tf.constant(numbers)))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_schedule_of_a_critic_counts_all_its_updates(schedule):
    settings = {"n_critic": 5}
    model = compiled(algorithm="wgan_gp", algorithm_settings=settings, schedule=schedule)
    for share in (0.1, 0.5, 1.0):
        model.generator_optimizer.iterations.assign(int(STEPS * share))
        model.discriminator_optimizer.iterations.assign(int(5 * STEPS * share))
        rates = [
            float(optimizer.learning_rate)
            for optimizer in (model.generator_optimizer, model.discriminator_optimizer)
        ]
        assert rates[0] == pytest.approx(rates[1], rel=1e-3, abs=1e-9)


def test_the_metric_of_a_clean_photograph_is_finite():
    """A running mean with one infinite value is infinite for the rest of its epoch."""
    target = np.linspace(-1, 1, 2 * 4 * 4 * 3, dtype=np.float32).reshape(2, 4, 4, 3)
    degraded = target + np.float32([0, 0.2])[:, None, None, None]
    np.testing.assert_allclose(assembly.psnr(target, degraded), [100, 20], atol=1e-3)

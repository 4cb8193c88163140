"""Draws must not depend on how a step is run: the draws themselves, not only what follows."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from gan_keras.algorithms.randomness import GENERATOR
from gan_keras.algorithms.vae import VAE
from gan_keras.networks.digits import build_decoder, build_encoder


@pytest.fixture
def model():
    return VAE(build_encoder((8, 8, 1), 4, 2), build_decoder((8, 8, 1), 4, 2), seed=5)


@pytest.mark.parametrize("kind", ["random_normal", "random_uniform"])
def test_draws_agree_in_eager_graph_and_xla(model, kind):
    """The step is a variable: with a constant, XLA's compiler would draw as eager mode does."""

    def draw(images):
        return getattr(model, kind)(tf.shape(images), GENERATOR)

    images = tf.zeros((3, 7, 5, 1))
    for step in (0, 12345):
        model.step.assign(step)
        eager = draw(images).numpy()
        assert eager.dtype == np.float32 and eager.shape == images.shape
        np.testing.assert_array_equal(eager, tf.function(draw)(images))
        np.testing.assert_allclose(eager, tf.function(draw, jit_compile=True)(images), atol=5e-6)


def test_draws_have_their_distribution(model):
    normal = model.random_normal((20_000,), GENERATOR).numpy()
    uniform = model.random_uniform((20_000,), GENERATOR).numpy()
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert uniform.min() >= 0 and uniform.max() < 1
    assert np.isfinite(normal).all() and np.abs(normal).max() > 3
    assert abs(np.corrcoef(normal, uniform)[0, 1]) < 0.03
    assert abs(np.corrcoef(normal[1:], normal[:-1])[0, 1]) < 0.03

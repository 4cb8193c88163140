"""The fused batch normalisation computes what Keras' does."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from gan_keras.layers.batch_norm import FusedBatchNormalization, fuse_batch_norm
from gan_keras.networks.digits import build_encoder, build_generator

SHAPE = (6, 5, 4, 3)


def images(seed=0, shape=SHAPE):
    values = np.random.default_rng(seed).normal(1.5, 2.0, shape)
    return tf.constant(values, tf.float32)


def results(layer, dtype="float32", jit_compile=False):
    """Return outputs, gradients, a gradient of the gradient, and the moving statistics."""
    layer.build(SHAPE)
    layer.gamma.assign([0.5, 1.0, -2.0])
    layer.beta.assign([1.0, 0.0, 3.0])
    weights = images(1)

    @tf.function(jit_compile=jit_compile)
    def compute(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                outputs = layer(tf.cast(x, layer.compute_dtype), training=True)
                loss = tf.reduce_sum(tf.sin(weights * tf.cast(outputs, tf.float32)))
            slopes = inner.gradient(loss, [x, layer.gamma.value, layer.beta.value])
            penalty = tf.reduce_sum(slopes[0] ** 2)
        return [outputs, *slopes, outer.gradient(penalty, x)]

    values = [tf.cast(value, tf.float32).numpy() for value in compute(images())]
    return [*values, *layer.get_weights()[2:]]


def test_moments_by_hand():
    layer = FusedBatchNormalization(momentum=0.9, epsilon=0.01)
    x = images()
    outputs = layer(x, training=True).numpy()
    mean, variance = np.mean(x, (0, 1, 2)), np.var(x, (0, 1, 2))  # divided by N
    np.testing.assert_allclose(outputs, (x - mean) / np.sqrt(variance + 0.01), atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_it_is_keras_with_its_gradients(jit_compile):
    ours = results(FusedBatchNormalization(), jit_compile=jit_compile)
    for a, b in zip(ours, results(layers.BatchNormalization()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(b).max())


def test_in_bfloat16_it_is_as_near_to_float32_as_keras():
    exact = results(layers.BatchNormalization())
    ours, keras_own = (
        results(kind(dtype="mixed_bfloat16"))
        for kind in (FusedBatchNormalization, layers.BatchNormalization)
    )
    for value, near, other in list(zip(exact, ours, keras_own, strict=True))[:2]:
        assert np.abs(near - value).mean() < 1.2 * np.abs(other - value).mean() + 1e-6


@pytest.mark.parametrize("options", [{"scale": False}, {"renorm": True}, {"axis": 1}], ids=str)
def test_what_cannot_be_fused_is_keras(options):
    ours, keras_own = FusedBatchNormalization(**options), layers.BatchNormalization(**options)
    for layer in (ours, keras_own):
        layer.build(SHAPE)
    for training in (True, False):
        a, b = (np.array(layer(images(), training=training)) for layer in (ours, keras_own))
        np.testing.assert_array_equal(a, b)


def test_without_training_it_uses_what_it_remembers():
    layer = FusedBatchNormalization()
    layer(images(), training=True)
    one, both = layer(images()[:1], training=False), layer(images(), training=False)
    np.testing.assert_allclose(one[0], both[0], atol=1e-6)
    layer.trainable = False  # as Keras has it: frozen means inference
    before = layer.get_weights()
    np.testing.assert_allclose(layer(images(), training=True), both, atol=1e-6)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_network_is_copied_with_names_and_weights(randomise):
    network = randomise(build_generator((8, 8, 1), 5, 2))
    copy = fuse_batch_norm(network)
    kinds = [type(layer) for layer in copy.layers]
    assert kinds.count(FusedBatchNormalization) == 2 and layers.BatchNormalization not in kinds
    assert [layer.name for layer in copy.layers] == [layer.name for layer in network.layers]
    latents = keras.random.normal((4, 5), seed=0)
    for training in (False, True):
        a, b = (np.array(net(latents, training=training)) for net in (network, copy))
        np.testing.assert_allclose(a, b, atol=1e-5)
    encoder = build_encoder((8, 8, 1), 2, 2)
    assert fuse_batch_norm(encoder) is encoder

"""Tiles inside a graph equal the whole, and the tiles of `restoration`."""

import numpy as np
import pytest

SIZES = [(1, 1), (1, 200), (37, 53), (96, 64), (129, 70)]


@pytest.fixture(scope="module")
def tiled_restorer(restorer):
    """Return the restorer over tiles of 32 pixels, as one graph for all sizes."""
    import tensorflow as tf

    from gan_keras.networks.receptive_field import receptive_field
    from gan_keras.serving.tiling import apply_tiled

    return tf.function(
        lambda image: apply_tiled(restorer, image, *receptive_field(restorer), tile=32),
        [tf.TensorSpec((None, None, 3))],
        autograph=False,
    )


@pytest.mark.parametrize("size", SIZES)
def test_tiles_equal_the_whole(restorer, tiled_restorer, size):
    from gan_keras.networks.receptive_field import receptive_field
    from gan_keras.restoration import tiling as outside

    image = np.random.default_rng(0).uniform(-1, 1, (*size, 3)).astype(np.float32)
    field, stride = receptive_field(restorer)
    tiled = tiled_restorer(image)
    padding = [(0, -side % stride) for side in size] + [(0, 0)]
    whole = restorer(np.pad(image, padding, "reflect")[None], training=False)[0]
    np.testing.assert_allclose(tiled, whole[: size[0], : size[1]], atol=1e-5)
    assert np.abs(tiled - image).max() > 0.01, "a network that does nothing proves nothing"
    numpy_tiled = np.empty_like(image)
    window = lambda samples: restorer(samples[None], training=False)[0].numpy()  # noqa: E731
    outside.apply_tiled(window, image, numpy_tiled, field, stride, tile=32)
    np.testing.assert_allclose(tiled, numpy_tiled, atol=1e-6)


def test_tiles_of_a_network_that_enlarges(randomise):
    import keras
    import tensorflow as tf

    from gan_keras.networks.receptive_field import receptive_field
    from gan_keras.serving.tiling import apply_tiled

    images = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(4, 5, padding="same", activation="relu")(images)
    larger = keras.layers.Conv2DTranspose(3, 4, 2, "same")(features)
    network = randomise(keras.Model(images, larger))
    image = np.random.default_rng(0).uniform(-1, 1, (50, 41, 3)).astype(np.float32)
    tiled = apply_tiled(network, tf.constant(image), *receptive_field(network), tile=16)
    assert tiled.shape == (100, 82, 3)
    np.testing.assert_allclose(tiled, network(image[None])[0], atol=1e-5)

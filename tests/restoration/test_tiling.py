import keras
import numpy as np
import pytest
from keras import layers

import gan_keras
from gan_keras.algorithms.pix2pix import Pix2Pix
from gan_keras.data.ranges import from_uint8
from gan_keras.errors import UserError
from gan_keras.networks.digits import build_classifier, build_discriminator, build_generator
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.receptive_field import receptive_field
from gan_keras.networks.restorer import build_restorer
from gan_keras.networks.unet import build_unet
from gan_keras.restoration import tiling
from gan_keras.restoration.enhancer import Enhancer
from gan_keras.restoration.tiling import restore_tiled

SIZES = [(1, 1), (7, 5), (65, 130), (200, 120)]
NETWORKS = {
    "restorer": lambda: build_restorer(filters=(4, 5), blocks=(1, 1)),
    "deep restorer": lambda: build_restorer(filters=(3, 4, 4), blocks=(1, 1, 1)),
    "unet": lambda: build_unet(base_filters=4, depth=2),
    "pix2pix": lambda: (
        Pix2Pix(
            build_unet(base_filters=3, depth=3), build_patchgan(base_filters=2, downsamplings=1)
        ).averaged_generator
    ),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, randomise):
    built = NETWORKS[request.param]()
    built.trainable = True
    return randomise(built)


@pytest.fixture(scope="module")
def enhancer(restorer_file):
    return Enhancer.load(restorer_file)


def picture(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def whole(network, image):
    """Apply a network at once, to the image reflected to a multiple of its stride."""
    _, stride = receptive_field(network)
    height, width = image.shape[:2]
    rows = [*range(height), *(reflected(i, height) for i in range(height, height + stride))]
    columns = [*range(width), *(reflected(i, width) for i in range(width, width + stride))]
    rows = rows[: -(-height // stride) * stride]
    columns = columns[: -(-width // stride) * stride]
    return np.asarray(network(image[rows][:, columns][None], training=False))[0, :height, :width]


def reflected(index, size):
    period = max(1, 2 * size - 2)
    index %= period
    return index if index < size else period - index


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tile", [16, 50, 96, 384])
def test_tiles_equal_the_whole(network, size, tile):
    image = picture(*size, 3)
    expected = whole(network, image)
    result = restore_tiled(network, image, tile=tile)
    assert result.shape == image.shape and result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-5 * max(1, np.abs(expected).max()))
    assert np.abs(expected - image).max() > 0.05  # the network does something


def test_the_halo_is_needed(network, monkeypatch):
    """Without the receptive field's width the tiles are wrong: the test above can fail."""
    image = picture(96, 96, 3)
    expected = whole(network, image)
    _, stride = receptive_field(network)
    monkeypatch.setattr(tiling, "receptive_field", lambda _: (1, stride))
    assert np.abs(restore_tiled(network, image, tile=16) - expected).max() > 1e-3


def test_progress_is_reported_tile_by_tile(network):
    shares = []
    restore_tiled(network, picture(40, 70, 3), tile=32, on_tile=shares.append)
    assert shares == pytest.approx([i / 6 for i in range(1, 7)])


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.GroupNormalization(groups=-1),
        lambda: layers.LayerNormalization(),
        lambda: layers.UnitNormalization(),
    ],
)
def test_a_network_that_reads_the_whole_image_is_refused(layer):
    images = keras.Input((None, None, 3))
    network = keras.Model(images, layer()(layers.Conv2D(3, 3, padding="same")(images)))
    with pytest.raises(ValueError, match="no local receptive field"):
        restore_tiled(network, picture(8, 8, 3))
    with pytest.raises(UserError, match="no local receptive field"):
        Enhancer(network)


@pytest.mark.parametrize("shape", [(20, 13, 3), (20, 13, 1), (20, 13), (1, 1, 3), (1, 1)])
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64", "float16"])
def test_shape_and_type_are_kept(enhancer, shape, kind):
    image = picture(*shape)
    if kind == "uint8":
        image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    else:
        image = image.astype(kind)
    before = image.copy()
    restored = enhancer(image)
    assert restored.shape == shape
    assert restored.dtype == (np.uint8 if kind == "uint8" else np.float32)
    assert restored.std() > 0 or restored.size <= 3
    if kind != "uint8":
        assert np.abs(restored).max() <= 1
    np.testing.assert_array_equal(image, before)


def test_values_are_those_of_the_network(enhancer):
    image = np.random.default_rng(1).integers(0, 256, (24, 16, 3), np.uint8)
    expected = np.clip(whole(enhancer.network, from_uint8(image)), -1, 1)
    np.testing.assert_allclose(enhancer(from_uint8(image)), expected, atol=1e-5)
    levels = np.round((expected + 1) * 127.5)
    assert np.abs(enhancer(image).astype(int) - levels).max() <= 1
    assert (np.abs(expected) == 1).any()  # some are clipped here
    grey = image[..., 0]
    colour = np.repeat(grey[..., None], 3, axis=2)
    expected = np.clip(whole(enhancer.network, from_uint8(colour)), -1, 1).mean(2)
    np.testing.assert_allclose(enhancer(from_uint8(grey)), expected, atol=1e-5)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 2), np.float32),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.int32),
        np.zeros((4, 4, 3), bool),
        np.zeros((4, 4, 3), np.uint16),
        "a path",
    ],
    ids=["RGBA", "two channels", "batch", "vector", "empty", "int32", "bool", "uint16", "text"],
)
def test_other_arrays_are_refused_in_one_line(enhancer, image):
    with pytest.raises(UserError, match="is wanted") as error:
        enhancer(image)
    assert "\n" not in str(error.value)


def compiled(model, *optimizers):
    model.compile(*optimizers)
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: build_classifier(base_filters=2),
        lambda: build_discriminator(base_filters=2),
        lambda: build_generator(latent_dim=4, base_filters=2),
        lambda: build_patchgan(base_filters=2),
        lambda: compiled(
            gan_keras.DCGAN(
                build_generator(latent_dim=4, base_filters=2), build_discriminator(base_filters=2)
            ),
            "adam",
            "adam",
        ),
    ],
    ids=["classifier", "discriminator", "generator", "patchgan", "dcgan"],
)
def test_models_that_are_no_enhancers(make, tmp_path):
    make().save(tmp_path / "model.keras")
    with pytest.raises(UserError, match="restorer or a pix2pix") as error:
        Enhancer.load(tmp_path / "model.keras")
    assert "\n" not in str(error.value)


def test_a_vae_is_no_enhancer(tmp_path):
    from gan_keras.networks.digits import build_decoder, build_encoder

    model = gan_keras.VAE(build_encoder(base_filters=2), build_decoder(base_filters=2))
    compiled(model).save(tmp_path / "vae.keras")
    with pytest.raises(UserError, match="no enhancer"):
        Enhancer.load(tmp_path / "vae.keras")


@pytest.mark.parametrize("shape", [(None, None, 1), (32, 32, 3)], ids=["grey", "one size"])
def test_networks_for_other_pictures_are_refused(shape):
    """Not when the first photograph comes, with the error of some layer."""
    with pytest.raises(UserError):
        Enhancer(build_restorer(shape, filters=(2,), blocks=(1,)))


def test_a_pix2pix_model_enhances_with_its_average(tmp_path, randomise):
    generator = randomise(build_restorer(filters=(2,), blocks=(1,)))
    model = Pix2Pix(generator, build_patchgan(base_filters=2, downsamplings=1))
    randomise(model.generator, seed=1)  # the latest weights, which are not to be used
    compiled(model, "adam", "adam").save(tmp_path / "model.keras")
    enhancer = Enhancer.load(tmp_path / "model.keras")
    image = picture(12, 12, 3)
    expected = np.clip(whole(model.averaged_generator, image), -1, 1)
    np.testing.assert_allclose(enhancer(image), expected, atol=1e-6)
    assert np.abs(expected - np.clip(whole(model.generator, image), -1, 1)).max() > 0.01

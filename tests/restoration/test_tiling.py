import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import gan_keras
from gan_keras.algorithms.pix2pix import Pix2Pix
from gan_keras.data.ranges import from_uint8
from gan_keras.errors import UserError
from gan_keras.networks.digits import build_classifier, build_discriminator, build_generator
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.receptive_field import receptive_field
from gan_keras.networks.restorer import build_inpainter, build_restorer, build_super_resolver
from gan_keras.networks.unet import build_unet
from gan_keras.restoration.changes import map_of_changes
from gan_keras.restoration.enhancer import Enhancer
from gan_keras.restoration.files import Picture
from gan_keras.restoration.tiling import apply_tiled

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


def whole(network, image, scale=1):
    """Apply a network at once, to the image reflected to a multiple of its stride."""
    _, stride = receptive_field(network)
    height, width = image.shape[:2]
    rows = [*range(height), *(reflected(i, height) for i in range(height, height + stride))]
    columns = [*range(width), *(reflected(i, width) for i in range(width, width + stride))]
    rows = rows[: -(-height // stride) * stride]
    columns = columns[: -(-width // stride) * stride]
    output = np.asarray(network(image[rows][:, columns][None], training=False))[0]
    return output[: scale * height, : scale * width]


def tiled(network, image, scale=1, field=None, **options):
    """Apply a network tile by tile; `field` replaces its receptive field."""
    own, stride = receptive_field(network)
    result = np.empty((scale * image.shape[0], scale * image.shape[1], 3), np.float32)
    apply_tiled(
        lambda window: np.asarray(network(window[None], training=False))[0],
        image,
        result,
        field or own,
        stride,
        **options,
    )
    return result


def reflected(index, size):
    period = max(1, 2 * size - 2)
    index %= period
    return index if index < size else period - index


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tile", [16, 50, 96, 384])
def test_tiles_equal_the_whole(network, size, tile):
    image = picture(*size, 3)
    expected = whole(network, image)
    result = tiled(network, image, tile=tile)
    np.testing.assert_allclose(result, expected, atol=1e-5 * max(1, np.abs(expected).max()))
    assert np.abs(expected - image).max() > 0.05  # the network does something


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (40, 61)])
@pytest.mark.parametrize("tile", [8, 50])
def test_tiles_equal_the_whole_when_enlarged(randomise, size, tile):
    network = randomise(build_super_resolver(filters=4, blocks=2, factor=4))
    image = picture(*size, 3)
    expected = whole(network, image, scale=4)
    assert expected.shape == (4 * size[0], 4 * size[1], 3)
    result = tiled(network, image, scale=4, tile=tile)
    np.testing.assert_allclose(result, expected, atol=1e-5 * max(1, np.abs(expected).max()))


def test_the_halo_is_needed(network):
    """Without the receptive field's width the tiles are wrong: the test above can fail."""
    image = picture(96, 96, 3)
    assert np.abs(tiled(network, image, field=1, tile=16) - whole(network, image)).max() > 1e-3


def test_progress_is_reported_tile_by_tile(network):
    shares = []
    tiled(network, picture(40, 70, 3), tile=32, on_tile=shares.append)
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
    with pytest.raises(UserError, match="no local receptive field"):
        Enhancer(network)


@pytest.mark.parametrize("shape", [(20, 13, 3), (20, 13, 1), (20, 13), (1, 1, 3), (1, 1)])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "float64", "float16"])
def test_shape_and_type_are_kept(enhancer, shape, kind):
    image = picture(*shape)
    integers = kind.startswith("uint")
    if integers:
        image = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, kind, True)
    else:
        image = image.astype(kind)
    before = image.copy()
    restored = enhancer(image)
    assert restored.shape == shape
    assert restored.dtype == (kind if integers else np.float32)
    assert restored.std() > 0 or restored.size <= 3
    if not integers:
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
        np.zeros((4, 4, 3), np.int16),
        "a path",
    ],
    ids=["RGBA", "two channels", "batch", "vector", "empty", "int32", "bool", "int16", "text"],
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


def test_strength_scales_the_change(randomise):
    network = randomise(build_restorer(filters=(2,), blocks=(1,)))
    image = picture(12, 9, 3)
    full, none = Enhancer(network)(image), Enhancer(network, strength=0)(image)
    np.testing.assert_array_equal(none, image)
    half = 0.5 * (image + np.clip(whole(network, image), -1, 1))
    np.testing.assert_allclose(Enhancer(network, strength=0.5)(image), half, atol=1e-6)
    assert np.abs(full - image).max() > 0.05
    for strength in (-0.1, 1.5, float("nan")):
        with pytest.raises(UserError, match="strength"):
            Enhancer(network, strength=strength)


def test_strength_of_an_enlargement_starts_at_bicubic(randomise):
    network = randomise(build_super_resolver(filters=4, blocks=1, factor=4))
    image = np.random.default_rng(0).integers(80, 170, (9, 14, 3), np.uint8)  # no overshoot
    none = Enhancer(network, strength=0)(image)
    bicubic = np.asarray(Image.fromarray(image).resize((56, 36), Image.BICUBIC))
    assert none.shape == (36, 56, 3)
    assert np.abs(none.astype(int) - bicubic).max() <= 1
    assert np.abs(Enhancer(network)(image).astype(int) - bicubic).max() > 5


@pytest.mark.parametrize("scale", [1, 2])
def test_best_is_the_mean_over_flips_and_turns(randomise, scale):
    network = build_restorer(filters=(2,), blocks=(1,))
    if scale > 1:
        network = build_super_resolver(filters=2, blocks=1, factor=2)
    randomise(network)
    image = picture(16, 12, 3) / 8
    total = 0
    for flip in (1, -1):
        for turns in range(4):
            turned = np.rot90(image[:, ::flip], turns)
            output = np.asarray(network(np.ascontiguousarray(turned)[None], training=False))[0]
            total += np.rot90(output, -turns)[:, ::flip]
    best = Enhancer(network, best=True)(image)
    np.testing.assert_allclose(best, np.clip(total / 8, -1, 1), atol=1e-5)
    assert np.abs(best - Enhancer(network)(image)).max() > 1e-3


def test_best_is_equivariant_to_turns_and_flips(randomise):
    enhancer = Enhancer(randomise(build_restorer(filters=(2, 3), blocks=(1, 1))), best=True)
    image = picture(32, 32, 3)
    expected = enhancer(image)
    for flip in (1, -1):
        turned = np.ascontiguousarray(np.rot90(image[:, ::flip]))
        np.testing.assert_allclose(enhancer(turned), np.rot90(expected[:, ::flip]), atol=1e-5)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_inpainting_keeps_what_is_known_and_reads_nothing_else(randomise, kind, channels):
    enhancer = Enhancer(randomise(build_inpainter(filters=(2,), blocks=(1,))))
    image = picture(21, 18, channels)
    if kind != "float32":
        image = np.random.default_rng(0).integers(0, np.iinfo(kind).max, image.shape, kind, True)
    mask = np.random.default_rng(1).random((21, 18)) < 0.5
    restored = enhancer(image, mask)
    np.testing.assert_array_equal(restored[~mask], image[~mask])
    assert (restored[mask] != image[mask]).mean() > 0.9
    other = np.where(mask[..., None], image[::-1, ::-1], image)  # other values where missing
    np.testing.assert_array_equal(enhancer(other, mask), restored)
    with pytest.raises(UserError, match="give a mask"):
        enhancer(image)
    with pytest.raises(UserError, match="bool \\(21, 18\\) is wanted"):
        enhancer(image, mask[:5])


def test_known_pixels_are_clipped_like_all_others(randomise):
    enhancer = Enhancer(randomise(build_inpainter(filters=(2,), blocks=(1,))))
    image, mask = np.full((4, 4, 3), 1.5, np.float32), np.eye(4, dtype=bool)
    assert np.abs(enhancer(image, mask)).max() <= 1


def test_other_interpolations_are_refused_in_one_line():
    images = keras.Input((None, None, 3))
    with pytest.raises(UserError, match="no local receptive field"):
        Enhancer(keras.Model(images, layers.UpSampling2D(2, interpolation="lanczos3")(images)))


def test_a_mask_is_refused_where_nothing_is_filled_in(enhancer):
    with pytest.raises(UserError, match="takes no mask"):
        enhancer(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), bool))


@pytest.mark.slow
def test_memory_beside_the_pixels_is_small(tmp_path, run_python):
    """24 megapixels: the process grows by less than half a gigabyte over input and output."""
    small = np.random.default_rng(0).integers(0, 256, (250, 375, 3), np.uint8)
    Image.fromarray(small).resize((6000, 4000)).save(tmp_path / "photo.jpg")
    build_restorer(filters=(4,), blocks=(1,)).save(tmp_path / "model.keras")
    code = """
import resource, sys
import numpy as np
from gan_keras import Enhancer
from gan_keras.restoration.changes import map_of_changes

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

enhancer = Enhancer.load(sys.argv[1])
enhancer(np.zeros((400, 400, 3), np.uint8))
before = peak()
map_of_changes(*enhancer.enhance_file(sys.argv[2], sys.argv[3]))
print(peak() - before)
"""
    paths = (tmp_path / name for name in ("model.keras", "photo.jpg", "restored.jpg"))
    done = run_python(code, *paths)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 3 * 72 + 512  # MB; a photograph has 72, the map as many


def test_the_map_of_changes_has_no_seams(randomise):
    before = np.random.default_rng(0).integers(80, 170, (600, 9, 3), np.uint8)
    after = np.asarray(Image.fromarray(before).resize((18, 1200), Image.BICUBIC)).copy()
    shown = map_of_changes(Picture(before), Picture(after)).samples
    assert np.abs(shown.astype(float) - 127.5).max() < 4 * 1.5  # rounding alone, four times
    after[700, 3] += 10
    shown = map_of_changes(Picture(before), Picture(after)).samples
    assert shown[700, 3].min() > 127 + 4 * 8

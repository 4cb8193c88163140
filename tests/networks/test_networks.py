import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from gan_keras.networks.adversarial_digits import (
    build_critic,
    build_projection_discriminator,
    build_spectral_discriminator,
)
from gan_keras.networks.digits import (
    build_classifier,
    build_conditional_generator,
    build_decoder,
    build_discriminator,
    build_encoder,
    build_generator,
)
from gan_keras.networks.patchgan import (
    build_detail_patchgan,
    build_patchgan,
    build_residual_patchgan,
)
from gan_keras.networks.receptive_field import receptive_field
from gan_keras.networks.restorer import build_restorer
from gan_keras.networks.unet import build_unet
from gan_keras.networks.unet_256 import build_unet_256

PHOTO = (2, 32, 48, 3)
BUILDERS = {  # name: (build, shapes of the inputs, shapes of the outputs)
    "generator": (
        lambda: build_generator(latent_dim=6, base_filters=4),
        [(2, 6)],
        [(2, 28, 28, 1)],
    ),
    "colour generator": (
        lambda: build_generator((32, 24, 3), latent_dim=6, base_filters=4),
        [(2, 6)],
        [(2, 32, 24, 3)],
    ),
    "discriminator": (lambda: build_discriminator(base_filters=4), [(2, 28, 28, 1)], [(2, 1)]),
    "colour discriminator": (
        lambda: build_discriminator((32, 24, 3), base_filters=4),
        [(2, 32, 24, 3)],
        [(2, 1)],
    ),
    "critic": (lambda: build_critic(base_filters=2), [(2, 28, 28, 1)], [(2, 1)]),
    "colour critic": (
        lambda: build_critic((32, 24, 3), base_filters=2),
        [(2, 32, 24, 3)],
        [(2, 1)],
    ),
    "encoder": (
        lambda: build_encoder(latent_dim=5, base_filters=4),
        [(2, 28, 28, 1)],
        [(2, 5), (2, 5)],
    ),
    "decoder": (lambda: build_decoder(latent_dim=5, base_filters=4), [(2, 5)], [(2, 28, 28, 1)]),
    "colour decoder": (
        lambda: build_decoder((32, 24, 3), latent_dim=5, base_filters=4),
        [(2, 5)],
        [(2, 32, 24, 3)],
    ),
    "classifier": (
        lambda: build_classifier(classes=7, base_filters=4, feature_dim=6),
        [(2, 28, 28, 1)],
        [(2, 7)],
    ),
    "restorer": (lambda: build_restorer(filters=(4, 5, 6), blocks=(1, 1, 2)), [PHOTO], [PHOTO]),
    "grey restorer": (
        lambda: build_restorer((None, None, 1), filters=(4,), blocks=(1,)),
        [(1, 6, 10, 1)],
        [(1, 6, 10, 1)],
    ),
    "unet": (lambda: build_unet(base_filters=4, depth=4), [PHOTO], [PHOTO]),
    "unet 256": (lambda: build_unet_256(base_filters=2), [(1, 256, 256, 3)], [(1, 256, 256, 3)]),
    "patchgan": (lambda: build_patchgan(base_filters=4), [PHOTO] * 2, [(2, 4, 6, 1)]),
    "normalised patchgan": (
        lambda: build_patchgan(base_filters=4, downsamplings=1, normalize=True),
        [PHOTO] * 2,
        [(2, 16, 24, 1)],
    ),
    "detail patchgan": (
        lambda: build_detail_patchgan(base_filters=4, factor=2),
        [(2, 16, 24, 3), PHOTO],
        [(2, 8, 12, 1)],
    ),
}
IDENTITIES = [
    lambda: build_restorer(filters=(4, 5, 6), blocks=(1, 1, 2)),
    lambda: build_unet(base_filters=4, depth=2),
]


@pytest.fixture(params=BUILDERS)
def case(request):
    return BUILDERS[request.param]


def inputs_of(shapes, seed=0):
    generator = np.random.default_rng(seed)
    values = [generator.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]
    return values[0] if len(values) == 1 else values


def outputs_of(network, shapes, **options):
    return keras.tree.flatten(network(inputs_of(shapes), **options))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_shapes_and_float32_outputs_under_any_precision(case, policy):
    build, inputs, outputs = case
    keras.config.set_dtype_policy(policy)
    network = build()
    results = outputs_of(network, inputs, training=True)
    assert [tuple(r.shape) for r in results] == outputs
    assert {r.dtype for r in results} == {tf.float32}
    inner = [layer.compute_dtype for layer in network.layers if hasattr(layer, "kernel")]
    assert ("bfloat16" in inner) == (policy == "mixed_bfloat16")


@pytest.mark.parametrize("shape", [(28, 28, 1), (16, 24, 3)])
def test_generator_fills_its_range_and_stays_in_it(randomise, shape):
    network = randomise(build_generator(shape, latent_dim=6, base_filters=4))
    latents = 20 * np.random.default_rng(0).standard_normal((16, 6))
    images = network(latents).numpy()
    assert images.min() >= -1 and images.max() <= 1
    assert images.min() < -0.9 and images.max() > 0.9


def images_of(count, shape=(16, 16, 1)):
    return np.random.default_rng(0).uniform(-1, 1, (count, *shape)).astype(np.float32)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_networks_with_labels_or_norms_have_float32_outputs_under_any_precision(policy):
    keras.config.set_dtype_policy(policy)
    generator = build_conditional_generator((16, 24, 3), latent_dim=6, base_filters=4, classes=3)
    labels = np.array([2, 0])
    images = generator([np.ones((2, 6), np.float32), labels], training=True)
    assert images.shape == (2, 16, 24, 3) and images.dtype == tf.float32
    assert np.abs(images).max() <= 1
    discriminator = build_projection_discriminator((16, 24, 3), base_filters=4, classes=3)
    logits = discriminator([images, tf.constant(labels)], training=True)
    assert logits.shape == (2, 1) and logits.dtype == tf.float32
    logits = build_spectral_discriminator((16, 24, 3), base_filters=4)(images)
    assert logits.shape == (2, 1) and logits.dtype == tf.float32


def test_a_projection_discriminator_by_hand(randomise):
    """a(φ) + v(y)·φ, with φ read out of the network."""
    network = randomise(build_projection_discriminator((16, 16, 1), base_filters=2, classes=3))
    images, labels = images_of(6), np.array([0, 1, 2, 2, 1, 0])
    dense = network.get_layer("logits")
    features = keras.Model(network.inputs[0], dense.input)(images).numpy()  # φ(x)
    embedded = np.array(network.get_layer("embedding").embeddings)[labels]  # v(y)
    expected = features @ np.array(dense.kernel) + np.array(dense.bias)
    expected += (embedded * features).sum(1, keepdims=True)
    np.testing.assert_allclose(network([images, labels]), expected, rtol=1e-4, atol=1e-5)
    others = network([images, (labels + 1) % 3])
    assert np.abs(others - expected).min() > 1e-4  # the label counts, for each image


def test_a_new_projection_discriminator_knows_no_label():
    network = build_projection_discriminator((16, 16, 1), base_filters=2, classes=3)
    images = images_of(2)
    first, second = (network([images, np.full(2, label)]) for label in (0, 2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("build", [build_critic, build_spectral_discriminator])
def test_the_score_of_an_image_depends_on_no_other(randomise, build):
    network = randomise(build((16, 16, 1), base_filters=2))
    images = images_of(4)
    alone = np.concatenate([network(images[i : i + 1], training=True) for i in range(4)])
    np.testing.assert_allclose(network(images, training=True), alone, rtol=1e-4, atol=1e-5)
    assert np.ptp(alone) > 1e-3


@pytest.mark.parametrize("shape", [(30, 28, 1), (28, 30, 1), (7, 7, 3)])
@pytest.mark.parametrize("build", [build_generator, build_conditional_generator, build_decoder])
def test_sides_that_cannot_be_doubled_twice_are_refused(build, shape):
    with pytest.raises(ValueError, match="divisible by 4"):
        build(shape, base_filters=4)


@pytest.mark.parametrize("build", [build_restorer, build_unet])
def test_fixed_sides_that_cannot_be_halved_are_refused(build):
    with pytest.raises(ValueError):
        build((30, 32, 3))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("build", IDENTITIES, ids=["restorer", "unet"])
def test_an_untrained_enhancer_does_nothing(build, policy):
    keras.config.set_dtype_policy(policy)
    images = inputs_of([PHOTO])
    np.testing.assert_array_equal(build()(images), images)


def test_the_papers_pix2pix_networks_have_its_parameters():
    """Isola et al. 2017, appendix 6.1, by hand: 16 weights a kernel and pair of channels."""
    down = 3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 4 * 512 * 512
    up = 512 * 512 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * 3
    norms = 2 * (128 + 256 + 4 * 512) + 2 * (4 * 512 + 256 + 128 + 64)
    biases = 64 + 512 + 3  # of the three layers without a norm
    assert build_unet_256().count_params() == 16 * (down + up) + norms + biases == 54_414_531
    judge = 6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1
    norms, biases = 2 * (128 + 256 + 512), 64 + 128 + 256 + 512 + 1
    assert build_patchgan(normalize=True).count_params() == 16 * judge + norms + biases


def test_the_papers_unet_keeps_its_dropout_where_it_is_told_to(randomise):
    network = randomise(build_unet_256(base_filters=2))
    image = inputs_of([(1, 256, 256, 3)])
    still, drawn = ([network(image, training=t).numpy() for _ in "ab"] for t in (False, True))
    np.testing.assert_array_equal(*still)
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-3
    assert np.abs(still[0]).max() <= 1
    assert network.get_layer("down_7").output.shape[1:3] == (1, 1)
    assert len([layer for layer in network.layers if isinstance(layer, layers.Dropout)]) == 3


def test_encoder_returns_mean_and_log_variance_in_that_order():
    network = build_encoder(latent_dim=3, base_filters=4)
    network.get_layer("mean").bias.assign([1, 2, 3])
    network.get_layer("log_variance").bias.assign([-1, -2, -3])
    mean, log_variance = network(-np.zeros((1, 28, 28, 1)))
    np.testing.assert_allclose(mean, [[1, 2, 3]])
    np.testing.assert_allclose(log_variance, [[-1, -2, -3]])


def test_every_stride_divides_its_kernel():
    """Transposed convolutions everywhere; plain ones in what makes or judges images.

    The VAE's encoder is exempt: its 3×3 convolutions with stride 2 are read by dense layers alone.
    """
    strided = 0
    for name, (build, _, _) in BUILDERS.items():
        for layer in build().layers:
            if isinstance(layer, layers.Conv2DTranspose) or (
                isinstance(layer, layers.Conv2D) and name != "encoder"
            ):
                for kernel, stride in zip(layer.kernel_size, layer.strides, strict=True):
                    assert kernel % stride == 0, (name, layer.name)
                    strided += stride > 1
    assert strided > 40


def test_plain_keras_loads_every_network(case, tmp_path):
    build, inputs, _ = case
    network = build()
    for layer in network.layers:
        assert type(layer).__module__.startswith("keras."), layer
        assert type(layer).__name__ != "Lambda"
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    for a, b in zip(outputs_of(network, inputs), outputs_of(again, inputs), strict=True):
        np.testing.assert_array_equal(a, b)


def support(network, size, row, column):
    """Return the (top, bottom, left, right), inclusive, of the inputs that move one output.

    All weights are positive, and so are the inputs: no rectifier closes, nothing cancels.
    """
    images = [
        tf.constant(np.ones((1, size, size, shape[-1]), np.float32)) for shape in _shapes(network)
    ]
    with tf.GradientTape() as tape:
        tape.watch(images)
        output = network(images if len(images) > 1 else images[0], training=False)
        value = tf.reduce_sum(output[0, row, column])
    total = sum(np.abs(gradient.numpy()).sum((0, 3)) for gradient in tape.gradient(value, images))
    rows, columns = (np.flatnonzero(total.sum(axis)) for axis in (1, 0))
    assert len(rows) == rows[-1] - rows[0] + 1 and len(columns) == columns[-1] - columns[0] + 1
    return rows[0], rows[-1], columns[0], columns[-1]


def _shapes(network):
    return [tuple(tensor.shape) for tensor in network.inputs]


@pytest.mark.parametrize(("downsamplings", "field"), [(3, 70), (2, 34), (1, 16)])
def test_a_patchgan_logit_sees_its_patch_and_nothing_else(randomise, downsamplings, field):
    network = randomise(build_patchgan(base_filters=2, downsamplings=downsamplings), positive=True)
    stride = 2**downsamplings
    assert receptive_field(network) == (field, stride)
    size = 4 * field // stride * stride
    middle = size // stride // 2
    first = support(network, size, middle, middle + 1)
    top, bottom, left, right = first
    assert (bottom - top + 1, right - left + 1) == (field, field)
    second = support(network, size, middle + 1, middle + 1)  # the next patch is one stride below
    assert np.subtract(second, first).tolist() == [stride, stride, 0, 0]


def test_the_detail_judge_sees_detail_and_no_level(randomise):
    """Another brightness of the image changes nothing; the same change of y does."""
    network = randomise(build_detail_patchgan(base_filters=4, factor=2))
    degraded, image = inputs_of([(1, 16, 20, 3), (1, 32, 40, 3)])
    logits = np.array(network([degraded, image]))
    assert logits.shape == (1, 8, 10, 1)
    np.testing.assert_allclose(network([degraded, image + 0.25]), logits, atol=1e-4)
    assert np.abs(network([degraded + 0.25, image]) - logits).max() > 1e-2
    flat = np.broadcast_to(image.mean(axis=(1, 2), keepdims=True), image.shape)
    assert np.abs(network([degraded, flat]) - logits).max() > 1e-2


def test_the_residual_judge_sees_what_was_taken_away_and_detail(randomise, tmp_path):
    """And the size of its kernels says nothing; saved and loaded, it says the same."""
    network = randomise(build_residual_patchgan(base_filters=4))
    assert receptive_field(network) == (30, 4)
    degraded, image = inputs_of([(1, 32, 40, 3), (1, 32, 40, 3)])
    logits = np.array(network([degraded, image]))
    assert logits.shape == (1, 8, 10, 1)
    np.testing.assert_allclose(network([degraded + 0.25, image + 0.25]), logits, atol=1e-4)
    for other in ([degraded, image + 0.25], [degraded + image, image + image]):  # level; detail
        assert np.abs(network(other) - logits).max() > 1e-3
    network.save(tmp_path / "judge.keras")
    np.testing.assert_array_equal(
        keras.saving.load_model(tmp_path / "judge.keras")([degraded, image]), logits
    )
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(10 * layer.kernel)  # the spectral norm takes it away again
    np.testing.assert_allclose(network([degraded, image]), logits, atol=1e-4)


def test_the_residual_judge_in_bfloat16_gives_logits_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = build_residual_patchgan(base_filters=4)
    assert network.get_layer("conv_0").compute_dtype == "bfloat16"
    logits = network(inputs_of([PHOTO] * 2))
    assert logits.dtype == "float32" and logits.shape == (2, 8, 12, 1)


@pytest.mark.parametrize(
    ("build", "even"), [(build_residual_patchgan, True), (build_detail_patchgan, False)]
)
def test_strides_ask_for_a_checkerboard_and_means_do_not(build, even):
    """Before training, of flat images, each phase of the grid gets the same gradient, or not."""
    keras.utils.set_random_seed(0)
    network = build(base_filters=8)
    degraded, image = tf.zeros((1, 96, 96, 3)), tf.fill((1, 96, 96, 3), 0.5)
    with tf.GradientTape() as tape:
        tape.watch(image)
        mean = tf.reduce_mean(network([degraded, image]))
    gradient = tape.gradient(mean, image).numpy()[0, 40:56, 40:56]
    unevenness = np.ptp(gradient, axis=(0, 1)).max() / np.abs(gradient).max()
    assert unevenness < 1e-4 if even else unevenness > 0.5


def test_a_patchgan_of_smaller_photographs_sees_their_pixels_repeated(randomise):
    smaller = randomise(build_patchgan(base_filters=2, downsamplings=1, factor=4))
    plain = build_patchgan(base_filters=2, downsamplings=1)
    plain.set_weights(smaller.get_weights())
    degraded, image = inputs_of([(2, 4, 6, 3), (2, 16, 24, 3)])
    repeated = degraded.repeat(4, axis=1).repeat(4, axis=2)
    np.testing.assert_array_equal(smaller([degraded, image]), plain([repeated, image]))
    assert np.ptp(smaller([degraded, image])) > 1e-3
    fixed = build_patchgan((16, 24, 3), base_filters=2, factor=4)
    assert fixed.input_shape == [(None, 4, 6, 3), (None, 16, 24, 3)]


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_restorer(filters=(2, 3), blocks=(1, 1)),
        lambda: build_restorer(filters=(2, 2, 2), blocks=(1, 1, 1)),
        lambda: build_unet(base_filters=2, depth=2),
        lambda: build_unet(base_filters=2, depth=3),
    ],
    ids=["restorer 2", "restorer 3", "unet 2", "unet 3"],
)
def test_receptive_field_bounds_what_an_output_pixel_sees(randomise, build):
    network = randomise(build(), positive=True)
    field, stride = receptive_field(network)
    size = (3 * field) // stride * stride
    widest = 0
    for phase in range(stride):  # each place within the grid of strides sees another window
        pixel = size // 2 // stride * stride + phase
        top, bottom, left, right = support(network, size, pixel, pixel)
        assert top <= pixel <= bottom and (top, bottom) == (left, right)
        assert bottom - top + 1 <= field
        assert max(pixel - top, bottom - pixel) <= field // 2 + stride
        widest = max(widest, bottom - top + 1)
    assert widest > 0.7 * field  # a bound that is of use


def test_receptive_field_by_hand():
    images = keras.Input((None, None, 1))
    x = layers.Conv2D(2, 3, padding="same")(images)  # 3, jump 1
    x = layers.AveragePooling2D(2)(x)  # 3 + 1 = 4, jump 2
    x = layers.Conv2D(2, 3, dilation_rate=2, padding="same")(x)  # 4 + 4·2 = 12
    x = layers.Conv2D(1, 5, 2, padding="same")(x)  # 12 + 4·2 = 20, jump 4
    assert receptive_field(keras.Model(images, layers.ReLU()(x))) == (20, 4)
    skip = layers.Conv2D(1, 4, 4)(images)  # a path that sees less changes nothing
    assert receptive_field(keras.Model(images, layers.Add()([x, skip]))) == (20, 4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: build_patchgan(base_filters=4, normalize=True),
        lambda: build_classifier(base_filters=4),
    ],
    ids=["instance norm", "flatten"],
)
def test_what_reads_the_whole_image_has_no_local_field(make):
    with pytest.raises(ValueError, match="no local receptive field"):
        receptive_field(make())

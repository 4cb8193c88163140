import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.layers.spectral_norm import SpectralConv2D, SpectralDense, power_iteration
from gan_keras.networks.adversarial_digits import build_spectral_discriminator
from gan_keras.networks.digits import build_discriminator, build_generator

SHAPE, BATCH, LATENT_DIM = (16, 16, 1), 4, 6
SINGULAR_VALUES = [3.0, 1.5, 1.0, 0.5, 0.1]
INPUTS = {"dense": (4, 18), "convolution": (2, 8, 8, 3)}
KINDS = list(INPUTS)


def build(kind, **settings):
    """Return a layer with five outputs, and a kernel of the singular values above."""
    keras.utils.set_random_seed(1)
    if kind == "dense":
        layer = SpectralDense(5, **settings)
    else:
        layer = SpectralConv2D(5, (3, 2), 2, "same", **settings)
    layer.build((None, *INPUTS[kind][1:]))
    generator = np.random.default_rng(0)
    left, right = (np.linalg.qr(generator.normal(size=(n, 5)))[0] for n in (18, 5))
    layer.kernel.assign(((left * SINGULAR_VALUES) @ right.T).reshape(layer.kernel.shape))
    return layer


def inputs(kind, seed=2):
    return np.random.default_rng(seed).normal(size=INPUTS[kind]).astype(np.float32)


def matrix(kernel):
    return np.array(kernel, np.float64).reshape(-1, kernel.shape[-1])


def unit(vector):
    return vector / np.linalg.norm(vector)


def copy(variables):
    return [np.array(v) for v in variables]


def assert_equal(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def direction_and_partner(layer):
    u = np.array(layer.direction, np.float64)
    return u, unit(matrix(layer.kernel) @ u)


@pytest.mark.parametrize("kind", KINDS)
def test_power_iteration_by_hand(kind):
    layer = build(kind)
    before = np.array(layer.direction, np.float64)
    assert np.linalg.norm(before) == pytest.approx(1, abs=1e-6)
    layer.power_iteration()
    w = matrix(layer.kernel)
    np.testing.assert_allclose(layer.direction, unit(w.T @ unit(w @ before)), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_iterations_raise_the_estimate_to_the_norm(kind):
    layer = build(kind)
    norms = []
    for _ in range(30):
        w_hat = matrix(layer.normalised(layer.kernel.value))
        norms.append(SINGULAR_VALUES[0] / np.linalg.svd(w_hat, compute_uv=False)[0])
        layer.power_iteration()
    assert norms[0] < 2.9  # it has something to find
    assert (np.diff(norms) > -1e-5).all() and norms[-1] == pytest.approx(3, rel=1e-6)
    right = np.linalg.svd(matrix(layer.kernel))[2][0]
    assert abs(np.dot(right, layer.direction)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_computes_with_the_normalised_kernel(kind):
    settings = {"activation": "tanh", "bias_initializer": "ones"}
    layer = build(kind, **settings)
    if kind == "dense":
        plain = layers.Dense(5, **settings)
    else:
        plain = layers.Conv2D(5, (3, 2), 2, "same", **settings)
    plain.build(layer.kernel.shape[:-1] if kind == "dense" else (None, 8, 8, 3))
    u, v = direction_and_partner(layer)
    w = matrix(layer.kernel)
    plain.kernel.assign((w / (v @ w @ u)).reshape(layer.kernel.shape))
    expected = plain(inputs(kind))
    np.testing.assert_allclose(layer(inputs(kind)), expected, atol=1e-6)
    layer.kernel.assign(7 * layer.kernel)  # only the kernel's direction matters
    np.testing.assert_allclose(layer(inputs(kind)), expected, atol=1e-6)
    without = build(kind, use_bias=False)
    np.testing.assert_allclose(np.tanh(without(inputs(kind)) + 1), expected, atol=1e-6)


@pytest.mark.parametrize("iterations", [0, 1, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_passes_through_the_norm(kind, iterations):
    """Miyato et al. 2018, Eq. 12, and a numerical derivative with u and v held fixed."""
    layer = build(kind)
    for _ in range(iterations):
        layer.power_iteration()
    target = np.random.default_rng(3).normal(size=layer(inputs(kind)).shape).astype(np.float32)

    def loss(outputs):
        return tf.reduce_sum(target * tf.tanh(outputs))

    with tf.GradientTape() as tape:
        value = loss(layer(inputs(kind)))
    gradient = matrix(tf.convert_to_tensor(tape.gradient(value, layer.kernel.value)))

    plain = layers.Dense(5) if kind == "dense" else layers.Conv2D(5, (3, 2), 2, "same")
    plain.build(INPUTS[kind])
    w = matrix(layer.kernel)
    u, v = direction_and_partner(layer)
    norm = v @ w @ u

    def loss_of(weights):
        plain.kernel.assign((weights / (v @ weights @ u)).reshape(layer.kernel.shape))
        return float(loss(plain(inputs(kind))))

    loss_of(w)
    with tf.GradientTape() as tape:
        value = loss(plain(inputs(kind)))
    g = matrix(tf.convert_to_tensor(tape.gradient(value, plain.kernel.value)))
    expected = (g - np.sum(g * w) / norm * np.outer(v, u)) / norm
    scale = np.abs(expected).max()
    np.testing.assert_allclose(gradient, expected, atol=1e-5 * scale)
    assert abs(np.sum(gradient * w)) < 1e-5 * np.linalg.norm(gradient) * np.linalg.norm(w)
    step = 0.01 * (unit(gradient) + unit(np.random.default_rng(4).normal(size=w.shape)))
    numerical = (loss_of(w + step) - loss_of(w - step)) / 2
    assert numerical == pytest.approx(np.sum(gradient * step), rel=0.02)


def refine(network, iterations):
    step = tf.function(lambda: power_iteration(network))
    for _ in range(iterations):
        step()


def converged_discriminator(iterations=200):
    keras.utils.set_random_seed(1)
    network = build_spectral_discriminator(SHAPE, base_filters=4)
    refine(network, iterations)
    return network


def test_every_layer_of_the_discriminator_gets_norm_one():
    network = converged_discriminator()
    spectral = [layer for layer in network.layers if hasattr(layer, "kernel")]
    assert len(spectral) == 4
    for layer in spectral:
        w_hat = matrix(layer.normalised(layer.kernel.value))
        assert np.linalg.svd(w_hat, compute_uv=False)[0] == pytest.approx(1, rel=1e-3)
        # and not because it was there before
        assert np.linalg.svd(matrix(layer.kernel), compute_uv=False)[0] > 1.2


def test_power_iteration_leaves_other_layers_alone():
    network = build_discriminator(SHAPE, base_filters=4)
    before = copy(network.variables)
    power_iteration(network)
    assert_equal(before, copy(network.variables))


@pytest.mark.parametrize("training", [False, True])
def test_a_forward_pass_moves_nothing(training):
    network = converged_discriminator(0)
    before = copy(network.variables)
    images = np.random.default_rng(0).normal(size=(BATCH, *SHAPE)).astype(np.float32)
    network(images, training=training)
    tf.function(network)(images, training=training)
    assert_equal(before, copy(network.variables))


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_a_step_moves_each_direction_once_and_the_generators_update_moves_nothing(rate):
    """Against one power iteration on a copy: G's phase leaves every bit of D as it is."""
    keras.utils.set_random_seed(1)
    generator = build_generator(SHAPE, LATENT_DIM, base_filters=4)
    model = DCGAN(generator, build_spectral_discriminator(SHAPE, base_filters=4))
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(rate), loss="hinge")
    network = model.discriminator
    expected = keras.models.clone_model(network)
    expected.set_weights(network.get_weights())
    power_iteration(expected)
    before, g_before = copy(network.variables), copy(generator.trainable_variables)
    images = tf.random.stateless_normal((BATCH, *SHAPE), [0, 1])
    model.train_step((images,))
    assert any((a != b).any() for a, b in zip(before, copy(network.variables), strict=True))
    pairs = [(network.variables, expected.variables)]
    if rate:  # the kernels move too, after the directions did
        pairs = [(network.non_trainable_variables, expected.non_trainable_variables)]
        assert (before[0] != np.array(network.variables[0])).any()
    for moved, wanted in pairs:
        assert_equal(copy(moved), copy(wanted))
    g_after = copy(generator.trainable_variables)
    assert any((a != b).any() for a, b in zip(g_before, g_after, strict=True))
    after = copy(network.variables)
    model.test_step((images,))
    assert_equal(after, copy(network.variables))


def test_the_discriminator_stretches_no_distance():
    """Dense layers of norm one and LeakyReLU: |D(x) − D(y)| ≤ ‖x − y‖."""
    keras.utils.set_random_seed(2)
    x = keras.Input((6,))
    hidden = layers.LeakyReLU(negative_slope=0.2)(SpectralDense(8)(x))
    network = keras.Model(x, SpectralDense(1)(hidden))
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(30 * layer.kernel)
    refine(network, 300)
    a, b = np.random.default_rng(0).normal(size=(2, 500, 6)).astype(np.float32)
    ratios = np.abs(network(a) - network(b))[:, 0] / np.linalg.norm(a - b, axis=1)
    assert 0.05 < ratios.max() <= 1 + 1e-5


def test_a_saved_network_has_the_same_direction_and_outputs(tmp_path):
    network = converged_discriminator(3)
    network.save(tmp_path / "discriminator.keras")
    keras.utils.set_random_seed(9)  # other first directions
    loaded = keras.saving.load_model(tmp_path / "discriminator.keras")
    assert_equal(copy(network.variables), copy(loaded.variables))
    assert len(network.non_trainable_variables) == 4
    images = np.random.default_rng(0).normal(size=(BATCH, *SHAPE)).astype(np.float32)
    assert_equal([network(images)], [loaded(images)])


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16(kind):
    exact = build(kind)(inputs(kind))
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = build(kind)
    assert layer.direction.dtype == layer.kernel.dtype == "float32"
    with tf.GradientTape() as tape:
        outputs = layer(inputs(kind))
        value = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), exact, atol=0.03)
    gradient = matrix(tf.convert_to_tensor(tape.gradient(value, layer.kernel.value)))
    assert np.abs(gradient).max() > 0.01
    w = matrix(layer.kernel)
    assert abs(np.sum(gradient * w)) < 0.03 * np.linalg.norm(gradient) * np.linalg.norm(w)
    for _ in range(30):
        layer.power_iteration()
    w_hat = matrix(tf.cast(layer.normalised(layer.kernel.value), tf.float32))
    assert np.linalg.svd(w_hat, compute_uv=False)[0] == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_eager_graph_and_xla_agree(kind):
    layer = build(kind)

    def step(values):
        layer.power_iteration()
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(tf.square(layer(values)))
        return tape.gradient(value, layer.kernel.value)

    start, results = np.array(layer.direction), []
    for run in (step, tf.function(step), tf.function(step, jit_compile=True)):
        layer.direction.assign(start)
        gradient = tf.convert_to_tensor(run(tf.constant(inputs(kind)))).numpy()
        results.append((gradient, np.array(layer.direction)))
    for gradient, direction in results[1:]:
        np.testing.assert_allclose(gradient, results[0][0], atol=1e-5)
        np.testing.assert_allclose(direction, results[0][1], atol=1e-6)

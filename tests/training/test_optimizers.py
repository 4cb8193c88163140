"""Adam and Muon move weights as Keras' do, wherever they run."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from gan_keras.training.optimizers import FusedAdam, Muon

SETTINGS = {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}


def trained(optimizer, dtype="float32", jit_compile=False, **settings):
    """Return the weights and the optimiser's variables after fifteen steps on noise."""
    keras.utils.set_random_seed(0)
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 12, warmup_target=0.1, warmup_steps=3)
    stack = [layers.Embedding(5, 4), layers.Flatten(), layers.Dense(3, activation="tanh")]
    network = keras.Sequential([keras.Input((2,), dtype="int32"), *stack], name="network")
    network.compile(optimizer(schedule, **SETTINGS, **settings), "mse", jit_compile=jit_compile)
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 5, (40, 2)), generator.normal(size=(40, 3)).astype(np.float32)
    network.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    return [np.array(v) for v in (*network.variables, *network.optimizer.variables)]


def test_the_first_steps_by_hand():
    """One weight with gradients 2 and −1: m, v and α of Kingma & Ba 2015, §2."""
    weight, optimizer = keras.Variable(1.0), FusedAdam(0.1, 0.5, 0.9, epsilon=0.0)
    optimizer.apply([tf.constant(2.0)], [weight])
    assert float(weight) == pytest.approx(0.9)  # the first step is as long as the rate
    optimizer.apply([tf.constant(-1.0)], [weight])
    m, v = 0.5 * 1.0 - 0.5, 0.9 * 0.4 + 0.1  # of m = 1 and v = 0.4
    assert m == 0
    assert float(weight) == pytest.approx(0.9)
    optimizer.apply([tf.constant(-1.0)], [weight])
    m, v = -0.5, 0.9 * v + 0.1
    alpha = 0.1 * (1 - 0.9**3) ** 0.5 / (1 - 0.5**3)
    assert float(weight) == pytest.approx(0.9 - alpha * m / v**0.5)


@pytest.mark.parametrize(
    "options",
    [{}, {"jit_compile": True}, {"clipnorm": 0.01}, {"global_clipnorm": 0.01}, {"amsgrad": True}],
    ids=str,
)
def test_it_is_adam(options):
    ours, keras_own = trained(FusedAdam, **options), trained(keras.optimizers.Adam, **options)
    assert len(ours) == len(keras_own)
    for a, b in zip(ours, keras_own, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_each_weight_is_touched_once():
    network = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    optimizer = FusedAdam(0.1)
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(gradients):
        optimizer.apply(gradients, network.trainable_variables)

    graph = step.get_concrete_function([tf.zeros((3, 2)), tf.zeros(2)]).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == 2
    assert not {"AssignSubVariableOp", "Sqrt", "RealDiv"} & set(kinds)


def test_a_saved_model_goes_on_with_it(tmp_path):
    network = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    network.compile(FusedAdam(0.1, 0.3), "mse")
    network.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert type(loaded.optimizer) is FusedAdam and loaded.optimizer.beta_1 == 0.3
    for model in (network, loaded):
        model.fit(np.ones((4, 3)), np.zeros((4, 2)), verbose=0)
    for a, b in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def kernel(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(3, 3, 32, 64), (1, 1, 96, 16), (2, 2, 64, 64)], ids=str)
def test_muon_moves_a_kernel_alike_in_all_directions(shape):
    """The change's singular values are 0.7 to 1.2 of 0.2·rate·√(longer side), where M's differ."""
    start, rate = kernel(*shape), 0.01
    weight, optimizer = keras.Variable(start), Muon(rate)
    gradient = kernel(*shape, seed=1).reshape(-1, shape[-1])
    left, values, right = np.linalg.svd(gradient, full_matrices=False)
    values = values * np.geomspace(1, 0.05, len(values))
    optimizer.apply([tf.reshape((left * values) @ right, shape)], [weight])
    change = (start - np.array(weight)).reshape(-1, shape[-1])
    scale = 0.2 * rate * max(change.shape) ** 0.5
    found = left.T @ change @ right.T / scale  # in the gradient's own directions
    assert np.diag(found).min() > 0.65 and np.diag(found).max() < 1.25
    np.testing.assert_allclose(found - np.diag(np.diag(found)), 0, atol=1e-2)


def test_muon_is_keras_own_where_that_works():
    """Keras has it for matrices: the kernel of a 1×1 convolution is one. Three steps on noise."""
    plain = {"weight_decay": None, "adam_weight_decay": None}
    moved = []
    for shape, optimizer in (
        ((1, 1, 48, 32), Muon(0.01)),
        ((48, 32), keras.optimizers.Muon(0.01, **plain)),
    ):
        weight = keras.Variable(kernel(48, 32).reshape(shape))
        for step in range(3):
            optimizer.apply([tf.reshape(kernel(48, 32, seed=step), shape)], [weight])
        moved.append(np.array(weight).reshape(48, 32))
    assert np.abs(moved[1] - kernel(48, 32)).max() > 0.01
    np.testing.assert_allclose(*moved, atol=1e-4)


def test_muon_leaves_the_rest_to_adam():
    """First and last layers, biases and matrices: as `FusedAdam`, whose arguments it takes."""
    shapes = [(4, 4, 3, 64), (3, 3, 64, 3), (64,), (64, 64)]
    moved = []
    for optimizer in (Muon(0.01, 0.5), FusedAdam(0.01, 0.5)):
        weights = [keras.Variable(kernel(*shape)) for shape in shapes]
        for step in range(3):
            optimizer.apply([tf.constant(kernel(*s, seed=step)) for s in shapes], weights)
        moved.append([np.array(weight) for weight in weights])
    for a, b in zip(*moved, strict=True):
        np.testing.assert_array_equal(a, b)


def test_muon_eager_graph_and_xla_agree_and_a_zero_gradient_is_no_accident():
    moved = []
    for options in (None, {}, {"jit_compile": True}):
        weight, optimizer = keras.Variable(kernel(3, 3, 16, 16)), Muon(0.01)
        optimizer.build([weight])
        step = functools.partial(_apply, optimizer, weight)
        step = step if options is None else tf.function(step, **options)
        step(tf.zeros(weight.shape))
        np.testing.assert_array_equal(weight, kernel(3, 3, 16, 16))
        step(tf.constant(kernel(3, 3, 16, 16, seed=1)))
        moved.append(np.array(weight))
    np.testing.assert_allclose(moved[1], moved[0], atol=1e-6)
    np.testing.assert_allclose(moved[2], moved[0], atol=1e-6)


def _apply(optimizer, weight, gradient):
    optimizer.apply([gradient], [weight])

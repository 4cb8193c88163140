"""The fused Adam moves weights as Keras' does, wherever it runs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from gan_keras.training.optimizers import FusedAdam

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

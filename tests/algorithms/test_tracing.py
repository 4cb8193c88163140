"""Each training step is traced once for each shape of its batches, and runs without Python."""

import keras
import pytest
import tensorflow as tf
from test_adversarial import BATCH, BUILDS, adams, batch, build, compile_as_it_is, tensors


def compiled(name, **options):
    model = build(name)
    compile_as_it_is(model, name, *adams()[: 1 if name == "vae" else 2], **options)
    return model


def operations(graph_def):
    """Return the types of all operations of a graph and of the functions that it calls."""
    nodes = [*graph_def.node, *(n for f in graph_def.library.function for n in f.node_def)]
    return {node.op for node in nodes}


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", BUILDS)
def test_nothing_is_traced_after_the_first_epoch(name, jit_compile, monkeypatch):
    """One trace serves all sizes of a batch, be it the last one's, or another run's."""
    model, traces, after_epochs = compiled(name, jit_compile=jit_compile), [], []
    step = type(model).train_step

    def counted(self, data):
        traces.append(keras.tree.flatten(data)[0].shape)
        return step(self, data)

    monkeypatch.setattr(type(model), "train_step", counted)
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: after_epochs.append(len(traces))
    )
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0, "callbacks": [count]}
    model.fit(*batch(name, 2 * BATCH + 3), epochs=3, **options)  # 8, 8, and a last batch of 3
    assert after_epochs == [1, 1, 1], traces
    model.fit(*batch(name, BATCH + 5), epochs=1, **options)  # a last batch of 5
    assert len(traces) == 1, traces
    assert int(model.step) == 3 * 3 + 2


@pytest.mark.parametrize("name", BUILDS)
def test_no_step_goes_back_to_python(name):
    function = tf.function(compiled(name).train_step)
    graph = function.get_concrete_function(tensors(batch(name))).graph
    kinds = operations(graph.as_graph_def())
    assert not kinds & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}
    assert kinds & {"Conv2D", "ResourceApplyAdam", "AssignSubVariableOp"}  # all of it was seen


def test_a_host_round_trip_would_be_seen():
    graph = tf.function(lambda x: tf.py_function(abs, [x], tf.float32)).get_concrete_function(
        tf.TensorSpec((), tf.float32)
    )
    assert "EagerPyFunc" in operations(graph.graph.as_graph_def())

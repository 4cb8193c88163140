"""`check` finds what keeps servers from serving, in models that have it."""

import numpy as np
import pytest
import tensorflow as tf

from gan_keras.cli import main
from gan_keras.errors import UserError
from gan_keras.serving.check import check, find_saved_models


def save(folder, function=None, shape=(None, 2), **options):
    """Save a module of one function of x as a SavedModel; return its path."""
    module = tf.Module()
    module.function = tf.function(
        function or (lambda x: {"y": 2 * x}),
        [tf.TensorSpec(shape, name="x")],
        autograph=False,
        **options,
    )
    tf.saved_model.save(module, str(folder), signatures=module.function)
    return folder


@pytest.fixture(scope="module")
def network():
    import keras

    images = keras.Input((None, None, 3))
    return keras.Model(images, keras.layers.Conv2D(3, 3, padding="same")(images))


def test_a_sound_model_passes(tmp_path):
    assert check(save(tmp_path / "1")) == []


def test_keras_models_saved_as_they_are_fail_in_a_session(tmp_path, network):
    from server_double import Served

    tf.saved_model.save(network, str(tmp_path / "1"))
    images = np.zeros((1, 4, 4, 3), np.float32)
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    signature(**{name: tf.constant(images)})  # Python is merciful
    with pytest.raises(tf.errors.FailedPreconditionError, match="Could not find variable"):
        Served(tmp_path / "1")("serving_default", **{name: images})
    problems = check(tmp_path / "1")
    assert len(problems) == 2 and all("never restored" in problem for problem in problems)


def test_weights_that_are_stored_twice(tmp_path, network):
    network.export(tmp_path / "1", verbose=False)
    (problem,) = check(tmp_path / "1")
    assert "50% of the weights' file holds the same values again" in problem


def python(x):
    return {"y": tf.ensure_shape(tf.numpy_function(lambda x: x, [x], tf.float32), x.shape)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"jit_compile": True}, "XLA"),
        ({"function": python}, "operation PyFunc runs Python"),
        ({"shape": (3, 2)}, "input x has not the batch"),
        ({"shape": ()}, "input x has not the batch"),
    ],
)
def test_functions_that_servers_cannot_run(tmp_path, options, words):
    problems = check(save(tmp_path / "1", **options))
    assert any(words in problem for problem in problems)


def test_an_inner_function_that_xla_must_compile(tmp_path):
    inner = tf.function(lambda x: {"y": 2 * x}, jit_compile=True)
    (problem,) = check(save(tmp_path / "1", lambda x: inner(x)))
    assert "XLA" in problem


@pytest.mark.parametrize(
    ("op", "words"),
    [("DecodeWebP", "missing in many servers"), ("SentencepieceOp", "not TensorFlow's own")],
)
def test_operations_of_elsewhere(tmp_path, op, words):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    file = save(tmp_path / "1") / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    model.meta_graphs[0].graph_def.library.function[0].node_def.add(name="alien", op=op)
    file.write_bytes(model.SerializeToString())
    assert any(f"operation {op} is {words}" in problem for problem in check(tmp_path / "1"))


def test_signatures_and_folders_that_servers_do_not_find(tmp_path):
    (problem,) = check(save(tmp_path / "newest"))
    assert "'newest', is no version" in problem
    module = tf.Module()
    module.function = tf.function(lambda x: {"y": x}, [tf.TensorSpec((None,), name="x")])
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"other": module.function})
    (problem,) = check(tmp_path / "1")
    assert "serving_default" in problem


def test_files_that_are_no_saved_models(tmp_path):
    with pytest.raises(UserError, match="holds no saved_model"):
        find_saved_models(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"these are words")
    with pytest.raises(UserError, match="is damaged"):
        check(tmp_path)


def test_the_command(tmp_path, exports, capsys):
    assert main(["check", str(exports)]) == 0
    assert capsys.readouterr().out.count("nothing found") == 3
    save(tmp_path / "saved" / "1", jit_compile=True)
    assert main(["check", str(tmp_path)]) == 1
    assert "XLA" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "nowhere")]) == 2

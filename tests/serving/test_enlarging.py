"""Enlarging networks leave Keras whole: any size, every format."""

import numpy as np
import pytest

import gan_keras
from gan_keras.networks.restorer import build_super_resolver
from gan_keras.serving.export import export_enhancer


@pytest.fixture
def enlarger(randomise):
    return randomise(build_super_resolver(filters=4, blocks=1))


def images_of(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def test_a_saved_model_enlarges_any_size(enlarger, tmp_path, smooth, encoded, decoded):
    import tensorflow as tf

    enhancer = gan_keras.Enhancer(enlarger)
    served = tf.saved_model.load(str(export_enhancer(enhancer, "larger", tmp_path))).signatures
    for shape in ((1, 1), (20, 31), (9, 400)):  # the last in two tiles
        picture = smooth(*shape)
        images = tf.constant(picture[None] / np.float32(255))
        restored = served["enhance_array"](images=images)["images"].numpy()[0]
        expected = enhancer(picture / np.float32(127.5) - 1) / 2 + 0.5
        assert restored.shape == (4 * shape[0], 4 * shape[1], 3)
        np.testing.assert_allclose(restored, expected, atol=1e-5)
        files = tf.constant([encoded(picture)])
        answer = served["serving_default"](image_bytes=files)
        assert answer["error"].numpy()[0] == b""
        larger = decoded(answer["restored_bytes"].numpy()[0]).astype(int)
        assert np.abs(larger - enhancer(picture)).max() <= 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
def test_litert_and_onnx_enlarge(enlarger, tmp_path):
    import onnxruntime
    import tensorflow as tf

    from gan_keras.serving.formats import SUFFIXES, export_as

    enhancer, images = gan_keras.Enhancer(enlarger), images_of(1, 32, 32, 3)
    lite, onnx = (tmp_path / f"larger{SUFFIXES[kind]}" for kind in ("litert", "onnx"))
    export_as(enhancer, "litert", lite, side=32)
    export_as(enhancer, "onnx", onnx, side=32)
    interpreter = tf.lite.Interpreter(str(lite))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(result, enlarger(images), atol=1e-5)
    session = onnxruntime.InferenceSession(str(onnx))
    for some in (images, images[:, :20, :9]):
        (result,) = session.run(None, {session.get_inputs()[0].name: some})
        np.testing.assert_allclose(result, enlarger(some), atol=1e-5)

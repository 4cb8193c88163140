"""Enlarging networks leave Keras whole: any size, every format."""

import keras
import numpy as np
import pytest

import gan_keras
from gan_keras.networks.restorer import build_super_resolver
from gan_keras.serving.bicubic import Bicubic
from gan_keras.serving.export import export_enhancer
from gan_keras.serving.signatures import as_float32


def with_a_bicubic_shortcut():
    """Build a network of one's own, as of Kim et al. 2016."""
    given = keras.Input((None, None, 3))
    larger = keras.layers.UpSampling2D(4, interpolation="bicubic")(given)
    change = keras.layers.Conv2D(3, 5, padding="same")(larger)
    return keras.Model(given, keras.layers.Add()([larger, change]))


@pytest.fixture(params=["ours", "bicubic"])
def enlarger(request, randomise):
    ours = request.param == "ours"
    network = build_super_resolver(filters=4, blocks=1) if ours else with_a_bicubic_shortcut()
    return randomise(network)


def images_of(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 2, 5, 3), (2, 17, 9, 1)])
def test_it_is_the_layer_of_keras(factor, shape):
    images = images_of(*shape)
    expected = keras.layers.UpSampling2D(factor, interpolation="bicubic")(images)
    np.testing.assert_allclose(Bicubic(factor)(images), expected, atol=1e-5)


def test_three_times_by_hand():
    """Of a step, one pixel beside it: Keys' kernel at distances of 4/3, 1/3, 2/3 and 5/3."""

    def keys(d):
        if d < 1:
            return 1.5 * d**3 - 2.5 * d**2 + 1
        return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2

    row = np.float32([0, 0, 0, 1, 1, 1])[None, None, :, None]
    larger = np.asarray(Bicubic(3)(row))[0, 0, :, 0]
    assert larger[8] == pytest.approx(keys(2 / 3) + keys(5 / 3), abs=1e-6)
    assert larger[9] == pytest.approx(keys(1 / 3) + keys(4 / 3), abs=1e-6)


def test_a_served_enlarger_computes_the_same(enlarger):
    served = as_float32(enlarger)
    assert as_float32(served) is served
    kinds = [getattr(layer, "interpolation", None) for layer in served.layers]
    assert "bicubic" not in kinds
    images = images_of(1, 13, 22, 3)
    np.testing.assert_allclose(served(images), enlarger(images), atol=1e-5)


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

"""What an export is: on disk, in a session without Python's help, and in answers."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import gan_keras
from gan_keras.cli import main
from gan_keras.errors import UserError

SIGNATURES = {
    "tiny": {"serving_default", "enhance_with_strength", "enhance_array"},
    "digits": {"serving_default", "sample"},
    "vae": {"serving_default", "reconstruct", "encode", "decode", "sample"},
}


def files(*data):
    return np.array(data, object)


# on disk


@pytest.mark.parametrize("name", SIGNATURES)
def test_nothing_is_found_that_keeps_a_server_from_serving_it(exports, name):
    from gan_keras.serving.check import check

    assert check(exports / name / "1") == []


def test_each_weight_is_stored_once(exports, restorer):
    weights = 4 * restorer.count_params()
    stored = (exports / "tiny/1/variables/variables.data-00000-of-00001").stat().st_size
    assert weights <= stored < 1.2 * weights + 2000  # 2 kB: the object graph


def test_versions_are_counted_and_never_replaced(tmp_path, exports):
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    from gan_keras.serving import export

    generator = gan_keras.loading.load(exports / "generator.keras")
    out = tmp_path / "saved_models"
    assert export.export_generator(generator, "g", out) == out / "g/1"
    (out / "g/1").rename(out / "g/7")
    kept = (out / "g/7/saved_model.pb").read_bytes()
    assert export.export(exports / "generator.keras", "g", out) == out / "g/8"
    assert export.export(exports / "generator.keras", out=out) == out / "generator/1"
    assert (out / "g/7/saved_model.pb").read_bytes() == kept
    assert sorted(p.name for p in (out / "g").iterdir()) == ["7", "8"]
    assert "generator.keras" in (out / "g/8/assets.extra/card.md").read_text()
    config = text_format.Parse((out / "models.config").read_text(), ModelServerConfig())
    served = {(c.name, c.base_path, c.model_platform) for c in config.model_config_list.config}
    assert served == {(n, f"/models/{n}", "tensorflow") for n in ("g", "generator")}


def test_what_a_served_deblurrer_lacks_is_on_its_card(tmp_path):
    from gan_keras.networks.restorer import build_deblurrer
    from gan_keras.serving import export

    build_deblurrer(filters=(2,), blocks=(1,)).save(tmp_path / "sharp.keras")
    version = export.export(tmp_path / "sharp.keras", out=tmp_path / "saved_models")
    assert "estimates the blur first" in (version / "assets.extra/card.md").read_text()


@pytest.mark.parametrize("name", ["a/b", "", ".hidden", 'a"b', "ä"])
def test_names_that_cannot_be_served(tmp_path, exports, name):
    from gan_keras.serving import export

    with pytest.raises(UserError, match="part of an address"):
        export.export_generator(_generator(exports), name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_nothing(tmp_path, exports, monkeypatch):
    import keras

    from gan_keras.serving import export

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.export.ExportArchive("saved_model").__class__, "write_out", full)
    with pytest.raises(UserError, match="No space left on device"):
        export.export_generator(_generator(exports), "g", tmp_path)
    assert list((tmp_path / "g").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another --out"):
        export.export_generator(_generator(exports), "g", tmp_path / "file")


def _generator(exports):
    return gan_keras.loading.load(exports / "generator.keras")


def test_what_cannot_be_exported(tmp_path):
    from gan_keras.serving import export

    with pytest.raises(UserError, match="no enhancer"):
        export.export("digit_classifier", out=tmp_path)
    with pytest.raises(UserError, match="at least 1"):
        export.export("denoise", out=tmp_path, max_pixels=0)
    assert list(tmp_path.iterdir()) == []
    assert "denoise" in export.exportable()


@pytest.mark.parametrize("name", SIGNATURES)
def test_warm_up_requests_are_what_the_model_answers(exports, served, name):
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    file = exports / name / "1/assets.extra/tf_serving_warmup_requests"
    warmed = set()
    for record in tf.data.TFRecordDataset(str(file)):
        request = PredictionLog.FromString(record.numpy()).predict_log.request
        assert request.model_spec.name == name
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        outputs = served[name](request.model_spec.signature_name, **inputs)
        assert all(len(value) == 1 for value in outputs.values())
        assert not any(outputs.get("error", []))
        warmed.add(request.model_spec.signature_name)
    assert warmed == SIGNATURES[name]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--all"),
        (["denoise", "--all"], "--all"),
        (["denoise", "vae", "--name", "one"], "one name"),
        (["nothing-of-that-name"], "no model"),
    ],
)
def test_mistakes_of_the_command(tmp_path, capsys, arguments, words):
    assert main(["export", *arguments, "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line and not (tmp_path / "out").exists()


def test_the_command_exports_several_and_says_how_to_serve_them(tmp_path, exports, capsys):
    models = [str(exports / name) for name in ("generator.keras", "vae.keras")]
    assert main(["export", *models, "--out", str(tmp_path)]) == 0
    *versions, how = capsys.readouterr().out.splitlines()
    assert versions == [f"{tmp_path}/generator/1", f"{tmp_path}/vae/1"]
    assert how.startswith("serve: docker run") and f"-v {tmp_path}:/models" in how
    assert set((tmp_path / "models.config").read_text().split('"')) > {"generator", "vae"}


# in another process


def test_it_runs_where_gan_keras_cannot_be_imported(run_python, exports, smooth, encoded, tmp_path):
    from gan_keras.serving import restore_with_tensorflow

    photo, target = tmp_path / "photo.png", tmp_path / "restored.png"
    photo.write_bytes(encoded(smooth(40, 50)))
    code = (
        "import runpy, sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] == 'gan_keras': raise ImportError('refused: ' + name)\n"
        "sys.meta_path.insert(0, Refuse()); sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    script = restore_with_tensorflow.__file__
    result = run_python(code, script, exports / "tiny/1", photo, target)
    assert result.returncode == 0, result.stderr
    assert Image.open(target).size == (50, 40)


# answers


@pytest.fixture(scope="module")
def ask(served):
    """Return a function that asks the enhancer: files → (restored files, errors)."""

    def ask(*data, signature="serving_default", **inputs):
        answer = served["tiny"](signature, image_bytes=files(*data), **inputs)
        return list(answer["restored_bytes"]), [error.decode() for error in answer["error"]]

    return ask


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (40, 57), (390, 410)])
def test_it_restores_as_the_enhancer_does(ask, restorer, smooth, encoded, decoded, size):
    """Session and Keras, of one tile and of several: equal but for a rounding here and there."""
    picture = smooth(*size)
    (restored,), (error,) = ask(encoded(picture))
    assert error == ""
    expected = gan_keras.Enhancer(restorer)(picture)
    difference = np.abs(decoded(restored).astype(int) - expected)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3
    assert np.abs(expected.astype(int) - picture).max() > 3


def test_one_bad_file_is_answered_beside_its_neighbours(ask, smooth, encoded):
    good = [encoded(smooth(20, 30)), encoded(smooth(50, 9, 1), "JPEG"), encoded(smooth(8, 8, 2))]
    alone = [ask(data)[0][0] for data in good]
    bomb = encoded(Image.new("L", (2000, 2000)))
    mixed = [good[0], b"words", good[1], good[0][:60], b"", bomb, good[2]]
    restored, errors = ask(*mixed)
    assert [restored[at] for at in (0, 2, 6)] == alone
    for at, reason in ((1, "not a JPEG"), (3, "damaged"), (4, "not a JPEG"), (5, "1,000,000")):
        assert restored[at] == b"" and reason in errors[at]
    assert [errors[at] for at in (0, 2, 6)] == [""] * 3
    assert ask() == ([], [])


def test_strength_is_the_share_of_the_change(ask, restorer, smooth, encoded, decoded):
    picture = smooth(20, 30)
    data = encoded(picture)
    strengths = np.array([0, 0.5, 1, 1.5, np.nan], np.float32)
    restored, errors = ask(*[data] * 5, signature="enhance_with_strength", strength=strengths)
    np.testing.assert_array_equal(decoded(restored[0]), picture)
    half = gan_keras.Enhancer(restorer, strength=0.5)(picture)
    assert np.abs(decoded(restored[1]).astype(int) - half).max() <= 1
    np.testing.assert_array_equal(decoded(restored[2]), decoded(ask(data)[0][0]))
    assert errors[:3] == [""] * 3 and all("0 to 1" in error for error in errors[3:])


def test_arrays(served, restorer, smooth):
    pictures = np.stack([smooth(33, 20, seed) for seed in range(2)])
    images = pictures.astype(np.float32) / 255
    restored = served["tiny"]("enhance_array", images=images)["images"]
    assert restored.dtype == np.float32 and restored.shape == images.shape
    enhancer = gan_keras.Enhancer(restorer)
    expected = np.stack([enhancer(image * 2 - 1) for image in images])
    np.testing.assert_allclose(restored, (expected + 1) / 2, atol=1e-5)
    assert restored.min() >= 0 and restored.max() <= 1


@pytest.mark.slow
def test_what_is_transparent_is_filled_in_and_the_rest_stays(randomise, smooth, encoded, decoded):
    import keras

    from gan_keras.serving.signatures import enhancer_signatures

    given = keras.Input((None, None, 4))
    network = keras.Model(given, keras.layers.Conv2D(3, 5, padding="same")(given))
    randomise(network)
    colours = smooth(20, 30)
    missing = np.zeros((20, 30), bool)
    missing[5:9, 7:20] = True
    rgba = np.dstack([colours, np.where(missing, 0, 255).astype(np.uint8)])
    answer = enhancer_signatures(network)["serving_default"].function(files(encoded(rgba)))
    assert answer["error"].numpy()[0] == b""
    filled = decoded(answer["restored_bytes"].numpy()[0])
    expected = gan_keras.Enhancer(network)(colours, mask=missing)
    assert np.abs(filled.astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(filled[~missing], colours[~missing])
    assert np.abs(filled[missing].astype(int) - colours[missing]).max() > 5


def test_an_enlargement_of_some_strength(randomise, smooth, encoded, decoded):
    import keras

    from gan_keras.serving.signatures import enhancer_signatures

    images = keras.Input((None, None, 3))
    network = keras.Model(images, keras.layers.Conv2DTranspose(3, 4, 2, "same")(images))
    enhance = enhancer_signatures(randomise(network))["enhance_with_strength"].function
    picture = smooth(20, 30)
    strengths = np.array([0, 0.5, 1], np.float32)
    answer = enhance(files(*[encoded(picture)] * 3), strengths)
    for strength, png in zip(strengths, answer["restored_bytes"].numpy(), strict=True):
        expected = gan_keras.Enhancer(network, strength=strength)(picture)
        restored = decoded(png)
        assert restored.shape == (40, 60, 3)
        assert np.abs(restored.astype(int) - expected).max() <= 1


def test_a_network_of_bfloat16_is_served_in_float32(randomise):
    import keras

    from gan_keras.networks.restorer import build_restorer
    from gan_keras.serving.signatures import as_float32

    keras.config.set_dtype_policy("mixed_bfloat16")
    network = randomise(build_restorer(filters=(2,), blocks=(1,)))
    keras.config.set_dtype_policy("float32")
    assert any(layer.compute_dtype == "bfloat16" for layer in network.layers)
    served = as_float32(network)
    assert all(layer.compute_dtype == "float32" for layer in served.layers)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    whole = np.asarray(served(image))
    assert np.abs(whole - network(image)).max() < 0.05 < np.abs(whole - image).max()
    assert as_float32(served) is served


def test_a_seed_is_an_image_whatever_stands_beside_it(served, decoded):
    seeds, labels = np.array([3, 3, 2**40, -1, 3]), np.array([1, 1, 1, 1, 2], np.int32)
    images = served["digits"]("sample", seeds=seeds, labels=labels)["png_bytes"]
    assert images[0] == images[1] and len(set(images)) == 4
    alone = served["digits"]("sample", seeds=seeds[:1], labels=labels[:1])["png_bytes"]
    assert list(alone) == [images[0]]
    assert decoded(images[0]).shape == (28, 28) and decoded(images[0]).std() > 1
    assert len(set(served["vae"]("sample", seeds=seeds)["png_bytes"])) == 3


def test_latents_become_images(served, exports):
    generator = _generator(exports)
    latents = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    labels = np.arange(5, dtype=np.int32)
    images = served["digits"]("serving_default", latents=latents, labels=labels)["images"]
    expected = np.asarray(generator([latents, labels]))
    np.testing.assert_allclose(images, (expected + 1) / 2, atol=1e-5)


def test_a_vae_reconstructs_by_the_mean(served, exports):
    vae = gan_keras.loading.load(exports / "vae.keras")
    images = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    ask = served["vae"]
    mean, log_variance = vae.encode(images * 2 - 1)
    answer = ask("encode", images=images)
    np.testing.assert_allclose(answer["mean"], mean, atol=1e-5)
    np.testing.assert_allclose(answer["log_variance"], log_variance, atol=1e-5)
    expected = (np.asarray(vae.decode(mean)) + 1) / 2
    np.testing.assert_allclose(ask("decode", latents=answer["mean"])["images"], expected, atol=1e-5)
    for signature in ("reconstruct", "serving_default"):
        for _ in range(2):
            reconstructed = ask(signature, images=images)["images"]
            np.testing.assert_allclose(reconstructed, expected, atol=1e-5)


def test_requests_at_once_get_their_own_answers(ask, smooth, encoded):
    data = [encoded(smooth(10 + seed, 12, seed)) for seed in range(12)]
    alone = [ask(one)[0] for one in data]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: ask(one)[0], data))
    assert together == alone


def test_a_portrait_photograph_comes_back_upright(ask, smooth, encoded):
    exif = Image.Exif()
    exif[0x0112] = 6
    (restored,), _ = ask(encoded(smooth(20, 30), "JPEG", exif=exif))
    assert Image.open(io.BytesIO(restored)).size == (20, 30)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_named_and_have_the_batch_first(served, name):
    signatures = {key: s for key, s in served[name].signatures.items() if key[0] != "_"}
    assert set(signatures) == SIGNATURES[name]
    for signature in signatures.values():
        for tensors in (signature.inputs, signature.outputs):
            assert tensors and all(t.tensor_shape.dim[0].size == -1 for t in tensors.values())
        strings = {k for k, t in signature.outputs.items() if t.dtype == 7}
        assert all(key.endswith("_bytes") or key == "error" for key in strings)

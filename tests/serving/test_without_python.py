"""Exports in the hands of others: TensorFlow's own command line, and a C program."""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

pytestmark = pytest.mark.slow
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
WORDS = b"these are words"


@pytest.fixture(scope="module")
def requests(smooth, encoded):
    """Return {model: [(signature, {input: array})]}, every signature of every kind of model."""
    photos = [encoded(smooth(400, 30)), encoded(smooth(20, 50), "JPEG"), WORDS]
    photos = np.array(photos, object)
    images = np.random.default_rng(0).random((2, 24, 17, 3), np.float32)
    digits = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
    latents = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    seeds, labels = np.array([1, 2, 2**40]), np.array([0, 5, 9], np.int32)
    strength = np.array([0.25, 1.0, 0.5], np.float32)
    return {
        "tiny": [
            ("serving_default", {"image_bytes": photos}),
            ("enhance_with_strength", {"image_bytes": photos, "strength": strength}),
            ("enhance_array", {"images": images}),
        ],
        "digits": [
            ("serving_default", {"latents": latents, "labels": labels}),
            ("sample", {"seeds": seeds, "labels": labels}),
        ],
        "vae": [
            ("serving_default", {"images": digits}),
            ("reconstruct", {"images": digits}),
            ("encode", {"images": digits}),
            ("decode", {"latents": latents}),
            ("sample", {"seeds": seeds}),
        ],
    }


def test_every_signature_is_asked(requests, served):
    for name, asked in requests.items():
        known = {key for key in served[name].signatures if not key.startswith("__")}
        assert {signature for signature, _ in asked} == known


def packed(named):
    """Pack {tensor's name: array} as `load_model.c` reads it."""
    out = struct.pack("=i", len(named))
    for name, value in named.items():
        value = np.asarray(value)
        kind = tf.as_dtype(value.dtype).as_datatype_enum
        out += struct.pack(f"=i{len(name)}sii", len(name), name.encode(), kind, value.ndim)
        out += struct.pack(f"={value.ndim}q", *value.shape)
        if value.dtype == object:
            content = b"".join(struct.pack("=q", len(text)) + text for text in value.flat)
        else:
            content = value.tobytes()
        out += struct.pack("=q", len(content)) + content
    return out


@pytest.fixture(scope="module")
def load_model(tmp_path_factory):
    """Build the C program against the library inside TensorFlow's wheel; return its path."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "no C compiler: apt-get install gcc"
    wheel, program = Path(tf.__file__).parent, tmp_path_factory.mktemp("c") / "load_model"
    command = [compiler, "-O1", "-Wall", "-Werror", Path(__file__).with_name("load_model.c")]
    command += ["-o", program, f"-I{wheel}/include", f"-L{wheel}", f"-Wl,-rpath,{wheel}"]
    command += ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    subprocess.run(command, check=True)
    return program


@pytest.mark.parametrize("name", ["tiny", "digits", "vae"])
def test_a_c_program_gets_the_same_bits(load_model, requests, exports, served, tmp_path, name):
    cases = []
    for signature, inputs in requests[name]:
        known, expected = served[name].signatures[signature], served[name](signature, **inputs)
        cases.append(packed({known.inputs[key].name: value for key, value in inputs.items()}))
        cases.append(packed({known.outputs[key].name: value for key, value in expected.items()}))
    (tmp_path / "cases").write_bytes(b"".join(cases))

    def run(file):
        command = [load_model, exports / name / "1", tmp_path / file]
        return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)

    result = run("cases")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{len(requests[name])} requests, equal bit for bit\n"
    content = bytearray(b"".join(cases))
    content[-1] ^= 1  # the last expected bit: the comparison must see it
    (tmp_path / "altered").write_bytes(content)
    result = run("altered")
    assert result.returncode == 1 and "differs" in result.stderr


@pytest.mark.parametrize("name", ["tiny", "digits", "vae"])
def test_saved_model_cli_runs_every_signature(requests, exports, served, tmp_path, name):
    for signature, inputs in requests[name]:
        np.savez(tmp_path / "inputs.npz", **inputs)
        command = [Path(sys.executable).with_name("saved_model_cli"), "run"]
        command += ["--dir", exports / name / "1", "--tag_set", "serve"]
        command += ["--signature_def", signature, "--outdir", tmp_path / signature]
        # It reads no strings from files, and takes a semicolon for the end of an expression.
        texts = {key: value.tolist() for key, value in inputs.items() if value.dtype == object}
        escaped = [f"{key}={value!r}".replace(";", r"\x3b") for key, value in texts.items()]
        command += ["--input_exprs", ";".join(escaped)] if texts else []
        arrays = [f"{key}={tmp_path}/inputs.npz[{key}]" for key in inputs.keys() - texts]
        command += ["--inputs", ";".join(arrays)] if arrays else []
        result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr[-2000:]
        for key, value in served[name](signature, **inputs).items():
            written = np.load(tmp_path / signature / f"{key}.npy", allow_pickle=True)
            np.testing.assert_array_equal(written, value)


def test_shipped_models(tmp_path):
    """What users export; and a photograph through the denoiser in a process without us."""
    from PIL import Image
    from skimage import data

    import gan_keras
    from gan_keras.cli import main
    from gan_keras.serving import restore_with_tensorflow
    from gan_keras.serving.export import exportable

    assert main(["export", "--all", "--out", str(tmp_path)]) == 0
    assert main(["check", str(tmp_path)]) == 0
    names = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert names == set(exportable()) >= {"denoise"}
    version, enhancer = tmp_path / "denoise/1", gan_keras.Enhancer.load("denoise")
    weights = 4 * enhancer.network.count_params()
    assert (version / "variables/variables.data-00000-of-00001").stat().st_size < 1.01 * weights
    assert "bad at" in (version / "assets.extra/card.md").read_text()
    photograph = data.coffee()[:410, :500]
    Image.fromarray(photograph).save(tmp_path / "photo.png")
    script, target = restore_with_tensorflow.__file__, tmp_path / "restored.png"
    command = [sys.executable, script, version, tmp_path / "photo.png", target]
    subprocess.run(command, check=True, env=ENVIRONMENT, capture_output=True)
    difference = np.asarray(Image.open(target)).astype(int) - enhancer(photograph)
    assert np.abs(difference).max() <= 1

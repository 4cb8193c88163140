"""What ships: loads with plain Keras, is small, has a card, and does what its card says."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

import gan_keras
from gan_keras.cli import main
from gan_keras.data.digits import load_digits
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.ranges import from_uint8
from gan_keras.evaluation import digit_floor, measure
from gan_keras.loading import WEIGHTS

NAMES = gan_keras.shipped()


def test_the_shipped_models_are_these():
    assert NAMES == ["denoise", "digit_classifier"]
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 25e6


@pytest.mark.parametrize("name", NAMES)
def test_plain_keras_loads_it_in_safe_mode(name, run_python):
    code = (
        "import sys, keras; m = keras.saving.load_model(sys.argv[1], safe_mode=True);"
        "assert 'gan_keras' not in sys.modules; print(m.count_params(), m.dtype_policy.name)"
    )
    done = run_python(code, WEIGHTS / f"{name}.keras")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "float32"


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_float16_and_inference_only(name):
    with zipfile.ZipFile(WEIGHTS / f"{name}.keras") as archive:
        assert not json.loads(archive.read("config.json"))["compile_config"]
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    assert "optimizer" not in weights
    kinds = []
    weights.visititems(lambda _, item: kinds.append(getattr(item, "dtype", None)))
    assert {str(kind) for kind in kinds if kind is not None and kind.kind == "f"} == {"float16"}


@pytest.mark.parametrize("name", NAMES)
def test_card_says_how_it_was_made(name):
    card = json.loads((WEIGHTS / f"{name}.json").read_text())
    assert card["recipe"]["seed"] >= 0
    assert card["seconds"] > 60
    assert len(card["curve"]["epoch"]) == card["recipe"]["epochs"]
    published = gan_keras.get_recipe(card["recipe"]["name"])
    trained = gan_keras.Recipe(**card["recipe"])  # settings that are newer have their defaults
    assert trained.replace(data=published.data).to_dict() == published.to_dict()
    assert "bad at" in (WEIGHTS / f"{name}.md").read_text()


def test_classifier_reads_digits():
    images, labels = load_digits("mnist-5k", "test")
    model = gan_keras.load("digit_classifier")
    right = model.predict(from_uint8(images), verbose=0).argmax(1) == labels
    assert right.mean() >= 0.99


def test_floor_is_far_below_noise():
    from gan_keras.metrics.distribution import classifier_fid

    noise = np.random.default_rng(0).uniform(-1, 1, (1000, 28, 28, 1)).astype(np.float32)
    test = from_uint8(load_digits("mnist-5k", "test")[0])
    fid = classifier_fid(gan_keras.load("digit_classifier"), noise, test)
    assert fid > 20 * digit_floor()


def test_denoiser_is_ahead_of_every_classical_row():
    rows = measure(["denoise"], say=lambda line: None)["photos"]
    by_method = {row["method"]: row["psnr"] for row in rows}
    assert by_method["denoise"] > by_method["non-local means, h = 0.8 σ"] + 2.5
    assert by_method["denoise"] > by_method["non-local means, tuned"] + 1.8
    assert by_method["non-local means, tuned"] > by_method["median 3×3"] > by_method["do nothing"]


def test_enhance_works_straight_after_install(tmp_path):
    source = photo_paths("photos", "test")[0]
    noisy = tmp_path / "noisy.png"
    clean = np.asarray(Image.open(source).convert("RGB"))[:150, :201]
    noise = np.random.default_rng(0).normal(0, 25, clean.shape)
    Image.fromarray(np.clip(clean + noise, 0, 255).astype(np.uint8)).save(noisy)
    assert main(["enhance", str(noisy), "--out", str(tmp_path / "out")]) == 0
    restored = np.asarray(Image.open(tmp_path / "out/noisy.png")).astype(float)
    before = np.square(np.asarray(Image.open(noisy)).astype(float) - clean).mean()
    assert np.square(restored - clean).mean() < before / 5


def test_compare_prints_one_table(capsys):
    assert main(["evaluate", "denoise"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0].strip() for line in printed[3:5]] == ["do nothing", "median 3×3"]


def test_list_names_them_without_importing_keras(run_python):
    code = "import sys; from gan_keras.cli import main; main(['list'])"
    done = run_python(f"{code}; assert 'keras' not in sys.modules")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in (*NAMES, "dcgan", "pix2pix"))

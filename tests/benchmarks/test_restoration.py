"""The benchmark of restoration on tiny models and photographs: rows, dial, sheets."""

import json
import re
import shutil

import keras
import numpy as np
import onnx
import pytest
import restoration
import tensorflow as tf
from PIL import Image
from realism import Judge
from restoration_gallery import Gallery
from restoration_tasks import TASKS

from gan_keras import Enhancer, loading
from gan_keras.data.photo_files import images_in
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import from_unit, to_unit
from gan_keras.errors import UserError
from gan_keras.networks.restorer import build_restorer, build_super_resolver
from gan_keras.restoration.blending import blend
from gan_keras.restoration.enhancer import enhance_degraded

DIAL = [0, 0.5, 1]


@pytest.fixture
def pair(randomise):
    return [randomise(build_restorer(filters=(4,), blocks=(1,)), seed) for seed in (0, 1)]


@pytest.fixture
def weights(tmp_path, monkeypatch, pair):
    """Return a folder in place of `weights`: `denoise` with its realism version."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for name, network in zip(("denoise", "denoise_realism"), pair, strict=True):
        network.save(folder / f"{name}.keras")
    monkeypatch.setattr(loading, "WEIGHTS", folder)
    return folder


@pytest.fixture
def degraded(photo_folder):
    return np.random.default_rng(0).uniform(-1, 1, (40, 48, 3)).astype(np.float32)


def test_a_row_for_each_place_on_the_dial(weights, pair, degraded):
    methods = restoration.networks("denoise", [0, 0.25, 1], blend="both")
    names = ["denoise", "denoise, realism 0.25", "denoise, outputs 0.25", "denoise, realism 1"]
    assert list(methods) == names
    made = {name: method.restore(degraded) for name, method in methods.items()}
    ends = [enhance_degraded(Enhancer(network), degraded) for network in pair]
    np.testing.assert_array_equal(made["denoise"], ends[0])
    np.testing.assert_array_equal(made["denoise, realism 1"], ends[1])
    weighed = enhance_degraded(Enhancer(blend(*pair, 0.25)), degraded)
    np.testing.assert_array_equal(made["denoise, realism 0.25"], weighed)
    mean = 0.75 * ends[0] + 0.25 * ends[1]
    np.testing.assert_allclose(made["denoise, outputs 0.25"], mean, atol=1e-6)
    assert np.abs(weighed - mean).max() > 1e-3  # the two ways differ
    count = pair[0].count_params()
    assert [m.parameters for m in methods.values()] == [count, count, 2 * count, count]
    assert len(restoration.networks("denoise", DIAL, blend="outputs")) == 3


def test_no_dial_without_a_realism_version(weights):
    (weights / "denoise_realism.keras").unlink()
    assert list(restoration.networks("denoise", DIAL, best=True)) == ["denoise", "denoise, best"]


def test_ones_own_pair(weights):
    own = [str(weights / f"{name}.keras") for name in ("denoise", "denoise_realism")]
    rows = list(restoration.networks(own[0], DIAL, realism_from=own[1]))
    assert rows == [own[0], f"{own[0]}, realism 0.5", f"{own[0]}, realism 1"]


def test_run_judges_and_collects(weights, photo_folder, tmp_path):
    photographs = Photographs(images_in(photo_folder))
    task = TASKS["denoise-25"]
    methods = {n: restoration.Method(f, "classic") for n, f in list(task.classics.items())[:2]}
    methods |= restoration.networks("denoise", [0, 1])
    images = keras.Input((None, None, 3))
    judge = Judge(keras.Model(images, keras.layers.AveragePooling2D(4)(images)))
    gallery = Gallery(list(methods)[:2], ["denoise", "denoise, realism 1"])
    rows = restoration.run(task, photographs, methods, 42, judge, gallery)
    assert list(rows) == ["do nothing", *methods]
    assert 18 < rows["do nothing"][0] < 24  # σ = 25 is 20.2 dB
    lines = restoration.table(rows, methods, judge)
    assert "Fréchet | kernel" in lines[0]
    assert {line.count("|") for line in lines if line.startswith("|")} == {8}
    places = 4 * (10 - 4) * (12 - 4)
    assert f"{places:,} places" in lines[-1]
    assert "real (floor)" in lines[-3]
    plain = restoration.table(rows, methods)
    assert {line.count("|") for line in plain} == {6} and len(plain) == len(rows) + 2
    gallery.draw(tmp_path / "new" / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "new" / "sheet.png"))
    assert sheet.shape == (6 * (160 + 48 + 8) + 8, 5 * 168 + 8, 3)


@pytest.mark.parametrize("layout", ["SavedModel", "NHWC", "NCHW"])
def test_a_peer_gets_and_gives_0_to_1(layout, degraded, tmp_path):
    """One that halves red alone, whatever its layout."""
    factors = np.float32([0.5, 1, 1])
    if layout == "SavedModel":
        path, module = tmp_path / "peer", tf.Module()
        signature = tf.TensorSpec((1, None, None, 3), tf.float32, name="pixels")
        halve = tf.function(lambda pixels: {"halved": pixels * factors}, [signature])
        tf.saved_model.save(module, str(path), {"serving_default": halve})
    else:
        path = tmp_path / "peer.onnx"
        shape = (1, 3, None, None) if layout == "NCHW" else (1, None, None, 3)
        infos = [onnx.helper.make_tensor_value_info(n, 1, shape) for n in ("pixels", "halved")]
        factors = factors.reshape(1, 3, 1, 1) if layout == "NCHW" else factors
        constant = onnx.numpy_helper.from_array(factors, "factors")
        node = onnx.helper.make_node("Mul", ["pixels", "factors"], ["halved"])
        graph = onnx.helper.make_graph([node], "peer", infos[:1], infos[1:], [constant])
        opset = [onnx.helper.make_opsetid("", 17)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    restored = restoration.peer(str(path))(degraded)
    wanted = from_unit(to_unit(degraded) * np.float32([0.5, 1, 1]))
    np.testing.assert_allclose(restored, wanted, atol=1e-6)


def test_a_model_of_another_task_is_one_line(weights, photo_folder, randomise):
    randomise(build_super_resolver(filters=2, blocks=1)).save(weights / "larger.keras")
    methods = restoration.networks("larger", DIAL)
    photographs = Photographs(images_in(photo_folder))
    with pytest.raises(UserError, match="for another task"):
        restoration.run(TASKS["denoise-25"], photographs, methods, 42)


def flat(value):
    return np.full((160, 480, 3), value, np.float32)


def test_the_worst_window_is_the_one_with_the_lowest_gain():
    """The network is ahead by 20 dB on the left, behind by 6 dB on the right."""
    ours, classic = flat(0.01), flat(0.1)
    ours[:, 320:] = 0.2
    gallery = Gallery(["median"], ["ours"])
    pictures = {"do nothing": flat(0.5), "median": classic, "ours": ours, "target": flat(0)}
    gallery.add("a", pictures)
    (worst,), (usual,) = gallery.worst, gallery.usual
    assert worst.place == "a, 0 down, 320 right" and worst.rival == "median"
    assert worst.gain == pytest.approx(20 * np.log10(0.1 / 0.2), abs=1e-3)
    assert worst.quality["ours"] == pytest.approx(20 * np.log10(2 / 0.2), abs=1e-3)
    assert usual.gain == pytest.approx(20, abs=1e-3)
    assert list(worst.tiles) == ["do nothing", "median", "ours", "target"]
    assert worst.tiles["ours"].shape == (160, 160, 3)


def test_the_rival_is_the_best_classic_or_doing_nothing():
    pictures = {"do nothing": flat(0.5), "a": flat(0.2), "b": flat(0.1), "target": flat(0)}
    pictures["ours"] = flat(0.05)
    for classics, rival in ((["a", "b"], "b"), ([], "do nothing")):
        gallery = Gallery(classics, ["ours"])
        gallery.add("x", pictures)
        assert gallery.worst[0].rival == rival


@pytest.mark.parametrize("ours", [["ours"], ["ours", "real"]])
def test_the_blind_page_and_its_key(tmp_path, ours):
    gallery = Gallery(["median"], ours)
    shades = {"do nothing": 0.9, "median": 0.5, "ours": -0.2, "real": -0.6, "target": 0}
    for name in "abcdef":
        gallery.add(name, {k: flat(v) for k, v in shades.items()})
    page, key = tmp_path / "blind" / "a.png", tmp_path / "blind" / "a.key.json"
    gallery.draw_blind(page, key, seed=3)
    pixels, said = np.asarray(Image.open(page)), json.loads(key.read_text())
    assert list(said) == ["1", "2", "3", "4", "5", "6"]
    pair = {"ours", "real" if len(ours) > 1 else "median"}
    for row, names in enumerate(said.values()):
        assert {names["A"], names["B"]} == pair
        for column, letter in enumerate("AB"):
            tile = pixels[8 + 16 + row * (320 + 56) :, 8 + column * 328 :][:320, :320]
            assert np.unique(tile) == round((shades[names[letter]] + 1) * 127.5)
    assert len({names["A"] for names in said.values()}) == 2  # sides are shuffled
    assert [names["place"][0] for names in said.values()] != list("abcdef")  # and so are rows


def test_the_summary_has_a_row_a_task():
    classic, ours = restoration.Method(None, "classic"), restoration.Method(None, "ours")
    names = ["restorer", "denoise", "denoise, best", "denoise, realism 0.5", "denoise, realism 1"]
    methods = {"median": classic, "BM3D": classic} | dict.fromkeys([*names, "auto"], ours)
    rows = {name: (20.0 + i, 0.5, 1.0) for i, name in enumerate(["do nothing", *methods])}
    lines = restoration.summary({"noise": (rows, methods), "other": (rows, {"median": classic})})
    assert len(lines) == 3 and {line.count("|") for line in lines} == {8}
    cells = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    assert cells[:4] == ["noise", "20.00", "22.00 (BM3D)", "**24.00** (denoise)"]
    assert cells[4:] == ["+4.00", "27.00", "restorer 23.00, denoise, best 25.00, auto 28.00"]


@pytest.mark.slow
def test_the_command(run_python, photo_folder, tmp_path, pair):
    for name, network in zip(("fidelity", "realism"), pair, strict=True):
        network.save(tmp_path / f"{name}.keras")
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(photo_folder / "0.png", one)
    code = "import runpy, sys; sys.argv = ['restoration.py', *sys.argv[1:]]; "
    code += f"sys.path.insert(0, {str(loading.Path(restoration.__file__).parent)!r}); "
    code += f"runpy.run_path({restoration.__file__!r}, run_name='__main__')"
    arguments = [one, "--tasks", "denoise-25", "--models", tmp_path / "fidelity.keras"]
    arguments += ["--realism-model", tmp_path / "realism.keras", "--dial", "0", "0.5", "1"]
    arguments += ["--gallery", tmp_path / "sheets", "--blind", tmp_path / "blind"]
    done = run_python(code, *arguments, "--out", tmp_path / "table.md")
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(re.findall(r"realism (0\.5|1) \|", (tmp_path / "table.md").read_text())) == 2
    for name in ("sheets/denoise-25.jpg", "blind/denoise-25.png", "blind/denoise-25.key.json"):
        assert (tmp_path / name).stat().st_size > 100

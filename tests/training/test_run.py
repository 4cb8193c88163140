import csv
import json
import math
import os
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import gan_keras
from gan_keras.data.digits import DigitBatches
from gan_keras.data.photos import PhotoPairs
from gan_keras.errors import UserError
from gan_keras.recipes import get_recipe
from gan_keras.training import assembly, run
from gan_keras.training.callbacks import TrainingDivergedError, read_seconds
from gan_keras.training.run import train
from gan_keras.training.runtime import available_cores, choose_runtime

SMALL = {"steps_per_epoch": 2, "epochs": 2, "batch_size": 4, "learning_rate": 0.002}


def restorer(folder, **changes):
    network = {"filters": (2,), "blocks": (1,)}
    return get_recipe("restorer").replace(
        data=str(folder), crop=16, network=network, schedule="constant", **(SMALL | changes)
    )


def dcgan(**changes):
    network = {"latent_dim": 4, "base_filters": 2}
    return get_recipe("dcgan").replace(network=network, **(SMALL | changes))


def silent(line):
    pass


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rows_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(photo_folder, tmp_path_factory):
    """Return a finished run and what it said."""
    folder, said = tmp_path_factory.mktemp("runs") / "restorer", []
    train(restorer(photo_folder, seed=7), folder, "float32", say=said.append)
    return folder, said


@pytest.fixture
def run_folder(finished, tmp_path):
    """Return a copy of the finished run."""
    return shutil.copytree(finished[0], tmp_path / "run")


def test_a_run_can_be_repeated_from_its_settings(finished, photo_folder):
    settings = json.loads((finished[0] / "settings.json").read_text())
    assert settings["recipe"]["seed"] == 7
    assert settings["recipe"]["data"] == str(photo_folder)
    again = gan_keras.Recipe(**settings["recipe"])
    assert json.loads(json.dumps(again.to_dict())) == settings["recipe"]
    assert settings["precision"] == "float32"
    assert settings["backend"] == "tensorflow"
    assert {"python", "tensorflow", "keras", "numpy"} <= settings["versions"].keys()
    assert settings["versions"]["keras"] == keras.__version__
    assert settings["data"]["images"] == 3  # one of the four is held out
    assert len(settings["data"]["sha256"]) == 16
    assert settings["device"] and settings["started"]


def test_a_run_folder_holds_everything(finished):
    folder, said = finished
    assert {path.name for path in folder.iterdir()} == {
        "settings.json",
        "metrics.csv",
        "samples",
        "logs",
        "checkpoint.npz",
        "model.keras",
    }
    assert sorted(os.listdir(folder / "samples")) == ["epoch_0001.png", "epoch_0002.png"]
    assert any(path.is_file() for path in (folder / "logs").rglob("events.out.tfevents.*"))
    assert any("float32" in line for line in said)  # what the runtime picked, and why
    assert len([line for line in said if "model.keras" in line]) == 1


def test_metrics_of_a_restorer(finished):
    rows = rows_of(finished[0])
    assert list(rows[0]) == ["epoch", "seconds", "loss", "psnr", "val_loss", "val_psnr"]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    values = [[float(value) for value in row.values()] for row in rows]
    assert np.isfinite(values).all()
    assert read_seconds(finished[0]) == float(rows[-1]["seconds"]) > float(rows[0]["seconds"]) > 0
    assert read_seconds(finished[0].parent) is None


def test_a_run_is_repeatable_bit_for_bit(finished, photo_folder, tmp_path):
    folder = tmp_path / "run"
    train(restorer(photo_folder, seed=7), folder, "float32", say=silent)
    models = [gan_keras.load(path) for path in (finished[0], folder)]
    for a, b in zip(*(model.variables for model in models), strict=True):
        np.testing.assert_array_equal(a, b)
    other = tmp_path / "other"
    train(restorer(photo_folder, seed=8), other, "float32", say=silent)
    pairs = zip(models[0].variables, gan_keras.load(other).variables, strict=True)
    assert any((np.array(a) != np.array(b)).any() for a, b in pairs)


def test_an_existing_run_is_not_lost(run_folder, photo_folder):
    before = contents(run_folder)
    with pytest.raises(UserError, match=r"--resume.*--overwrite.*--out"):
        train(restorer(photo_folder, seed=7), run_folder, say=silent)
    assert contents(run_folder) == before


def test_overwrite_replaces_the_run_and_nothing_else(run_folder, photo_folder):
    (run_folder / "notes.txt").write_text("mine")
    before = contents(run_folder)
    recipe = restorer(photo_folder, seed=8, epochs=1)
    train(recipe, run_folder, "float32", overwrite=True, say=silent)
    after = contents(run_folder)
    assert len(rows_of(run_folder)) == 1
    assert sorted(os.listdir(run_folder / "samples")) == ["epoch_0001.png"]
    assert after["checkpoint.npz"] != before["checkpoint.npz"]
    assert after["notes.txt"] == b"mine"
    assert json.loads(after["settings.json"])["recipe"]["seed"] == 8


def test_resume_of_another_seed_is_refused(run_folder, photo_folder):
    before = contents(run_folder)
    with pytest.raises(UserError, match="seed=7, not 8"):
        train(restorer(photo_folder, seed=8), run_folder, resume=True, say=silent)
    with pytest.raises(UserError, match=r"learning_rate=0\.002, not 0.5"):
        recipe = restorer(photo_folder, seed=7, learning_rate=0.5)
        train(recipe, run_folder, resume=True, say=silent)
    assert contents(run_folder) == before


def test_resume_goes_on_to_more_epochs(run_folder, photo_folder):
    before = rows_of(run_folder)
    said = []
    train(restorer(photo_folder, seed=7, epochs=3), run_folder, resume=True, say=said.append)
    assert rows_of(run_folder)[:2] == before
    assert [row["epoch"] for row in rows_of(run_folder)] == ["1", "2", "3"]
    assert any("after epoch 2" in line for line in said)


def test_resume_to_another_schedule_is_refused(photo_folder, tmp_path):
    recipe = restorer(photo_folder, epochs=1).replace(schedule="cosine")
    train(recipe, tmp_path / "run", say=silent)
    with pytest.raises(UserError, match="epochs=1, not 2"):
        train(recipe.replace(epochs=2), tmp_path / "run", resume=True, say=silent)


def test_resume_on_changed_photographs_is_refused(photo_folder, tmp_path):
    photographs = shutil.copytree(photo_folder, tmp_path / "photographs")
    train(restorer(photographs, epochs=1), tmp_path / "run", say=silent)
    for path in photographs.rglob("*.png"):
        Image.new("RGB", (40, 40)).save(path)
    with pytest.raises(UserError, match="has changed since"):
        train(restorer(photographs, epochs=2), tmp_path / "run", resume=True, say=silent)


def test_overwriting_with_bad_data_loses_nothing(run_folder, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in run_folder.rglob("*")}
    with pytest.raises(UserError, match="no such folder"):
        train(restorer(tmp_path / "none"), run_folder, overwrite=True, say=silent)
    assert {path: path.stat().st_mtime_ns for path in run_folder.rglob("*")} == before


def test_a_file_damaged_between_the_headers_and_the_end_is_one_line(tmp_path):
    for part in ("input", "target"):
        (tmp_path / "pairs" / part).mkdir(parents=True)
        for index in range(3):
            noise = np.random.default_rng(index).integers(0, 256, (60, 60, 3), np.uint8)
            path = tmp_path / "pairs" / part / f"{index}.png"
            Image.fromarray(noise).save(path)
            if part == "input":
                path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"input/\d\.png"):
        train(restorer(tmp_path / "pairs").replace(degradation={}), tmp_path / "run", say=silent)


def test_resume_where_nothing_is_starts(photo_folder, tmp_path):
    train(restorer(photo_folder, epochs=1), tmp_path / "new", resume=True, say=silent)
    assert (tmp_path / "new" / "model.keras").exists()


def test_resume_of_a_damaged_checkpoint_is_one_line(run_folder, photo_folder):
    (run_folder / "checkpoint.npz").write_bytes(b"half")
    with pytest.raises(UserError, match="damaged") as error:
        train(restorer(photo_folder, seed=7, epochs=3), run_folder, resume=True, say=silent)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("flags", [{}, {"resume": True}, {"overwrite": True}])
def test_a_folder_that_is_no_run_is_left_alone(tmp_path, photo_folder, flags):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "holiday.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(UserError, match="something else than a run"):
        train(restorer(photo_folder), tmp_path, say=silent, **flags)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, photo_folder, where):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError) as error:
        train(restorer(photo_folder), tmp_path / where, say=silent)
    assert "\n" not in str(error.value) and "--out" in str(error.value)
    assert contents(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize("epochs", [0, -1])
def test_epochs_below_one(tmp_path, photo_folder, epochs):
    with pytest.raises(UserError, match=f"epochs {epochs}: at least 1"):
        train(restorer(photo_folder, epochs=epochs), tmp_path / "run", say=silent)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("changes", [{"data": "cifar"}, {"data": "/nowhere/at/all"}])
def test_digit_recipes_name_the_sets_there_are(tmp_path, changes):
    with pytest.raises(UserError, match="mnist-5k"):
        train(dcgan(**changes), tmp_path / "run", say=silent)
    assert not (tmp_path / "run").exists()


def test_unknown_photographs_and_degradations(tmp_path, photo_folder):
    with pytest.raises(UserError, match="no such folder"):
        train(restorer(tmp_path / "nowhere"), tmp_path / "run", say=silent)
    with pytest.raises(UserError, match="gaussian_noise"):
        recipe = restorer(photo_folder, degradation={"name": "gausian_noise"})
        train(recipe, tmp_path / "run", say=silent)
    assert not (tmp_path / "run").exists()


def test_unknown_precision(tmp_path, photo_folder):
    with pytest.raises(UserError, match="float32, mixed_bfloat16"):
        train(restorer(photo_folder), tmp_path / "run", "float64", say=silent)
    assert not (tmp_path / "run").exists()


class Poison:
    """Make the data bad from the second epoch's second batch on."""

    def __init__(self, kind, monkeypatch):
        original = kind.__getitem__

        def poisoned(data, index):
            batch = original(data, index)
            if (data.epoch, index) == (1, 1):
                return tuple(np.full_like(images, math.nan) for images in batch)
            return batch

        monkeypatch.setattr(kind, "__getitem__", poisoned)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path, monkeypatch):
    Poison(DigitBatches, monkeypatch)
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28, 1), np.uint8)
    monkeypatch.setattr(assembly, "load_digits", lambda *_: (images, np.zeros(12, int)))
    with pytest.raises(TrainingDivergedError) as error:
        train(dcgan(), tmp_path / "run", "float32", say=silent)
    message = str(error.value)
    assert "step 4" in message and "discriminator" in message and "\n" not in message
    assert "learning rate" in message and "float32" in message
    # the first epoch's checkpoint is there, whole, and the run can go on from it
    monkeypatch.undo()
    monkeypatch.setattr(assembly, "load_digits", lambda *_: (images, np.zeros(12, int)))
    model = train(dcgan(), tmp_path / "run", resume=True, say=silent)
    assert int(model.step) == 4
    rows = rows_of(tmp_path / "run")
    measures = ["discriminator_accuracy", "discriminator_loss", "generator_loss"]
    assert list(rows[0])[:2] == ["epoch", "seconds"]
    assert sorted(list(rows[0])[2:]) == measures + [f"val_{name}" for name in measures]
    assert len(rows) == 2 and np.isfinite([float(v) for v in rows[-1].values()]).all()


def test_a_plain_model_has_one_player(tmp_path, photo_folder, monkeypatch):
    Poison(PhotoPairs, monkeypatch)
    with pytest.raises(TrainingDivergedError, match=r"step 4: loss is nan \(the model diverged"):
        train(restorer(photo_folder), tmp_path / "run", "float32", say=silent)
    assert len(rows_of(tmp_path / "run")) == 1
    assert not (tmp_path / "run" / "model.keras").exists()
    with np.load(tmp_path / "run" / "checkpoint.npz") as file:
        assert int(file["epoch"]) == 1
        assert all(np.isfinite(file[key]).all() for key in file.files)


def test_a_loss_that_explodes_stops_the_run(tmp_path, photo_folder):
    recipe = restorer(photo_folder).replace(learning_rate=1e4)
    with pytest.raises(TrainingDivergedError, match=r"step 2: loss is \d.*try a lower"):
        train(recipe, tmp_path / "run", "float32", say=silent)


def test_pix2pix_trains_its_start_first_and_a_folder_of_pairs_will_do(
    tmp_path, photo_folder, monkeypatch
):
    import shutil

    for part in ("input", "target"):
        shutil.copytree(photo_folder, tmp_path / "pairs" / part)
    changes = {"data": str(tmp_path / "pairs"), "degradation": {}, "epochs": 1, "crop": 16}
    network = {"filters": (2,), "blocks": (1,)}
    base = get_recipe("restorer").replace(network=network, crop=16, **SMALL)
    monkeypatch.setattr(run, "get_recipe", lambda name: base)
    recipe = get_recipe("pix2pix").replace(
        network=network,
        discriminator={"base_filters": 2, "downsamplings": 1},
        **(SMALL | changes),
    )
    said = []
    model = train(recipe, tmp_path / "runs" / "fine", "float32", say=said.append)
    assert any("training that first" in line for line in said)
    saved = json.loads((tmp_path / "runs" / "restorer" / "settings.json").read_text())
    assert saved["recipe"]["data"] == changes["data"]
    assert "psnr" in rows_of(tmp_path / "runs" / "fine")[0]
    assert isinstance(gan_keras.load(tmp_path / "runs" / "fine"), type(model))


JAX = """
import sys


class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_datasets"):
            raise ImportError(f"{name} must not be needed here")


sys.meta_path.insert(0, NoTensorFlow())
import keras
import numpy as np
import gan_keras
from gan_keras.recipes import get_recipe

photographs, folder = sys.argv[1:]
recipe = get_recipe("restorer").replace(
    data=photographs, crop=16, network={"filters": (4, 6), "blocks": (1, 1)},
    steps_per_epoch=20, epochs=2, batch_size=8, learning_rate=3e-3, schedule="constant",
)
assert keras.backend.backend() == "jax"
gan_keras.train(recipe.replace(epochs=1), folder, "float32")
gan_keras.train(recipe, folder, resume=True)
assert not any(name.split(".")[0] == "tensorflow" for name in sys.modules)
restored = gan_keras.Enhancer.load(folder)(np.zeros((30, 21, 3), np.uint8))
assert restored.shape == (30, 21, 3) and restored.dtype == np.uint8
"""


def test_a_restorer_trains_on_jax_where_there_is_no_tensorflow(run_python, photo_folder, tmp_path):
    result = run_python(JAX, photo_folder, tmp_path / "run", KERAS_BACKEND="jax")
    assert result.returncode == 0, result.stderr[-3000:]
    rows = rows_of(tmp_path / "run")
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["psnr"]) > float(rows[0]["psnr"])
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert settings["backend"] == "jax"


@pytest.mark.parametrize("build", [restorer, dcgan], ids=["restorer", "dcgan"])
def test_several_steps_an_execution_end_at_the_same_weights(build, photo_folder, tmp_path, capfd):
    """Of five steps an epoch, executions of two leave one over."""
    models, steps = [], {"steps_per_epoch": 5}
    for number in ("1", "2"):
        recipe = build(photo_folder, **steps) if build is restorer else build(**steps)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GAN_KERAS_STEPS_PER_EXECUTION", number)
            models.append(train(recipe, tmp_path / number, "float32", say=silent))
        assert "10/10" in capfd.readouterr().err  # the progress bar counts steps
    assert models[1].steps_per_execution == 2
    for a, b in zip(*(model.variables for model in models), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for a, b in zip(*(rows_of(tmp_path / number) for number in "12"), strict=True):
        assert {k: pytest.approx(float(v), rel=1e-4) for k, v in a.items() if k != "seconds"} == {
            k: float(v) for k, v in b.items() if k != "seconds"
        }


def test_runtime_follows_what_is_asked(monkeypatch):
    assert choose_runtime("bfloat16").precision == "mixed_bfloat16"
    assert choose_runtime("mixed_float16").precision == "mixed_float16"
    assert choose_runtime().precision in ("float32", "mixed_bfloat16")
    assert choose_runtime().jit_compile is False  # this is a CPU
    monkeypatch.setenv("GAN_KERAS_PRECISION", "float16")
    monkeypatch.setenv("GAN_KERAS_XLA", "1")
    assert choose_runtime().precision == "mixed_float16"
    assert choose_runtime("float32").precision == "float32"
    assert choose_runtime().jit_compile is True
    assert "XLA on" in choose_runtime().reason


@pytest.mark.parametrize(
    "content, limit",
    [("max 100000", 10**6), ("150000 100000", 2), ("20000 100000", 1), ("what", 10**6)],
)
def test_a_containers_share_limits_the_cores(content, limit, tmp_path):
    quota = tmp_path / "cpu.max"
    quota.write_text(content)
    everywhere = available_cores(tmp_path / "nothing")
    assert available_cores(quota) == min(everywhere, limit) >= 1


THREADS = """
import tensorflow as tf
from gan_keras.training.runtime import available_cores, choose_runtime

runtime = choose_runtime()
print(runtime.threads, tf.config.threading.get_intra_op_parallelism_threads(), runtime.reason)
tf.zeros(1)  # from here on it is fixed
import os
os.environ["GAN_KERAS_THREADS"] = "5"
print(choose_runtime().threads)
"""


def test_threads_are_told_to_tensorflow_before_it_computes(run_python):
    result = run_python(THREADS, GAN_KERAS_THREADS="3")
    assert result.returncode == 0, result.stderr[-2000:]
    first, second = result.stdout.splitlines()
    assert first.startswith("3 3 ") and first.endswith("; 3 threads; 1 step an execution")
    assert second == "3"


@pytest.mark.parametrize("what", ["threads", "steps_per_execution"])
@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_is_refused(what, number, monkeypatch):
    monkeypatch.setenv(f"GAN_KERAS_{what.upper()}", number)
    with pytest.raises(UserError, match=f"{what} '{number}': a whole number"):
        choose_runtime()

"""Runs that are killed with SIGKILL and resumed, against runs that were never stopped.

Each process resumes the run that the one before it left behind, then starts the next and is killed
in it: a real kill for each algorithm, and half of the start-up time.
"""

import csv
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

JOBS = ["dcgan", "vae", "restorer", "pix2pix", "bfloat16"]
pytestmark = pytest.mark.slow  # each is a process that is killed

DRIVER = """
import os, signal, sys
import gan_keras.training.run as run
from gan_keras.recipes import Recipe, get_recipe
from gan_keras.training import callbacks

folder, photographs = sys.argv[1:3]
resumed, killed = ([w for w in a.split(",") if w] for a in sys.argv[3:5])
EPOCHS, STEPS = 3, 3
small = {"steps_per_epoch": STEPS, "epochs": EPOCHS, "batch_size": 8}
photos = {"data": photographs, "crop": 16, "network": {"filters": (4, 6), "blocks": (1, 1)}}
recipes = {
    "dcgan": get_recipe("dcgan").replace(network={"latent_dim": 6, "base_filters": 4}, **small),
    "vae": get_recipe("vae").replace(network={"latent_dim": 6, "base_filters": 4}, **small),
    "restorer": get_recipe("restorer").replace(**small, **photos),
    "pix2pix": get_recipe("pix2pix").replace(
        discriminator={"base_filters": 4, "downsamplings": 1}, **small, **photos
    ),
}
recipes["bfloat16"] = recipes["dcgan"]


def die():
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def kill_inside_an_epoch(self, batch, logs=None):
    if self._epoch == 1 and batch == 1:
        die()


save = callbacks.save_checkpoint


def kill_before_a_checkpoint(path, model, epoch, seconds):
    if epoch == 2:  # the epoch's row is in metrics.csv already
        die()
    save(path, model, epoch, seconds)


def go(name, **options):
    if not options:  # a resumed run keeps its precision by itself
        options["precision"] = "bfloat16" if name == "bfloat16" else "float32"
    run.train(recipes[name], f"{folder}/{name}", say=lambda line: None, **options)


for name in resumed:
    go(name, resume=True)
for name in sys.argv[5].split(","):
    if name:
        go(name)
for name in killed:
    if name == "vae":
        callbacks.save_checkpoint = kill_before_a_checkpoint
    else:
        callbacks.StopWhenDiverged.on_train_batch_end = kill_inside_an_epoch
    go(name)
"""


def read_csv(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def read_checkpoint(path):
    with np.load(path) as file:
        return {key: file[key] for key in file.files if key != "seconds"}


@pytest.fixture(scope="module")
def folders(run_python, photo_folder, tmp_path_factory):
    """Return the folder of the runs never stopped, and that of the runs killed and resumed."""
    whole, broken = (tmp_path_factory.mktemp(name) for name in ("whole", "broken"))

    def drive(folder, resumed="", killed="", started=""):
        return run_python(DRIVER, folder, photo_folder, resumed, killed, started)

    pool = ThreadPoolExecutor(1)
    never_stopped = pool.submit(drive, whole, started=",".join(JOBS))
    for before, name in zip(["", *JOBS[:-1]], JOBS, strict=True):
        result = drive(broken, resumed=before, killed=name)
        assert result.returncode == -signal.SIGKILL, result.stderr[-3000:]
        left = read_checkpoint(broken / name / "checkpoint.npz")
        assert int(left["epoch"]) == 1
        assert not (broken / name / "model.keras").exists()
        assert len(read_csv(broken / name / "metrics.csv")) == (2 if name == "vae" else 1)
    for result in (drive(broken, resumed=JOBS[-1]), never_stopped.result()):
        assert result.returncode == 0, result.stderr[-3000:]
    return whole, broken


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_a_killed_run_ends_as_if_it_had_never_been_stopped(folders, name):
    """Weights, averaged weights, both optimisers, step counters: every bit of the state."""
    whole, broken = (read_checkpoint(folder / name / "checkpoint.npz") for folder in folders)
    assert whole.keys() == broken.keys() and int(whole["epoch"]) == 3
    assert len(whole) > 10
    for key in whole:
        np.testing.assert_array_equal(whole[key], broken[key])
    rows = [read_csv(folder / name / "metrics.csv") for folder in folders]
    assert rows[0] == rows[1]
    assert [row["epoch"] for row in rows[0]] == ["1", "2", "3"]
    steps = [int(v) for v in whole.values() if v.shape == () and v.dtype.kind in "iu"]
    assert steps.count(9) >= 1  # it has really trained: three epochs of three steps
    for folder in folders:
        assert (folder / name / "model.keras").exists()
        assert not list((folder / name).rglob(".tmp-*"))


@pytest.mark.parametrize("name", JOBS)
def test_the_samples_of_every_epoch_are_there(folders, name):
    contents = []
    for folder in folders:
        files = sorted((folder / name / "samples").iterdir())
        assert [f.name for f in files] == [f"epoch_{i:04d}.png" for i in (1, 2, 3)]
        contents.append([f.read_bytes() for f in files])
    assert contents[0] == contents[1]


def test_runs_of_different_kinds_differ(folders):
    """The comparison above can fail: precision alone changes the bits."""
    one, other = (read_checkpoint(folders[0] / n / "checkpoint.npz") for n in ("dcgan", "bfloat16"))
    assert one.keys() == other.keys()
    assert any((one[key] != other[key]).any() for key in one)


def test_saved_models_are_equal(folders):
    import gan_keras

    for name in ("dcgan", "restorer"):
        models = [gan_keras.load(folder / name) for folder in folders]
        for a, b in zip(*(model.variables for model in models), strict=True):
            np.testing.assert_array_equal(a, b)


def test_pix2pix_went_on_from_the_restorer_and_changed_it(folders):
    import gan_keras

    restorer, pix2pix = (gan_keras.load(folders[0] / name) for name in ("restorer", "pix2pix"))
    pairs = zip(restorer.weights, pix2pix.generator.weights, strict=True)
    distances = [np.abs(np.subtract(a, b)).max() for a, b in pairs]
    assert 0 < max(distances) < 0.01  # nine steps of 1e-4 from there

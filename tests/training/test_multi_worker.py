"""Two workers on the loopback interface, each a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from gan_keras.cli import main
from gan_keras.recipes import get_recipe
from gan_keras.training.multi_worker import read_cluster, share_rows

EPOCHS = 16
CODE = """
import sys
from gan_keras import get_recipe
from gan_keras.training.multi_worker import train_worker

settings = {"latent_dim": 4, "base_filters": 2}
recipe = get_recipe("dcgan").replace(
    network=settings, discriminator={"base_filters": 2}, batch_size=8, steps_per_epoch=2,
    epochs=int(sys.argv[2]), algorithm_settings={"average_decay": 0.9},
)
train_worker(recipe, sys.argv[1], "float32", resume=True)
"""


def start_workers(folder):
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    workers = []
    for index in range(2):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        with open(f"{folder}_{index}.log", "a") as log:
            workers.append(
                subprocess.Popen(
                    [sys.executable, "-c", CODE, str(folder), str(EPOCHS)],
                    env={**os.environ, "TF_CONFIG": config},
                    stdout=log,
                    stderr=log,
                )
            )
    return workers


def finish(workers, folder, seconds=200):
    for index, worker in enumerate(workers):
        try:
            code = worker.wait(seconds)
        finally:
            worker.kill()
        with open(f"{folder}_{index}.log") as log:
            assert code == 0, log.read()[-2000:]


def weights(path):
    return [np.asarray(v) for v in keras.saving.load_model(path).weights]


@pytest.mark.slow
def test_workers_end_equal_and_a_killed_one_s_job_goes_on_to_the_same_weights(tmp_path):
    from gan_keras.algorithms import dcgan  # noqa: F401 (registers the class)

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(start_workers(whole), whole)
    workers = start_workers(broken)
    deadline = time.monotonic() + 200
    while not (broken / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    workers[1].send_signal(signal.SIGKILL)
    assert workers[0].wait(120) != 0  # it stops, and does not wait for ever
    assert not (broken / "model.keras").exists()
    finish(start_workers(broken), broken)
    with open(f"{broken}_0.log") as log:
        assert "resuming" in log.read()
    expected = weights(whole / "model.keras")
    assert max(np.abs(v).max() for v in expected) > 0
    for path in (
        whole / ".worker_1/model.keras",
        broken / "model.keras",
        broken / ".worker_1/model.keras",
    ):
        for one, other in zip(expected, weights(path), strict=True):
            np.testing.assert_array_equal(other, one)
    rows = (broken / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [str(i + 1) for i in range(EPOCHS)]


def test_workers_share_a_batch():
    batch = np.arange(12)
    parts = [share_rows(batch, index, 3) for index in range(3)]
    np.testing.assert_array_equal(np.concatenate(parts), batch)
    assert {len(part) for part in parts} == {4}


PLAIN = """
import sys
from gan_keras import get_recipe
from gan_keras.training.multi_worker import train_worker

recipe = get_recipe("restorer").replace(
    network={"filters": (2,), "blocks": (1,)}, crop=16, batch_size=4, steps_per_epoch=2, epochs=1
)
train_worker(recipe, sys.argv[1], "float32")
"""


@pytest.mark.slow
def test_a_worker_alone_trains_a_network_with_keras_own_step(tmp_path, run_python):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        cluster = {"worker": [f"127.0.0.1:{free.getsockname()[1]}"]}
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}})
    done = run_python(PLAIN, tmp_path / "run", TF_CONFIG=config)
    assert done.returncode == 0, done.stderr
    assert "psnr" in (tmp_path / "run/metrics.csv").read_text()
    again = run_python(PLAIN, tmp_path / "run", TF_CONFIG=config)
    assert "--resume goes on" in again.stderr


def test_the_place_in_the_cluster_is_read():
    cluster = {"worker": ["a:1", "b:2", "c:3"]}
    text = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 2}})
    assert read_cluster(text) == (2, 3)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "[]",
        '{"cluster": {}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
    ],
)
def test_a_wrong_cluster_is_one_line(text, capfd, monkeypatch, tmp_path):
    if text is None:
        monkeypatch.delenv("TF_CONFIG", raising=False)
    else:
        monkeypatch.setenv("TF_CONFIG", text)
    arguments = ["train", "dcgan", "--strategy", "multi_worker", "--out", str(tmp_path / "run")]
    assert main(arguments) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "needs TF_CONFIG" in line
    assert not (tmp_path / "run").exists()


def test_batches_that_cannot_be_shared_are_refused(monkeypatch, tmp_path):
    from gan_keras.errors import UserError
    from gan_keras.training.multi_worker import train_worker

    cluster = {"worker": ["a:1", "b:2", "c:3"]}
    text = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}})
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="64 cannot be shared among 3"):
        train_worker(get_recipe("dcgan"), tmp_path)
    with pytest.raises(UserError, match="fine-tunes another recipe"):
        train_worker(get_recipe("pix2pix").replace(batch_size=9), tmp_path)

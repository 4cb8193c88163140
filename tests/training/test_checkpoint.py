import errno
import os

import keras
import numpy as np
import pytest

from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.errors import UserError
from gan_keras.networks.digits import build_discriminator, build_generator
from gan_keras.networks.restorer import build_restorer
from gan_keras.training.checkpoint import atomic_path, restore_checkpoint, save_checkpoint


def dcgan(base_filters=2, seed=0):
    keras.utils.set_random_seed(seed)
    shape = (8, 8, 1)
    model = DCGAN(build_generator(shape, 3, base_filters), build_discriminator(shape, base_filters))
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02))
    return model


def restorer():
    network = build_restorer((None, None, 1), filters=(2,), blocks=(1,))
    network.compile(keras.optimizers.Adam(0.01), loss="mean_absolute_error")
    return network


def images(seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (8, 8, 8, 1)).astype(np.float32)


def state(model):
    optimizers = [
        getattr(model, name)
        for name in ("optimizer", "generator_optimizer", "discriminator_optimizer")
        if getattr(model, name, None) is not None
    ]
    return [np.array(v) for v in (*model.variables, *(v for o in optimizers for v in o.variables))]


def one_line(error):
    text = str(error.value)
    return "\n" not in text and text


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "deep" / "er" / "file.txt"
    with atomic_path(target) as path:
        assert path.parent == target.parent and path.suffix == ".txt"
        path.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["file.txt"]
    assert target.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, UserError])
def test_a_body_that_fails_leaves_the_old_file(tmp_path, error):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(error), atomic_path(target) as path:
        path.write_text("half")
        raise error("no")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("where", ["body", "rename"])
def test_a_full_disk_is_one_line_and_the_old_file_intact(tmp_path, monkeypatch, where):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*_, **__):
        raise full

    model, path = dcgan(), tmp_path / "checkpoint.npz"
    save_checkpoint(path, model, epoch=1, seconds=2.5)
    before = path.read_bytes()
    monkeypatch.setattr(*((np, "savez") if where == "body" else (os, "replace")), fail)
    with pytest.raises(UserError, match=r"No space left.*intact") as error:
        save_checkpoint(path, model, epoch=2, seconds=5)
    assert one_line(error) and "--out" in str(error.value)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["checkpoint.npz"]


def test_a_folder_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="cannot write") as error,
        atomic_path(tmp_path / "file" / "folder" / "checkpoint.npz"),
    ):
        pytest.fail("the body must not run")
    assert one_line(error)


@pytest.mark.parametrize("make", [dcgan, restorer])
def test_everything_comes_back(tmp_path, make):
    model = make()
    data = (images(),) if make is dcgan else (images(), images(1))
    model.fit(*data, batch_size=4, shuffle=False, verbose=0)
    save_checkpoint(tmp_path / "checkpoint.npz", model, epoch=3, seconds=1.25)
    saved = state(model)
    keras.utils.set_random_seed(9)
    other = make()
    assert restore_checkpoint(tmp_path / "checkpoint.npz", other) == (3, 1.25)
    for step in range(2):
        for a, b in zip(state(model), state(other), strict=True):
            np.testing.assert_array_equal(a, b)
        if not step:
            for one in (model, other):
                one.fit(*data, batch_size=4, shuffle=False, verbose=0)
    assert any((a != b).any() for a, b in zip(saved, state(model), strict=True))


def damaged(tmp_path, kind):
    path = tmp_path / "checkpoint.npz"
    if kind == "text":
        path.write_text("not a checkpoint")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "another file of arrays":
        np.savez(path, weights=np.zeros(3))
    elif kind == "another model":
        save_checkpoint(path, restorer(), 1, 1.0)
    elif kind == "another size":
        save_checkpoint(path, dcgan(base_filters=3), 1, 1.0)
    else:
        save_checkpoint(path, dcgan(seed=1), 1, 1.0)
        whole = path.read_bytes()
        if kind == "cut short":
            path.write_bytes(whole[: len(whole) // 2])
        else:
            middle = len(whole) // 2
            path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "text",
        "empty",
        "cut short",
        "overwritten in the middle",
        "another file of arrays",
        "another model",
        "another size",
    ],
)
def test_a_checkpoint_that_does_not_fit_is_one_line_and_changes_nothing(tmp_path, kind):
    path = damaged(tmp_path, kind)
    model = dcgan()
    before = state(model)
    with pytest.raises(UserError, match="--overwrite") as error:
        restore_checkpoint(path, model)
    assert one_line(error) and str(path) in str(error.value)
    for a, b in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(a, b)

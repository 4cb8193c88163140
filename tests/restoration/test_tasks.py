"""Tasks by their names, and what is said of those that do not ship."""

import shutil

import pytest

from gan_keras import Enhancer, loading
from gan_keras.cli import main
from gan_keras.errors import UserError
from gan_keras.networks.restorer import build_super_resolver


@pytest.fixture
def weights(tmp_path, monkeypatch, randomise, restorer_file):
    """Return a folder in place of `weights`, with `auto` (a tiny restorer) and `super_resolve`."""
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copy(restorer_file, folder / "auto.keras")
    randomise(build_super_resolver(filters=2, blocks=1)).save(folder / "super_resolve.keras")
    monkeypatch.setattr(loading, "WEIGHTS", folder)
    return folder


@pytest.mark.parametrize(
    ("names", "scale"),
    [(("auto", "dejpeg"), 1), (("super_resolve", "super-resolve"), 4)],
)
def test_a_task_may_be_written_so_or_so(weights, names, scale):
    for name in names:
        assert loading.model_path(name) == weights / f"{names[0]}.keras"
        assert Enhancer.load(name).scale == scale


def test_a_card_is_found_by_either_name(weights):
    (weights / "auto.json").write_text('{"bad_at": "all"}')
    assert loading.shipped_card("dejpeg") == loading.shipped_card("auto") == {"bad_at": "all"}
    assert loading.shipped_card("denoise") == loading.shipped_card(weights / "auto") == {}


def test_a_path_is_no_task(weights, tmp_path, monkeypatch):
    """`Path("auto")` and "./auto" are a folder, whatever ships."""
    monkeypatch.chdir(tmp_path)
    for name in (tmp_path / "auto", "./auto"):
        with pytest.raises(UserError, match="no model"):
            loading.model_path(name)


@pytest.mark.parametrize("task", ["pix2pix-unet", "pix2pix_unet"])
def test_a_task_that_has_a_recipe_but_does_not_ship(weights, task, photo_folder, tmp_path, capsys):
    photo = photo_folder / "0.png"
    assert main(["enhance", str(photo), "--task", task, "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert task in line and "gan-keras train pix2pix-unet" in line and "auto, super_resolve" in line


def test_a_misspelt_task_names_the_nearest(weights):
    with pytest.raises(UserError, match=r"no model 'super-resolv': did you mean 'super_resolve'\?"):
        loading.model_path("super-resolv")

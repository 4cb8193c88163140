"""tools/ship.py: from a run to a shipped enhancer, a task that is none of noise."""

import json

import numpy as np
import pytest
import ship

import gan_keras
from gan_keras import loading
from gan_keras.errors import UserError
from gan_keras.evaluation import measure
from gan_keras.networks.restorer import build_restorer
from gan_keras.recipes import RECIPES, get_recipe
from gan_keras.training import run


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Return an empty folder in place of `weights`."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setattr(loading, "WEIGHTS", folder)
    monkeypatch.setattr(ship, "WEIGHTS", folder)
    return folder


def test_a_run_ships_and_is_measured_on_its_own_task(weights, photo_folder, tmp_path):
    recipe = get_recipe("super-resolve")
    small = {"filters": 2, "blocks": 1}
    recipe = recipe.replace(data=str(photo_folder), network=recipe.network | small, crop=32)
    recipe = recipe.replace(steps_per_epoch=2, epochs=1, batch_size=2)
    model = run.train(recipe, tmp_path / "run", "float32", say=lambda line: None)
    (tmp_path / "tried.md").write_text("a larger one: no better\n")
    words = "all of it", "none", str(photo_folder), tmp_path / "tried.md"
    ship.main(tmp_path / "run", "super_resolve", *words)
    card = json.loads((weights / "super_resolve.json").read_text())
    methods = [row["method"] for row in card["results"]["photos"]]
    assert methods == ["do nothing", "bicubic", "Lanczos", "super_resolve"]
    assert np.std([row["psnr_spread"] for row in card["results"]["photos"]]) > 0
    old = card | {"results": {"table": ["of another day"]}}
    (weights / "super_resolve.json").write_text(json.dumps(old))
    ship.measure_again("super_resolve", str(photo_folder))
    again = json.loads((weights / "super_resolve.json").read_text())
    pairs = zip(card["results"].pop("photos"), again["results"].pop("photos"), strict=True)
    for before, after in pairs:
        assert after["psnr"] == before["psnr"]
    assert {**again, "results": 0} == {**card, "results": 0}
    text = (weights / "super_resolve.md").read_text()
    assert card["bad_at"] == "all of it" and "bicubic" in text
    assert text.endswith("What was tried:\n\na larger one: no better\n")
    enhancer = gan_keras.Enhancer.load("super-resolve")
    assert enhancer.scale == 4
    for shipped, trained in zip(enhancer.network.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(shipped, trained, rtol=1e-3, atol=1e-6)  # float16
    table = []  # with no more said, on the photographs that are always there
    measure(["super-resolve"], say=table.append)
    assert table[0] == "photos: {'name': 'downsample', 'factor': 4}"
    assert table[1].startswith("means of 2 photographs")


def test_what_a_run_went_on_from_is_on_its_card(weights, photo_folder, tmp_path, monkeypatch):
    for name in ("denoise-first", "denoise-second", "denoise"):
        small = get_recipe(name).replace(data=str(photo_folder), crop=32, batch_size=2)
        small = small.replace(network={"filters": (2,), "blocks": (1,)})
        monkeypatch.setitem(RECIPES, name, small.replace(steps_per_epoch=2, epochs=1))
    run.train(RECIPES["denoise"], tmp_path / "denoise", "float32", say=lambda line: None)
    ship.main(tmp_path / "denoise", "denoise", "all of it", "none", str(photo_folder))
    card = json.loads((weights / "denoise.json").read_text())
    assert len(card["before"]["curve"]["loss"]) == 1
    assert card["before"]["recipe"]["data"] == photo_folder.name
    befores = card["before"], card["before"]["before"]
    chain = ["denoise-second", "denoise-first"]  # the latest first
    assert [before["recipe"]["name"] for before in befores] == chain
    text = (weights / "denoise.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("- before that")]
    assert [line.split("`")[1] for line in lines] == chain
    assert "before that: `denoise-first`, 1 epochs of 2 steps" in text and "it started" not in text
    assert f"to measure it: `gan-keras evaluate denoise --data {photo_folder.name}`" in text
    assert not ship.training_before(tmp_path / "auto", "denoise")  # ships, with its own card


def test_a_share_of_the_way_ships(weights, photo_folder, tmp_path, randomise, monkeypatch):
    recipe = get_recipe("denoise-realism")
    start = randomise(build_restorer(filters=(2, 3), blocks=(1, 1)))
    start.save(weights / "denoise.keras")
    (weights / "denoise.json").write_text("{}")
    recipe = recipe.replace(data=str(photo_folder), network={"filters": (2, 3), "blocks": (1, 1)})
    recipe = recipe.replace(steps_per_epoch=1, epochs=1, batch_size=2, crop=32, learning_rate=0.1)
    recipe = recipe.replace(schedule="constant")
    monkeypatch.setattr(run, "_start_network", lambda *_: start)  # as if it were the recipe's
    model = run.train(recipe, tmp_path / "run", "float32", say=lambda line: None)
    words = "all of it", "", str(photo_folder), None, "0.25"
    ship.main(tmp_path / "run", "denoise_realism", *words)
    ends = start.get_weights(), model.averaged_generator.get_weights()
    shipped = gan_keras.load("denoise_realism").get_weights()
    for weight, first, last in zip(shipped, *ends, strict=True):
        np.testing.assert_allclose(weight, 0.75 * first + 0.25 * last, rtol=1e-3, atol=1e-6)
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(*ends, strict=True))
    text = (weights / "denoise_realism.md").read_text()
    assert "it started from `denoise`, which has a card of its own" in text
    assert "0.25 of the way from `denoise`" in text and "MIT, like the code" in text
    for share in ("0", "1.5"):
        with pytest.raises(UserError, match="from 0 to 1 of the way"):
            ship.main(tmp_path / "run", "denoise_realism", *words[:-1], share)


def test_a_denoiser_is_measured_at_one_sigma(weights):
    """As the README's table has it, and whatever range it was trained for."""
    card = {
        "recipe": {"data": "train", "degradation": {"name": "gaussian_noise", "sigma": [0, 55]}}
    }
    (weights / "denoise.json").write_text(json.dumps(card))
    (weights / "denoise.keras").write_bytes(b"")
    from gan_keras.evaluation import _shipped_damage

    assert loading.shipped_recipe("denoise") == card["recipe"]
    assert _shipped_damage("denoise") == _shipped_damage("runs/mine") == {}

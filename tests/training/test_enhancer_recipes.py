"""The enhancers' recipes: each trains a step, and realism starts from fidelity."""

import json

import keras
import numpy as np
import pytest

from gan_keras import loading
from gan_keras.networks.restorer import DEBLURRER, build_restorer
from gan_keras.recipes import RECIPES, get_recipe
from gan_keras.restoration.recipes import ENHANCERS
from gan_keras.training import run
from gan_keras.training.assembly import build_model, compile_model, load_data
from gan_keras.training.run import train

SMALL = {"steps_per_epoch": 1, "epochs": 1, "batch_size": 2, "crop": 32, "schedule": "constant"}
TINY = {"filters": (2, 3), "blocks": (1, 1)}


def shrunk(recipe, folder):
    """Keep what a recipe is about; make it small."""
    network = recipe.network | TINY
    if network.get("builder") == "build_super_resolver":
        network |= {"filters": 2, "blocks": 1}
    discriminator = recipe.discriminator | {"base_filters": 2} if recipe.discriminator else None
    changes = {"network": network, "discriminator": discriminator, "data": str(folder)}
    return recipe.replace(**SMALL, **changes)


@pytest.mark.parametrize("name", ENHANCERS)
def test_each_trains_a_step(name, photo_folder):
    recipe = shrunk(get_recipe(name), photo_folder)
    batches, validation, _ = load_data(recipe)
    keras.utils.set_random_seed(0)
    model = build_model(recipe)
    compile_model(model, recipe, jit_compile=False)
    network = getattr(model, "generator", model)
    before = network.get_weights()
    history = model.fit(batches, validation_data=validation, verbose=0).history
    assert np.isfinite([values[0] for values in history.values()]).all()
    assert any((a != b).any() for a, b in zip(before, network.get_weights(), strict=True))
    degraded, target = batches[0]
    assert target.shape == (2, 32, 32, 3)
    assert tuple(network(degraded).shape) == target.shape
    assert degraded.shape == {
        "super-resolve": (2, 8, 8, 3),
        "super-resolve-realism": (2, 8, 8, 3),
        "inpaint": (2, 32, 32, 4),
    }.get(name, target.shape)


JAX = """
import sys


class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_datasets"):
            raise ImportError(f"{name} must not be needed here")


sys.meta_path.insert(0, NoTensorFlow())
import numpy as np
from gan_keras.recipes import get_recipe
from gan_keras.training.assembly import build_model, compile_model, load_data

photographs, *names = sys.argv[1:]
for name in names:
    recipe = get_recipe(name)
    large = recipe.network.get("builder") == "build_super_resolver"
    small = {"filters": 2, "blocks": 1} if large else {"filters": (2, 3), "blocks": (1, 1)}
    recipe = recipe.replace(
        data=photographs, network=recipe.network | small, crop=32, batch_size=2, steps_per_epoch=1,
        schedule="constant",
    )
    batches, _, _ = load_data(recipe)
    model = build_model(recipe)
    compile_model(model, recipe, jit_compile=False)
    before = model.get_weights()
    loss = model.fit(batches, epochs=1, verbose=0).history["loss"]
    assert np.isfinite(loss).all(), name
    changed = [(a != b).any() for a, b in zip(before, model.get_weights(), strict=True)]
    print(name, any(changed))
"""


def test_the_networks_that_denoise_does_not_have_train_on_jax(run_python, photo_folder):
    names = [name for name in ENHANCERS if "builder" in get_recipe(name).network]
    names = [name for name in names if get_recipe(name).algorithm == "restorer"]
    assert names == ["super-resolve", "inpaint", "deblur"]
    result = run_python(JAX, photo_folder, *names, KERAS_BACKEND="jax")
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.split() == [word for name in names for word in (name, "True")]


@pytest.mark.parametrize("name", ENHANCERS)
def test_no_enhancer_is_large(name):
    recipe = get_recipe(name)
    network = build_model(recipe.replace(algorithm="restorer"))
    assert 0.5e6 < network.count_params() <= 1.5e6


@pytest.mark.parametrize("name", [name for name in ENHANCERS if name.endswith("-realism")])
def test_realism_has_the_network_of_its_fidelity(name):
    recipe = get_recipe(name)
    base = get_recipe(recipe.start_from)
    assert name == f"{base.name}-realism" and recipe.algorithm == "pix2pix"
    assert (recipe.network, recipe.degradation) == (base.network, base.degradation)


def test_a_fast_restorer_has_its_gradients_clipped():
    """At 2e-3 one machine's rounding was enough for a loss of 100, and 11 dB less at the end."""
    recipes = [get_recipe(name) for name in ("restorer", *ENHANCERS)]
    fast = [r for r in recipes if r.optimizer == "adam" and r.learning_rate > 1e-3]
    assert [recipe.name for recipe in fast] == ["restorer"]
    assert all(0 < recipe.clip_norm <= 1 for recipe in fast)


def test_auto_leaves_some_photographs_clean():
    from gan_keras.data.degradations import build_degradation

    degrade = build_degradation(get_recipe("auto").degradation)
    image = np.random.default_rng(1).uniform(-1, 1, (16, 16, 3)).astype(np.float32)
    clean = [(degrade(image, np.random.default_rng(i)) == image).all() for i in range(300)]
    assert 0.03 < np.mean(clean) < 0.2


@pytest.fixture
def fine_tuning(tmp_path, monkeypatch, photo_folder, randomise):
    """Return (recipe of realism, the shipped network): tiny, with its card."""
    names = "denoise-first", "denoise-second", "denoise", "denoise-realism", "deblur"
    small = {name: shrunk(RECIPES[name], photo_folder) for name in names}
    for name, recipe in small.items():
        monkeypatch.setitem(RECIPES, name, recipe)
    folder = tmp_path / "weights"
    folder.mkdir()
    network = randomise(build_restorer(**TINY))
    network.save(folder / "denoise.keras")
    card = {"recipe": small["denoise"].replace(data="train").to_dict()}
    (folder / "denoise.json").write_text(json.dumps(card))
    monkeypatch.setattr(loading, "WEIGHTS", folder)
    return small["denoise-realism"].replace(learning_rate=1e-30), network  # nothing moves


def test_realism_starts_from_what_ships(fine_tuning, tmp_path):
    recipe, network = fine_tuning
    said = []
    model = train(recipe, tmp_path / "runs" / "real", "float32", say=said.append)
    assert any("fine-tunes denoise as it ships" in line for line in said)
    for a, b in zip(model.generator.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "runs" / "denoise").exists()


@pytest.mark.parametrize("key", ["network", "degradation"])
def test_what_ships_for_something_else_is_no_start(fine_tuning, tmp_path, key):
    recipe, _ = fine_tuning
    card = loading.WEIGHTS / "denoise.json"
    settings = json.loads(card.read_text())
    settings["recipe"][key] = {"name": "jpeg"}
    card.write_text(json.dumps(settings))
    said = []
    train(recipe, tmp_path / "runs" / "real", "float32", say=said.append)
    assert any("training that first" in line for line in said)
    saved = run.run_settings(tmp_path / "runs" / "denoise")["recipe"]
    assert saved["name"] == "denoise" and saved["algorithm"] == "restorer"


def test_a_deblurrer_takes_over_from_a_denoiser_and_keeps_its_name(fine_tuning, tmp_path):
    recipe = RECIPES["deblur"].replace(learning_rate=1e-30)
    train(recipe, tmp_path / "deblur", "float32", say=lambda line: None)
    first, last = (loading.load(tmp_path / name) for name in ("denoise-first", "deblur"))
    assert (first.name, last.name) == ("restorer", DEBLURRER)
    for a, b in zip(first.get_weights(), last.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-20)


def test_ones_own_run_comes_before_what_ships(fine_tuning, tmp_path):
    recipe, network = fine_tuning
    own = train(RECIPES["denoise"], tmp_path / "denoise", "float32", say=lambda line: None)
    model = train(recipe, tmp_path / "real", "float32", say=lambda line: None)
    for a, b in zip(model.generator.get_weights(), own.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-20)  # zeros move by the rate
    pairs = zip(model.generator.get_weights(), network.get_weights(), strict=True)
    assert any((a != b).any() for a, b in pairs)

"""`load`: a trained model by its shipped name, its file, or its run."""

import difflib
import json
from pathlib import Path

import keras

from gan_keras.errors import UserError
from gan_keras.recipes import RECIPES

WEIGHTS = Path(__file__).parent / "weights"


def shipped():
    """Return the names of the models that come with the package."""
    return sorted(path.stem for path in WEIGHTS.glob("*.keras"))


def task_name(name):
    """Return a task's name as shipped files have it: "super_resolve" for "super-resolve"."""
    if not isinstance(name, str):
        return name
    return {"dejpeg": "auto"}.get(name, name.replace("-", "_"))


def model_path(name_or_path):
    """Find a model's file: a shipped name (see `task_name`), a `.keras` file, or a run folder.

    Raises:
        UserError: There is none; the message names the nearest shipped one.
    """
    path, name = Path(name_or_path), task_name(name_or_path)
    if name in shipped():  # before a folder of that name: ./denoise means the folder
        return WEIGHTS / f"{name}.keras"
    if path.is_dir():
        if (path / "model.keras").exists():
            return path / "model.keras"
        unfinished = (path / "checkpoint.npz").exists()
        hint = "finish it with train … --resume" if unfinished else "name a run or a .keras file"
        raise UserError(f"{path} holds no finished model: {hint}")
    if path.exists():
        return path
    near = difflib.get_close_matches(str(name), shipped(), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    if (recipe := str(name).replace("_", "-")) in RECIPES:
        hint = f"it does not ship: gan-keras train {recipe}, then --model runs/{recipe}; "
    raise UserError(f"no model {str(name_or_path)!r}: {hint}shipped: {', '.join(shipped())}")


def run_settings(path):
    """Read a run's `settings.json`; {} where `path` is no run.

    Raises:
        UserError: The file is damaged.
    """
    file = Path(path) / "settings.json"
    if not file.exists():
        return {}
    try:
        settings = json.loads(file.read_text())
        return settings | {"recipe": dict(settings["recipe"])}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged ({error}): train again with --overwrite") from error


def shipped_card(name):
    """Return a shipped model's card as it is in its JSON file; {} where none is of that name."""
    name = task_name(name)
    return json.loads((WEIGHTS / f"{name}.json").read_text()) if name in shipped() else {}


def shipped_recipe(name):
    """Return the recipe's settings on a shipped model's card; {} where none is of that name."""
    return shipped_card(name).get("recipe", {})


def load(name_or_path):
    """Load a trained model, with its optimisers where the file has them.

    Args:
        name_or_path: A shipped name ("denoise"), a `.keras` file, or a run folder.

    Returns:
        A `DCGAN`, `WGANGP`, `VAE` or `Pix2Pix`; a `Generator` where the file holds a generator of
        noise alone; or a plain network.

    Raises:
        UserError: There is no such model, or the file is not a Keras model.

    Example:
        >>> digits = gan_keras.load("runs/digits").generate(16)
    """
    path = model_path(name_or_path)
    if keras.backend.backend() == "tensorflow":  # the imports register the classes
        from gan_keras.algorithms import dcgan, pix2pix, vae, wgan_gp  # noqa: F401
    from gan_keras.training import assembly  # noqa: F401 (registers the metric)

    try:
        return _with_methods(keras.saving.load_model(path))
    except Exception as error:  # zip, JSON and Keras each have their own
        reason = str(error).strip().splitlines()[0][:150] if str(error).strip() else "unreadable"
        raise UserError(
            f"{path} is not a model that can be loaded ({reason}): name a .keras file that "
            "train or export wrote"
        ) from error


def _with_methods(model):
    """Give a shipped network, which plain Keras loads, the methods of what it was trained as."""
    names = [layer.name for layer in model.layers] if hasattr(model, "inputs") else []
    if "latents" in names and "images" in names:  # a decoder's logits are no images
        from gan_keras.algorithms.latents import Generator

        return Generator(model)
    if "encoder" in names:
        from gan_keras.algorithms.vae import VAE

        vae = VAE(model.get_layer("encoder"), model.get_layer("decoder"))
        vae.compile()
        return vae
    return model

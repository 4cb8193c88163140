"""A training run: a recipe, a folder, and everything needed to repeat or resume it."""

import json
import shutil
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from platform import python_version

import keras
from tqdm import tqdm

from gan_keras.errors import UserError
from gan_keras.loading import load, run_settings, shipped_recipe
from gan_keras.recipes import get_recipe
from gan_keras.training.assembly import build_model, compile_model, load_data, sample_image
from gan_keras.training.callbacks import Progress, RunRecorder, StopWhenDiverged
from gan_keras.training.checkpoint import atomic_path, restore_checkpoint
from gan_keras.training.doctor import TrainingDoctor
from gan_keras.training.replicas import AverageStatistics
from gan_keras.training.runtime import build_strategy, choose_runtime

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "pillow", "scikit-image", "jax")
_RUN_FILES = ("metrics.csv", "checkpoint.npz", "model.keras", "samples", "logs", "settings.json")


def train(recipe, out, precision=None, resume=False, overwrite=False, say=print, strategy=None):
    """Train a recipe into a folder.

    The folder gets `settings.json` (recipe, seed, versions, hardware, data fingerprint),
    `metrics.csv`, `samples/`, `logs/` (TensorBoard), `checkpoint.npz` after each epoch, and at the
    end `model.keras`.

    Args:
        recipe: A `Recipe`.
        out: The run's folder.
        precision: See `choose_runtime`; None picks, or keeps that of the run that goes on.
        resume: Go on after the last finished epoch, to the same weights as a run that was never
            stopped (bit for bit on a CPU); start if nothing is there.
        overwrite: Delete the run that is there, and start.
        say: Prints a line for people.
        strategy: See `build_strategy`; None trains on one device, or as the run that goes on.

    Returns:
        The trained model.

    Raises:
        UserError: A run is there and neither flag is set; the resumed one has other settings;
            the data cannot be read; the folder cannot be written; a loss became NaN; a batch
            cannot be shared equally among the devices.
    """
    folder = Path(out)
    if recipe.epochs < 1:
        raise UserError(f"epochs {recipe.epochs}: at least 1 is needed")
    if not 0 <= recipe.seed < 2**32:
        raise UserError(f"seed {recipe.seed} is not in 0 to 2**32 - 1")
    saved = _run_to_resume(folder, recipe, resume, overwrite)
    checkpoint = folder / "checkpoint.npz"
    resuming = bool(saved) and checkpoint.exists()
    if saved.get("strategy") == "multi_worker":
        raise UserError(f"{folder} is a run of several workers: --strategy multi_worker")
    strategy = strategy or saved.get("strategy")
    runtime = choose_runtime(precision or saved.get("precision"), strategy)
    if saved and runtime.precision != saved["precision"]:
        raise UserError(f"{folder} was started in {saved['precision']}: resume in that")
    if saved and strategy != saved.get("strategy"):
        raise UserError(f"{folder} was started without --strategy {strategy}: resume without it")
    distribution = build_strategy(strategy)
    replicas = distribution.num_replicas_in_sync if distribution else 1
    if recipe.batch_size % replicas:
        raise UserError(f"batch {recipe.batch_size} cannot be shared among {replicas} devices")
    say(f"{recipe.name}: {recipe.title}\n  {runtime.reason}")
    fine_tunes = recipe.start_from and not resuming  # what it may have to train first
    start = _start_network(recipe, folder, precision, say, strategy) if fine_tunes else None
    policy_before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(runtime.precision)
    keras.utils.set_random_seed(recipe.seed)
    data, validation, data_record = load_data(recipe)
    with distribution.scope() if distribution else nullcontext():
        model = build_model(recipe, start)
        compile_model(model, recipe, **runtime.compile_options)

    if saved and data_record["sha256"] != saved["data"]["sha256"]:
        raise UserError(f"{recipe.data} has changed since {folder} was started: use another --out")
    first_epoch, seconds = 0, 0.0
    if resuming:
        first_epoch, seconds = restore_checkpoint(checkpoint, model)
        say(f"  resuming {folder} after epoch {first_epoch}")
    if overwrite:
        _delete_run(folder)  # not before all that can go wrong with the new one has been tried
    settings = {
        "recipe": recipe.to_dict(),
        "precision": runtime.precision,
        "runtime": runtime.reason,
        "xla": runtime.jit_compile,
        "strategy": strategy,
        "replicas": replicas,
        "device": runtime.device,
        "backend": keras.backend.backend(),
        "data": data_record,
        "versions": versions(),
        "started": saved.get("started", datetime.now(UTC).isoformat(timespec="seconds")),
    }
    with atomic_path(folder / "settings.json") as path:
        path.write_text(json.dumps(settings, indent=1))

    data.epoch = first_epoch
    draw = None
    if recipe.algorithm != "classifier":
        draw = partial(sample_image, recipe, model, validation)
    recorder = RunRecorder(folder, draw, first_epoch, seconds)
    progress = Progress(recipe.name, recipe.epochs)
    callbacks = [StopWhenDiverged(), progress, recorder]
    if distribution:
        callbacks.insert(0, AverageStatistics(distribution))
    if hasattr(model, "discriminator"):
        callbacks.append(TrainingDoctor(data, partial(_say_above_the_bar, say)))
    if keras.backend.backend() == "tensorflow":
        callbacks.append(keras.callbacks.TensorBoard(folder / "logs", write_graph=False))
    try:
        model.fit(
            data,
            validation_data=validation,
            initial_epoch=first_epoch,
            epochs=recipe.epochs,
            callbacks=callbacks,
            shuffle=False,  # True would reorder the batches with an unseeded generator
            verbose=0,
        )
    except Exception as error:
        raise data.failure or error from None
    finally:
        progress.close()
        keras.config.set_dtype_policy(policy_before)
    with atomic_path(folder / "model.keras") as path:
        model.save(path)
    say(f"  {recipe.epochs} epochs in {recorder.seconds:.0f} s: {folder / 'model.keras'}")
    return model


def _say_above_the_bar(say, line):
    with tqdm.external_write_mode():
        say(line)


def _run_to_resume(folder, recipe, resume, overwrite):
    """Return the settings of the run to go on with, or {}; refuse to lose anything."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: choose another --out")
    if not folder.exists() or not any(folder.iterdir()):
        return {}
    if not (folder / "settings.json").exists():
        raise UserError(f"{folder} holds something else than a run: choose another --out")
    if overwrite:
        return {}
    if not resume:
        raise UserError(
            f"{folder} already holds a run: --resume goes on with it, --overwrite replaces it, "
            "--out names another folder"
        )
    saved = run_settings(folder)
    before, asked = saved["recipe"], recipe.to_dict()
    differing = [name for name in asked if asked[name] != before.get(name)]
    if recipe.schedule == "constant" and recipe.epochs > before["epochs"]:
        differing.remove("epochs")  # more epochs change nothing that came before
    if differing:
        name = differing[0]
        raise UserError(
            f"{folder} was started with {name}={before.get(name)}, not {asked[name]}: resume with "
            "the same settings, or choose another --out"
        )
    return saved


def _delete_run(folder):
    for name in _RUN_FILES:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _start_network(recipe, folder, precision, say, strategy):
    """Return the network that a recipe fine-tunes: a run, what ships, or one trained first.

    A game goes on with the same degradation; a restorer may take over from one of another task.
    """
    base, wanted = folder.parent / recipe.start_from, get_recipe(recipe.start_from)
    shared = ["network", "data", *(["degradation"] if recipe.algorithm == "pix2pix" else [])]
    same = {name: getattr(recipe, name) for name in shared}
    if "builder" not in wanted.network:  # this recipe's is its own
        same["network"] = {k: v for k, v in recipe.network.items() if k != "builder"}
    wanted = wanted.replace(seed=recipe.seed, **same)
    if not base.exists() and _ships_like(wanted):
        say(f"{recipe.name} fine-tunes {recipe.start_from} as it ships")
        return load(recipe.start_from)
    if not (base / "model.keras").exists():
        say(f"{recipe.name} fine-tunes {recipe.start_from}: training that first, in {base}")
        return train(wanted, base, precision, resume=True, say=say, strategy=strategy)
    before, asked = run_settings(base).get("recipe", {}), wanted.to_dict()
    for name in shared:
        if asked[name] != before.get(name):
            raise UserError(
                f"{base}, which {recipe.name} would fine-tune, has {name}={before.get(name)}, not "
                f"{asked[name]}: choose an --out in another folder"
            )
    return load(base)


def _ships_like(recipe):
    """Say whether a network of this name ships that was made for the same, whatever the data."""
    card, asked = shipped_recipe(recipe.name), recipe.to_dict()
    return bool(card) and all(card[name] == asked[name] for name in ("network", "degradation"))


def versions():
    """Return the versions of Python, of this package and of what it stands on."""
    found = {"python": python_version()}
    for package in ("gan_keras", *PACKAGES):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found

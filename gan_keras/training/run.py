"""A training run: a recipe, a folder, and everything needed to repeat or resume it."""

import hashlib
import json
import shutil
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from platform import python_version

import keras
import numpy as np

from gan_keras.data.degradations import build_degradation
from gan_keras.data.digits import DATASETS, DigitBatches, load_digits
from gan_keras.data.photo_files import fingerprint, photo_paths
from gan_keras.data.photos import FolderPairs, Photographs, PhotoPairs
from gan_keras.data.ranges import DATA_RANGE, from_uint8
from gan_keras.errors import UserError
from gan_keras.loading import load
from gan_keras.metrics import image_quality
from gan_keras.networks import digits
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.restorer import build_restorer
from gan_keras.networks.unet import build_unet
from gan_keras.plots import sample_grid
from gan_keras.recipes import get_recipe
from gan_keras.training.callbacks import Progress, RunRecorder, StopAtNaN
from gan_keras.training.checkpoint import atomic_path, restore_checkpoint
from gan_keras.training.runtime import choose_runtime

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "pillow", "scikit-image", "jax")
_RUN_FILES = ("settings.json", "metrics.csv", "checkpoint.npz", "model.keras", "samples", "logs")


def train(recipe, out, precision=None, resume=False, overwrite=False, say=print):
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

    Returns:
        The trained model.

    Raises:
        UserError: A run is there and neither flag is set; the resumed one has other settings;
            the data cannot be read; the folder cannot be written; a loss became NaN.
    """
    folder = Path(out)
    if recipe.epochs < 1:
        raise UserError(f"epochs {recipe.epochs}: at least 1 is needed")
    if not 0 <= recipe.seed < 2**32:
        raise UserError(f"seed {recipe.seed} is not in 0 to 2**32 - 1")
    saved = _existing_run(folder, recipe, resume, overwrite)
    runtime = choose_runtime(precision or (saved or {}).get("precision"))
    if saved and runtime.precision != saved["precision"]:
        raise UserError(f"{folder} was started in {saved['precision']}: resume in that")
    say(f"{recipe.name}: {recipe.title}\n  {runtime.reason}")
    start = _start_network(recipe, folder, precision, say)  # may train another recipe first
    keras.config.set_dtype_policy(runtime.precision)
    keras.utils.set_random_seed(recipe.seed)
    data, validation, data_record = load_data(recipe)
    model = build_model(recipe, start)
    compile_model(model, recipe, runtime.jit_compile)

    first_epoch, seconds = 0, 0.0
    if saved and (folder / "checkpoint.npz").exists():
        first_epoch, seconds = restore_checkpoint(folder / "checkpoint.npz", model)
        say(f"  resuming {folder} after epoch {first_epoch}")
    settings = {
        "recipe": recipe.to_dict(),
        "precision": runtime.precision,
        "runtime": runtime.reason,
        "device": runtime.device,
        "backend": keras.backend.backend(),
        "data": data_record,
        "versions": versions(),
        "started": (saved or {}).get("started", datetime.now(UTC).isoformat(timespec="seconds")),
    }
    with atomic_path(folder / "settings.json") as path:
        path.write_text(json.dumps(settings, indent=1))

    data.epoch = first_epoch
    draw = None
    if recipe.algorithm != "classifier":
        draw = partial(sample_image, recipe, model, validation)
    recorder = RunRecorder(folder, draw, first_epoch, seconds)
    progress = Progress(recipe.name, recipe.epochs)
    callbacks = [StopAtNaN(), progress, recorder]
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
    finally:
        progress.close()
    with atomic_path(folder / "model.keras") as path:
        model.save(path)
    say(f"  {recipe.epochs} epochs in {recorder.seconds:.0f} s: {folder / 'model.keras'}")
    return model


def _existing_run(folder, recipe, resume, overwrite):
    """Return the settings of the run to go on with, or None; refuse to lose anything."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: choose another --out")
    if not folder.exists() or not any(folder.iterdir()):
        return None
    settings = folder / "settings.json"
    if not settings.exists():
        raise UserError(f"{folder} holds something else than a run: choose another --out")
    if overwrite:
        for name in _RUN_FILES:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return None
    if not resume:
        raise UserError(
            f"{folder} already holds a run: --resume goes on with it, --overwrite replaces it, "
            "--out names another folder"
        )
    try:
        saved = json.loads(settings.read_text())
    except ValueError as error:
        raise UserError(f"{settings} is damaged ({error}): --overwrite starts again") from error
    asked = json.loads(json.dumps(recipe.to_dict()))
    differing = [k for k in asked if k != "epochs" and asked[k] != saved["recipe"].get(k)]
    if differing:
        name = differing[0]
        raise UserError(
            f"{folder} was started with {name}={saved['recipe'].get(name)}, not {asked[name]}: "
            "resume with the same settings, or choose another --out"
        )
    return saved


def _start_network(recipe, folder, precision, say):
    """Return the network that a recipe fine-tunes, trained first if it is not there."""
    if recipe.start_from is None:
        return None
    base = folder.parent / recipe.start_from
    if not (base / "model.keras").exists():
        say(f"{recipe.name} fine-tunes {recipe.start_from}: training that first, in {base}")
        base_recipe = get_recipe(recipe.start_from).replace(
            data=recipe.data, degradation=recipe.degradation, seed=recipe.seed
        )
        train(base_recipe, base, precision, resume=True, say=say)
    return load(base)


def load_data(recipe):
    """Build a recipe's training batches and its fixed validation set.

    Returns:
        (batches, validation, record): a `PyDataset`; what `fit` takes as `validation_data`; what
        identifies the data, for `settings.json`.
    """
    if recipe.algorithm in ("dcgan", "vae", "classifier"):
        if recipe.data not in DATASETS:
            raise UserError(
                f"{recipe.name} trains on digits, not on {recipe.data!r}: --data "
                f"{' or '.join(DATASETS)}"
            )
        images, labels = load_digits(recipe.data, "train")
        held_out, held_out_labels = load_digits(recipe.data, "test")
        labelled = recipe.algorithm == "classifier"
        batches = DigitBatches(
            images,
            labels if labelled else None,
            recipe.batch_size,
            recipe.steps_per_epoch,
            recipe.seed,
        )
        # about a thousand: strided, for mnist-5k is sorted by class
        some = slice(None, None, max(1, len(held_out) // 1000))
        validation = (from_uint8(held_out[some]),)
        if labelled:
            validation = (from_uint8(held_out), held_out_labels)
        record = {"name": recipe.data, "images": len(images), "sha256": _hash(images)}
        return batches, validation, record
    settings = {"crop": recipe.crop, "batch_size": recipe.batch_size, "seed": recipe.seed}
    if not recipe.degradation:  # a folder of pairs
        batches = FolderPairs(recipe.data, steps_per_epoch=recipe.steps_per_epoch, **settings)
        settings |= {"augment": False, "batch_size": 32, "seed": recipe.seed + 1}
        held_out = FolderPairs(recipe.data, split="test", **settings)
        paths = [path for pair in batches.pairs for path in pair]
    else:
        degradation = build_degradation(recipe.degradation)
        paths = photo_paths(recipe.data, "train")
        batches = PhotoPairs(
            Photographs(paths), degradation, steps_per_epoch=recipe.steps_per_epoch, **settings
        )
        settings |= {"augment": False, "batch_size": 32, "seed": recipe.seed + 1}
        test = Photographs(photo_paths(recipe.data, "test"))
        held_out = PhotoPairs(test, degradation, **settings)
    record = {"name": str(recipe.data), "images": len(paths), "sha256": fingerprint(paths)}
    return batches, held_out[0], record


def build_model(recipe, start=None):
    """Build a recipe's networks and its algorithm, not compiled.

    Args:
        recipe: A `Recipe`.
        start: The network that it fine-tunes, or None.
    """
    network = recipe.network
    settings = {"seed": recipe.seed, **recipe.algorithm_settings}
    if recipe.algorithm == "dcgan":
        from gan_keras.algorithms.dcgan import DCGAN

        filters = network["base_filters"]
        discriminator = digits.build_discriminator(base_filters=filters)
        return DCGAN(digits.build_generator(**network), discriminator, **settings)
    if recipe.algorithm == "vae":
        from gan_keras.algorithms.vae import VAE

        return VAE(digits.build_encoder(**network), digits.build_decoder(**network), **settings)
    if recipe.algorithm == "classifier":
        return digits.build_classifier(**network)
    build_network = build_restorer if "blocks" in network else build_unet
    restorer = build_network(**network)
    if start is not None:
        restorer.set_weights(start.get_weights())
    if recipe.algorithm == "restorer":
        return restorer
    from gan_keras.algorithms.pix2pix import Pix2Pix

    return Pix2Pix(restorer, build_patchgan(**recipe.discriminator), **settings)


def compile_model(model, recipe, jit_compile):
    """Compile a model as its recipe says."""

    def adam():
        rate = recipe.learning_rate
        if recipe.cosine:
            steps = recipe.epochs * recipe.steps_per_epoch
            warm_up = max(steps // 50, 1)
            rate = keras.optimizers.schedules.CosineDecay(
                0.0, steps - warm_up, warmup_target=rate, warmup_steps=warm_up
            )
        return keras.optimizers.Adam(rate, beta_1=recipe.beta_1)

    options = {"jit_compile": jit_compile}
    if recipe.algorithm in ("dcgan", "pix2pix"):
        model.compile(adam(), adam(), loss=recipe.loss, **options)
    elif recipe.algorithm == "vae":
        model.compile(adam(), **options)
    elif recipe.algorithm == "classifier":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(adam(), loss=loss, metrics=["accuracy"], **options)
    else:
        model.compile(adam(), loss="mean_absolute_error", metrics=[psnr], **options)


@keras.saving.register_keras_serializable(package="gan_keras")
def psnr(target, restored):
    """PSNR in dB of images in [-1, 1], as a metric of `compile`."""
    return image_quality.psnr(target, restored, DATA_RANGE)


def sample_image(recipe, model, validation):
    """Draw a run's samples: 100 digits, or six rows of degraded, restored, target.

    Returns:
        uint8 (H, W, 1 or 3).
    """
    if recipe.algorithm in ("dcgan", "vae"):
        return sample_grid(model.generate(100, seed=recipe.seed))
    degraded, target = (images[:6] for images in validation)
    restored = keras.ops.convert_to_numpy(model(degraded, training=False))
    rows = np.stack([_enlarged(degraded, target), restored, target], axis=1)
    return sample_grid(rows.reshape(-1, *target.shape[1:]), columns=6)


def _enlarged(degraded, target):
    factor = target.shape[1] // degraded.shape[1]
    return degraded.repeat(factor, axis=1).repeat(factor, axis=2)


def _hash(array):
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:16]


def versions():
    """Return the versions of Python, of this package and of what it stands on."""
    found = {"python": python_version()}
    for package in ("gan_keras", *PACKAGES):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found

"""From a recipe, which is plain data, to its batches, its networks and its algorithm."""

import hashlib

import keras
import numpy as np

from gan_keras.data.degradations import build_degradation
from gan_keras.data.digits import DATASETS, DigitBatches, load_digits
from gan_keras.data.photo_files import fingerprint, photo_paths
from gan_keras.data.photos import FolderPairs, Photographs, PhotoPairs
from gan_keras.data.ranges import DATA_RANGE, from_uint8
from gan_keras.errors import UserError
from gan_keras.metrics import image_quality
from gan_keras.networks import digits
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.restorer import build_restorer
from gan_keras.networks.unet import build_unet
from gan_keras.plots import sample_grid


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
        photographs = Photographs(photo_paths(recipe.data, "train"))
        paths = photographs.paths
        batches = PhotoPairs(
            photographs, degradation, steps_per_epoch=recipe.steps_per_epoch, **settings
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

"""From a recipe, which is plain data, to its batches, its networks and its algorithm."""

import hashlib
from functools import partial

import keras
import numpy as np

from gan_keras.data.degradations import build_degradation
from gan_keras.data.digits import DATASETS, DigitBatches, load_digits
from gan_keras.data.photo_files import fingerprint, photo_paths
from gan_keras.data.photos import FolderPairs, Photographs, PhotoPairs
from gan_keras.data.ranges import DATA_RANGE, from_uint8
from gan_keras.errors import UserError
from gan_keras.layers.batch_norm import fuse_batch_norm
from gan_keras.metrics import image_quality
from gan_keras.networks import adversarial_digits, digits, patchgan, restorer, unet
from gan_keras.plots import repeat_pixels, sample_grid
from gan_keras.training.optimizers import FusedAdam, Muon

_GANS = ("dcgan", "wgan_gp")  # of noise
_DIGITS = (*_GANS, "vae", "classifier")


def load_data(recipe):
    """Build a recipe's training batches and its fixed validation set.

    Returns:
        (batches, validation, record): a `PyDataset`; what `fit` takes as `validation_data`; what
        identifies the data, for `settings.json`.
    """
    if recipe.algorithm in _DIGITS:
        if recipe.data not in DATASETS:
            raise UserError(
                f"{recipe.name} trains on digits, not on {recipe.data!r}: --data "
                f"{' or '.join(DATASETS)}"
            )
        images, labels = load_digits(recipe.data, "train")
        held_out, held_out_labels = load_digits(recipe.data, "test")
        labelled = recipe.algorithm == "classifier" or "classes" in recipe.discriminator
        updates = recipe.algorithm_settings.get("n_critic", 1)  # each on fresh images
        batches = DigitBatches(
            images,
            labels if labelled else None,
            updates * recipe.batch_size,
            recipe.steps_per_epoch,
            recipe.seed,
        )
        # about a thousand: strided, for mnist-5k is sorted by class
        some = slice(None, None, max(1, len(held_out) // 1000))
        if recipe.algorithm == "classifier":
            some = slice(None)
        validation = (from_uint8(held_out[some]), held_out_labels[some])[: 1 + labelled]
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
        names = "steps_per_epoch", "augment", "margin"
        settings |= {name: getattr(recipe, name) for name in names}
        batches = PhotoPairs(photographs, degradation, **settings)
        settings |= {"augment": False, "batch_size": 32, "seed": recipe.seed + 1}
        test = Photographs(photo_paths(recipe.data, "test"))
        held_out = PhotoPairs(test, degradation, **settings)
    record = {"name": str(recipe.data), "images": len(paths), "sha256": fingerprint(paths)}
    return batches, held_out[0], record


def build_model(recipe, start=None, fused=True):
    """Build a recipe's networks and its algorithm, not compiled.

    Args:
        recipe: A `Recipe`.
        start: The network that it fine-tunes, or None.
        fused: Whether batch normalisation is one operation where it can be; without, the network
            is of Keras' own layers alone. The weights are the same.
    """
    build = partial(_build, fused=fused)
    settings = {"seed": recipe.seed, **recipe.algorithm_settings}
    if recipe.algorithm == "vae":
        from gan_keras.algorithms.vae import VAE

        encoder, decoder = digits.build_encoder, digits.build_decoder
        return VAE(encoder(**recipe.network), decoder(**recipe.network), **settings)
    network = build(recipe.network, _network_builder(recipe))
    if start is not None:
        network.set_weights(start.get_weights())
    if recipe.algorithm in ("classifier", "restorer"):
        return network
    if recipe.algorithm == "dcgan":
        from gan_keras.algorithms.dcgan import DCGAN

        return DCGAN(network, build(recipe.discriminator, "build_discriminator"), **settings)
    if recipe.algorithm == "wgan_gp":
        from gan_keras.algorithms.wgan_gp import WGANGP

        return WGANGP(network, build(recipe.discriminator, "build_critic"), **settings)
    from gan_keras.algorithms.pix2pix import Pix2Pix

    return Pix2Pix(network, build(recipe.discriminator, "build_patchgan"), **settings)


def _network_builder(recipe):
    if recipe.algorithm == "classifier":
        return "build_classifier"
    if recipe.algorithm in _GANS:
        return "build_generator"
    return "build_restorer" if "blocks" in recipe.network else "build_unet"


def _build(settings, default, fused):
    """Call the builder that the settings name, or the default one, with the rest of them."""
    settings = dict(settings)
    name = settings.pop("builder", default)
    for module in (digits, adversarial_digits, patchgan, restorer, unet):
        if hasattr(module, name):
            network = getattr(module, name)(**settings)
            return fuse_batch_norm(network) if fused else network
    raise ValueError(f"no builder {name!r}")


def compile_model(model, recipe, jit_compile, steps_per_execution=1):
    """Compile a model as its recipe says, and for this machine as `Runtime` says."""
    steps = recipe.epochs * recipe.steps_per_epoch
    updates = recipe.algorithm_settings.get("n_critic", 1)  # of D, in a step

    def adam(rate, steps=steps):
        if recipe.schedule == "linear":
            rate = keras.optimizers.schedules.PolynomialDecay(rate, steps, 0.0)
        elif recipe.schedule == "cosine":
            warm_up = max(steps // 50, 1)
            rate = keras.optimizers.schedules.CosineDecay(
                0.0, steps - warm_up, warmup_target=rate, warmup_steps=warm_up
            )
        betas = recipe.beta_1, recipe.beta_2
        decay, clip = recipe.weight_decay or None, recipe.clip_norm or None
        optimizer = {"adam": FusedAdam, "muon": Muon}[recipe.optimizer]
        return optimizer(rate, *betas, weight_decay=decay, global_clipnorm=clip)

    options = {"jit_compile": jit_compile, "steps_per_execution": steps_per_execution}
    rate = recipe.learning_rate
    if recipe.algorithm in (*_GANS, "pix2pix"):
        options |= {"loss": recipe.loss, "label_smoothing": recipe.label_smoothing}
        discriminator_rate = recipe.discriminator_learning_rate or rate
        model.compile(adam(rate), adam(discriminator_rate, updates * steps), **options)
    elif recipe.algorithm == "vae":
        model.compile(adam(rate), **options)
    elif recipe.algorithm == "classifier":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(adam(rate), loss=loss, metrics=["accuracy"], **options)
    else:
        model.compile(adam(rate), loss="mean_absolute_error", metrics=[psnr], **options)


@keras.saving.register_keras_serializable(package="gan_keras")
def psnr(target, restored):
    """PSNR in dB of images in [-1, 1], as a metric of `compile`: 100 where they are equal."""
    return keras.ops.minimum(image_quality.psnr(target, restored, DATA_RANGE), 100.0)


def sample_image(recipe, model, validation):
    """Draw a run's samples: 100 digits, or six rows of degraded, restored, target.

    Returns:
        uint8 (H, W, 1 or 3).
    """
    if recipe.algorithm in (*_GANS, "vae"):
        return sample_grid(model.generate(100, seed=recipe.seed))
    degraded, target = (images[:6] for images in validation)
    restored = keras.ops.convert_to_numpy(model(degraded, training=False))
    enlarged = repeat_pixels(degraded[..., :3], target.shape[1] // degraded.shape[1])
    rows = np.stack([enlarged, restored, target], axis=1)
    return sample_grid(rows.reshape(-1, *target.shape[1:]), columns=6)


def _hash(array):
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:16]

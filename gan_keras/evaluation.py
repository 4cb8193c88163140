"""Measuring trained models on data that they did not see; one table for each kind."""

import json
import time
from functools import partial
from pathlib import Path

import numpy as np

from gan_keras.data.degradations import build_degradation
from gan_keras.data.digits import load_digits
from gan_keras.data.photo_files import images_in, photo_paths
from gan_keras.data.photos import FolderPairs, Photographs
from gan_keras.data.ranges import DATA_RANGE, from_uint8
from gan_keras.errors import UserError
from gan_keras.loading import load
from gan_keras.metrics.distribution import classifier_fid
from gan_keras.metrics.image_quality import psnr, ssim
from gan_keras.recipes import get_recipe
from gan_keras.restoration.classical import DENOISERS
from gan_keras.restoration.enhancer import Enhancer
from gan_keras.restoration.files import read_image
from gan_keras.training.callbacks import read_seconds

SAMPLES = 1000  # of mnist-5k's test set; of full MNIST ten times as many are used


def run_recipe(path):
    """Return the settings of a run's recipe as a dictionary, or {} where `path` is a file."""
    settings = Path(path) / "settings.json"
    return json.loads(settings.read_text())["recipe"] if settings.exists() else {}


def digit_row(model, data="mnist-5k", seed=42):
    """Measure one model of digits.

    Args:
        model: A `DCGAN` or `VAE`.
        data: The digit set whose test images are the reference.
        seed: Seed of the samples and of the binarisation.

    Returns:
        A dictionary: `fid`, `parameters`, and for a VAE `nats` with its bounds on the test images.
    """
    test = from_uint8(load_digits(data, "test")[0])
    row = {
        "fid": classifier_fid(load("digit_classifier"), model.generate(len(test), seed), test),
        "parameters": sum(int(np.prod(v.shape)) for v in model.trainable_variables),
        "nats": None,
    }
    if hasattr(model, "importance_weighted_bound"):
        some = test[:: max(1, len(test) // SAMPLES)]
        row["nats"] = {
            "elbo": float(model.evaluate(some, verbose=0, return_dict=True)["elbo"]),
            "importance_weighted": float(model.importance_weighted_bound(some, 50, seed).mean()),
            "k": 50,
        }
    return row


def digit_floor(data="mnist-5k", seed=42):
    """Return the classifier-FID of real training images against the test images, of equal N."""
    train, test = (from_uint8(load_digits(data, split)[0]) for split in ("train", "test"))
    chosen = np.random.default_rng(seed).choice(len(train), len(test), replace=False)
    return classifier_fid(load("digit_classifier"), train[chosen], test)


def test_pictures(recipe, data=None, seed=42):
    """Yield (name, degraded, target) for each photograph that a recipe's models are measured on.

    Args:
        recipe: A recipe's settings as a dictionary; {} stands for those of "restorer".
        data: Another folder, used whole; None takes the test split of the recipe's own data.
        seed: Seed of the degradation, drawn anew for each photograph.
    """
    recipe = recipe or get_recipe("restorer").to_dict()
    if not recipe["degradation"] and data is None:
        for degraded, target in FolderPairs(recipe["data"], split="test").pairs:
            yield target.stem, read_image(degraded).pixels, read_image(target).pixels
        return
    degrade = build_degradation(recipe["degradation"] or get_recipe("restorer").degradation)
    paths = images_in(Path(data)) if data else photo_paths(recipe["data"], "test")
    photographs = Photographs(paths)
    for index, path in enumerate(photographs.paths):
        target = from_uint8(photographs[index])
        yield Path(path).stem, degrade(target, np.random.default_rng([seed, index])), target


def photo_rows(enhancers, pictures, sigma=None):
    """Measure enhancers beside doing nothing and, for noise of a known σ, the classics.

    Every method gets the same degraded photographs; every output is clipped to [-1, 1].

    Args:
        enhancers: {name: Enhancer}.
        pictures: An iterable of (name, degraded, target), each float32 (H, W, 3) in [-1, 1].
        sigma: The noise's standard deviation in grey levels; None leaves the classics out.

    Returns:
        (rows, shown): rows with `method`, `kind`, `psnr` (dB), `ssim`, `seconds_per_megapixel`
        and `parameters`, each a mean over photographs; and {photograph: {method: picture}}.
    """
    methods = {"do nothing": ("nothing", lambda image: image, 0)}
    for name, method in DENOISERS.items() if sigma else ():
        methods[name] = ("classical", partial(method, sigma=sigma), 0)
    for name, enhancer in enhancers.items():
        methods[name] = ("ours", enhancer, enhancer.network.count_params())
    shown, values = {}, {name: [] for name in methods}
    for picture, degraded, target in pictures:
        if degraded.shape != target.shape:
            raise UserError(f"{picture}: {degraded.shape} against {target.shape}: unequal sizes")
        shown[picture] = {"target": target}
        for name, (_, restore, _) in methods.items():
            started = time.perf_counter()
            restored = np.clip(restore(degraded), -1, 1)
            seconds = time.perf_counter() - started
            pair = target[None], restored[None], DATA_RANGE
            measured = float(psnr(*pair)[0]), float(ssim(*pair)[0])
            values[name].append((*measured, seconds / (target.size / 3e6)))
            shown[picture][name] = restored
    columns = ("psnr", "ssim", "seconds_per_megapixel")
    rows = []
    for name, (kind, _, parameters) in methods.items():
        means = dict(zip(columns, np.mean(values[name], axis=0).tolist(), strict=True))
        rows.append({"method": name, "kind": kind, **means, "parameters": int(parameters)})
    return rows, shown


def noise_sigma(recipe):
    """Return σ in grey levels where a recipe's degradation is Gaussian noise alone, else None."""
    degradation = recipe.get("degradation", get_recipe("restorer").degradation)
    if isinstance(degradation, dict) and degradation.get("name") == "gaussian_noise":
        return float(np.mean(degradation["sigma"]))
    return None


def measure(paths, data=None, seed=42, say=print):
    """Measure runs or models, grouped by kind, and print one table for each.

    Args:
        paths: Shipped names, `.keras` files or run folders.
        data: Another digit set or folder of photographs; None takes each run's own.
        seed: Seed of samples and degradations.
        say: Prints a line.

    Returns:
        {"digits": [rows], "photos": [rows], "classifiers": [rows]}, those that apply.

    Raises:
        UserError: A path is no model.
    """
    models = {str(path): load(path) for path in paths}
    result = {}
    for path, model in models.items():
        recipe = run_recipe(path)
        common = {"method": path, "seconds": read_seconds(path)}
        if hasattr(model, "generate"):
            digits = data or recipe.get("data", "mnist-5k")
            if "digits" not in result:
                floor = {"method": f"real {digits} (the floor)", "fid": digit_floor(digits, seed)}
                floor["samples"] = len(load_digits(digits, "test")[0])
                result["digits"] = [{**floor, "seconds": None, "parameters": 0, "nats": None}]
            result["digits"].append(common | digit_row(model, digits, seed))
        elif "features" in [layer.name for layer in model.layers]:
            images, labels = load_digits(data or recipe.get("data", "mnist"), "test")
            right = model.predict(from_uint8(images), 256, verbose=0).argmax(1) == labels
            row = common | {"accuracy": float(right.mean()), "images": len(images)}
            result.setdefault("classifiers", []).append(row)
    enhancers = {p: Enhancer.load(p) for p, m in models.items() if _is_enhancer(m)}
    if enhancers:
        recipe = run_recipe(next(iter(enhancers)))
        pictures = test_pictures(recipe, data, seed)
        result["photos"], _ = photo_rows(enhancers, pictures, noise_sigma(recipe))
    _print_tables(result, say)
    return result


def _is_enhancer(model):
    network = getattr(model, "averaged_generator", model)
    return hasattr(network, "output_shape") and network.input_shape == network.output_shape


def _print_tables(result, say):
    for kind, rows in result.items():
        width = max(len(row["method"]) for row in rows)
        if kind == "digits":
            say(
                f"classifier-FID of {rows[0]['samples']:,} samples; bounds in nats, L_50 of 50 draws"
            )
            say(f"{'':{width}}  classifier-FID    ELBO    L_50  seconds  parameters")
        elif kind == "photos":
            say(f"{'':{width}}  PSNR (dB)    SSIM   s/MP  parameters")
        for row in rows:
            line = f"{row['method']:{width}}"
            if kind == "digits":
                nats = row["nats"]
                bounds = [nats["elbo"], nats["importance_weighted"]] if nats else []
                cells = [f"{b:8.1f}" for b in bounds] or [f"{'–':>8}"] * 2
                seconds = "–" if row["seconds"] is None else f"{row['seconds']:.0f}"
                line += f"  {row['fid']:14.1f}{''.join(cells)} {seconds:>8} {row['parameters']:11,}"
            elif kind == "photos":
                line += (
                    f"  {row['psnr']:9.2f}  {row['ssim']:.4f} {row['seconds_per_megapixel']:6.2f}"
                )
                line += f" {row['parameters']:11,}"
            else:
                line += f"  accuracy {row['accuracy']:.4f} on {row['images']:,} test images"
            say(line)

"""Measuring trained models on data that they did not see; one table for each kind."""

import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np

from gan_keras.data.degradations import build_degradation
from gan_keras.data.digits import load_digits
from gan_keras.data.photo_files import images_in, photo_paths
from gan_keras.data.photos import FolderPairs, Photographs
from gan_keras.data.ranges import DATA_RANGE, from_uint8
from gan_keras.errors import UserError
from gan_keras.loading import load, run_settings
from gan_keras.metrics.distribution import classifier_fid
from gan_keras.metrics.image_quality import psnr, ssim
from gan_keras.recipes import get_recipe
from gan_keras.restoration.classical import DENOISERS
from gan_keras.restoration.enhancer import Enhancer
from gan_keras.restoration.files import read_image
from gan_keras.training.callbacks import read_seconds

SAMPLES = 1000  # images on which the VAE's bounds are measured
SMALLEST = 11  # pixels a side: SSIM's window


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


def test_photographs(recipe, data=None, seed=42):
    """Yield (name, degraded, target) for each photograph that a recipe's models are measured on.

    Args:
        recipe: A recipe's settings as a dictionary; {} stands for those of "restorer".
        data: Another folder, used whole; None, or the recipe's own data, is its test split.
        seed: Seed of the degradation, drawn anew for each photograph.

    Raises:
        UserError: The recipe knows pairs, not a degradation, and `data` is another folder.
    """
    recipe = recipe or get_recipe("restorer").to_dict()
    own = data is None or Path(data).resolve() == Path(recipe["data"]).resolve()
    if not recipe["degradation"]:
        if not own:
            raise UserError(f"a model of pairs is measured on its own data, not on {data}")
        for degraded, target in FolderPairs(recipe["data"], split="test").pairs:
            yield target.stem, read_image(degraded).pixels, read_image(target).pixels
        return
    degrade = build_degradation(recipe["degradation"])
    paths = photo_paths(recipe["data"], "test") if own else images_in(Path(data))
    photographs = Photographs(paths, cache_bytes=0)
    for index, path in enumerate(photographs.paths):
        try:
            target = from_uint8(photographs.decode(path))
        except UserError as error:
            warnings.warn(f"skipped: {error}", stacklevel=2)
            continue
        yield Path(path).stem, degrade(target, np.random.default_rng([seed, index])), target


def photo_rows(enhancers, photographs, sigma=None, keep=False):
    """Measure enhancers beside doing nothing and, for noise of a known σ, the classics.

    Every method gets the same degraded photographs; every output is clipped to [-1, 1].

    Args:
        enhancers: {name: Enhancer}.
        photographs: An iterable of (name, degraded, target), each float32 (H, W, 3) in [-1, 1].
        sigma: The noise's standard deviation in grey levels; None leaves the classics out.
        keep: Whether to return the restored pictures too.

    Returns:
        (rows, pictures): rows with `method`, `kind`, `psnr` (dB), `ssim`,
        `seconds_per_megapixel`, `parameters` and `photographs`, the number of them that the means
        are over; and, with `keep`, {photograph: {method: picture, "target": …}}.

    Raises:
        UserError: A picture is too small for SSIM, or changed its size.
    """
    methods = {"do nothing": ("nothing", lambda image: image, 0)}
    for name, method in DENOISERS.items() if sigma else ():
        methods[name] = ("classical", partial(method, sigma=sigma), 0)
    for name, enhancer in enhancers.items():
        methods[name] = ("ours", enhancer, enhancer.network.count_params())
    pictures, values = {}, {name: [] for name in methods}
    for photograph, degraded, target in photographs:
        if degraded.shape != target.shape or min(target.shape[:2]) < SMALLEST:
            raise UserError(
                f"{photograph}: {degraded.shape} and {target.shape}: equal sizes of {SMALLEST} "
                "pixels or more a side are wanted"
            )
        shown = {"target": target}
        for name, (_, restore, _) in methods.items():
            started = time.perf_counter()
            shown[name] = np.clip(restore(degraded), -1, 1)
            seconds = time.perf_counter() - started
            pair = target[None], shown[name][None], DATA_RANGE
            measured = float(psnr(*pair)[0]), float(ssim(*pair)[0])
            values[name].append((*measured, seconds / (target.size / 3e6)))
        if keep:
            pictures[photograph] = shown
    columns = ("psnr", "ssim", "seconds_per_megapixel")
    rows = []
    for name, (kind, _, parameters) in methods.items():
        means = dict(zip(columns, np.mean(values[name], axis=0).tolist(), strict=True))
        row = {"method": name, "kind": kind, **means, "parameters": int(parameters)}
        rows.append(row | {"photographs": len(values[name])})
    return rows, pictures


def noise_sigma(recipe):
    """Return σ in grey levels where a recipe's degradation is Gaussian noise of one σ, else None.

    Args:
        recipe: A recipe's settings as a dictionary; {} stands for those of "restorer".
    """
    degradation = recipe.get("degradation", get_recipe("restorer").degradation)
    if isinstance(degradation, dict) and degradation.get("name") == "gaussian_noise":
        return degradation["sigma"] if np.ndim(degradation["sigma"]) == 0 else None
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
        UserError: A path is no model, or photo models were trained for different things.
    """
    result, enhancers, recipes = {}, {}, []
    for path in map(str, paths):
        model, recipe = load(path), run_settings(path).get("recipe", {})
        common = {"method": path, "seconds": read_seconds(path)}
        if hasattr(model, "generate"):
            digits = data or recipe.get("data", "mnist-5k")
            rows = result.setdefault("digits", [])
            floor = f"real {digits} (the floor)"
            if floor not in [row["method"] for row in rows]:
                rows.append({"method": floor, "fid": digit_floor(digits, seed), "seconds": None})
                rows[-1] |= {"samples": len(load_digits(digits, "test")[0]), "parameters": 0}
            rows.append(common | digit_row(model, digits, seed))
        elif "features" in [layer.name for layer in model.layers]:
            images, labels = load_digits(data or recipe.get("data", "mnist"), "test")
            right = model.predict(from_uint8(images), 256, verbose=0).argmax(1) == labels
            row = common | {"accuracy": float(right.mean()), "images": len(images)}
            result.setdefault("classifiers", []).append(row)
        else:
            enhancers[path] = Enhancer(getattr(model, "averaged_generator", model))
            recipes.append(recipe)
    if enhancers:
        settings = [(recipe["data"], recipe["degradation"]) for recipe in recipes if recipe]
        if any(other != settings[0] for other in settings):
            raise UserError("these models were trained for different things: evaluate one by one")
        recipe = next(filter(None, recipes), {})
        photographs = test_photographs(recipe, data, seed)
        result["photos"], _ = photo_rows(enhancers, photographs, noise_sigma(recipe))
        degradation = recipe.get("degradation", get_recipe("restorer").degradation)
        say(f"{data or recipe.get('data', 'photos')}: {degradation or 'pairs'}")
    _print_tables(result, say)
    return result


def _print_tables(result, say):
    for kind, rows in result.items():
        width = max(len(row["method"]) for row in rows)
        if kind == "digits":
            say(f"classifier-FID: {rows[0]['samples']:,} samples; ELBO, L_50: nats an image")
            say(f"{'':{width}}  classifier-FID    ELBO    L_50  seconds  parameters")
        elif kind == "photos":
            say(
                f"means over {rows[0]['photographs']} photographs; outputs clipped to 8 bits' range"
            )
            say(f"{'':{width}}  PSNR (dB)    SSIM   s/MP  parameters")
        for row in rows:
            line = f"{row['method']:{width}}"
            if kind == "digits":
                nats = row.get("nats")
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

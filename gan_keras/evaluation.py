"""Measuring trained models on data that they did not see; one table for each kind."""

import time
import warnings
from functools import cache, partial
from pathlib import Path

import numpy as np

from gan_keras.data.degradations import build_degradation
from gan_keras.data.digits import load_digits
from gan_keras.data.photo_files import images_in, photo_paths
from gan_keras.data.photos import FolderPairs, Photographs
from gan_keras.data.ranges import from_uint8, to_unit
from gan_keras.errors import UserError
from gan_keras.loading import load, run_settings, shipped_recipe
from gan_keras.metrics.distribution import (
    class_imbalance,
    classifier_features,
    compare_features,
    read_images,
)
from gan_keras.metrics.image_quality import psnr, ssim
from gan_keras.metrics.manifold import memorisation
from gan_keras.plots import repeat_pixels
from gan_keras.recipes import get_recipe
from gan_keras.restoration.classical import classics_for
from gan_keras.restoration.enhancer import Enhancer, enhance_degraded
from gan_keras.restoration.files import read_image
from gan_keras.training.callbacks import read_seconds

SAMPLES = 1000  # images on which the VAE's bounds are measured, and that are searched for copies
BALLS = 5000  # features a side, at most, on which precision and recall are measured
NAMED = ("mnist-5k", "mnist")  # the sets whose classes the digit classifier names
SMALLEST = 11  # pixels a side: SSIM's window


def digit_row(model, data="mnist-5k", seed=42):
    """Measure one model of digits.

    Args:
        model: A `DCGAN` or `VAE`. Where its `classes` are not None, each is asked for in turn.
        data: The digit set whose test images are the reference; as many samples are drawn.
        seed: Seed of the samples, of what is resampled and of the binarisation.

    Returns:
        A dictionary: `samples`, `fid` and its `fid_interval` (95 %), `kid` and its standard
        `kid_error`, `precision` and `recall` of `manifold_samples` images, `class_imbalance` (None
        where the classifier does not know the classes), `copies` of the training images (see
        `memorisation`, without its pairs), `agreement` (the share of samples that the classifier
        reads as asked, or None), `parameters`, and for a VAE `nats` with its bounds.
    """
    count, classes = len(load_digits(data, "test")[0]), getattr(model, "classes", None)
    labels = None if classes is None else np.arange(count) % classes
    asked = {} if labels is None else {"labels": labels}
    images = model.generate(count, seed, **asked)
    row = _distribution_row(images, labels, data, seed)
    train, test = (from_uint8(load_digits(data, split)[0]) for split in ("train", "test"))
    order = np.random.default_rng(seed).permutation(count)[:SAMPLES]
    copies = memorisation(images[order], test[order], train)
    row["copies"] = {key: value for key, value in copies.items() if key != "pairs"}
    row["parameters"] = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    row["nats"] = None
    if hasattr(model, "importance_weighted_bound"):
        some = test[:: max(1, len(test) // SAMPLES)]
        row["nats"] = {
            "elbo": float(model.evaluate(some, verbose=0, return_dict=True)["elbo"]),
            "importance_weighted": float(model.importance_weighted_bound(some, 50, seed).mean()),
            "k": 50,
        }
    return row


def digit_floor_row(data="mnist-5k", seed=42):
    """Measure real training images, as many as test images, like a model; `copies` is None."""
    images, labels = load_digits(data, "train")
    count = len(load_digits(data, "test")[0])
    chosen = np.random.default_rng(seed).choice(len(images), count, replace=False)
    row = _distribution_row(from_uint8(images[chosen]), labels[chosen], data, seed)
    return row | {"copies": None, "parameters": 0, "nats": None}


def digit_floor(data="mnist-5k", seed=42):
    """Return the classifier-FID of real training images against the test images, of equal N."""
    return digit_floor_row(data, seed)["fid"]


@cache
def _test_features(data):
    return classifier_features(load("digit_classifier"), from_uint8(load_digits(data, "test")[0]))


def _distribution_row(images, labels, data, seed):
    """Compare images (N, 28, 28, 1), of these labels (N,) or None, with a set's test images."""
    features, read = read_images(load("digit_classifier"), images)
    row = compare_features(features, _test_features(data), BALLS, seed)
    asked = labels is not None and data in NAMED
    row["class_imbalance"] = class_imbalance(read) if data in NAMED else None
    row["agreement"] = float(np.mean(read == labels)) if asked else None
    return row


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
    degrade = build_degradation(_not_undone(recipe["degradation"]))
    paths = photo_paths(recipe["data"], "test") if own else images_in(Path(data))
    photographs = Photographs(paths, cache_bytes=0)
    for index, path in enumerate(photographs.paths):
        try:
            target = from_uint8(photographs.decode(path))
        except UserError as error:
            warnings.warn(f"skipped: {error}", stacklevel=2)
            continue
        degraded = degrade(target, np.random.default_rng([seed, index]))
        scale = target.shape[0] // degraded.shape[0]  # what is beyond a multiple is left out
        height, width = degraded.shape[:2]
        yield Path(path).stem, degraded, target[: scale * height, : scale * width]


def _not_undone(degradation):
    """Return a degradation, or None, of which nothing is undone: that is an enhancer's work."""
    return {**degradation, "undone": 0} if "undone" in (degradation or ()) else degradation


@np.errstate(invalid="ignore")  # the spread of infinite PSNRs, of what was not degraded, is nan
def photo_rows(enhancers, photographs, classics=None, keep=False):
    """Measure enhancers beside doing nothing and the classics.

    Every method gets the same degraded photographs; every output is clipped to [-1, 1]. Doing
    nothing to a smaller photograph is to repeat its pixels.

    Args:
        enhancers: {name: Enhancer}.
        photographs: An iterable of (name, degraded, target): float32 (h, w, 3), or (h, w, 4) with
            a mask as `degradations.holes` makes it, and (s·h, s·w, 3), in [-1, 1].
        classics: {name: function from degraded to restored}; see `classical.classics_for`.
        keep: Whether to return the restored pictures too.

    Returns:
        (rows, pictures): rows with `method`, `kind`, `psnr` (dB) and `psnr_spread`, its standard
        deviation from photograph to photograph (0 of one), `ssim`, `seconds_per_megapixel` of the
        result, `parameters` and `photographs`, the number of them that the means are over; and,
        with `keep`, {photograph: {method: picture, "target": …}}.

    Raises:
        UserError: A picture is too small for SSIM, or its size is no multiple.
    """
    methods = {"do nothing": ("nothing", None, 0)}
    methods |= {name: ("classical", method, 0) for name, method in (classics or {}).items()}
    for name, enhancer in enhancers.items():
        restore = partial(enhance_degraded, enhancer)
        methods[name] = ("ours", restore, enhancer.network.count_params())
    pictures, values = {}, {name: [] for name in methods}
    for photograph, degraded, target in photographs:
        scale = target.shape[0] // degraded.shape[0]
        enlarged = scale * degraded.shape[0], scale * degraded.shape[1]
        if enlarged != target.shape[:2] or min(enlarged) < SMALLEST:
            raise UserError(
                f"{photograph}: {degraded.shape} and {target.shape}: equal sizes, or multiples, of "
                f"{SMALLEST} pixels or more a side are wanted"
            )
        shown = {"target": target}
        for name, (_, restore, _) in methods.items():
            started = time.perf_counter()
            restored = restore(degraded) if restore else repeat_pixels(degraded[..., :3], scale)
            if restored.shape != target.shape:
                raise UserError(f"{name} is for another task: it makes {restored.shape}")
            shown[name] = np.clip(restored, -1, 1)
            seconds = time.perf_counter() - started
            pair = to_unit(target)[None], to_unit(shown[name])[None], 1.0
            measured = float(psnr(*pair)[0]), float(ssim(*pair)[0])
            values[name].append((*measured, seconds / (target.size / 3e6)))
        if keep:
            pictures[photograph] = shown
    rows, columns = [], ("psnr", "ssim", "seconds_per_megapixel")
    for name, (kind, _, parameters) in methods.items():
        means = dict(zip(columns, np.mean(values[name], axis=0).tolist(), strict=True))
        means["psnr_spread"] = float(np.std(values[name], 0, ddof=len(values[name]) > 1)[0])
        row = {"method": name, "kind": kind, **means, "parameters": int(parameters)}
        rows.append(row | {"photographs": len(values[name])})
    return rows, pictures


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
            digits = data or (recipe or shipped_recipe(path)).get("data", "mnist-5k")
            rows = result.setdefault("digits", [])
            floor = {"method": f"real {digits} (floor)", "seconds": None}
            if floor["method"] not in [row["method"] for row in rows]:
                rows.append(floor | digit_floor_row(digits, seed))
            rows.append(common | digit_row(model, digits, seed))
        elif "features" in [layer.name for layer in model.layers]:
            images, labels = load_digits(data or recipe.get("data", "mnist"), "test")
            right = model.predict(from_uint8(images), 256, verbose=0).argmax(1) == labels
            row = common | {"accuracy": float(right.mean()), "images": len(images)}
            result.setdefault("classifiers", []).append(row)
        else:
            enhancers[path] = Enhancer(getattr(model, "averaged_generator", model))
            recipes.append(recipe or _shipped_damage(path))
    if enhancers:
        settings = [(recipe["data"], recipe["degradation"]) for recipe in recipes if recipe]
        if any(other != settings[0] for other in settings):
            raise UserError("these models were trained for different things: evaluate one by one")
        recipe = next(filter(None, recipes), {})
        photographs = test_photographs(recipe, data, seed)
        degradation = recipe.get("degradation", get_recipe("restorer").degradation)
        result["photos"], _ = photo_rows(enhancers, photographs, classics_for(degradation))
        measured = _not_undone(degradation) or "pairs"
        say(f"{data or recipe.get('data', 'photos')}: {measured}")
    _print_tables(result, say)
    return result


def _shipped_damage(name):
    """Return a shipped enhancer's recipe, of the data that is here; {}, σ = 25, for a denoiser."""
    recipe = shipped_recipe(name)
    noise = "sigma" in (recipe.get("degradation") or ())
    return {} if noise or not recipe else recipe | {"data": "photos"}


def _print_tables(result, say):
    for kind, rows in result.items():
        if kind == "digits":
            _print_digits(rows, say)
            continue
        width = max(len(row["method"]) for row in rows)
        if kind == "photos":
            say(f"means of {rows[0]['photographs']} photographs, ± from one to another; clipped")
            say(f"{'':{width}}     PSNR (dB)    SSIM   s/MP  parameters")
        for row in rows:
            line = f"{row['method']:{width}}  "
            if kind == "photos":
                line += f"{row['psnr']:5.2f} ± {row['psnr_spread']:4.2f}  {row['ssim']:.4f}"
                line += f" {row['seconds_per_megapixel']:6.2f} {row['parameters']:11,}"
            else:
                line += f"accuracy {row['accuracy']:.4f} on {row['images']:,} test images"
            say(line)


def _print_digits(rows, say):
    """Print a table, cells two spaces apart, without columns that only the floor would fill."""

    def cell(value, pattern="{:.1f}"):
        return "–" if value is None else pattern.format(value)

    header = ["", "FID", "KID", "prec.", "rec.", "imbal.", "copies", "as asked", "ELBO", "L_50"]
    lines = [[*header, "seconds", "parameters"]]
    for row in rows:
        copies, nats = row["copies"] or {}, row["nats"] or {}
        line = [row["method"], f"{row['fid']:.1f} ± {row['fid_interval'][1] - row['fid']:.1f}"]
        line += [f"{row['kid']:.1f} ± {row['kid_error']:.1f}"]
        line += [f"{row[share]:.2f}" for share in ("precision", "recall")]
        line += [cell(row["class_imbalance"], "{:.3f}"), cell(copies.get("share"), "{:.1%}")]
        line += [cell(row["agreement"], "{:.1%}")]
        line += [cell(nats.get(bound)) for bound in ("elbo", "importance_weighted")]
        lines.append([*line, cell(row["seconds"], "{:.0f}"), f"{row['parameters']:,}"])
    columns = [column for column in zip(*lines, strict=True) if set(column[2:]) != {"–"}]
    widths = [max(map(len, column)) for column in columns]
    count, balls = rows[-1]["samples"], rows[-1]["manifold_samples"]
    say(f"{count:,} samples, {count:,} test images; of the digit classifier's features: FID ± 95 %")
    say(f"interval, KID ± standard error, precision and recall ({balls:,} of each); imbalance: the")
    say("classes' total variation from uniform; copies: 1.0% is usual; ELBO, L_50: nats an image")
    for line in zip(*columns, strict=True):
        cells = [text.rjust(width) for text, width in zip(line, widths, strict=True)]
        say("  ".join([line[0].ljust(widths[0]), *cells[1:]]))

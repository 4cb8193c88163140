"""The demo: three systems trained from scratch, measured, exported and reported on."""

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np

from gan_keras.algorithms.latents import draw_latents, spherical
from gan_keras.data.digits import load_digits
from gan_keras.data.ranges import DATA_RANGE, from_uint8, to_uint8
from gan_keras.errors import UserError
from gan_keras.evaluation import digit_floor, digit_row, photo_rows, test_photographs
from gan_keras.loading import load, run_settings
from gan_keras.metrics.image_quality import psnr
from gan_keras.plots import comparison, sample_grid
from gan_keras.recipes import get_recipe
from gan_keras.report import write_report
from gan_keras.restoration.classical import classics_for
from gan_keras.restoration.enhancer import Enhancer
from gan_keras.serving import restore_with_tensorflow
from gan_keras.serving.export import export_enhancer
from gan_keras.training.callbacks import read_seconds, save_png
from gan_keras.training.checkpoint import atomic_path
from gan_keras.training.run import train

RUNS = {"dcgan": "DCGAN", "vae": "VAE", "restorer": "Restorer (L1)", "pix2pix": "pix2pix"}
SERVED = "denoise-demo"


def run_demo(out="runs/demo", seed=42, retrain=False):
    """Train, measure, export, report; what is already trained is kept.

    Args:
        out: Folder of the four runs, of `results.json` and of `report.html`.
        seed: Seed of everything.
        retrain: Train again what is there.

    Returns:
        The report's path.
    """
    started, folder = time.perf_counter(), Path(out)
    for number, name in enumerate(RUNS, start=1):
        print(f"[{number}/6] ", end="")
        recipe = get_recipe(name).replace(seed=seed)
        if (folder / name / "model.keras").exists() and not retrain:
            before = run_settings(folder / name).get("recipe")
            if before != recipe.to_dict():
                raise UserError(f"{folder / name} has other settings or another seed: --retrain")
            print(f"{name}: already trained in {folder / name} (--retrain trains it again)")
            continue
        train(recipe, folder / name, resume=not retrain, overwrite=retrain)
    print("[5/6] measuring on images that were not trained on")
    results = {
        "created": datetime.now().strftime("%Y-%m-%d %H:%M"),
        "settings": {"seed": seed},
        "machine": _machine(run_settings(folder / "restorer")),
        "versions": run_settings(folder / "restorer")["versions"],
        "digits": _measure_digits(folder, seed),
        "photos": _measure_photos(folder, seed),
        "runs": [_run_record(folder, name, title, seed) for name, title in RUNS.items()],
    }
    print("[6/6] exporting the enhancer, restoring with TensorFlow alone, writing the report")
    results["export"] = _export(folder)
    report = folder / "report.html"
    results["next"] = [
        "python -m gan_keras enhance YOUR_PHOTOS --task denoise --out restored",
        f"python -m gan_keras generate {folder / 'dcgan'} --count 100 --out digits.png",
        "python -m gan_keras train restorer --data YOUR_PHOTOS --epochs 60 --out runs/mine",
    ]
    trained = sum(read_seconds(folder / name) for name in RUNS)
    results["seconds"] = max(time.perf_counter() - started, trained)
    with atomic_path(folder / "results.json") as path:
        path.write_text(json.dumps(results, indent=1))
    write_report(folder)
    _say_summary(results, folder, report)
    return report


def _machine(settings):
    machine = {"processor": settings["device"], "cores": os.cpu_count()}
    machine |= {"precision": settings["precision"], "xla": settings["xla"]}
    return machine | {"reason": settings["runtime"]}


def _measure_digits(folder, seed):
    data = get_recipe("dcgan").data
    test, labels = load_digits(data, "test")
    test = from_uint8(test)
    by_class = [np.flatnonzero(labels == digit)[row] for row in range(10) for digit in range(10)]
    save_png(folder / "images/real.png", sample_grid(test[by_class]))
    systems = []
    for run, name in (("dcgan", "DCGAN"), ("vae", "VAE")):
        model = load(folder / run)
        images = {"samples": model.generate(100, seed), "walk": _walk(model, seed)}
        if run == "vae":
            some = test[by_class[:30]]
            pairs = np.stack([some, np.asarray(model.reconstruct(some))]).reshape(2, 3, 10, -1)
            images["reconstruction"] = pairs.transpose(1, 0, 2, 3).reshape(60, 28, 28, 1)
        files = {key: f"images/{run}_{key}.png" for key in images}
        for key, file in files.items():
            save_png(folder / file, sample_grid(images[key]))
        system = {"name": name, "run": run, "seconds": read_seconds(folder / run)}
        command = f"python -m gan_keras evaluate {folder / run} --seed {seed}"
        measured = digit_row(model, data, seed)
        systems.append({"reconstruction": None, **system, **measured, **files, "command": command})
    return {
        "data": data,
        "train_images": len(load_digits(data, "train")[0]),
        "samples": len(test),
        "seed": seed,
        "classifier": {"test_accuracy": _card_accuracy(), "split": "MNIST's 10,000 test images"},
        "floor": digit_floor(data, seed),
        "systems": systems,
        "real": "images/real.png",
    }


def _card_accuracy():
    card = json.loads((Path(__file__).parent / "weights/digit_classifier.json").read_text())
    return card["results"]["test_accuracy"]


def _walk(model, seed, rows=5, columns=10):
    """Walk between pairs of latent vectors along great circles: (rows · columns, 28, 28, 1)."""
    ends = draw_latents(2 * rows, model.latent_dim, seed).reshape(rows, 2, -1)
    shares = np.linspace(0, 1, columns)
    latents = np.concatenate([spherical(*pair, shares) for pair in ends])
    decode = getattr(model, "decode", model)
    return np.asarray(decode(latents))


def _measure_photos(folder, seed):
    enhancers = {RUNS[run]: Enhancer.load(folder / run) for run in ("restorer", "pix2pix")}
    recipe = get_recipe("restorer")
    photographs = test_photographs(recipe.to_dict(), seed=seed)
    rows, shown = photo_rows(enhancers, photographs, classics_for(recipe.degradation), keep=True)
    comparisons, sliders = [], []
    for name, pictures in shown.items():
        chosen = ["do nothing", "non-local means, tuned", RUNS["restorer"], RUNS["pix2pix"]]
        labelled = [(_label(label, pictures), pictures[label]) for label in chosen]
        figure = comparison([*labelled, ("truth", pictures["target"])])
        figure.savefig(folder / f"images/{name}.png")
        caption = "The whole photograph, and the marked square enlarged three times."
        comparisons.append({"photo": name, "figure": f"images/{name}.png", "caption": caption})
        slider = {"photo": name}
        for side, label in (("before", "do nothing"), ("after", RUNS["restorer"])):
            slider[side] = f"images/{name}_{side}.png"
            save_png(folder / slider[side], to_uint8(pictures[label]))
        sliders.append(slider)
    return {
        "degradation": f"Gaussian noise, σ = {recipe.degradation['sigma']}",
        "test_photos": list(shown),
        "rows": rows,
        "comparisons": comparisons,
        "slider": sliders,
        "command": f"python -m gan_keras compare {folder / 'restorer'} {folder / 'pix2pix'} "
        f"--seed {seed}",
    }


def below_nothing(rows):
    """Return our methods that are no better than doing nothing, from `photo_rows`' rows."""
    nothing = rows[0]["psnr"]
    return [row["method"] for row in rows if row["kind"] == "ours" and row["psnr"] <= nothing]


def _label(method, pictures):
    value = float(psnr(pictures["target"][None], pictures[method][None], DATA_RANGE)[0])
    return f"{method}\n{value:.2f} dB"


def _run_record(folder, name, title, seed):
    return {
        "name": name,
        "title": title,
        "recipe": name,
        "seconds": read_seconds(folder / name),
        "metrics": f"{name}/metrics.csv",
        "samples": sorted(str(p.relative_to(folder)) for p in folder.glob(f"{name}/samples/*.png")),
        "command": f"python -m gan_keras train {name} --seed {seed} --out {folder / name}",
    }


def _export(folder):
    """Export the restorer, restore the first noisy photograph in another process, compare."""
    from PIL import Image

    enhancer = Enhancer.load(folder / "restorer")
    saved_model = export_enhancer(enhancer, SERVED)
    source = sorted(folder.glob("images/*_before.png"))[0]
    target = folder / "images" / "exported.png"
    script = restore_with_tensorflow.__file__
    command = [sys.executable, script, str(saved_model), str(source), str(target)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise UserError(
            f"{script} failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}"
        )
    ours = enhancer(np.asarray(Image.open(source)))
    difference = np.abs(ours.astype(int) - np.asarray(Image.open(target)).astype(int)).max()
    return {
        "path": str(saved_model),
        "restored": "images/exported.png",
        "max_difference": int(difference),
        "command": " ".join(["python", os.path.relpath(script), *command[2:]]),
    }


def _say_summary(results, folder, report):
    digits, photos = results["digits"], results["photos"]
    for system in digits["systems"]:
        nats = f", bound {system['nats']['elbo']:.1f} nats" if system["nats"] else ""
        print(f"  {system['name']:28} classifier-FID {system['fid']:.1f}{nats}")
    print(f"  {'real against real':28} classifier-FID {digits['floor']:.1f}")
    for row in photos["rows"]:
        print(f"  {row['method']:28} {row['psnr']:.2f} dB, SSIM {row['ssim']:.3f}")
    for method in below_nothing(photos["rows"]):
        print(f"warning: {method} is no better than doing nothing: see its curve")
    print(f"report       {report}\nruns         {folder}\nSavedModel   {results['export']['path']}")
    print("next:")
    for command in results["next"]:
        print(f"  {command}")

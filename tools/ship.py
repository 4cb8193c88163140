"""Turn a finished run into shipped weights: float16, inference only, with a card.

Usage: python tools/ship.py RUN NAME "what it is bad at" ["licence note" ["photos to measure on"
       [file that says what was tried ["share"]]]]
       python tools/ship.py again NAME ["photos to measure on"]

A share below 1 ships weights that lie so far from those of the model that the run fine-tuned to its
own (network interpolation: ESRGAN, Wang et al. 2018, §3.4). "" leaves an argument out.

Writes gan_keras/weights/NAME.keras, which plain Keras loads, NAME.json (recipe, seed, versions,
machine, minutes, curve, results) and NAME.md, the same for people. The results are measured on
the shipped file, not on the run; `again` measures what ships once more, and changes nothing else.
"""

import io
import json
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np

from gan_keras.errors import UserError
from gan_keras.evaluation import measure
from gan_keras.loading import WEIGHTS, load, shipped_card
from gan_keras.plots import read_metrics
from gan_keras.recipes import Recipe
from gan_keras.restoration.blending import blend
from gan_keras.training.assembly import build_model


def to_float16(path):
    """Rewrite the weights of a `.keras` file as float16; Keras casts them back when it loads.

    All first bytes before all second ones, which hardly repeat: 7 % smaller when compressed.
    """
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    source = h5py.File(io.BytesIO(entries["model.weights.h5"]), "r")
    with source, h5py.File(buffer, "w") as target:

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                values = item[()]
                half = values.astype(np.float16) if values.dtype == np.float32 else values
                packed = {}
                if half.size > 1000:  # a smaller one would grow by the index of its chunk
                    packed = {"chunks": half.shape, "compression": "gzip", "shuffle": True}
                written = target.create_dataset(name, data=half, **packed)
            else:
                written = target.require_group(name)
            written.attrs.update(item.attrs)

        target.attrs.update(source.attrs)
        source.visititems(copy)
    entries["model.weights.h5"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def inference_network(run, recipe):
    """Rebuild the run's network in float32, with the trained (averaged) weights."""
    keras.config.set_dtype_policy("float32")
    trained, rebuilt = load(run), build_model(recipe, fused=False)
    if hasattr(trained, "encoder"):
        rebuilt.set_weights(trained.get_weights())
        return _functional(rebuilt)
    if hasattr(trained, "averaged_generator"):
        trained, rebuilt = trained.averaged_generator, rebuilt.generator
    rebuilt.set_weights(trained.get_weights())
    return rebuilt


def _functional(vae):
    """Return a VAE as a plain functional model: images → q's two parameters, and logits of p."""
    images = keras.Input(vae.encoder.input_shape[1:], name="images")
    mean, log_variance = vae.encoder(images)
    outputs = {"mean": mean, "log_variance": log_variance, "logits": vae.decoder(mean)}
    return keras.Model(images, outputs, name="vae")


def write_card(card):
    """Write NAME.json and NAME.md."""
    path = WEIGHTS / f"{card['name']}.json"
    path.write_text(json.dumps(card, indent=1) + "\n")
    path.with_suffix(".md").write_text(card_for_people(card))


def measure_again(name, evaluate_on=None):
    """Measure what ships as `name`, on its own data or other photographs, and renew its card."""
    card = json.loads((WEIGHTS / f"{name}.json").read_text())
    table = []
    rows = measure([name], evaluate_on or None, say=table.append)
    card["results"] = {"data": evaluate_on and Path(evaluate_on).name, "table": table, **rows}
    if "classifiers" in rows:
        card["results"]["test_accuracy"] = rows["classifiers"][0]["accuracy"]
    write_card(card)
    print("\n".join(table))


def card_for_people(card):
    """Return a card, as its JSON file holds it, as Markdown."""
    name, recipe, data = card["name"], card["recipe"], card["data"]
    own = Path(data["name"]).name
    photos = recipe["algorithm"] in ("restorer", "pix2pix")
    folder = "FOLDER" if photos else own
    measured = card["results"].get("data") or ("" if photos else own)
    lines = [
        f"# {name}: {recipe['title']}",
        "",
        f"- recipe: `{recipe['name']}`, seed {recipe['seed']}, {recipe['epochs']} epochs of "
        f"{recipe['steps_per_epoch']} steps, batch {recipe['batch_size']}",
        f"- data: {own}, {data['images']} images (sha256 {data['sha256']})",
        f"- to train it: `gan-keras train {recipe['name']} --data {folder}`; to measure it: "
        f"`gan-keras evaluate {name}{f' --data {measured}' if measured else ''}`",
        f"- training: {card['seconds'] / 60:.0f} minutes on {card['device']}; {card['runtime']}",
        *_before(card),
        f"- versions: {', '.join(f'{k} {v}' for k, v in card['versions'].items())}",
        f"- bad at: {card['bad_at']}",
        *_interpolation(card),
        f"- licence: {card['licence']}",
        f"- settings and training curve: `{name}.json`",
        *(["- pictures, the worst first: [gallery](../../docs/gallery)"] if photos else []),
        "",
        "Measured on this file, on images that were not trained on:",
        "",
        "```",
        *card["results"]["table"],
        "```",
        "",
        *(["What was tried:", "", *card["tried"], ""] if card.get("tried") else []),
    ]
    return "\n".join(lines)


def training_before(run, start):
    """Return what a card says of the run beside this one that it fine-tuned and that ships not.

    It goes on, as "before", with what that one had fine-tuned; {} where there is none such.
    """
    if not start or shipped_card(start):
        return {}
    folder = Path(run).parent / start
    if not (folder / "metrics.csv").exists():
        return {}
    recipe = json.loads((folder / "settings.json").read_text())["recipe"]
    recipe |= {"name": start, "data": Path(recipe["data"]).name}
    before = training_before(run, recipe["start_from"])
    return {"recipe": recipe, "curve": _curve(folder), "before": before}


def _curve(run):
    return read_metrics(Path(run) / "metrics.csv")


def _before(card):
    lines, start = [], card["recipe"].get("start_from")
    while card := card.get("before"):
        recipe, curve = card["recipe"], card["curve"]
        start = recipe.get("start_from")
        lines += [
            f"- before that: `{recipe['name']}`, {recipe['epochs']} epochs of "
            f"{recipe['steps_per_epoch']} steps, {curve['seconds'][-1] / 60:.0f} minutes"
        ]
    return lines + ([f"- it started from `{start}`, which has a card of its own"] if start else [])


def _interpolation(card):
    if card.get("share", 1.0) == 1:
        return []
    start = card["recipe"]["start_from"]
    share = f"{card['share']:g}"
    return [
        f"- weights: {share} of the way from `{start}` to what the training made of it: "
        f"`enhance --task {start} --realism-model RUN --realism {share}`"
    ]


def main(run, name, bad_at, licence="", evaluate_on=None, tried=None, share=1.0):
    """Ship one run.

    Raises:
        UserError: A share outside (0, 1], or one of a run that fine-tuned nothing.
    """
    words = {"bad_at": bad_at, "licence": licence or "MIT, like the code", "share": float(share)}
    words["tried"] = Path(tried).read_text().splitlines() if tried else []
    settings = json.loads((Path(run) / "settings.json").read_text())
    settings["data"]["name"] = Path(settings["data"]["name"]).name
    settings["recipe"]["data"] = Path(settings["recipe"]["data"]).name
    start, share = settings["recipe"]["start_from"], words["share"]
    words["before"] = training_before(run, start)
    if not 0 < share <= 1 or (share < 1 and not start):
        raise UserError(f"share {share:g}: from 0 to 1 of the way from what the run fine-tuned")
    network = inference_network(run, Recipe(**settings["recipe"]))
    if share < 1:
        network = blend(load(start), network, share)
    path = WEIGHTS / f"{name}.keras"
    network.save(path)
    to_float16(path)
    curve = _curve(run)
    card = {"name": name, **settings, "seconds": curve["seconds"][-1], "results": {"table": []}}
    write_card({**card, "curve": curve, **words})  # it says what to measure on
    measure_again(name, evaluate_on)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    if len(sys.argv) in (3, 4) and sys.argv[1] == "again":
        measure_again(*sys.argv[2:])
    elif len(sys.argv) < 4:
        sys.exit(__doc__)
    else:
        main(*sys.argv[1:])

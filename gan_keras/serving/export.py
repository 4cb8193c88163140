"""Export of models as SavedModels, in the folders that TensorFlow Serving wants.

::

    saved_models/models.config                            what the server reads first
    saved_models/denoise/1/saved_model.pb, variables/     the graph and its weights
    saved_models/denoise/1/assets.extra/card.md           what it is, and what it is bad at
    saved_models/denoise/1/assets.extra/tf_serving_warmup_requests
"""

import re
import shutil
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from gan_keras.errors import UserError
from gan_keras.loading import WEIGHTS, load, run_settings, shipped, task_name
from gan_keras.restoration.enhancer import Enhancer
from gan_keras.restoration.recipes import SUFFIX
from gan_keras.serving import signatures as served
from gan_keras.serving.warmup import write_warm_up
from gan_keras.training.checkpoint import atomic_path


def export(
    name_or_path,
    name=None,
    out="saved_models",
    max_pixels=served.MAX_PIXELS,
    realism=0.0,
    realism_from=None,
):
    """Export a shipped model, a `.keras` file or a run, whatever it is, with its card.

    Args:
        name_or_path: As for `gan_keras.load`.
        name: The served name; that of the run or file by default.
        out: The models' base folder.
        max_pixels: Limit of an enhancer's pictures.
        realism: Of an enhancer: see `Enhancer.load`.
        realism_from: Likewise.

    Returns:
        The version's path, `out/name/VERSION`.

    Raises:
        UserError: It is no enhancer, generator or VAE; the name or the limit cannot be; the folder
            cannot be written.
    """
    if task_name(name_or_path) in shipped():
        name_or_path = task_name(name_or_path)
    path = Path(name_or_path).resolve()
    name = name or (path.name if path.is_dir() else path.stem)
    model, card = load(name_or_path), _card(name_or_path, name)
    if realism and hasattr(model, "generate"):
        raise UserError(f"realism {realism} is a dial of enhancers: {name} generates")
    if hasattr(model, "encoder"):
        return export_vae(model, name, out, card)
    if hasattr(model, "generate"):
        return export_generator(model, name, out, card)
    if realism:
        card += f"\nBlended with its realism version, share {realism}: detail may be invented.\n"
    enhancer = Enhancer.load(name_or_path, realism, realism_from)
    if enhancer.deblurs:
        card += (
            "\nServed, it is the network alone: `gan-keras enhance` estimates the blur first and "
            "filters it out, after which the network makes far more of the photograph.\n"
        )
    return export_enhancer(enhancer, name, out, card, max_pixels)


def exportable():
    """Return the names of the shipped models that `export` takes; realism is one of its options."""
    names = [name for name in shipped() if name != "digit_classifier"]
    return [name for name in names if not name.endswith(SUFFIX)]


def export_enhancer(enhancer, name, out="saved_models", card=None, max_pixels=served.MAX_PIXELS):
    """Export an `Enhancer`: see `signatures.enhancer_signatures` and `export`."""
    if max_pixels < 1:
        raise UserError(f"a limit of {max_pixels} pixels: at least 1 is needed")
    signatures = served.enhancer_signatures(enhancer.network, max_pixels)
    return _write(signatures, name, out, card)


def export_generator(model, name, out="saved_models", card=None):
    """Export a `DCGAN`, `WGANGP` or `Generator`: see `signatures.generator_signatures`."""
    network = getattr(model, "averaged_generator", None) or model.network
    return _write(served.generator_signatures(network), name, out, card)


def export_vae(vae, name, out="saved_models", card=None):
    """Export a `VAE`: see `signatures.vae_signatures`."""
    return _write(served.vae_signatures(vae.encoder, vae.decoder), name, out, card)


def _write(signatures, name, out, card):
    """Write `out/name/VERSION`, the next free version, whole or not at all; return its path."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII):
        raise UserError(f"the name {name!r} is part of an address: use letters, digits, - _ .")
    # Not `tf.saved_model.save`, whose result fails in a session with "Could not find variable",
    # and no `track`, which writes each weight twice.
    archive = keras.export.ExportArchive()
    for signature_name, signature in signatures.items():
        archive.add_endpoint(signature_name, signature.function, signature.specs)
    base = Path(out) / name
    try:
        base.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=base))
        try:
            temporary.chmod(0o755)
            archive.write_out(temporary, verbose=False)
            (temporary / "assets.extra").mkdir()
            (temporary / "assets.extra/card.md").write_text(card or f"# {name}\n")
            write_warm_up(temporary, name, signatures)
            version = temporary.rename(base / str(max(_versions(base), default=0) + 1))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        with atomic_path(Path(out) / "models.config") as config:
            config.write_text(_models_config(Path(out)))
        return version
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UserError(f"cannot write {base} ({reason}): choose another --out") from error


def _versions(base):
    return [int(path.name) for path in base.iterdir() if path.name.isdigit()]


def _models_config(out):
    """Return a `ModelServerConfig` in text form, of all models below `out`, served as /models."""
    names = sorted(path.name for path in out.iterdir() if path.is_dir() and _versions(path))
    entries = (
        f'  config {{ name: "{name}" base_path: "/models/{name}" model_platform: "tensorflow" }}\n'
        for name in names
    )
    return f"model_config_list {{\n{''.join(entries)}}}\n"


def _card(name_or_path, name):
    if name_or_path in shipped():
        return (WEIGHTS / f"{name_or_path}.md").read_text()
    settings = run_settings(name_or_path)
    facts = [f"exported from {name_or_path}"]
    if settings:
        recipe = settings["recipe"]
        facts += [f"recipe: {recipe['name']}, seed {recipe['seed']}, {recipe['epochs']} epochs"]
        facts += [f"data: {recipe['data']}", f"precision of its training: {settings['precision']}"]
        facts += [f"versions: {', '.join(map(' '.join, settings['versions'].items()))}"]
    return f"# {name}\n\n" + "".join(f"- {fact}\n" for fact in facts)

"""Checkpoints that bring a run back bit for bit: every variable of the model and its optimisers.

`.keras` files and `BackupAndRestore` lose the states of seed generators; here they are included.
Data order and degradations are pure functions of (seed, epoch, index) and need no state.
"""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gan_keras.errors import UserError


@contextmanager
def atomic_path(path):
    """Give a temporary name beside `path`; rename it to `path` only if the body succeeds.

    Raises:
        UserError: The folder cannot be written or the disk is full; `path` is as it was.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=path.suffix, prefix=".tmp-", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror or error}): free some space or choose another "
            "--out; what was there before is intact"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _variables(model):
    names = ("optimizer", "generator_optimizer", "discriminator_optimizer")
    optimizers = [getattr(model, name, None) for name in names]
    if optimizers[0] is not None and not optimizers[0].built:  # a plain model's, before its fit
        optimizers[0].build(model.trainable_variables)
    return [*model.variables, *(v for o in optimizers if o is not None for v in o.variables)]


def save_checkpoint(path, model, epoch, seconds):
    """Write the whole training state to one `.npz`, atomically.

    Args:
        path: File to write or replace.
        model: A compiled model.
        epoch: Finished epochs.
        seconds: Training time so far.
    """
    arrays = {f"{i:04d}": np.asarray(v) for i, v in enumerate(_variables(model))}
    with atomic_path(path) as temporary:
        np.savez(temporary, epoch=epoch, seconds=seconds, **arrays)


def restore_checkpoint(path, model):
    """Read what `save_checkpoint` wrote into a model built and compiled in the same way.

    Args:
        path: The file.
        model: A compiled model.

    Returns:
        (epoch, seconds) as saved.

    Raises:
        UserError: The file is damaged, or of another model.
    """
    variables = _variables(model)
    try:
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
    except Exception as error:  # zipfile, zlib and numpy each have their own
        raise UserError(f"{path} is damaged ({error}): train again with --overwrite") from error
    if not {"epoch", "seconds"} <= arrays.keys():
        raise UserError(f"{path} is no checkpoint: train again with --overwrite")
    epoch, seconds = int(arrays.pop("epoch")), float(arrays.pop("seconds"))
    shapes = [tuple(v.shape) for v in variables]
    if [arrays[key].shape for key in sorted(arrays)] != shapes:
        raise UserError(f"{path} is of another model: use the same recipe, or --overwrite")
    for variable, key in zip(variables, sorted(arrays), strict=True):
        variable.assign(arrays[key])
    return epoch, seconds

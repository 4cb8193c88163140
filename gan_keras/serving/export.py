"""Export of an enhancer as a SavedModel, in the folders that TensorFlow Serving wants."""

import shutil
import tempfile
from pathlib import Path

import keras
from keras import layers, ops

from gan_keras.errors import UserError
from gan_keras.networks.receptive_field import receptive_field


def export_enhancer(enhancer, name, out="saved_models"):
    """Write an enhancer as `out/name/VERSION`, the next free version, never replacing one.

    The SavedModel's `serving_default` takes and returns float32 images (B, H, W, 3) in [0, 1];
    H and W are multiples of the network's stride, which `assets.extra/stride.txt` holds
    (`serving/restore_with_tensorflow.py` pads).

    Args:
        enhancer: An `Enhancer`.
        name: Folder below `out`.
        out: The models' base folder.

    Returns:
        The version's path.

    Raises:
        UserError: The folder cannot be written.
    """
    network = enhancer.network
    images = keras.Input(network.input_shape[1:], name="images")
    degraded = layers.Rescaling(2.0, offset=-1.0, dtype="float32")(images)  # [0, 1] → [-1, 1]
    restored = layers.Rescaling(0.5, offset=0.5, dtype="float32")(network(degraded))
    served = keras.Model(images, ops.clip(restored, 0.0, 1.0))
    base = Path(out) / name
    try:
        base.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=base))
        try:
            temporary.chmod(0o755)
            served.export(temporary, verbose=False)
            (temporary / "assets.extra").mkdir(exist_ok=True)
            (temporary / "assets.extra/stride.txt").write_text(str(receptive_field(network)[1]))
            versions = [int(p.name) for p in base.iterdir() if p.name.isdigit()]
            return temporary.rename(base / str(max(versions, default=0) + 1))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise UserError(f"cannot write {base} ({error.strerror}): choose another --out") from error

"""Restore one photograph with an exported SavedModel: TensorFlow, NumPy and Pillow, no gan_keras.

Usage: python restore_with_tensorflow.py SAVED_MODEL PHOTOGRAPH RESTORED.png
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image


def restore(saved_model, image):
    """Restore an image.

    Args:
        saved_model: Path of an exported version.
        image: float32 (H, W, 3) in [0, 1].

    Returns:
        float32 (H, W, 3) in [0, 1].
    """
    serve = tf.saved_model.load(saved_model).signatures["serving_default"]
    height, width = image.shape[:2]
    stride = int((Path(saved_model) / "assets.extra/stride.txt").read_text())
    padding = ((0, -height % stride), (0, -width % stride), (0, 0))
    padded = np.pad(image, padding, mode="reflect")[None]
    (name,) = serve.structured_input_signature[1]
    (restored,) = serve(**{name: tf.constant(padded)}).values()
    return restored.numpy()[0, :height, :width]


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    photograph = np.asarray(Image.open(sys.argv[2]).convert("RGB"), np.float32) / 255
    result = restore(sys.argv[1], photograph)
    Image.fromarray(np.round(result * 255).astype(np.uint8)).save(sys.argv[3])
    if "gan_keras" in sys.modules:
        sys.exit("this process imported gan_keras, which it must not need")

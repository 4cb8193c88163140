"""Restore one photograph with an exported SavedModel: TensorFlow alone, no gan_keras.

Usage: python restore_with_tensorflow.py SAVED_MODEL PHOTOGRAPH RESTORED.png
"""

import sys
from pathlib import Path

import tensorflow as tf


def restore(saved_model, data):
    """Restore an image file.

    Args:
        saved_model: Path of an exported version.
        data: The bytes of a JPEG, PNG, GIF or BMP file.

    Returns:
        The bytes of a PNG file.

    Raises:
        ValueError: The file cannot be read.
    """
    serve = tf.saved_model.load(saved_model).signatures["serving_default"]
    answer = serve(image_bytes=tf.constant([data]))
    if answer["error"].numpy()[0]:
        raise ValueError(answer["error"].numpy()[0].decode())
    return answer["restored_bytes"].numpy()[0]


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    Path(sys.argv[3]).write_bytes(restore(sys.argv[1], Path(sys.argv[2]).read_bytes()))
    if "gan_keras" in sys.modules:
        sys.exit("this process imported gan_keras, which it must not need")

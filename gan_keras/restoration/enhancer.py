"""The enhancer: a trained network that restores arrays and files."""

import dataclasses
from pathlib import Path

import numpy as np

from gan_keras.data.ranges import from_uint8, to_uint8
from gan_keras.errors import UserError
from gan_keras.loading import load
from gan_keras.networks.receptive_field import receptive_field
from gan_keras.restoration.files import read_image, write_image
from gan_keras.restoration.tiling import restore_tiled


class Enhancer:
    """Restores photographs of any size with a trained network.

    Args:
        network: A functional network, degraded → restored, in [-1, 1].

    Example:
        >>> enhancer = gan_keras.Enhancer.load("denoise")
        >>> restored = enhancer(array)  # uint8 (H, W, 3) → the same
    """

    def __init__(self, network):
        any_size = (None, None, None, 3)
        if network.input_shape != any_size or network.output_shape != any_size:
            raise UserError(
                f"model {network.name!r} does not turn a photograph of any size into another: "
                "name a restorer or a pix2pix model"
            )
        try:
            _, stride = receptive_field(network)
        except ValueError as error:
            raise UserError(f"its tiles would not equal the whole: {error}") from error
        probe = (1, 8 * stride, 8 * stride, 3)
        if network.compute_output_shape(probe) != probe:
            raise UserError(f"model {network.name!r} changes the size of its input")
        self.network = network

    @classmethod
    def load(cls, name_or_path):
        """Load a shipped enhancer by its task, a `.keras` file or a run folder."""
        model = load(name_or_path)
        network = getattr(model, "averaged_generator", model)
        if not hasattr(network, "inputs") or len(network.output_shape) != 4:
            raise UserError(f"{name_or_path} is no enhancer: name a restorer or a pix2pix model")
        return cls(network)

    def __call__(self, image, on_tile=None):
        """Restore one image.

        Args:
            image: (H, W), (H, W, 1) or (H, W, 3): uint8 in [0, 255], or floats in [-1, 1].
            on_tile: Called with the share done after each tile.

        Returns:
            An array of the same shape and range, uint8 for uint8, else float32, clipped.

        Raises:
            UserError: Another shape or type.
        """
        image = np.asarray(image)
        is_uint8 = image.dtype == np.uint8
        shape_ok = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
        if not shape_ok or image.size == 0 or not (is_uint8 or image.dtype.kind == "f"):
            raise UserError(
                f"an image of shape {image.shape} and type {image.dtype}: (H, W), (H, W, 1) or "
                "(H, W, 3) is wanted, uint8 or floats in [-1, 1]"
            )
        pixels = from_uint8(image) if is_uint8 else image.astype(np.float32)
        colour = np.broadcast_to(pixels.reshape(*image.shape[:2], -1), (*image.shape[:2], 3))
        restored = np.clip(restore_tiled(self.network, colour, on_tile=on_tile), -1, 1)
        if image.ndim == 2 or image.shape[2] == 1:
            restored = restored.mean(axis=2).reshape(image.shape)
        return to_uint8(restored) if is_uint8 else restored

    def enhance_file(self, source, target, on_tile=None):
        """Restore a file into another: size, grey, alpha, EXIF, ICC and bit depth are kept.

        Args:
            source: A photograph; see `restoration.files.read_image`.
            target: File to write, atomically.
            on_tile: Called with the share done after each tile.

        Raises:
            UserError: The file cannot be read or written.
        """
        picture = read_image(source)
        restored = self(picture.pixels, on_tile)
        try:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot make {Path(target).parent} ({error.strerror})") from error
        write_image(target, dataclasses.replace(picture, pixels=restored))

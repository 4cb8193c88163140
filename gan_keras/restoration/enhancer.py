"""The enhancer: a trained network that restores arrays and files."""

import dataclasses
from functools import partial

import numpy as np

from gan_keras.data.blurs import RADIUS, convolve, extend_blurred
from gan_keras.data.ranges import from_integers, to_integers
from gan_keras.errors import UserError
from gan_keras.loading import load
from gan_keras.networks.precision import in_bfloat16
from gan_keras.networks.receptive_field import receptive_field
from gan_keras.networks.restorer import DEBLURRER
from gan_keras.restoration.blending import blend, realism_version
from gan_keras.restoration.blur import NOTHING, estimate_blur
from gan_keras.restoration.changes import transparent
from gan_keras.restoration.enlarging import enlarge
from gan_keras.restoration.files import check_format, read_image, write_image
from gan_keras.restoration.tiling import apply_tiled
from gan_keras.training.runtime import compile_network

_TURNS = [(flip, turns) for flip in (False, True) for turns in range(4)]


class Enhancer:
    """Restores photographs of any size with a trained network.

    Args:
        network: A functional network of images in [-1, 1], (B, H, W, 3) → (B, s·H, s·W, 3) with a
            whole s; or, for inpainting, of four channels, the fourth being 1 where a pixel is
            known and -1 where it is missing. One that `build_deblurrer` made gets photographs
            from which their blur, estimated by `estimate_blur`, has been filtered out.
        strength: Share of the network's change that is applied, 0 to 1. Of an enlarged
            photograph it is the change to bicubic interpolation.
        best: Whether to average over the eight flips and turns of the photograph (Lim et al. 2017,
            §3.3): a little better, eight times as long.
        precision: "float32"; or "bfloat16", over twice as fast on processors that have it,
            whose results differ by a fraction of a grey level.

    Attributes:
        scale: How many times larger the result is, s above.
        masked: Whether it wants a mask.
        deblurs: Whether it estimates the blur of each photograph first.

    Raises:
        UserError: No such network, or a strength outside [0, 1].

    Example:
        >>> enhancer = gan_keras.Enhancer.load("denoise")
        >>> restored = enhancer(array)  # uint8 (H, W, 3) → the same
    """

    def __init__(self, network, strength=1.0, best=False, precision="float32"):
        any_size = [(None, None, None, channels) for channels in (3, 4)]
        if network.input_shape not in any_size or network.output_shape != any_size[0]:
            raise UserError(
                f"model {network.name!r} does not turn a photograph of any size into another: "
                "name a restorer or a pix2pix model"
            )
        if not 0 <= strength <= 1:
            raise UserError(f"strength {strength}: a number from 0 to 1 is wanted")
        if precision not in ("float32", "bfloat16"):
            raise UserError(f"precision {precision!r}: float32 or bfloat16 is wanted")
        try:
            self._field, self._stride = receptive_field(network)
        except ValueError as error:
            raise UserError(f"its tiles would not equal the whole: {error}") from error
        side = 8 * self._stride
        _, height, width, _ = network.compute_output_shape((1, side, side, network.input_shape[3]))
        self.scale, rest = divmod(height, side)
        if rest or height != width or self.scale < 1:
            raise UserError(f"model {network.name!r} turns {side}×{side} into {height}×{width}")
        self.network, self.strength, self.best = network, strength, best
        self._apply = compile_network(in_bfloat16(network) if precision == "bfloat16" else network)
        self.masked, self.deblurs = network.input_shape[3] == 4, network.name == DEBLURRER
        if self.masked and self.scale > 1:
            raise UserError(f"model {network.name!r} both fills in and enlarges: one at a time")

    @classmethod
    def load(cls, name_or_path, realism=0.0, realism_from=None, **settings):
        """Load a shipped enhancer by its task, a `.keras` file or a run folder.

        Args:
            name_or_path: Which.
            realism: From 0, fidelity (trained for the pixels alone), to 1, the same network
                fine-tuned against a discriminator: see `blending.blend`.
            realism_from: The latter, likewise; None takes the one that ships for the task.
            **settings: `strength`, `best` and `precision`.
        """
        network = _restoring(name_or_path)
        if realism != 0:
            other = _restoring(realism_from or realism_version(name_or_path))
            network = blend(network, other, realism)
        return cls(network, **settings)

    def __call__(self, image, mask=None, on_tile=None):
        """Restore one image.

        Args:
            image: (H, W), (H, W, 1) or (H, W, 3): uint8, uint16, or floats in [-1, 1].
            mask: For inpainting: boolean (H, W), true where a pixel is missing. What is known
                stays as it is, exactly.
            on_tile: Called with the share done after each tile.

        Returns:
            An array of the same kind, its sides `scale` times as long: integers for integers,
            else float32, clipped.

        Raises:
            UserError: Another shape or type, or a mask that is missing, superfluous or of another
                size.
        """
        image = np.asarray(image)
        shape_ok = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
        type_ok = image.dtype in (np.uint8, np.uint16) or image.dtype.kind == "f"
        if not shape_ok or image.size == 0 or not type_ok:
            raise UserError(
                f"an image of shape {image.shape} and type {image.dtype}: (H, W), (H, W, 1) or "
                "(H, W, 3) is wanted, uint8, uint16 or floats in [-1, 1]"
            )
        if self.masked != (mask is not None):
            raise UserError(
                "this enhancer fills in what is missing: give a mask, or transparent pixels"
                if self.masked
                else "this enhancer takes no mask: inpainting does"
            )
        samples = image.astype(np.float32) if image.dtype.kind == "f" else image
        samples = samples.reshape(*image.shape[:2], -1)
        if self.masked:
            samples = np.dstack([samples, _known(mask, samples)])
        function, field, border = self._window, self._field, 0
        blur = estimate_blur(samples) if self.deblurs else NOTHING
        if blur != NOTHING:
            samples = extend_blurred(samples, blur.kernel())
            function, border = partial(function, undo=blur.inverse()), RADIUS
            field += 2 * RADIUS
        height, width = (self.scale * side for side in samples.shape[:2])
        result = np.empty((height, width, samples.shape[2] - self.masked), samples.dtype)
        apply_tiled(function, samples, result, field, self._stride, on_tile=on_tile)
        result = np.ascontiguousarray(result[border : height - border, border : width - border])
        return result.reshape(*result.shape[:2], *image.shape[2:])

    def _window(self, samples, undo=None):
        """Restore a window, with its mask as last channel where there is one, in its own type.

        Args:
            samples: (h, w, C).
            undo: A filter that comes before the network, (K, K), or None.
        """
        is_float = samples.dtype.kind == "f"
        pixels = samples if is_float else from_integers(samples)
        colours = samples.shape[2] - self.masked
        image, known = pixels[..., :colours], pixels[..., colours:] > 0
        sharp = image if undo is None else convolve(image, undo)
        colour = np.repeat(sharp, 3 // colours, axis=2)
        if self.masked:
            colour = np.dstack([np.where(known, colour, 0), pixels[..., colours:]])
        restored = np.clip(self._restore(colour), -1, 1)
        if colours == 1:
            restored = restored.mean(axis=2, keepdims=True)
        if self.strength < 1:
            before = np.clip(enlarge(image, self.scale), -1, 1)
            restored = before + np.float32(self.strength) * (restored - before)
        if self.masked:
            restored = np.where(known, np.clip(image, -1, 1), restored)
        return restored if is_float else to_integers(restored, samples.dtype)

    def _restore(self, image):
        """Apply the network to (h, w, C) in [-1, 1], once or in all turns."""
        turns = _TURNS if self.best else _TURNS[:1]
        total = 0.0
        for flip, quarters in turns:
            turned = np.rot90(image[:, ::-1] if flip else image, quarters)
            output = self._apply(np.ascontiguousarray(turned)[None])
            output = np.rot90(output[0], -quarters)
            total = total + (output[:, ::-1] if flip else output)
        return total / np.float32(len(turns))

    def enhance_file(self, source, target, mask=None, on_tile=None):
        """Restore a file into another: grey, alpha, EXIF, ICC and bit depth are kept.

        Args:
            source: A photograph; see `restoration.files.read_image`.
            target: File to write, atomically.
            mask: For inpainting: a function from the `Picture` to its mask. Without it, what is
                transparent is filled in, and the result is opaque.
            on_tile: Called with the share done after each tile.

        Returns:
            (before, after): the two `Picture`s.

        Raises:
            UserError: The file cannot be read or written, or nothing in it is missing.
        """
        picture = read_image(source)
        check_format(target, *(self.scale * side for side in picture.samples.shape[:2]))
        missing, alpha = None if mask is None else mask(picture), picture.alpha
        if self.masked and mask is None and alpha is not None:
            missing, alpha = transparent(picture), None
        samples = self(picture.samples, missing, on_tile)
        restored = dataclasses.replace(picture, samples=samples, alpha=alpha)
        write_image(target, restored)
        return picture, restored


def _restoring(name_or_path):
    """Load what restores photographs; of a pix2pix model, its averaged generator."""
    model = load(name_or_path)
    network = getattr(model, "averaged_generator", model)
    if not hasattr(network, "inputs") or len(network.output_shape) != 4:
        raise UserError(f"{name_or_path} is no enhancer: name a restorer or a pix2pix model")
    return network


def enhance_degraded(enhancer, degraded):
    """Apply an enhancer to what a degradation made, with the mask that it wrote, if any.

    Raises:
        UserError: The enhancer wants a mask and there is none, or the other way round.
    """
    if enhancer.masked != (degraded.shape[2] == 4):
        raise UserError("an enhancer for another task: benchmarks/restoration.py measures them all")
    return enhancer(degraded[..., :3], degraded[..., 3] < 0 if enhancer.masked else None)


def _known(mask, samples):
    """Return a mask as one more channel: the greatest sample where known, the least elsewhere."""
    mask = np.asarray(mask)
    if mask.shape != samples.shape[:2] or mask.dtype != bool:
        raise UserError(
            f"a mask of shape {mask.shape} and type {mask.dtype}: bool {samples.shape[:2]} is "
            "wanted, true where a pixel is missing"
        )
    is_float = samples.dtype.kind == "f"
    low, high = (-1, 1) if is_float else (0, np.iinfo(samples.dtype).max)
    return np.where(mask, low, high).astype(samples.dtype)

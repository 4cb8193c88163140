"""Photographs: decoded on demand, and cut into (degraded, target) batches.

Keras and NumPy only: what trains on TensorFlow trains on JAX.
"""

import collections
import threading
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from gan_keras.data.colours import RECOLOUR
from gan_keras.data.epochs import EpochDataset
from gan_keras.data.photo_files import fingerprint, images_in, photo_paths, relative_name
from gan_keras.data.ranges import from_uint8, to_uint8
from gan_keras.errors import UserError
from gan_keras.restoration.files import image_size, read_image

__all__ = ["FolderPairs", "PhotoPairs", "Photographs", "fingerprint", "photo_paths"]


class Photographs:
    """A lazy sequence of photographs, uint8 (H, W, 3): grey replicated, alpha dropped.

    Headers are read at once; files that are no images are left out and named in one warning.
    Pixels are decoded when asked for and kept while they fit. A file that turns out to be damaged
    then is replaced by the next readable one, whatever the order of the requests.

    Args:
        paths: Image files.
        cache_bytes: Memory for decoded photographs, in bytes; the least recently used go first.

    Attributes:
        paths: Files with a readable header.
        skipped: Path → reason, of all files found unreadable so far.

    Raises:
        UserError: No file is readable.
    """

    def __init__(self, paths, cache_bytes=2 * 2**30):
        self.paths, self.skipped = [], {}
        for path in paths:
            try:
                image_size(path)
                self.paths.append(path)
            except UserError as error:
                self.skipped[path] = str(error)
        self._require(self.paths)
        if self.skipped:
            self._warn(self.skipped.values())
        self.cache_bytes, self._used = cache_bytes, 0
        self._cache = collections.OrderedDict()
        self._lock = threading.Lock()

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        for offset in range(len(self)):
            path = self.paths[(index + offset) % len(self)]
            if path in self.skipped:
                continue
            try:
                return self.decode(path)
            except UserError as error:
                with self._lock:
                    known = path in self.skipped
                    self.skipped[path] = str(error)
                if not known:
                    self._warn([error])
        return self._require([])

    def decode(self, path):
        """Return one file's pixels, read-only uint8 (H, W, 3), from memory if they are there.

        Raises:
            UserError: The file is damaged.
        """
        with self._lock:
            if path in self._cache:
                self._cache.move_to_end(path)
                return self._cache[path]
        pixels = to_uint8(read_image(path).pixels)  # unlocked: threads decode side by side
        pixels.flags.writeable = False
        with self._lock:
            if path not in self._cache:
                self._cache[path] = pixels
                self._used += pixels.nbytes
            while self._used > self.cache_bytes:
                self._used -= self._cache.popitem(last=False)[1].nbytes
        return pixels

    def _require(self, paths):
        if not paths:
            reason = next(iter(self.skipped.values()), "no files given")
            raise UserError(f"no readable photograph among {len(self.skipped)} files: {reason}")

    def _warn(self, reasons):
        reasons = list(map(str, reasons))
        more = f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        message = f"skipped {len(reasons)} unreadable photographs: {'; '.join(reasons[:5])}{more}"
        warnings.warn(message, stacklevel=3)


class _CropPairs(EpochDataset):
    """Batches of random crops; `_pair(generator)` returns one (degraded, target).

    A batch is a pure function of (seed, epoch, index).
    """

    def __init__(self, crop, batch_size, steps_per_epoch, seed, augment, **options):
        super().__init__(**options)
        self.crop, self.batch_size, self.steps_per_epoch = crop, batch_size, steps_per_epoch
        self.seed, self.augment = seed, augment

    def __len__(self):
        return self.steps_per_epoch

    def __getitem__(self, index):
        generator = np.random.default_rng([self.seed, self.epoch, index])
        try:
            pairs = [self._pair(generator) for _ in range(self.batch_size)]
        except UserError as error:
            self.failure = error
            raise
        degraded, target = zip(*pairs, strict=True)
        return np.stack(degraded), np.stack(target)

    def _cut(self, generator, *photographs, side=None):
        """Cut a window out of aligned uint8 photographs, turn it, and convert it to float32.

        A window whose side is larger than the crop is scaled down to it.
        """
        side = side or self.crop
        height, width = photographs[0].shape[:2]
        top = generator.integers(max(height - side, 0), endpoint=True)
        left = generator.integers(max(width - side, 0), endpoint=True)
        flip, turns = generator.integers([2, 4]) if self.augment else (0, 0)
        crops = []
        for photograph in photographs:
            crop = photograph[top : top + side, left : left + side]
            below, right = side - crop.shape[0], side - crop.shape[1]
            if below or right:
                crop = np.pad(crop, ((0, below), (0, right), (0, 0)), "reflect")
            if side > self.crop:
                size = self.crop, self.crop
                crop = np.asarray(Image.fromarray(crop).resize(size, Image.Resampling.LANCZOS))
            crop = np.rot90(crop[:, ::-1] if flip else crop, turns)
            crops.append(np.ascontiguousarray(from_uint8(crop)))
        return crops


class PhotoPairs(_CropPairs):
    """Batches of (degraded, target) crops, float32 in [-1, 1], degraded anew each time.

    Each photograph is as likely as any other, whatever its size; one smaller than the crop is
    reflected at its far borders. The crop with its margin is degraded, not the photograph: without
    one, a blur near a crop's border sees that border reflected. `fit` must be told `shuffle=False`
    where the order of batches within an epoch has to be repeatable, for Keras shuffles without our
    seed.

    Args:
        photographs: A `Photographs`, or any sequence of uint8 (H, W, 3).
        degradation: Callable (image, generator), as `build_degradation` returns.
        crop: Side of the square crops, in pixels.
        batch_size: Crops a batch.
        steps_per_epoch: Batches an epoch.
        seed: Seed of crops, turns and degradations.
        margin: Pixels on each side that are degraded with a crop and then cut off; for
            degradations that keep the size.
        augment: Whether to flip, to turn by multiples of 90 degrees, and to scale every other crop
            down by a random factor of up to 3: few photographs then show more kinds of detail.
            "colours" does all that, and `vary_colours` to every other crop; "tints"
            likewise, and `tint_colours`.
        **options: `workers` and others of `keras.utils.PyDataset`.

    Attributes:
        epoch: Epochs completed; a batch is a pure function of (seed, epoch, index).

    Example:
        >>> degrade = build_degradation({"name": "gaussian_noise", "sigma": 25})
        >>> pairs = PhotoPairs(Photographs(photo_paths()), degrade)
        >>> model.fit(pairs, epochs=12, shuffle=False)
    """

    def __init__(
        self,
        photographs,
        degradation,
        crop=64,
        batch_size=16,
        steps_per_epoch=200,
        seed=0,
        augment=True,
        margin=0,
        **options,
    ):
        super().__init__(crop + 2 * margin, batch_size, steps_per_epoch, seed, augment, **options)
        self.photographs, self.degradation = photographs, degradation
        self.core = slice(margin, -margin or None)

    def _pair(self, generator):
        photograph = self.photographs[int(generator.integers(len(self.photographs)))]
        side = self.crop
        if self.augment and generator.random() < 0.5:
            widest = min(*photograph.shape[:2], 3 * self.crop)
            side = int(generator.integers(self.crop, max(widest, self.crop), endpoint=True))
        (target,) = self._cut(generator, photograph, side=side)
        if self.augment in RECOLOUR and generator.random() < 0.5:
            target = RECOLOUR[self.augment](target, generator)
        degraded = self.degradation(target, generator)
        return degraded[self.core, self.core], target[self.core, self.core]


class FolderPairs(_CropPairs):
    """Batches of aligned crops from `input/` and `target/`, for a degradation of one's own.

    Files are paired by their names without suffix ("a/1.jpg" with "a/1.png"); names and sizes
    must agree. Batches, `epoch` and the other arguments are those of `PhotoPairs`.

    Args:
        folder: Contains the folders `input` (degraded) and `target` (sharp).
        split: "train" or "test", divided as by `photo_paths`.
        crop: Side of the square crops, in pixels.
        batch_size: Crops a batch.
        steps_per_epoch: Batches an epoch.
        seed: Seed of crops and turns.
        augment: Whether to flip, and to turn by multiples of 90 degrees.
        **options: `workers` and others of `keras.utils.PyDataset`.

    Attributes:
        pairs: (input, target) paths of this split.
        paths: The same in one list, for `fingerprint`.

    Raises:
        UserError: A folder or a partner is missing, a file is unreadable, or sizes differ.
    """

    def __init__(
        self,
        folder,
        split="train",
        crop=64,
        batch_size=16,
        steps_per_epoch=200,
        seed=0,
        augment=True,
        **options,
    ):
        super().__init__(crop, batch_size, steps_per_epoch, seed, augment, **options)
        inputs, targets = (_by_name(Path(folder) / part) for part in ("input", "target"))
        for name in sorted(inputs.keys() ^ targets.keys()):
            path = inputs.get(name) or targets[name]
            raise UserError(f"{path}: has no partner of that name; add it, or remove this file")
        root = Path(folder) / "input"
        chosen = photo_paths(root, split)
        self.pairs = [(path, targets[relative_name(path, root)]) for path in chosen]
        for pair in self.pairs:
            sizes = [image_size(path) for path in pair]
            if sizes[0] != sizes[1]:
                raise UserError(f"{pair[0]}: size {sizes[0]} is not its target's {sizes[1]}")
        self.paths = [path for pair in self.pairs for path in pair]
        self._photographs = Photographs(self.paths)

    def _pair(self, generator):
        pair = self.pairs[generator.integers(len(self.pairs))]
        return tuple(self._cut(generator, *map(self._photographs.decode, pair)))


def _by_name(folder):
    return {relative_name(path, folder): path for path in images_in(folder)}

"""Where photographs are: inside installed packages, or in a user's folder."""

import hashlib
import importlib.util
from pathlib import Path

from gan_keras.errors import UserError
from gan_keras.restoration.files import IMAGE_SUFFIXES

_EMBEDDED = {  # split -> files inside packages that are installed anyway; nothing downloads
    "train": (
        "skimage/data/astronaut.png",
        "skimage/data/chelsea.png",
        "skimage/data/rocket.jpg",
        "skimage/data/motorcycle_left.png",
        "sklearn/datasets/images/flower.jpg",
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    ),
    "test": ("skimage/data/coffee.png", "sklearn/datasets/images/china.jpg"),
}


def photo_paths(source="photos", split="train"):
    """Find photographs.

    Of a folder, "test" is the last tenth of the files in the order of a hash of their relative
    names (without suffix), at least one where there are two: a file stays in its split from run
    to run, and few files change theirs when others come. A single file is both splits.

    Args:
        source: "photos" (eight that installed packages contain), a folder, searched through and
            through, or one image file.
        split: "train" or "test".

    Returns:
        A sorted list of paths.

    Raises:
        UserError: There is no such split or path, or the split holds no image.
    """
    if split not in _EMBEDDED:
        raise UserError(f"no split {split!r}: use {' or '.join(_EMBEDDED)}")
    if source == "photos":
        return sorted(map(_embedded, _EMBEDDED[split]))
    root = Path(source)
    if root.is_file():
        return [root]
    paths = _split(images_in(root), root, split)
    if not paths:
        raise UserError(f"{root}: one image alone leaves none for {split!r}; add a second one")
    return paths


def _embedded(file):
    package, _, rest = file.partition("/")
    return Path(importlib.util.find_spec(package).submodule_search_locations[0], rest)


def pair_up(paths, out):
    """Give each file, and each image in a folder, its place in another folder; names are kept.

    Args:
        paths: Files and folders. What lies in `out` is no source, where `out` is in one of them.
        out: Folder of the results.

    Returns:
        {target: source}.

    Raises:
        UserError: Two have the same place, or one would become itself; a folder has no image; a
            file is of a kind that cannot be written.
    """
    pairs, inside = {}, Path(out).resolve()
    for path in map(Path, paths):
        within = path.resolve() in inside.parents  # what an earlier call wrote there is no source
        for source in images_in(path) if path.is_dir() else [path]:
            if within and inside in source.resolve().parents:
                continue
            target = Path(out) / (source.relative_to(path) if path.is_dir() else source.name)
            if target.resolve() == source.resolve():
                raise UserError(f"{source} would be written over: give another folder as --out")
            if target in pairs:
                both = f"{source} and {pairs[target]} would both become {target}"
                raise UserError(f"{both}: name one folder at a time")
            if path.is_file() and path.suffix.lower() not in IMAGE_SUFFIXES:
                raise UserError(f"{path}: its kind is not written; use {', '.join(IMAGE_SUFFIXES)}")
            pairs[target] = source
    return pairs


def images_in(folder):
    """Return a sorted list of all images in a folder and the folders within.

    Raises:
        UserError: There is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder or file; give a folder of images, or 'photos'")
    paths = (path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    found = sorted(path for path in paths if path.is_file())
    if not found:
        raise UserError(f"{folder}: no images; put some there ({', '.join(IMAGE_SUFFIXES)})")
    return found


def relative_name(path, folder):
    """Return a file's name within a folder, without its suffix: "a/1" for folder/a/1.jpg."""
    return path.relative_to(folder).with_suffix("").as_posix()


def _split(paths, folder, split):
    def order(path):
        return hashlib.sha256(relative_name(path, folder).encode()).digest()

    count = 0 if len(paths) < 2 else max(1, len(paths) // 10)
    ranked = sorted(paths, key=order)
    cut = len(paths) - count
    return sorted(ranked[cut:] if split == "test" else ranked[:cut])


def fingerprint(paths):
    """Return 16 hexadecimal digits that change with the photographs, for a run's record.

    Hashed are each file's name, its size, and its first and last 64 KB: quick for any folder.
    """
    digest = hashlib.sha256()
    for path in map(Path, paths):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with open(path, "rb") as file:
            digest.update(file.read(65536))
            file.seek(max(0, size - 65536))
            digest.update(file.read())
    return digest.hexdigest()[:16]

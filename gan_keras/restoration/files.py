"""Read any photograph into [-1, 1], and write the result back as the kind of file it came from."""

import contextlib
import dataclasses
import io
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from gan_keras.data.ranges import from_integers
from gan_keras.errors import UserError
from gan_keras.restoration import colour16

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")
MAX_PIXELS = 178_956_970  # where Pillow refuses too; from half of that it warns, muted here
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
_LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383, "GIF": 65535}  # of libjpeg; of the formats

# A TIFF's EXIF is its whole directory. These tags say how pixels are stored, not what they show.
_LAYOUT_TAGS = {*range(254, 267), *range(273, 282), 284, *range(317, 326), 330, 338, 339, 347}
_LAYOUT_TAGS |= {*range(512, 522), *range(529, 533), 700, 33723, 34377, 34675}


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A decoded photograph; `dataclasses.replace(picture, samples=restored)` keeps the rest.

    Attributes:
        samples: As the file has them, upright: uint8 or uint16 (H, W, 1 or 3), 1 being grey.
        alpha: Opacity, (H, W) of the same type, or None.
        exif: EXIF block without orientation, or b"".
        icc: ICC colour profile, or b"". Pixels are not converted: they stay in its colour space.
        format: Pillow's name of the file's format ("JPEG", "PNG", …).
    """

    samples: np.ndarray
    alpha: np.ndarray | None = None
    exif: bytes = b""
    icc: bytes = b""
    format: str = "PNG"

    @property
    def grey(self):
        """Whether it is grey, and is written so."""
        return self.samples.shape[-1] == 1

    @property
    def bits(self):
        """8 or 16 bits a sample."""
        return 8 * self.samples.itemsize

    @property
    def pixels(self):
        """float32 (H, W, 3) in [-1, 1]; grey is replicated."""
        return np.repeat(from_integers(self.samples), 3 // self.samples.shape[-1], axis=-1)


@contextlib.contextmanager
def _opened(path):
    """Open an image lazily; whatever goes wrong with the file is the user's one line."""
    # Given a name, Pillow maps plain TIFFs into memory, and turns grey ones wrongly.
    by_name = isinstance(path, str | Path)
    try:
        with (
            open(path, "rb") if by_name else contextlib.nullcontext(path) as file,
            Image.open(file) as image,
        ):
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            yield image
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UserError(f"{path}: {error.strerror}; check the path and its permissions") from error
    except UnidentifiedImageError as error:
        kinds = ", ".join(IMAGE_SUFFIXES)
        raise UserError(f"{path}: empty, or not an image; give one of {kinds}") from error
    except Image.DecompressionBombError as error:
        limit = f"more than {MAX_PIXELS:,} pixels"
        raise UserError(f"{path}: {limit}; cut it into parts, or make it smaller") from error
    except (UserError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise whatever the broken bytes provoke
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: damaged or cut short ({reason}); replace the file") from error


def image_size(path):
    """Return the (height, width) in pixels that `read_image` will give, from the header alone.

    Raises:
        UserError: The file is missing, no image, or above MAX_PIXELS.
    """
    with _opened(path) as image:
        exif, turned = Image.Exif(), False
        with contextlib.suppress(Exception):  # damaged EXIF turns nothing
            exif.load(image.info.get("exif", b""))  # not `getexif()`, which decodes a PNG
            turned = exif.get(ExifTags.Base.Orientation, 1) > 4
        return image.size if turned else image.size[::-1]  # Pillow turns a TIFF's size itself


def read_image(path):
    """Read a photograph: PNG, JPEG, BMP, TIFF, WebP or GIF (the first page or frame).

    EXIF rotation is applied. Palettes, CMYK and LAB become RGB (the last two without a profile).
    16 bits stay 16, grey or colour; two rare kinds are read as 8 bits: grey-alpha PNG and planar
    TIFF.

    Args:
        path: An image file of at most MAX_PIXELS pixels.

    Returns:
        A `Picture`.

    Raises:
        UserError: The file is missing, unreadable, damaged, too big, or of a kind whose range of
            values is not known (32-bit samples).
    """
    with _opened(path) as image:
        if image.mode in ("I", "F"):
            raise UserError(f"{path}: 32-bit samples have no known range; save as 8 or 16 bits")
        kind, becomes_rgb = image.format, image.mode in ("CMYK", "LAB")
        grey = image.mode[0] in "1LI" and not becomes_rgb
        icc = b"" if becomes_rgb else image.info.get("icc_profile") or b""
        colour_16, grey_16 = colour16.is_colour16(image), image.mode.startswith("I;16")
        exif = _portable_exif(image)  # decodes a PNG
        bits = 16 if colour_16 or grey_16 else 8
        photometric = getattr(image, "tag_v2", {}).get(ExifTags.Base.PhotometricInterpretation)
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode == "LAB":  # which `convert` does not know
            from PIL import ImageCms  # a library of its own, for a rare kind

            lab, srgb = map(ImageCms.createProfile, ("LAB", "sRGB"))
            image = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        mode = ("L" if grey else "RGB") + "A" * image.has_transparency_data
        if bits == 8 and mode != image.mode:  # each copy would be one more photograph in memory
            image = image.convert(mode)
        samples = np.atleast_3d(np.asarray(image))
        samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    if grey_16 and photometric == 0:  # 0 is white: Pillow turns 8 bits round, and not 16
        samples = 65535 - samples
    if colour_16:
        with _opened(path) as image:
            samples = samples.astype(np.uint16) << 8 | colour16.low_bytes(image)
    colours = 1 if grey else 3
    alpha = samples[..., colours] if samples.shape[-1] > colours else None
    return Picture(samples[..., :colours], alpha, exif, icc, kind)


def _portable_exif(image):
    exif = Image.Exif()
    with contextlib.suppress(Exception):  # damaged EXIF is dropped, the pixels are still good
        exif.load(image.getexif().tobytes())
        for tag in _LAYOUT_TAGS.intersection(exif):
            del exif[tag]
        return exif.tobytes() if len(exif) else b""
    return b""


def check_format(path, height, width):
    """Return Pillow's name of the format of a path's suffix, which can hold such a picture.

    Raises:
        UserError: An unknown suffix, or more pixels a side than the format can hold.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise UserError(f"{path}: cannot write {suffix!r}; use {', '.join(IMAGE_SUFFIXES)}")
    kind = Image.registered_extensions()[suffix]
    longest = _LONGEST_SIDE.get(kind)
    if longest and max(height, width) > longest:
        size = f"{width} × {height} pixels, only {longest} a side"
        raise UserError(f"{path}: {kind} cannot hold {size}; use PNG")
    return kind


def write_image(path, picture):
    """Write a picture in the format of the path's suffix, keeping all that the format can hold.

    Grey stays grey, alpha is carried (resized where the picture was enlarged), EXIF and ICC are
    kept, 16 bits stay 16 in PNG and TIFF. JPEG is written at quality 95, 4:4:4. Folders are
    made. The file appears whole or not at all: it is written beside its place, then renamed.

    Args:
        path: File to write; its suffix is one of IMAGE_SUFFIXES.
        picture: A `Picture`.

    Raises:
        UserError: As of `check_format`, or the place cannot be written.
    """
    path, samples = Path(path), picture.samples
    kind = check_format(path, *samples.shape[:2])
    if picture.alpha is not None and kind in ("PNG", "TIFF", "WEBP", "GIF"):
        samples = np.dstack([samples, _resized(picture.alpha, samples.shape)])
    if samples.dtype == np.uint16 and kind not in ("PNG", "TIFF"):
        samples = np.round(samples / np.float32(257)).astype(np.uint8)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(_encode(samples, kind, picture))
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be written ({reason}); check folder and disk") from error
    except (ValueError, OverflowError) as error:  # more bytes than the format can count
        raise UserError(f"{path}: {kind} cannot hold it ({error}); use PNG") from error
    finally:
        with contextlib.suppress(OSError):  # where its folder is a file
            temporary.unlink(missing_ok=True)


def _resized(alpha, shape):
    """Enlarge opacity to an enlarged picture's shape; bicubic, of the same type."""
    if alpha.shape == shape[:2]:
        return alpha
    plane = Image.fromarray(alpha.astype(np.float32)).resize(shape[1::-1], Image.BICUBIC)
    return np.round(np.clip(plane, 0, np.iinfo(alpha.dtype).max)).astype(alpha.dtype)


def _encode(samples, kind, picture):
    if samples.dtype == np.uint16 and samples.shape[-1] == 2:
        samples = samples[..., [0, 0, 0, 1]]  # as Pillow reads 16-bit grey with alpha from no file
    if kind == "TIFF":
        return colour16.encode_tiff(samples, picture.exif, picture.icc)
    if samples.dtype == np.uint16 and samples.shape[-1] > 1:
        return colour16.encode_png(samples, picture.exif, picture.icc)
    options = {"exif": picture.exif, "icc_profile": picture.icc or None}
    options |= {"quality": 95, "subsampling": "4:4:4"} if kind in ("JPEG", "WEBP") else {}
    file = io.BytesIO()
    image = Image.fromarray(samples[..., 0] if samples.shape[-1] == 1 else samples)
    image.save(file, kind, **options)
    return file.getbuffer()

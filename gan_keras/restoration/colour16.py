"""16-bit colour in PNG and TIFF, which Pillow reads as 8 bits and does not write.

TIFF of 8 bits is encoded here too: Pillow's own compressed TIFF fails on nested EXIF.
"""

import struct
import sys
import zlib

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, TiffTags

_NATIVE, _FOREIGN = ("L", "B") if sys.byteorder == "little" else ("B", "L")
_OTHER_ORDER = {"L": "B", "B": "L", "N": _FOREIGN}  # last letter of Pillow's raw modes


def is_colour16(image):
    """Say whether an image, opened and not yet decoded, has 16-bit colour that can be had whole."""
    planar = getattr(image, "tag_v2", {}).get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2
    modes = {_raw_mode(tile)[:-1] for tile in image.tile}
    return not planar and bool(modes) and modes <= {"RGB;16", "RGBA;16"}


def low_bytes(image):
    """Decode the low byte of each 16-bit sample.

    Of each sample Pillow keeps the high byte. Told that the bytes come in the other order, it
    keeps the low one, and its decoders of PNG and TIFF serve unchanged.

    Args:
        image: An image that `is_colour16`, not yet decoded.

    Returns:
        uint8 (H, W, 3 or 4), upright.
    """
    tiles = []
    for tile in image.tile:
        mode = _raw_mode(tile)
        mode = mode[:-1] + _OTHER_ORDER[mode[-1]]
        arguments = mode if isinstance(tile.args, str) else (mode, *tile.args[1:])
        tiles.append(tile._replace(args=arguments))
    image.tile = tiles
    return np.asarray(ImageOps.exif_transpose(image))


def _raw_mode(tile):
    mode = tile.args if isinstance(tile.args, str) else (tile.args or ("",))[0]
    return mode if isinstance(mode, str) else ""


def encode_png(samples, exif=b"", icc=b""):
    """Encode uint16 (H, W, 3 or 4) as the bytes of a PNG file; exif and icc may be empty."""
    height, width, channels = samples.shape
    colour_type = 2 if channels == 3 else 6
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))]
    chunks += [(b"iCCP", b"ICC\0\0" + zlib.compress(icc))] if icc else []
    chunks += [(b"eXIf", exif.removeprefix(b"Exif\0\0"))] if exif else []
    chunks += [(b"IDAT", b"".join(_compressed_rows(samples))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _compressed_rows(samples, strip=256):
    """Yield a PNG's compressed pixels; strip by strip, for photographs are large."""
    compressor, above = zlib.compressobj(), np.zeros((1, samples[0].size * 2), np.uint8)
    for top in range(0, len(samples), strip):
        rows = samples[top : top + strip].astype(">u2")
        rows = rows.reshape(len(rows), -1).view(np.uint8)
        differences = np.diff(rows, axis=0, prepend=above)  # modulo 256
        above = rows[-1:]
        # Each row starts with its filter: 2 is "up".
        yield compressor.compress(np.insert(differences, 0, 2, axis=1))
    yield compressor.flush()


def encode_tiff(samples, exif=b"", icc=b""):
    """Encode uint8 or uint16 (H, W, 1 to 4) as the bytes of a TIFF file, compressed losslessly.

    Args:
        samples: Grey or RGB, the last of 2 or 4 channels being alpha, not premultiplied.
        exif: EXIF block; may be empty.
        icc: ICC profile; may be empty.
    """
    height, width, channels = samples.shape
    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\x08\0\0\0")
    tags = Image.Exif()
    tags.load(exif)
    for tag in list(tags):
        nested = tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
        directory[tag] = tags.get_ifd(tag) if nested else tags[tag]
    strip = zlib.compress(samples.astype(samples.dtype.newbyteorder("<")))
    directory[TiffImagePlugin.IMAGEWIDTH] = width
    directory[TiffImagePlugin.IMAGELENGTH] = directory[TiffImagePlugin.ROWSPERSTRIP] = height
    directory[TiffImagePlugin.BITSPERSAMPLE] = (8 * samples.itemsize,) * channels
    directory[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    directory[TiffImagePlugin.COMPRESSION] = 8  # Adobe's deflate
    directory[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 1 if channels < 3 else 2  # grey, RGB
    directory[TiffImagePlugin.PLANAR_CONFIGURATION] = 1  # samples of a pixel lie together
    directory[TiffImagePlugin.STRIPBYTECOUNTS] = len(strip)
    directory.tagtype[TiffImagePlugin.STRIPOFFSETS] = TiffTags.LONG
    directory[TiffImagePlugin.STRIPOFFSETS] = 0  # counted by Pillow from the directory's end
    if channels in (2, 4):
        directory[TiffImagePlugin.EXTRASAMPLES] = 2  # alpha, not premultiplied
    if icc:
        directory[TiffImagePlugin.ICCPROFILE] = icc
    return b"II*\0\x08\0\0\0" + directory.tobytes(8) + strip

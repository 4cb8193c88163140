"""Files of strangers, decoded inside a graph: as Pillow does, or answered with a reason."""

import io
import struct
import time
import zlib

import numpy as np
import psutil
import pytest
from PIL import Image, ImageOps

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def decode():
    """Return `decode` as a graph: bytes → dictionary of arrays."""
    import tensorflow as tf

    from gan_keras.serving import codec

    graph = tf.function(
        lambda data: codec.decode(data, LIMIT),
        [tf.TensorSpec((), tf.string)],
        autograph=False,
    )
    return lambda data: {key: value.numpy() for key, value in graph(tf.constant(data)).items()}


def pixels(answer):
    assert answer["error"] == b""
    return np.round(answer["samples"][..., :3] * 255).astype(int)


KINDS = [
    ("JPEG", "RGB", {}),
    ("JPEG", "RGB", {"progressive": True, "quality": 40}),
    ("JPEG", "L", {}),
    ("JPEG", "CMYK", {}),
    ("PNG", "RGB", {}),
    ("PNG", "L", {}),
    ("PNG", "P", {}),
    ("PNG", "1", {}),
    ("PNG", "P", {"bits": 2}),
    ("BMP", "RGB", {}),
    ("BMP", "L", {}),
    ("GIF", "P", {}),
]


@pytest.mark.parametrize(("kind", "mode", "options"), KINDS)
def test_kinds_are_decoded_as_by_pillow(decode, smooth, encoded, kind, mode, options):
    data = encoded(Image.fromarray(smooth(37, 53)).convert(mode), kind, **options)
    answer = decode(data)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(pixels(answer), expected)
    assert answer["grey"] == (mode in "L1" and kind != "BMP")  # a BMP's grey is a palette
    assert (answer["samples"][..., 3] == 1).all() and not answer["deep"]


def test_opacity_and_16_bits(decode, smooth, encoded):
    colours = smooth(20, 30)
    rgba = np.dstack([colours, colours[..., 0]])
    np.testing.assert_allclose(decode(encoded(rgba))["samples"], rgba / 255, atol=1e-6)
    grey_alpha = Image.fromarray(rgba).convert("LA")
    answer = decode(encoded(grey_alpha))
    assert answer["grey"]
    np.testing.assert_allclose(
        answer["samples"][..., [0, 3]], np.asarray(grey_alpha) / 255, atol=1e-6
    )
    deep = np.random.default_rng(0).integers(0, 2**16, (20, 30), np.uint16)
    answer = decode(encoded(deep))
    assert answer["deep"] and answer["grey"]
    np.testing.assert_array_equal(np.round(answer["samples"][..., 0] * 65535), deep)


def test_an_animation_is_its_first_frame(decode, smooth, encoded):
    frames = [Image.fromarray(smooth(20, 30, seed)).convert("P") for seed in range(3)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=0)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    np.testing.assert_array_equal(pixels(decode(data)), np.asarray(frames[0].convert("RGB")))


def exif_block(orientation, big):
    order = ">" if big else "<"
    head = b"MM" if big else b"II"
    directory = struct.pack(f"{order}HHHI", 1, 0x0112, 3, 1) + struct.pack(
        f"{order}HH", orientation, 0
    )
    return b"Exif\0\0" + head + struct.pack(f"{order}HI", 42, 8) + directory + bytes(4)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(decode, smooth, encoded, orientation, big):
    data = encoded(smooth(16, 40), "JPEG", exif=exif_block(orientation, big))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert (upright.size != (40, 16)) == (orientation > 4)
    np.testing.assert_array_equal(pixels(decode(data)), np.asarray(upright))


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\xff\xff", exif_block(99, True)])
def test_damaged_exif_turns_nothing(decode, smooth, encoded, decoded, exif):
    data = encoded(smooth(16, 40), "JPEG", exif=exif)
    np.testing.assert_array_equal(pixels(decode(data)), decoded(data))


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
def test_extreme_sizes(decode, smooth, encoded, kind, shape):
    data = encoded(smooth(*shape), kind)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(pixels(decode(data)), expected)


def png_bomb(side=50_000):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return png_of((b"IHDR", header), (b"IDAT", zlib.compress(bytes(10_000_000))), (b"IEND", b""))


def png_of(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def gif_bomb(small):
    """Enlarge the frame of a small GIF to 60,000 × 60,000; its screen stays small."""
    at = small.index(b",\0\0\0\0")
    return small[: at + 5] + struct.pack("<HH", 60_000, 60_000) + small[at + 9 :]


def jpeg_bomb(small):
    at = small.index(b"\xff\xc0")
    return small[: at + 5] + struct.pack(">HH", 60_000, 60_000) + small[at + 9 :]


def bmp_bomb(small):
    return small[:18] + struct.pack("<ii", 50_000, -50_000) + small[26:]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "BMP"])
def test_bombs_are_refused_before_memory_is_asked_for(decode, smooth, encoded, kind):
    small = encoded(smooth(16, 16), kind)
    bomb = {"PNG": lambda _: png_bomb(), "GIF": gif_bomb, "JPEG": jpeg_bomb, "BMP": bmp_bomb}
    data = bomb[kind](small)
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    answer = decode(data)
    assert b"more than this model's limit of 1,000,000 pixels" in answer["error"]
    assert answer["samples"].size == 0
    assert time.perf_counter() - started < 2
    assert psutil.Process().memory_info().rss - before < 50e6  # 50,000² pixels would be 7.5 GB


@pytest.mark.parametrize(
    ("width", "height"), [(0, 9), (9, 0), (2**32 - 1, 2**32 - 1), (2**31,) * 2]
)
def test_sizes_that_cannot_be(decode, smooth, encoded, width, height):
    """Nothing; and products that are little, or nothing, in 64 bits."""
    png = encoded(smooth(16, 16))
    data = png[:16] + struct.pack(">II", width, height) + png[24:]
    assert decode(data)["error"] != b""
    bmp = encoded(smooth(16, 16), "BMP")
    assert decode(bmp[:18] + struct.pack("<ii", 16, 0) + bmp[26:])["error"] != b""


def test_a_gif_whose_later_frames_are_bombs(decode, smooth, encoded):
    small = encoded(smooth(16, 16), "GIF")
    frames = small[: small.rindex(b";")] + gif_bomb(small)[small.index(b",\0\0\0\0") :]
    expected = np.asarray(Image.open(io.BytesIO(small)).convert("RGB"))
    np.testing.assert_array_equal(pixels(decode(frames)), expected)


def test_the_limit_is_exact(decode, encoded):
    assert pixels(decode(encoded(Image.new("L", (1000, 1000))))).shape == (1000, 1000, 3)
    assert b"1000 rows of 1001" in decode(encoded(Image.new("L", (1001, 1000))))["error"]


@pytest.mark.parametrize("data", [b"", b"words", b"RIFF\0\0\0\0WEBPVP8 ", b"MM\0*"])
def test_other_files_are_named_as_such(decode, data):
    assert b"not a JPEG, PNG, GIF or BMP" in decode(data)["error"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
def test_no_damage_escapes(decode, smooth, encoded, kind):
    """Cut short or altered at any place, a file is decoded or answered, never raised about."""
    generator = np.random.default_rng(1)
    data = encoded(smooth(12, 20), kind)
    assert (
        decode(data[: len(data) // 2])["error"] == b"" or b"damaged" in decode(data[:40])["error"]
    )
    for end in range(1, len(data), max(1, len(data) // 40)):
        decode(data[:end])
    for _ in range(60):
        altered = bytearray(data)
        for at in generator.integers(0, min(len(data), 64), 2):
            altered[at] = generator.integers(256)
        answer = decode(bytes(altered))
        assert (answer["error"] == b"") == (answer["samples"].size > 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
def test_half_a_file_is_damaged(decode, smooth, encoded, kind):
    data = encoded(smooth(64, 64), kind)
    assert b"damaged" in decode(data[: len(data) // 2])["error"]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "I;16"])
def test_encoding_keeps_the_kind_of_picture(decode, smooth, encoded, mode):
    import tensorflow as tf

    from gan_keras.serving import codec

    rgba = Image.fromarray(np.dstack([smooth(20, 30), smooth(20, 30, 1)[..., 0]]))
    image = rgba.convert(mode if mode != "I;16" else "L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 251)
    answer = decode(encoded(image))
    png = codec.encode(answer["samples"][..., :3] * 2 - 1, answer)
    again = Image.open(io.BytesIO(png.numpy()))
    assert again.mode == mode
    np.testing.assert_array_equal(np.asarray(again), np.asarray(image))
    larger = tf.image.resize(answer["samples"][..., :3] * 2 - 1, (40, 60), "bicubic")
    again = Image.open(io.BytesIO(codec.encode(larger, answer).numpy()))
    assert (again.mode, again.size) == (mode, (60, 40))

import dataclasses
import struct
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from gan_keras.data.ranges import from_uint8, from_unit, to_uint8
from gan_keras.errors import UserError
from gan_keras.restoration.files import MAX_PIXELS, Picture, image_size, read_image, write_image

GENERATOR = np.random.default_rng(0)
COLOUR = GENERATOR.integers(0, 256, (9, 7, 3), np.uint8)
ALPHA = GENERATOR.integers(0, 256, (9, 7, 1), np.uint8)
DEEP = GENERATOR.integers(0, 65536, (9, 7, 4), np.uint16)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_with(orientation=1):
    exif = Image.Exif()
    exif[0x010F] = "Camera maker"
    exif[0x0112] = orientation
    exif[0x8769] = {0x9003: "2024:01:02 03:04:05"}
    exif[0x8825] = {1: "N"}
    return exif.tobytes()


def deep_png(samples, colour_type, filter_type=0):
    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = b"".join(bytes([filter_type]) + row.astype(">u2").tobytes() for row in samples)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*pair) for pair in chunks)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "TIFF"])
def test_colour_is_read_exactly_and_survives_a_round_trip(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(COLOUR).save(path)
    picture = read_image(path)
    np.testing.assert_allclose(picture.pixels, from_uint8(COLOUR), atol=1e-6)
    assert picture.pixels.dtype == np.float32
    assert (picture.grey, picture.alpha, picture.bits) == (False, None, 8)
    write_image(tmp_path / f"b.{suffix}", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"b.{suffix}")), COLOUR)


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_formats_stay_close(tmp_path, suffix):
    smooth = np.linspace([40, 80, 120], [200, 160, 90], 64).astype(np.uint8)
    smooth = np.repeat(smooth[None], 64, axis=0)
    write_image(tmp_path / f"a.{suffix}", Picture(smooth))
    assert abs(to_uint8(read_image(tmp_path / f"a.{suffix}").pixels) - smooth.astype(int)).max() < 8


def test_jpeg_is_written_at_quality_95_without_subsampling(tmp_path):
    write_image(tmp_path / "a.jpg", Picture(COLOUR))
    Image.fromarray(COLOUR).save(tmp_path / "b.jpg", quality=95, subsampling=0)
    ours, reference = Image.open(tmp_path / "a.jpg"), Image.open(tmp_path / "b.jpg")
    assert ours.quantization == reference.quantization
    assert {layer[1:3] for layer in ours.layer} == {(1, 1)}


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "gif"])
def test_grey_is_replicated_and_stays_grey(tmp_path, suffix):
    Image.fromarray(COLOUR[..., 0]).save(tmp_path / "a.png")
    picture = read_image(tmp_path / "a.png")
    assert picture.grey
    for channel in range(3):
        np.testing.assert_array_equal(to_uint8(picture.pixels[..., channel]), COLOUR[..., 0])
    write_image(tmp_path / f"b.{suffix}", picture)
    again = Image.open(tmp_path / f"b.{suffix}")
    assert again.mode == {"webp": "RGB", "gif": "P"}.get(suffix, "L")  # neither knows grey
    if suffix in ("png", "tif", "bmp", "gif"):
        np.testing.assert_array_equal(np.asarray(again.convert("L")), COLOUR[..., 0])


def test_bilevel_and_palette(tmp_path):
    Image.fromarray(COLOUR[..., 0] > 127).save(tmp_path / "a.png")
    picture = read_image(tmp_path / "a.png")
    assert picture.grey
    assert set(np.unique(picture.pixels)) == {-1, 1}
    indexed = Image.fromarray(COLOUR[:2, :2]).quantize(4)
    indexed.save(tmp_path / "b.png")
    picture = read_image(tmp_path / "b.png")
    assert not picture.grey
    np.testing.assert_array_equal(to_uint8(picture.pixels), np.asarray(indexed.convert("RGB")))


def test_palette_with_transparency_has_alpha(tmp_path):
    indexed = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    indexed.putpalette([255, 0, 0, 0, 0, 255])
    indexed.save(tmp_path / "a.png", transparency=1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").alpha, [[255, 0]])


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("colours", [1, 3])
def test_alpha_is_carried(tmp_path, suffix, colours):
    samples = np.dstack([COLOUR[..., :colours], ALPHA])
    Image.fromarray(samples).save(tmp_path / f"a.{suffix}")
    picture = read_image(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(picture.alpha, ALPHA[..., 0])
    write_image(tmp_path / f"b.{suffix}", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"b.{suffix}")), samples)
    write_image(tmp_path / "c.jpg", picture)
    assert Image.open(tmp_path / "c.jpg").mode == ("L" if colours == 1 else "RGB")


def test_alpha_grows_with_an_enlarged_picture(tmp_path):
    picture = Picture(np.zeros((8, 6, 3), np.uint8), alpha=np.full((4, 3), 102, np.uint8))
    write_image(tmp_path / "a.png", picture)
    again = read_image(tmp_path / "a.png")
    assert again.pixels.shape == (8, 6, 3)
    np.testing.assert_array_equal(again.alpha, np.full((8, 6), 102))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_colour_is_exact_there_and_back(tmp_path, suffix, channels):
    samples = DEEP[..., :channels]
    if suffix == "png":
        (tmp_path / "a.png").write_bytes(deep_png(samples, 2 if channels == 3 else 6))
    else:
        extra = ["unassalpha"] * (channels - 3)
        tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=extra)
    picture = read_image(tmp_path / f"a.{suffix}")
    assert picture.bits == 16
    expected = from_unit(samples[..., :3].astype(np.float64) / 65535)
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-7)
    for other in ("png", "tif"):  # and from one format to the other
        write_image(tmp_path / f"b.{other}", picture)
        again = read_image(tmp_path / f"b.{other}")
        np.testing.assert_array_equal(again.pixels, picture.pixels)
        if channels == 4:
            np.testing.assert_array_equal(again.alpha, samples[..., 3])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), samples)


def test_every_png_filter_gives_16_bits(tmp_path):
    # A row's bytes stay as they are, whatever the filter they are said to be: compare decoders.
    for filter_type in range(1, 5):
        (tmp_path / "a.png").write_bytes(deep_png(DEEP[..., :3], 2, filter_type))
        rows = DEEP[..., :3].astype(">u2").reshape(9, -1).view(np.uint8)
        expected = unfilter(rows, filter_type).view(">u2").reshape(9, 7, 3)
        pixels = read_image(tmp_path / "a.png").pixels
        np.testing.assert_array_equal(np.round((pixels + 1) / 2 * 65535), expected)


def unfilter(rows, filter_type, step=6):
    """The PNG specification's reconstruction, byte by byte."""
    out = np.zeros((rows.shape[0] + 1, rows.shape[1] + step), int)
    for y, row in enumerate(rows, 1):
        for x, value in enumerate(row, step):
            left, up, corner = out[y, x - step], out[y - 1, x], out[y - 1, x - step]
            guess = left + up - corner
            nearest = min((left, up, corner), key=lambda candidate: abs(guess - candidate))
            predicted = (0, left, up, (left + up) // 2, nearest)[filter_type]
            out[y, x] = (value + predicted) % 256
    return out[1:, step:].astype(np.uint8)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_16_bit_tiff_in_both_byte_orders(tmp_path, byteorder, compression):
    options = {"byteorder": byteorder, "compression": compression}
    for name, samples, kind in (("c", DEEP[..., :3], "rgb"), ("g", DEEP[..., 0], "minisblack")):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, samples, photometric=kind, **options)
        pixels = read_image(path).pixels
        values = np.round((pixels + 1) / 2 * 65535)
        np.testing.assert_array_equal(values, np.broadcast_to(np.atleast_3d(samples), (9, 7, 3)))


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planar_16_bit_tiff_is_read_as_8_bits(tmp_path, compression):
    planes = np.moveaxis(DEEP[..., :3], -1, 0)
    options = {"planarconfig": "separate", "compression": compression}
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", **options)
    assert read_image(tmp_path / "a.tif").bits == 8


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_exact_there_and_back(tmp_path, suffix):
    Image.fromarray(DEEP[..., 0]).save(tmp_path / f"a.{suffix}")
    picture = read_image(tmp_path / f"a.{suffix}")
    assert picture.grey
    assert picture.bits == 16
    write_image(tmp_path / f"b.{suffix}", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"b.{suffix}")), DEEP[..., 0])


def test_16_bits_become_8_where_the_format_has_no_more(tmp_path):
    picture = Picture(np.full((4, 4, 3), 32768, np.uint16))
    write_image(tmp_path / "a.bmp", picture)
    assert set(np.asarray(Image.open(tmp_path / "a.bmp")).ravel()) == {128}


def test_16_bit_png_of_many_rows_is_exact(tmp_path):
    """It is compressed in strips, each of which needs the last row of the one before."""
    samples = np.random.default_rng(0).integers(0, 65536, (700, 3, 3), np.uint16)
    write_image(tmp_path / "a.png", Picture(samples))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").samples, samples)


@pytest.mark.parametrize(("suffix", "side"), [("webp", 16384), ("gif", 65536), ("jpg", 65536)])
def test_a_format_that_cannot_hold_so_many_pixels_says_so(tmp_path, suffix, side):
    picture = Picture(np.zeros((1, side, 1), np.uint8))
    with pytest.raises(UserError, match=rf"a\.{suffix}: .* cannot hold {side} × 1 pixels"):
        write_image(tmp_path / f"a.{suffix}", picture)
    assert not list(tmp_path.iterdir())


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (4, 3), (0, 255, 255, 0)).save(
        tmp_path / "a.jpg", quality=100, icc_profile=ICC
    )
    picture = read_image(tmp_path / "a.jpg")
    assert picture.pixels.shape == (3, 4, 3)
    np.testing.assert_allclose(picture.pixels[0, 0], [1, -1, -1], atol=0.05)  # red
    assert picture.icc == b""  # a CMYK profile would be wrong for RGB


@pytest.mark.parametrize(("kind", "white"), [("minisblack", 65535), ("miniswhite", 0)])
def test_16_bit_grey_tiffs_are_no_negatives(tmp_path, kind, white):
    samples = np.full((4, 6), white, np.uint16)
    samples[1] = 65535 - white
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric=kind)
    picture = read_image(tmp_path / "a.tif")
    assert picture.bits == 16 and picture.samples[:2, 0, 0].tolist() == [65535, 0]
    write_image(tmp_path / "b.tif", picture)
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif").samples, picture.samples)


def test_lab_becomes_rgb(tmp_path):
    ramp = np.linspace(60, 200, 24).astype(np.uint8)
    original = np.dstack([np.tile(ramp, (8, 1)), np.tile(ramp[::-1], (8, 1)), np.full((8, 24), 90)])
    srgb, lab = map(ImageCms.createProfile, ("sRGB", "LAB"))
    image = Image.fromarray(original.astype(np.uint8))
    ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB").save(tmp_path / "lab.tif")
    picture = read_image(tmp_path / "lab.tif")
    assert picture.samples.shape == original.shape and not picture.grey
    assert np.abs(picture.samples - original).max() <= 3  # LAB in 8 bits
    write_image(tmp_path / "rgb.tif", picture)
    np.testing.assert_array_equal(read_image(tmp_path / "rgb.tif").samples, picture.samples)


def test_first_frame_and_first_page(tmp_path):
    frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        np.testing.assert_array_equal(read_image(tmp_path / name).pixels[0, 0], [1, -1, -1])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_exif_rotation_is_applied_once(tmp_path, suffix, orientation):
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(COLOUR).save(path, exif=exif_with(orientation), **options)
    turns = {1: COLOUR, 2: COLOUR[:, ::-1], 3: COLOUR[::-1, ::-1], 4: COLOUR[::-1]}
    turns |= {5: COLOUR.transpose(1, 0, 2), 6: np.rot90(COLOUR, -1), 8: np.rot90(COLOUR)}
    turns[7] = COLOUR[::-1, ::-1].transpose(1, 0, 2)
    picture = read_image(path)
    np.testing.assert_array_equal(to_uint8(picture.pixels), turns[orientation])
    assert image_size(path) == picture.pixels.shape[:2]
    write_image(tmp_path / f"b.{suffix}", picture)
    assert read_image(tmp_path / f"b.{suffix}").pixels.shape == picture.pixels.shape


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "I;16", "RGBA"])
def test_plain_tiffs_of_every_kind_are_turned_upright(tmp_path, mode, orientation):
    samples = {"L": COLOUR[..., 0], "I;16": DEEP[..., 0], "RGBA": np.dstack([COLOUR, ALPHA])}[mode]
    path = tmp_path / "a.tif"
    Image.fromarray(samples).save(path, exif=exif_with(orientation))
    turned = samples.swapaxes(0, 1) if orientation > 4 else samples
    mirrored = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}.get(orientation, ())
    expected = np.flip(turned, mirrored) if mirrored else turned
    picture = read_image(path)
    read = picture.samples if mode == "RGBA" else picture.samples[..., 0]
    np.testing.assert_array_equal(read, expected[..., :3] if mode == "RGBA" else expected)
    assert image_size(path) == expected.shape[:2]


def test_16_bit_colour_is_turned_upright(tmp_path):
    write_image(tmp_path / "a.png", Picture(DEEP[..., :3]))
    upright = read_image(tmp_path / "a.png")
    write_image(tmp_path / "b.png", dataclasses.replace(upright, exif=exif_with(6)))
    turned = read_image(tmp_path / "b.png").pixels
    np.testing.assert_array_equal(turned, np.rot90(upright.pixels, -1))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("target", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("source", ["jpg", "png", "tif"])
def test_exif_and_icc_are_kept(tmp_path, source, target, bits):
    path = tmp_path / f"a.{source}"
    Image.fromarray(COLOUR).save(path, exif=exif_with(6), icc_profile=ICC)
    picture = read_image(path)
    if bits == 16:
        picture = dataclasses.replace(picture, samples=picture.samples * np.uint16(257))
    write_image(tmp_path / f"b.{target}", picture)
    with Image.open(tmp_path / f"b.{target}") as again:
        exif = again.getexif()
        assert exif[0x010F] == "Camera maker"
        assert exif.get_ifd(0x8769)[0x9003] == "2024:01:02 03:04:05"
        assert exif.get_ifd(0x8825)[1] == "N"
        assert 0x0112 not in exif
        assert again.info["icc_profile"] == ICC
        again.load()
        assert ImageOps.exif_transpose(again).size == (9, 7)
    if (target, bits) == ("tif", 16):
        np.testing.assert_array_equal(
            tifffile.imread(tmp_path / "b.tif") // 257, to_uint8(picture.pixels)
        )


@pytest.mark.parametrize("damaged", [b"Exif\0\0garbage, no TIFF header", exif_with(6)[:40]])
def test_damaged_exif_is_dropped_and_the_pixels_are_read(tmp_path, damaged):
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg", exif=damaged)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, about the block
        assert read_image(tmp_path / "a.jpg").pixels.size == COLOUR.size
        assert sorted(image_size(tmp_path / "a.jpg")) == [7, 9]


def test_layout_of_a_tiff_does_not_leak_into_exif(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.tif", exif=exif_with())
    exif = Image.Exif()
    exif.load(read_image(tmp_path / "a.tif").exif)
    assert set(exif) <= {0x010F, 0x8769, 0x8825, 282, 283, 296}  # and resolution


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "gif"])
def test_one_pixel(tmp_path, suffix):
    write_image(tmp_path / f"a.{suffix}", Picture(np.full((1, 1, 3), 255, np.uint8)))
    np.testing.assert_allclose(
        read_image(tmp_path / f"a.{suffix}").pixels, np.ones((1, 1, 3)), atol=0.03
    )


def test_the_pixel_limit_is_checked_before_decoding(tmp_path):
    def header(width, height):
        data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        check = struct.pack(">I", zlib.crc32(data))
        body = struct.pack(">I", 13) + data + check
        return b"\x89PNG\r\n\x1a\n" + body + struct.pack(">I", 0) + b"IDAT" + bytes(4)

    path = tmp_path / "a.png"
    path.write_bytes(header(MAX_PIXELS + 1, 1))
    for function in (image_size, read_image):
        with pytest.raises(UserError, match=r"a\.png: more than 178,956,970 pixels"):
            function(path)
    path.write_bytes(header(MAX_PIXELS, 1))  # at the limit; Pillow alone would warn here
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        assert image_size(path) == (1, MAX_PIXELS)


def bad_files(folder):
    Image.fromarray(np.tile(COLOUR, (40, 40, 1))).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    Image.fromarray(COLOUR.astype(np.float32)[..., 0]).save(folder / "float.tif")
    (folder / "text.png").write_text("no image")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "folder.png").mkdir()
    return {
        "text.png": "not an image",
        "empty.jpg": "empty",
        "cut.jpg": "damaged or cut short",
        "missing.jpg": "No such file",
        "folder.png": "directory",
        "float.tif": "no known range",
    }


def test_what_cannot_be_read_is_one_line_that_names_the_file(tmp_path):
    for name, reason in bad_files(tmp_path).items():
        with pytest.raises(UserError) as caught:
            read_image(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / name}: ")
        assert reason in message
        assert "\n" not in message


def test_a_forbidden_file_is_the_users_to_mend(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "a.png").write_bytes(b"")
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(UserError, match=r"a\.png: Permission denied"):
        read_image(tmp_path / "a.png")


def test_want_of_memory_is_not_a_damaged_file(tmp_path, monkeypatch):
    def exhaust(path):
        raise MemoryError

    (tmp_path / "a.png").write_bytes(b"")
    monkeypatch.setattr(Image, "open", exhaust)
    with pytest.raises(MemoryError):
        read_image(tmp_path / "a.png")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(UserError, match=r"a\.png: cannot be written \(No space\)"):
        write_image(path, Picture(np.zeros((2, 2, 3), np.uint8)))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written(tmp_path):
    picture = Picture(np.zeros((2, 2, 3), np.uint8))
    write_image(tmp_path / "new" / "folder" / "a.png", picture)
    (tmp_path / "a.png").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_image(tmp_path / "a.png" / "a.png", picture)
    with pytest.raises(UserError, match=r"cannot write '\.xyz'"):
        write_image(tmp_path / "a.xyz", picture)

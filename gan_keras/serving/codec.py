"""Image files to pixels and back inside a graph, one bad file never harming its neighbours."""

import tensorflow as tf

from gan_keras.data.ranges import to_unit
from gan_keras.serving import headers

DAMAGED = "damaged or cut short, or of a kind that is not read: send the file anew"
NO_IMAGE = "not a JPEG, PNG, GIF or BMP file"


def attempt(function, value, fallback):
    """Return what a function makes of a value; the fallback where an operation in it fails.

    TensorFlow's graphs know no exceptions, but its data sets can leave out elements that fail. A
    data set of one element, made inside the graph, turns that into "try … except …".

    Args:
        function: Tensor → tensors.
        value: A tensor.
        fallback: Tensors of the function's types; sizes may differ.

    Returns:
        Tensors, as the function returns them.
    """
    made = tf.data.Dataset.from_tensors(value).map(function).ignore_errors(log_warning=False)
    return made.concatenate(tf.data.Dataset.from_tensors(fallback)).take(1).get_single_element()


def decode(data, max_pixels):
    """Decode one file, upright: JPEG, PNG, BMP, or a GIF's first frame.

    JPEG's EXIF rotation is applied (that of a PNG, a rarity, is not). 16 bits stay 16. CMYK
    becomes RGB without its profile.

    Args:
        data: The file, a scalar string.
        max_pixels: Larger images are refused by their header, before memory is asked for.

    Returns:
        A dictionary: "samples" float32 (H, W, 4), RGB and opacity in [0, 1]; "grey" and "deep" (16
        bits a sample), booleans; "error", a string, empty where all went well, else the reason,
        samples being (0, 0, 4) then.
    """
    kind = headers.kind_of(data)

    def refused(reason):
        empty = tf.zeros((0, 0, 4))
        return {"samples": empty, "grey": False, "deep": False, "error": tf.constant(reason)}

    def read(data):
        height, width = tf.unstack(headers.size_of(data, kind))
        fits = height <= max_pixels // width  # a product could overflow
        promised = tf.strings.format("{} rows of {} pixels", (height, width))
        too_large = promised + f": more than this model's limit of {max_pixels:,} pixels"
        return {
            "samples": tf.cond(fits, lambda: _samples(data, kind), lambda: refused("")["samples"]),
            "grey": headers.is_grey(data, kind),
            "deep": headers.bits_of(data, kind) == 16,
            "error": tf.where(fits, "", too_large),
        }

    decoded = tf.cond(
        kind == headers.UNKNOWN,
        lambda: refused(NO_IMAGE),
        lambda: attempt(read, data, refused(DAMAGED)),
    )
    orientation = tf.cond(
        kind == headers.JPEG, lambda: attempt(headers.orientation_of, data, 1), lambda: 1
    )
    return decoded | {"samples": _upright(decoded["samples"], orientation)}


def _samples(data, kind):
    """Decode a file of a known kind into RGB and opacity, float32 (H, W, 4) in [0, 1]."""

    def opaque(pixels):
        return tf.pad(pixels, ((0, 0), (0, 0), (0, 1)), constant_values=1.0)

    def jpeg():
        # The exact transform, as other programs decode; TensorFlow's own choice is a faster one.
        return opaque(_unit(tf.io.decode_jpeg(data, 3, dct_method="INTEGER_ACCURATE")))

    def bmp():
        pixels = _unit(tf.io.decode_bmp(data))
        is_grey = tf.shape(pixels)[2] == 1
        return opaque(tf.cond(is_grey, lambda: tf.repeat(pixels, 3, -1), lambda: pixels[..., :3]))

    def png():
        samples = _unit(tf.io.decode_png(data, 4, tf.uint16))
        # To a picture of less than 8 bits without opacity TensorFlow gives 2^bits − 1 of 255.
        given = (2 ** headers.bits_of(data, kind) - 1) / 255
        invented = tf.reduce_all(samples[..., 3] == tf.cast(given, tf.float32))
        return tf.cond(invented, lambda: opaque(samples[..., :3]), lambda: samples)

    readers = {
        headers.JPEG: jpeg,
        headers.PNG: png,
        headers.GIF: lambda: opaque(_unit(tf.io.decode_gif(headers.first_frame(data))[0])),
        headers.BMP: bmp,
    }
    return tf.ensure_shape(tf.switch_case(kind, readers), (None, None, 4))


def _unit(samples):
    """Convert unsigned integers to float32 in [0, 1]."""
    return tf.cast(samples, tf.float32) / samples.dtype.max


def _upright(samples, orientation):
    """Undo an EXIF orientation: 5 to 8 are 1 to 4 with rows and columns exchanged."""
    turned = tf.cond(orientation > 4, lambda: tf.transpose(samples, (1, 0, 2)), lambda: samples)
    case = (orientation - 1) % 4  # 0: as it is, 1: mirrored, 2: upside down, 3: both
    mirrored = tf.cond((case == 1) | (case == 2), lambda: turned[:, ::-1], lambda: turned)
    return tf.cond(case >= 2, lambda: mirrored[::-1], lambda: mirrored)


def encode(pixels, decoded, opaque=False):
    """Encode restored pixels as a PNG of the kind of picture that they came from.

    Args:
        pixels: float32 (s·H, s·W, 3) in [-1, 1]; what lies beyond is clipped.
        decoded: What `decode` returned: grey stays grey, opacity is carried (enlarged where the
            picture was), 16 bits stay 16.
        opaque: Whether the result is opaque, whatever the picture was.

    Returns:
        The file, a scalar string.
    """
    alpha = decoded["samples"][..., 3:]
    opaque = opaque | tf.reduce_all(alpha == 1)
    size, unit = tf.shape(pixels)[:2], to_unit(pixels)
    unit = tf.cond(decoded["grey"], lambda: tf.reduce_mean(unit, -1, keepdims=True), lambda: unit)
    unit = tf.cond(opaque, lambda: unit, lambda: tf.concat([unit, enlarge(alpha, size)], -1))
    unit = tf.clip_by_value(unit, 0, 1)

    def png(dtype):
        return tf.io.encode_png(tf.cast(tf.round(unit * dtype.max), dtype))

    return tf.cond(decoded["deep"], lambda: png(tf.uint16), lambda: png(tf.uint8))


def enlarge(image, size):
    """Enlarge float32 (H, W, C) bicubically, at the borders as Pillow does: by renormalising."""
    return tf.image.resize(image, size, "bicubic", antialias=True)

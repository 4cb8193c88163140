"""What the first bytes of an image file say, read inside a graph: kind, size, rotation.

A server decodes what strangers send. These functions look before anything is allocated: the size
is known before the decoder runs, so that a small file that promises 50,000 × 50,000 pixels is
refused. All take one file as a scalar string, and fail where the file ends too soon; whoever calls
them isolates that (`codec.attempt`).
"""

import tensorflow as tf

JPEG, PNG, GIF, BMP, UNKNOWN = range(5)
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
_ORIENTATION = 0x0112  # the EXIF tag
_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C


def kind_of(data):
    """Return JPEG, PNG, GIF, BMP or UNKNOWN, int32, by the file's signature."""
    kind = tf.constant(UNKNOWN)
    for number, signature in enumerate(_SIGNATURES):
        found = tf.equal(tf.strings.substr(data, 0, len(signature)), signature)
        kind = tf.where(found, number, kind)
    return kind


def size_of(data, kind):
    """Return (height, width), int64 (2,) from 1 up, as a file's header promises them."""

    def bmp():
        size = tf.stack([_number(data, 22, 4, False), _number(data, 18, 4, False)])
        return tf.where(size < 2**31, size, 2**32 - size)  # a negative height: top row first

    readers = {
        JPEG: lambda: tf.image.extract_jpeg_shape(data, tf.int64)[:2],
        PNG: lambda: tf.stack([_number(data, 20, 4), _number(data, 16, 4)]),
        GIF: lambda: _gif_frame(data)[1],
        BMP: bmp,
    }
    size = tf.switch_case(kind, readers)
    with tf.control_dependencies([tf.debugging.assert_positive(size)]):
        return tf.identity(size)


def is_grey(data, kind):
    """Say whether a file of a known kind has one colour channel (and maybe alpha)."""
    readers = {
        JPEG: lambda: tf.equal(tf.image.extract_jpeg_shape(data)[2], 1),
        PNG: lambda: tf.equal(_number(data, 25, 1) & 3, 0),  # colour types 0 and 4
    }
    return tf.switch_case(kind, readers, default=lambda: tf.constant(False))


def bits_of(data, kind):
    """Return the bits a sample of a file of a known kind, int64: 1 to 16 in a PNG, else 8."""
    eight = tf.constant(8, tf.int64)
    return tf.cond(kind == PNG, lambda: _number(data, 24, 1), lambda: eight)


def first_frame(data):
    """Return a GIF that ends after its first frame; what follows may be a bomb."""
    return tf.strings.substr(data, 0, tf.cast(_gif_frame(data)[0], tf.int32)) + b";"


def orientation_of(jpeg):
    """Return a JPEG's EXIF orientation, int32 1 to 8; 1, upright, where it has none."""

    def is_exif(at):
        marker = tf.strings.substr(jpeg, at, 2)
        return (marker == b"\xff\xe1") & (tf.strings.substr(jpeg, at + 4, 6) == b"Exif\0\0")

    def goes_on(at):
        marker = _number(jpeg, at, 2)
        return (marker >= 0xFFC0) & (marker != 0xFFDA) & ~is_exif(at)  # FFDA: pixels begin

    def following(at):
        return at + 2 + tf.cast(_number(jpeg, at + 2, 2), tf.int32)

    segment = tf.while_loop(goes_on, lambda at: [following(at)], [2])[0]
    return tf.cond(is_exif(segment), lambda: _tiff_orientation(jpeg, segment + 10), lambda: 1)


def _tiff_orientation(data, start):
    """Look the orientation up in the first directory of the TIFF that an EXIF block holds."""
    big = tf.strings.substr(data, start, 2) == b"MM"
    directory = start + tf.cast(_number(data, start + 4, 4, big), tf.int32)
    count = tf.cast(_number(data, directory, 2, big), tf.int32)
    entries = tf.io.decode_raw(tf.strings.substr(data, directory + 2, 12 * count), tf.uint8)
    entries = tf.reshape(tf.cast(entries, tf.int64), (count, 12))  # tag 2, type 2, count 4, value
    tags, values = _value(entries[:, :2], big), _value(entries[:, 8:10], big)
    found = tf.reduce_max(tf.where(tags == _ORIENTATION, values, 1))
    return tf.cast(tf.where(found <= 8, found, 1), tf.int32)


def _gif_frame(data):
    """Walk a GIF's blocks to the end of its first frame: (position, (height, width)), int64."""

    def table(flags):  # the bytes of a colour table
        return tf.where(flags >= 128, 3 * 2 ** ((flags & 7) + 1), 0)

    def past_sub_blocks(at):
        def step(at):
            return [at + 1 + _number(data, at, 1)]

        return tf.while_loop(lambda at: _number(data, at, 1) > 0, step, [at])[0] + 1

    def is_extension(at):
        return tf.equal(_number(data, at, 1), _GIF_EXTENSION)

    start = 13 + table(_number(data, 10, 1))
    at = tf.while_loop(is_extension, lambda at: [past_sub_blocks(at + 2)], [start])[0]
    tf.debugging.assert_equal(_number(data, at, 1), tf.constant(_GIF_IMAGE, tf.int64))
    size = tf.stack([_number(data, at + 7, 2, False), _number(data, at + 5, 2, False)])
    end = past_sub_blocks(at + 10 + table(_number(data, at + 9, 1)) + 1)
    return end, size


def _number(data, at, count, big=True):
    """Read an unsigned integer of `count` bytes, int64; `big` says which end comes first."""
    at = tf.cast(at, tf.int32)
    digits = tf.io.decode_raw(tf.strings.substr(data, at, count), tf.uint8)
    return _value(tf.ensure_shape(tf.cast(digits, tf.int64), (count,)), big)


def _value(digits, big):
    weights = tf.constant([256**power for power in range(digits.shape[-1])], tf.int64)
    return tf.reduce_sum(digits * tf.where(big, weights[::-1], weights), axis=-1)

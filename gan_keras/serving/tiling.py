"""`restoration.tiling` inside a graph: images of any size, tile by tile, exactly."""

import tensorflow as tf

from gan_keras.restoration.tiling import on_the_grid


def apply_tiled(function, image, field, stride, tile=384):
    """Apply a function of windows to an image; the result is that of the whole image at once.

    Each tile is read with a halo that covers the receptive field, and only its core is kept.
    Windows at the lower and right border are reflected to a multiple of the stride. Memory: the
    result twice, and what the function makes of one window.

    Args:
        function: float32 (1, h, w, C), sides being multiples of `stride` → (1, s·h, s·w, C').
        image: float32 (H, W, C), H and W from 1 up.
        field: Receptive field of the function in pixels.
        stride: Its greatest stride in pixels.
        tile: Side of a tile's core in pixels, rounded up to the stride.

    Returns:
        float32 (s·H, s·W, C').
    """
    tile, halo = on_the_grid(tile, field, stride)
    height, width = tf.unstack(tf.shape(image)[:2])

    def strip(y):
        rows, above = _span(y, height, tile, halo, stride)
        lines = tf.gather(image, rows)

        def core(x):
            columns, left = _span(x, width, tile, halo, stride)
            output = function(tf.gather(lines, columns, axis=1)[None])[0]
            s = tf.shape(output)[0] // tf.size(rows)
            output = output[s * above :, s * left :]
            output = output[: s * tf.minimum(tile, height - y), : s * tf.minimum(tile, width - x)]
            return tf.transpose(output, (1, 0, 2))  # parts are joined along their first axis

        return tf.transpose(_joined(core, width, tile), (1, 0, 2))

    return _joined(strip, height, tile)


def _span(start, length, tile, halo, stride):
    """Return the indices that a window reads along one side, and where its core begins in it."""
    first = tf.maximum(start - halo, 0)
    last = tf.minimum(start + tile + halo, (length + stride - 1) // stride * stride)
    period = tf.maximum(2 * (length - 1), 1)
    indices = tf.range(first, last) % period
    return tf.minimum(indices, period - indices), start - first  # reflected beyond the border


def _joined(part, length, step):
    """Return part(0), part(step), … up to `length`, joined along their first axis."""
    count = (length + step - 1) // step
    parts = tf.TensorArray(tf.float32, count, element_shape=(None, None, None), infer_shape=False)
    _, parts = tf.while_loop(
        lambda index, _: index < count,
        lambda index, parts: (index + 1, parts.write(index, part(index * step))),
        (0, parts),
        parallel_iterations=1,
    )
    return parts.concat()

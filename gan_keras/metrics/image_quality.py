"""Full-reference image quality: PSNR and SSIM, per image."""

from keras import ops


def psnr(target, restored, data_range):
    r"""Peak signal-to-noise ratio of each image: 10·log₁₀(data_range² / MSE).

    Average the values of several images, never their errors: that is what papers report.

    Args:
        target: (B, H, W, C).
        restored: Like `target`.
        data_range: Width of the range: 2 for [-1, 1], 255 for 8 bits.

    Returns:
        (B,) dB; infinite where the images are equal.
    """
    error = ops.square(ops.cast(target, "float32") - ops.cast(restored, "float32"))
    error = ops.mean(ops.reshape(error, (ops.shape(error)[0], -1)), axis=-1)
    return 10.0 * ops.log10(data_range**2 / error)


def ssim(target, restored, data_range):
    """Structural similarity of each image (Wang et al. 2004, §III): 11×11 Gaussian window, σ 1.5.

    Args:
        target: (B, H, W, C), sides of 11 or more, black being 0 (the comparison of means needs it);
            the mean over channels is returned.
        restored: Like `target`.
        data_range: Width of the range.

    Returns:
        (B,) in [-1, 1]; 1 where the images are equal.
    """
    import tensorflow as tf

    return tf.image.ssim(tf.cast(target, tf.float32), tf.cast(restored, tf.float32), data_range)

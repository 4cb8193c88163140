"""PatchGAN: a discriminator that judges overlapping patches, each by itself."""

import keras
from keras import layers

from gan_keras.layers.spectral_norm import SpectralConv2D


def build_patchgan(
    image_shape=(None, None, 3), base_filters=64, downsamplings=3, normalize=False, factor=1
):
    r"""Build pix2pix's conditional PatchGAN (Isola et al. 2017, §3.2.2 and appendix 6.1.2).

    ::

        (y, x) ─ concat ─ [Conv 4×4 /2, f·2^i, LeakyReLU] × downsamplings
               ─ Conv 4×4 /1, LeakyReLU ─ Conv 4×4 /1 ─ logits

    With the paper's three down-samplings (C64-C128-C256-C512) each logit sees 70×70 pixels; with
    two, 34×34; with one, 16×16.

    Args:
        image_shape: (height, width, channels) of the image; None leaves a side free.
        base_filters: Channels after the first convolution; doubled at each one up to 8×.
        downsamplings: Strided convolutions.
        normalize: Instance normalisation between the first and the last convolution. Then each
            logit depends on the whole image, if weakly: the patch is no longer all it sees.
        factor: How many times smaller the degraded photograph is; its pixels are repeated.

    Returns:
        A functional model: [degraded, image], (B, H/factor, W/factor, C) and (B, H, W, C) in
        [-1, 1] → logits (B, H', W', 1) float32; large means "a real photograph that belongs
        to this input".
    """
    init = keras.initializers.RandomNormal(0.0, 0.02)  # appendix 6.2
    degraded, enlarged, image = _condition(image_shape, factor)
    x = layers.Concatenate(name="condition")([enlarged, image])
    logits = _judge(x, init, base_filters, downsamplings, normalize)
    return keras.Model([degraded, image], logits, name="patchgan")


def build_detail_patchgan(image_shape=(None, None, 3), base_filters=48, downsamplings=2, factor=1):
    r"""Build a PatchGAN that looks at fine detail, which is all that a trained restorer lacks.

    ::

        y ─────────────────────────── concat ─ as `build_patchgan`
        x ─ 8·(x − its 3×3 mean) ────┘

    What separates a photograph from its restoration is the power of its finest detail, small
    beside the rest, and not the mean of any linear layer: beside `denoise` at σ = 25 the plain
    one reads 50 % of the patches right after 160 steps, this one 62 %. Without normalisation, and
    with He's variance (He et al. 2015, §2.2), which keeps a signal's size through the layers.

    Args:
        image_shape: (height, width, channels) of the image; None leaves a side free.
        base_filters: See `build_patchgan`.
        downsamplings: Strided convolutions.
        factor: How many times smaller the degraded photograph is; its pixels are repeated.

    Returns:
        A functional model, as `build_patchgan`.
    """
    degraded, enlarged, image = _condition(image_shape, factor)
    x = layers.Concatenate(name="condition")([enlarged, _detail(image)])
    logits = _judge(x, "he_normal", base_filters, downsamplings, normalize=False)
    return keras.Model([degraded, image], logits, name="detail_patchgan")


def build_residual_patchgan(image_shape=(None, None, 3), base_filters=32, downsamplings=2):
    r"""Build a PatchGAN for what is as large as its input: it also sees what was taken away.

    ::

        4·(y − x) ───────────────── concat ─ [Conv, f·2^i, LeakyReLU, mean 2×2] × downsamplings
        8·(x − its 3×3 mean) ────┘         ─ Conv, LeakyReLU ─ Conv ─ logits

    The first convolution is 5×5, the others are 3×3. Of a photograph with noise y − x is the noise
    alone, of its restoration also the texture that was lost: after 500 steps beside `denoise`, for
    σ from 0 to 55, it read 86 of 100 patches right, `build_detail_patchgan`, four times as large,
    78. A generator should not be able to please it by faint patterns. The gradient of a strided
    convolution is a checkerboard (Odena et al. 2016): here means take the place of strides. And
    each kernel is divided by its spectral norm, which bounds the slope (Miyato et al. 2018).

    Args:
        image_shape: (height, width, channels) of both images; None leaves a side free.
        base_filters: Channels after the first convolution; twice as many after the next, and so on.
        downsamplings: Halvings; with two each logit sees 30×30 pixels of x.

    Returns:
        A functional model, as `build_patchgan`.
    """
    degraded, _, image = _condition(image_shape, factor=1)
    taken = layers.Subtract(name="difference")([degraded, image])
    taken = layers.Rescaling(4.0, name="taken")(taken)
    x = layers.Concatenate(name="seen")([taken, _detail(image)])
    settings = {"padding": "same", "kernel_initializer": "he_normal"}
    for index in range(downsamplings + 1):
        size = 3 if index else 5
        x = SpectralConv2D(base_filters * 2**index, size, name=f"conv_{index}", **settings)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)  # (B, H/2^index, W/2^index, f·2^index)
        if index < downsamplings:
            x = layers.AveragePooling2D(2)(x)
    logits = SpectralConv2D(1, 3, dtype="float32", name="logits", **settings)(x)
    return keras.Model([degraded, image], logits, name="residual_patchgan")


def _detail(image):
    """Return what an image has beside the mean of each pixel's neighbourhood, eight times."""
    mean = layers.AveragePooling2D(3, 1, "same", name="mean")(image)
    return layers.Rescaling(8.0, name="detail")(layers.Subtract(name="rest")([image, mean]))


def _condition(image_shape, factor):
    """Return (degraded, the same as large as the image, image): what a judge is given."""
    sides = [side and side // factor for side in image_shape[:2]]
    degraded = keras.Input((*sides, image_shape[2]), name="degraded")
    image = keras.Input(image_shape, name="image")
    enlarged = layers.UpSampling2D(factor, name="enlarged")(degraded) if factor > 1 else degraded
    return degraded, enlarged, image


def _judge(x, init, base_filters, downsamplings, normalize):
    """Return logits of patches."""
    for index in range(downsamplings + 1):
        x = layers.Conv2D(
            base_filters * min(2**index, 8),
            kernel_size=4,
            strides=2 if index < downsamplings else 1,
            padding="same",
            kernel_initializer=init,
            name=f"conv_{index}",
        )(x)  # (B, H/2^(index+1), W/2^(index+1), f·2^index); the last keeps its size
        if normalize and index:
            x = layers.GroupNormalization(groups=-1, name=f"norm_{index}")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    return layers.Conv2D(
        1, 4, padding="same", kernel_initializer=init, dtype="float32", name="logits"
    )(x)

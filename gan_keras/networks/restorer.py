"""Restorers: residual networks from a degraded photograph to a restored one."""

import keras
from keras import layers

DEBLURRER = "deblurrer"


def _residual_block(x, filters, name):
    """Two 3×3 convolutions around a shortcut; no normalisation (EDSR, Lim et al. 2017, §3.1)."""
    y = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"{name}_a")(x)
    y = layers.Conv2D(filters, 3, padding="same", kernel_initializer="zeros", name=f"{name}_b")(y)
    return layers.Add(name=f"{name}_add")([x, y])


def build_restorer(image_shape=(None, None, 3), filters=(48, 64, 96), blocks=(1, 2, 2)):
    r"""Build a multi-scale residual restorer.

    ::

        y ─ Conv 4×4 /2 ─ blocks ─┬─ Conv 2×2 /2 ─ blocks ─┬─ Conv 2×2 /2 ─ blocks ─ ConvT 2×2 ─┐
        │   (h/2, w/2, f₀)        │  (h/4, w/4, f₁)        │  (h/8, w/8, f₂)                    │
        │                         │                        └── + ── blocks ─ ConvT 2×2 ─┐   ────┘
        │                         └──────────────────────────────────── + ── blocks ────┤
        └───────────────────────────────────── + ──────────────────── ConvT 4×4 ×2 ─────┘

    It predicts the change to its input (the residual), so an untrained network does nothing. The
    second convolution of each block and the last layer start at zero. It contains no
    normalisation and no operation over the whole image: tiles with a halo of its receptive radius
    equal the whole. Every stride divides its kernel: no checkerboard.

    Args:
        image_shape: (height, width, channels); None leaves a side free. Sides are divisible by
            ``2 ** len(filters)``.
        filters: Channels at 1/2, 1/4, 1/8 … of the resolution.
        blocks: Residual blocks at each scale; every scale but the smallest has them twice, on the
            way down and on the way up.

    Returns:
        A functional model: images (B, H, W, C) in [-1, 1] → float32 of the same shape, unclipped.
    """
    degraded = keras.Input(image_shape, name="degraded")
    x = _change(degraded, image_shape[-1], filters, blocks)
    restored = layers.Add(dtype="float32", name="restored")([degraded, x])
    return keras.Model(degraded, restored, name="restorer")


def build_deblurrer(**shape):
    """Build a restorer of photographs whose blur a filter has undone, roughly.

    Its name tells an `Enhancer` to estimate the blur and to apply `inverse_filter` first.

    Args:
        **shape: As `build_restorer` takes it.

    Returns:
        What `build_restorer` returns.
    """
    restorer = build_restorer(**shape)
    return keras.Model(restorer.input, restorer.output, name=DEBLURRER)


def build_inpainter(filters=(48, 64, 96), blocks=(1, 2, 2)):
    r"""Build a restorer that is told where pixels are missing.

    ::

        y, m ── as `build_restorer` ── change
        y ───────────── + ─────────────┘

    Args:
        filters: Channels at 1/2, 1/4, 1/8 … of the resolution.
        blocks: Residual blocks at each scale.

    Returns:
        A functional model: (B, H, W, 4), images in [-1, 1] with 0 where a pixel is missing, then 1
        where it is known and -1 where not → float32 (B, H, W, 3), unclipped, filled in.
    """
    degraded = keras.Input((None, None, 4), name="degraded")
    x = _change(degraded, 3, filters, blocks)
    restored = layers.Add(dtype="float32", name="restored")([degraded[..., :3], x])
    return keras.Model(degraded, restored, name="inpainter")


def build_super_resolver(filters=64, blocks=8, factor=4):
    r"""Build a network that enlarges a photograph.

    ::

        y ─ Conv 3×3 ─┬─ blocks ─ Conv 3×3 ─ + ─ ConvT 3s×3s ×s ─ change
        │             └──────────────────────┘
        └───────────── each pixel s × s times ──── + ─────────────┘

    After EDSR (Lim et al. 2017, §3). All its work is done at the resolution of the input: the last
    layer is the sub-pixel convolution of ESPCN (Shi et al. 2016, §3.2), each of the s × s pixels
    that become of one being a 3×3 convolution of its own, written as the transposed convolution
    that it equals. Its stride divides its kernel, and no checkerboard is built in. An untrained
    network repeats pixels (an anchor, Du et al. 2021, §3.2).

    Args:
        filters: Channels throughout.
        blocks: Residual blocks.
        factor: s, how many times larger the result is.

    Returns:
        A functional model: images (B, H, W, 3) in [-1, 1] → float32 (B, s·H, s·W, 3), unclipped.
    """
    degraded = keras.Input((None, None, 3), name="degraded")
    entry = x = layers.Conv2D(filters, 3, padding="same", name="entry")(degraded)  # (B, H, W, f)
    for block in range(blocks):
        x = _residual_block(x, filters, f"block_{block}")
    x = layers.Conv2D(filters, 3, padding="same", name="last")(x)
    x = layers.Add(name="skip")([entry, x])
    x = layers.Conv2DTranspose(
        3, 3 * factor, factor, "same", kernel_initializer="zeros", name="change"
    )(x)  # (B, sH, sW, 3)
    larger = layers.UpSampling2D(factor, interpolation="nearest", name="repeated")
    restored = layers.Add(dtype="float32", name="restored")([larger(degraded), x])
    return keras.Model(degraded, restored, name="super_resolver")


def _change(degraded, channels, filters, blocks):
    """Predict what a multi-scale residual network would add, (B, H, W, channels)."""
    x = layers.Conv2D(filters[0], 4, 2, "same", name="entry")(degraded)  # (B, H/2, W/2, f0)
    skips = []
    for scale, (width, depth) in enumerate(zip(filters, blocks, strict=True)):
        if scale:
            skips.append(x)
            x = layers.Conv2D(width, 2, 2, name=f"down_{scale}")(x)  # half of the last scale
        for block in range(depth):
            x = _residual_block(x, width, f"down_{scale}_block_{block}")
    for scale in reversed(range(len(filters) - 1)):
        x = layers.Conv2DTranspose(filters[scale], 2, 2, name=f"up_{scale}")(x)
        x = layers.Add(name=f"up_{scale}_skip")([x, skips[scale]])  # (B, H/2^(scale+1), …)
        for block in range(blocks[scale]):
            x = _residual_block(x, filters[scale], f"up_{scale}_block_{block}")
    return layers.Conv2DTranspose(
        channels, 4, 2, "same", kernel_initializer="zeros", name="change"
    )(x)  # (B, H, W, C)

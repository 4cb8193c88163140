"""The U-Net generator of pix2pix as its paper has it: for comparisons only."""

import keras
from keras import layers


def build_unet_256(image_shape=(256, 256, 3), base_filters=64):
    r"""Build pix2pix's generator as its paper has it: 54.4 M parameters (Isola et al. 2017, 6.1.1).

    ::

        C64 ─ C128 ─ C256 ─ C512 ─ C512 ─ C512 ─ C512 ─ C512 ─┐   each Conv 4×4 /2, LeakyReLU(0.2)
         │      │      │      │      │      │      │          │
        C64 ─ C128 ─ C256 ─ C512 ─ CD512 ─ CD512 ─ CD512 ─────┘   each ConvT 4×4 ×2, [Dropout,] ReLU
         └─ ConvT 4×4 ×2 ─ tanh

    Each skip connection is a concatenation. The paper's batch normalisation at its batch of 1 is
    instance normalisation, which this is at any batch; the first layer has none, nor has the
    innermost, whose one pixel it would wipe out (the paper's errata). The paper keeps the dropout
    when the network is used (§3.2.1): call it with ``training=True`` for that.

    Args:
        image_shape: (height, width, channels); None leaves a side free. Sides are divisible by
            256.
        base_filters: Channels at half resolution, 64 above; doubled at each scale up to 8×.

    Returns:
        A functional model: images (B, H, W, C) in [-1, 1] → float32 of the same shape and range.
    """
    degraded = keras.Input(image_shape, name="degraded")
    init = keras.initializers.RandomNormal(0.0, 0.02)  # 6.2
    widths = [base_filters * min(2**scale, 8) for scale in range(8)]

    def resampled(layer, x, filters, name, normalize=True):
        x = layer(
            filters, 4, 2, "same", use_bias=not normalize, kernel_initializer=init, name=name
        )(x)
        return layers.GroupNormalization(-1, name=f"{name}_norm")(x) if normalize else x

    x, skips = degraded, []
    for scale, filters in enumerate(widths):  # (B, H/2, W/2, f) … (B, H/256, W/256, 8f)
        x = resampled(layers.Conv2D, x, filters, f"down_{scale}", 0 < scale < 7)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        skips.append(x)
    for scale in reversed(range(7)):  # (B, H/128, W/128, 16f) … (B, H/2, W/2, 2f)
        x = resampled(layers.Conv2DTranspose, x, widths[scale], f"up_{scale}")
        x = layers.ReLU()(layers.Dropout(0.5)(x) if scale > 3 else x)
        x = layers.Concatenate(name=f"skip_{scale}")([x, skips[scale]])
    x = resampled(layers.Conv2DTranspose, x, image_shape[-1], "image", normalize=False)
    restored = layers.Activation("tanh", dtype="float32", name="restored")(x)
    return keras.Model(degraded, restored, name="unet_256")

"""The U-Net generator of pix2pix, without normalisation over the image."""

import keras
from keras import layers


def build_unet(image_shape=(None, None, 3), base_filters=48, depth=4):
    r"""Build a U-Net (Ronneberger et al. 2015; pix2pix, Isola et al. 2017, §3.2.1).

    ::

        y ─ Conv f ─┬─ Conv /2, 2f ─┬─ … ─ Conv /2, 8f ─ ConvT ×2 ─ concat ─ … ─ Conv ─ +y
                    └───────────────┴──────────── skip connections ──┘

    Differences from the paper: no normalisation, so that tiles equal the whole; the output is a
    change to the input; no dropout (the paper's only noise, of minor effect by its §3.1).

    Args:
        image_shape: (height, width, channels); None leaves a side free. Sides are divisible by
            ``2 ** depth``.
        base_filters: Channels at full resolution, f above; doubled at each scale up to 8f.
        depth: Number of halvings.

    Returns:
        A functional model: images (B, H, W, C) in [-1, 1] → float32 of the same shape, unclipped.
    """
    degraded = keras.Input(image_shape, name="degraded")
    x = layers.Conv2D(base_filters, 3, padding="same", activation="leaky_relu")(degraded)
    skips = []
    for scale in range(1, depth + 1):
        skips.append(x)
        filters = base_filters * min(2**scale, 8)
        x = layers.Conv2D(filters, 4, 2, "same", activation="leaky_relu", name=f"down_{scale}")(x)
    for scale in reversed(range(depth)):  # (B, H/2^scale, W/2^scale, filters) after each pass
        filters = base_filters * min(2**scale, 8)
        x = layers.Conv2DTranspose(filters, 4, 2, "same", activation="relu", name=f"up_{scale}")(x)
        x = layers.Concatenate(name=f"skip_{scale}")([x, skips[scale]])
    x = layers.Conv2D(
        image_shape[-1], 3, padding="same", kernel_initializer="zeros", name="change"
    )(x)
    restored = layers.Add(dtype="float32", name="restored")([degraded, x])
    return keras.Model(degraded, restored, name="unet")

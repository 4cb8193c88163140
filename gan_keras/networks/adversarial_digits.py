"""Further players for 28×28 digits: without batch normalisation in D, and with labels."""

import keras
from keras import layers

from gan_keras.layers.spectral_norm import SpectralConv2D, SpectralDense


def build_critic(image_shape=(28, 28, 1), base_filters=64):
    r"""Build the critic of WGAN-GP: no normalisation (Gulrajani et al. 2017, §4).

    ::

        x ── Conv 4×4 /2 ── (h/2, w/2, f) ── Conv 4×4 /2 ── (h/4, w/4, 2f)
          ── Conv 4×4 /2 ── (h/8, w/8, 4f) ── Flatten ── Dense ── score

    LeakyReLU(0.2) after each convolution.

    Args:
        image_shape: (height, width, channels).
        base_filters: Channels at half resolution, f above.

    Returns:
        A functional model: images (B, *image_shape) in [-1, 1] → scores (B, 1) float32; large
        means "real".
    """
    images = keras.Input(image_shape, name="images")
    features = layers.Flatten()(_features(images, layers.Conv2D, base_filters))
    return keras.Model(images, _score(layers.Dense, features), name="critic")


def build_spectral_discriminator(image_shape=(28, 28, 1), base_filters=64):
    r"""Build `build_critic`'s network with spectrally normalised layers (Miyato et al. 2018).

    Args:
        image_shape: (height, width, channels).
        base_filters: Channels at half resolution.

    Returns:
        A functional model: images (B, *image_shape) in [-1, 1] → logits (B, 1) float32.
    """
    images = keras.Input(image_shape, name="images")
    features = layers.Flatten()(_features(images, SpectralConv2D, base_filters))
    return keras.Model(images, _score(SpectralDense, features), name="discriminator")


def _features(x, convolution, f):
    for stage, filters in enumerate((f, 2 * f, 4 * f), start=1):
        x = convolution(
            filters, 4, 2, "same", kernel_initializer="he_normal", name=f"down_{stage}"
        )(x)  # (B, 14, 14, f), (B, 7, 7, 2f), (B, 4, 4, 4f)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    return x


def _score(dense, features):
    return dense(1, dtype="float32", name="logits")(features)


def build_projection_discriminator(image_shape=(28, 28, 1), base_filters=64, classes=10):
    r"""Build a discriminator of images and labels by projection (Miyato & Koyama 2018, Eq. 4).

    ::

        x ── as `build_critic` ── φ(x) ── Dense ── a ──┐
        y ── Embedding ────────── v(y) ── v(y)·φ(x) ───+── logit

    Args:
        image_shape: (height, width, channels).
        base_filters: Channels at half resolution, f above.
        classes: Number of labels.

    Returns:
        A functional model: [images (B, *image_shape) in [-1, 1], labels (B,) integers] → logits
        (B, 1) float32.
    """
    images = keras.Input(image_shape, name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    features = layers.Flatten()(_features(images, layers.Conv2D, base_filters))  # φ(x)
    embedded = layers.Embedding(classes, features.shape[-1], "zeros", name="embedding")(labels)
    match = layers.Dot(axes=1, dtype="float32")([embedded, features])  # v(y)·φ(x)
    logits = layers.Add(dtype="float32")([_score(layers.Dense, features), match])
    return keras.Model([images, labels], logits, name="discriminator")

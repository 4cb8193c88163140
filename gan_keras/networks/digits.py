"""Networks for 28×28 digits: DCGAN's two players, the VAE's two halves, and a classifier.

The DCGAN pair follows Radford et al. 2016, §3 ("DCGAN"): strided convolutions in place of pooling,
batch normalisation everywhere but in the generator's output and the discriminator's input, ReLU in
the generator, LeakyReLU(0.2) in the discriminator, weights from N(0, 0.02). Kernels are 4×4 with
stride 2: a kernel divisible by its stride leaves no checkerboard.
"""

import keras
from keras import layers


def _dcgan_init():
    return keras.initializers.RandomNormal(0.0, 0.02)  # DCGAN §4


def build_generator(image_shape=(28, 28, 1), latent_dim=100, base_filters=64):
    r"""Build DCGAN's generator.

    ::

        z ── Dense ── BN ReLU ── (h/4, w/4, 2f) ── ConvT 4×4 /2 ── BN ReLU ── (h/2, w/2, f)
          ── ConvT 4×4 /2 ── tanh ── (h, w, c)

    Args:
        image_shape: (height, width, channels); height and width divisible by 4.
        latent_dim: Size of z, drawn from N(0, I).
        base_filters: Channels at half resolution, f above.

    Returns:
        A functional model: latents (B, latent_dim) → images (B, *image_shape) float32 in [-1, 1].

    Raises:
        ValueError: The image's sides are not divisible by 4.
    """
    latents = keras.Input((latent_dim,), name="latents")
    return keras.Model(latents, _images(latents, image_shape, base_filters), name="generator")


def build_conditional_generator(
    image_shape=(28, 28, 1), latent_dim=100, base_filters=64, classes=10
):
    r"""Build DCGAN's generator with a label: conditional GAN, Mirza & Osindero 2014.

    ::

        z ───────────────────────┐
        y ── Embedding (50) ─────┴─ as `build_generator`

    Args:
        image_shape: (height, width, channels); height and width divisible by 4.
        latent_dim: Size of z, drawn from N(0, I).
        base_filters: Channels at half resolution.
        classes: Number of labels.

    Returns:
        A functional model: [latents (B, latent_dim), labels (B,) integers] → images
        (B, *image_shape) float32 in [-1, 1].

    Raises:
        ValueError: The image's sides are not divisible by 4.
    """
    latents = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    embedded = layers.Embedding(classes, 50, "random_normal", name="embedding")(labels)
    x = layers.Concatenate()([latents, embedded])
    images = _images(x, image_shape, base_filters)
    return keras.Model([latents, labels], images, name="generator")


def _images(x, image_shape, f):
    height, width, channels = image_shape
    if height % 4 or width % 4:
        raise ValueError(f"image_shape {image_shape}: height and width must be divisible by 4")
    init = _dcgan_init()
    x = layers.Dense(
        height // 4 * width // 4 * 2 * f, use_bias=False, kernel_initializer=init, name="project"
    )(x)
    x = layers.Reshape((height // 4, width // 4, 2 * f))(x)  # (B, 7, 7, 2f)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2DTranspose(
        f, 4, 2, "same", use_bias=False, kernel_initializer=init, name="up_1"
    )(x)  # (B, 14, 14, f)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2DTranspose(channels, 4, 2, "same", kernel_initializer=init, name="up_2")(x)
    return layers.Activation("tanh", dtype="float32", name="images")(x)  # (B, 28, 28, c)


def build_discriminator(image_shape=(28, 28, 1), base_filters=64):
    r"""Build DCGAN's discriminator.

    ::

        x ── Conv 4×4 /2 ── LeakyReLU ── (h/2, w/2, f) ── Conv 4×4 /2 ── BN LeakyReLU
          ── (h/4, w/4, 2f) ── Flatten ── Dense ── logit

    Args:
        image_shape: (height, width, channels).
        base_filters: Channels at half resolution, f above.

    Returns:
        A functional model: images (B, *image_shape) in [-1, 1] → logits (B, 1) float32; large
        means "real".
    """
    init, f = _dcgan_init(), base_filters
    images = keras.Input(image_shape, name="images")
    x = layers.Conv2D(f, 4, 2, "same", kernel_initializer=init, name="down_1")(images)
    x = layers.LeakyReLU(negative_slope=0.2)(x)  # (B, 14, 14, f)
    x = layers.Conv2D(2 * f, 4, 2, "same", use_bias=False, kernel_initializer=init, name="down_2")(
        x
    )  # (B, 7, 7, 2f)
    x = layers.LeakyReLU(negative_slope=0.2)(layers.BatchNormalization()(x))
    logits = layers.Dense(1, kernel_initializer=init, dtype="float32", name="logits")(
        layers.Flatten()(x)
    )
    return keras.Model(images, logits, name="discriminator")


def build_encoder(image_shape=(28, 28, 1), latent_dim=20, base_filters=32):
    r"""Build the VAE's encoder q(z|x).

    ::

        x ── Conv 3×3 /2 ReLU ── (h/2, w/2, f) ── Conv 3×3 /2 ReLU ── (h/4, w/4, 2f)
          ── Dense 16f ReLU ── Dense ── (mean, log variance)

    Args:
        image_shape: (height, width, channels).
        latent_dim: Size of z.
        base_filters: Channels at half resolution, f above.

    Returns:
        A functional model: images (B, *image_shape) in [-1, 1] → [mean, log_variance], each
        (B, latent_dim) float32, of a diagonal Gaussian.
    """
    f = base_filters
    images = keras.Input(image_shape, name="images")
    x = layers.Conv2D(f, 3, 2, "same", activation="relu")(images)  # (B, 14, 14, f)
    x = layers.Conv2D(2 * f, 3, 2, "same", activation="relu")(x)  # (B, 7, 7, 2f)
    x = layers.Dense(16 * f, activation="relu")(layers.Flatten()(x))
    mean = layers.Dense(latent_dim, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(latent_dim, dtype="float32", name="log_variance")(x)
    return keras.Model(images, [mean, log_variance], name="encoder")


def build_decoder(image_shape=(28, 28, 1), latent_dim=20, base_filters=32):
    r"""Build the VAE's decoder p(x|z), the encoder's mirror image.

    ::

        z ── Dense 16f ReLU ── Dense ReLU ── (h/4, w/4, 2f) ── ConvT 4×4 /2 ReLU ── (h/2, w/2, f)
          ── ConvT 4×4 /2 ── logits (h, w, c)

    Args:
        image_shape: (height, width, channels); height and width divisible by 4.
        latent_dim: Size of z.
        base_filters: Channels at half resolution, f above.

    Returns:
        A functional model: latents (B, latent_dim) → Bernoulli logits (B, *image_shape) float32.
    """
    height, width, channels = image_shape
    if height % 4 or width % 4:
        raise ValueError(f"image_shape {image_shape}: height and width must be divisible by 4")
    f = base_filters
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(16 * f, activation="relu")(latents)
    x = layers.Dense(height // 4 * width // 4 * 2 * f, activation="relu")(x)
    x = layers.Reshape((height // 4, width // 4, 2 * f))(x)  # (B, 7, 7, 2f)
    x = layers.Conv2DTranspose(f, 4, 2, "same", activation="relu")(x)  # (B, 14, 14, f)
    x = layers.Conv2DTranspose(channels, 4, 2, "same")(x)  # (B, 28, 28, c)
    logits = layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(latents, logits, name="decoder")


def build_classifier(image_shape=(28, 28, 1), classes=10, base_filters=32, feature_dim=64):
    r"""Build the digit classifier whose features measure the classifier-FID.

    ::

        x ── [Conv 3×3, BN ReLU] ×2 ── pool ── (h/2, w/2, f) ── [Conv 3×3, BN ReLU] ×2 ── pool
          ── (h/4, w/4, 2f) ── Dropout ── Dense ReLU "features" ── Dense ── logits

    Args:
        image_shape: (height, width, channels).
        classes: Number of classes.
        base_filters: Channels of the first stage, f above.
        feature_dim: Width of the layer named "features".

    Returns:
        A functional model: images (B, *image_shape) in [-1, 1] → logits (B, classes) float32.
    """
    images = keras.Input(image_shape, name="images")
    x = images
    for stage, filters in enumerate([base_filters, 2 * base_filters], start=1):
        for convolution in "ab":
            name = f"conv_{stage}{convolution}"
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D()(x)  # (B, 14, 14, f), then (B, 7, 7, 2f)
    x = layers.Dropout(0.4)(layers.Flatten()(x))
    features = layers.Dense(feature_dim, activation="relu", dtype="float32", name="features")(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    return keras.Model(images, logits, name="classifier")

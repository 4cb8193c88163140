"""The systems whose steps are timed: ours and the usual one, on the same networks and batch."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import reference_steps
import tensorflow as tf
from keras import layers
from reference_dcgan import ReferenceDCGAN

from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.pix2pix import Pix2Pix
from gan_keras.algorithms.vae import VAE
from gan_keras.algorithms.wgan_gp import WGANGP
from gan_keras.layers.batch_norm import fuse_batch_norm
from gan_keras.networks.adversarial_digits import build_critic
from gan_keras.networks.digits import build_discriminator, build_generator
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.restorer import build_restorer
from gan_keras.networks.unet_256 import build_unet_256
from gan_keras.training.optimizers import FusedAdam

N_CRITIC = 5
STOCK = {"FusedAdam": keras.optimizers.Adam, "fuse_batch_norm": lambda network: network}


@dataclass(frozen=True)
class System:
    """One algorithm with its networks.

    Attributes:
        title: For people.
        batch_size: Images a step; of WGAN-GP, a critic update.
        ours: batch size → (model, its batch).
        usual: batch size → (step, its arguments).
        goal: What ours, as picked for this machine, should reach against the usual one.
    """

    title: str
    batch_size: int
    ours: Callable
    usual: Callable
    goal: float | None = None


def pictures(count, *shape):
    """Return images in [-1, 1] to train on: how long a step takes depends on none of them."""
    return tf.random.uniform((count, *shape), -1, 1)


def adams(rate, beta_1, beta_2=0.999, count=2):
    """Return Adam for each player."""
    return [FusedAdam(rate, beta_1, beta_2) for _ in range(count)]


def our_dcgan(batch):
    """DCGAN's networks and algorithm."""
    model = DCGAN(fuse_batch_norm(build_generator()), fuse_batch_norm(build_discriminator()))
    model.compile(*adams(2e-4, 0.5))
    return model, (pictures(batch, 28, 28, 1),)


def usual_dcgan(batch):
    """The usual step: two tapes, one z for both players."""
    model = ReferenceDCGAN(build_generator(), build_discriminator())
    model.compile()
    return tf.function(model.train_step), [(pictures(batch, 28, 28, 1),)]


def our_wgan_gp(batch):
    """WGAN-GP: a batch holds the images of all critic updates."""
    model = WGANGP(fuse_batch_norm(build_generator()), build_critic(), N_CRITIC)
    model.compile(*adams(2e-4, 0.5, 0.9))
    return model, (pictures(N_CRITIC * batch, 28, 28, 1),)


def usual_wgan_gp(batch):
    """The usual step, on the same networks."""
    step = reference_steps.wgan_gp_step(build_generator(), build_critic(), N_CRITIC)
    return step, [pictures(batch, 28, 28, 1)]


def tutorial_vae(latent_dim=2):
    """Return the encoder and decoder of the usual VAE tutorial, of 3×3 kernels."""
    images = keras.Input((28, 28, 1))
    x = layers.Conv2D(32, 3, 2, "same", activation="relu")(images)  # (B, 14, 14, 32)
    x = layers.Conv2D(64, 3, 2, "same", activation="relu")(x)  # (B, 7, 7, 64)
    x = layers.Flatten()(x)
    heads = [layers.Dense(latent_dim, dtype="float32")(x) for _ in range(2)]
    latents = keras.Input((latent_dim,))
    y = layers.Dense(7 * 7 * 32, activation="relu")(latents)
    y = layers.Reshape((7, 7, 32))(y)
    for filters in (64, 32):
        y = layers.Conv2DTranspose(filters, 3, 2, "same", activation="relu")(y)
    y = layers.Conv2DTranspose(1, 3, padding="same", dtype="float32")(y)  # (B, 28, 28, 1)
    return keras.Model(images, heads), keras.Model(latents, y)


def our_vae(batch):
    """Our VAE of the tutorial's networks."""
    model = VAE(*tutorial_vae())
    model.compile(*adams(1e-4, 0.9, count=1))
    return model, (pictures(batch, 28, 28, 1),)


def usual_vae(batch):
    """The usual step, on images that were binarised once."""
    binary = tf.cast(pictures(batch, 28, 28, 1) > 0, tf.float32)
    return reference_steps.vae_step(*tutorial_vae()), [binary]


def our_restorer(batch):
    """The restorer with what `fit` takes, and PSNR as its metric."""
    from gan_keras.training.assembly import psnr

    model = build_restorer()
    model.compile(*adams(1e-3, 0.9, count=1), loss="mean_absolute_error", metrics=[psnr])
    return model, (pictures(batch, 64, 64, 3), pictures(batch, 64, 64, 3))


def usual_restorer(batch):
    """The usual step, on the same network."""
    step = reference_steps.restorer_step(build_restorer())
    return step, [pictures(batch, 64, 64, 3), pictures(batch, 64, 64, 3)]


def paper_networks():
    """Return pix2pix' networks: 54.4 M and 2.8 M parameters."""
    shape = (256, 256, 3)
    return build_unet_256(shape), build_patchgan(shape, normalize=True)


def our_pix2pix(batch):
    """Our pix2pix of its paper's networks, without an average, which its paper does not have."""
    model = Pix2Pix(*paper_networks(), average_decay=0)
    model.compile(*adams(2e-4, 0.5))
    return model, (pictures(batch, 256, 256, 3), pictures(batch, 256, 256, 3))


def usual_pix2pix(batch):
    """The usual step, on the same networks."""
    step = reference_steps.pix2pix_step(*paper_networks())
    return step, [pictures(batch, 256, 256, 3), pictures(batch, 256, 256, 3)]


SYSTEMS = {
    "dcgan": System("DCGAN", 256, our_dcgan, usual_dcgan, 1.3),
    "wgan-gp": System("WGAN-GP, five critic updates", 64, our_wgan_gp, usual_wgan_gp),
    "vae": System("VAE of the tutorial's networks", 32, our_vae, usual_vae, 2.5),
    "restorer": System("restorer, 64×64", 8, our_restorer, usual_restorer),
    "pix2pix": System(
        "pix2pix of the paper's networks, 256×256", 1, our_pix2pix, usual_pix2pix, 1.6
    ),
}

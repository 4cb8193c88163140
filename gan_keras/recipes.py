"""Every published setting, once: plain data, and no import of Keras."""

import difflib
import json
from dataclasses import asdict, dataclass, field, replace

from gan_keras.errors import UserError
from gan_keras.restoration.recipes import ENHANCERS


@dataclass(frozen=True)
class Recipe:
    """What a training run needs to be repeated.

    Attributes:
        name: What the command line calls it.
        title: One line for people.
        algorithm: "dcgan", "wgan_gp", "vae", "classifier", "restorer" or "pix2pix".
        data: A digit set, "photos", or a folder.
        network: Arguments of the network builders; "builder" names one that is not the
            algorithm's own, here and in `discriminator`.
        learning_rate: Of Adam; both players' where there are two, unless
        discriminator_learning_rate: Of the discriminator's Adam, where it has its own.
        batch_size: Images a step.
        steps_per_epoch: An epoch is what lies between two checkpoints.
        epochs: How many.
        seed: Of weights, data order, degradations and noise.
        optimizer: "adam"; or "muon" for the kernels between hidden layers, see `Muon`.
        beta_1: Adam's first momentum.
        beta_2: Adam's second momentum.
        weight_decay: What the optimizer takes off each weight in a step, as a share of it and in
            units of the rate (Loshchilov & Hutter 2019).
        clip_norm: The norm to which the gradients of a player's weights, taken together, are scaled
            down where it is larger; 0 leaves them as they are.
        schedule: Of the learning rates: "constant"; "linear", falling to zero; or "cosine", rising
            over the first 2 % of the steps, then falling to zero.
        degradation: What `data.degradations.build_degradation` takes; for restorers. Empty: the
            data is a folder with `input/` and `target/`.
        crop: Side of training crops, in pixels; for restorers.
        margin: Pixels around a crop that are degraded with it, see `PhotoPairs`.
        augment: See `PhotoPairs`.
        start_from: A recipe whose trained network this one fine-tunes.
        algorithm_settings: Further arguments of the algorithm's class.
        loss: The adversarial loss's name; None is the algorithm's own.
        label_smoothing: One-sided, of the adversarial loss.
        discriminator: Arguments of the discriminator's builder.
    """

    name: str
    title: str
    algorithm: str
    data: str
    network: dict
    learning_rate: float
    batch_size: int
    steps_per_epoch: int
    epochs: int
    seed: int = 42
    optimizer: str = "adam"
    beta_1: float = 0.9
    beta_2: float = 0.999
    discriminator_learning_rate: float | None = None
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    schedule: str = "constant"
    degradation: dict | list | None = None
    crop: int = 64
    margin: int = 0
    augment: bool | str = True
    start_from: str | None = None
    algorithm_settings: dict = field(default_factory=dict)
    loss: str | None = None
    label_smoothing: float = 0.0
    discriminator: dict = field(default_factory=dict)

    def replace(self, **changes):
        """Return a copy with some settings changed; None changes nothing."""
        return replace(self, **{k: v for k, v in changes.items() if v is not None})

    def to_dict(self):
        """Return the settings as `settings.json` holds them: tuples are lists."""
        return json.loads(json.dumps(asdict(self)))


_NOISE = {"name": "gaussian_noise", "sigma": 25}

_DCGAN = Recipe(
    "dcgan",
    "DCGAN on digits: noise in, digit out",
    "dcgan",
    "mnist-5k",
    network={"latent_dim": 100, "base_filters": 64},
    learning_rate=1e-3,  # DCGAN §4 has 2e-4; in so few steps that comes half as far
    beta_1=0.5,  # DCGAN §4
    batch_size=64,
    steps_per_epoch=200,
    epochs=10,
    algorithm_settings={"average_decay": 0.99},
)

_VAE = Recipe(
    "vae",
    "VAE on binarised digits: a bound on log p(x)",
    "vae",
    "mnist-5k",
    network={"latent_dim": 20, "base_filters": 32},
    learning_rate=1e-3,
    batch_size=64,
    steps_per_epoch=200,
    epochs=10,
    schedule="cosine",
)

_RESTORER = Recipe(
    "restorer",
    "Denoiser (σ = 25) trained by L1 alone: the baseline of every table",
    "restorer",
    "photos",
    network={"filters": (48, 64, 96), "blocks": (1, 2, 2)},
    learning_rate=2e-3,
    clip_norm=0.2,  # without it some machines diverge: norms are 0.1, and 2 where that begins
    batch_size=8,
    steps_per_epoch=500,
    epochs=11,
    schedule="cosine",
    degradation=_NOISE,
)

_ENHANCER = _RESTORER.replace(  # what the shipped enhancers' recipes have in common
    learning_rate=1.5e-3,
    steps_per_epoch=1000,
    crop=96,
    augment="colours",
)

_DIGITS = Recipe(
    "digits",
    "Digits, the best we know: DCGAN with R₁ and a critic without normalisation",
    "dcgan",
    "mnist",
    network={"latent_dim": 100, "base_filters": 64},
    discriminator={"builder": "build_critic", "base_filters": 64},
    learning_rate=1.5e-3,
    discriminator_learning_rate=7.5e-4,  # equal rates took twice as long to the same FID
    beta_1=0.0,  # Mescheder et al. 2018, §4
    beta_2=0.99,
    batch_size=64,
    steps_per_epoch=1000,
    epochs=12,
    algorithm_settings={"r1_weight": 2.0, "r1_every": 4},
)

RECIPES = {
    recipe.name: recipe
    for recipe in [
        _DCGAN,
        _VAE,
        Recipe(
            "classifier",
            "The digit classifier behind the classifier-FID",
            "classifier",
            "mnist",
            network={"base_filters": 32, "feature_dim": 64},
            learning_rate=1e-3,
            batch_size=128,
            steps_per_epoch=468,
            epochs=4,
            schedule="cosine",
        ),
        _DCGAN.replace(
            name="spectral",
            title="DCGAN with a spectrally normalised discriminator and the hinge loss",
            discriminator={"builder": "build_spectral_discriminator", "base_filters": 64},
            discriminator_learning_rate=2e-3,
            beta_1=0.0,  # as in Miyato et al. 2018, §4.1, settings D to F
            beta_2=0.9,
            loss="hinge",
        ),
        _DCGAN.replace(
            name="wgan-gp",
            title="WGAN-GP: a critic held to slope 1, five updates a step",
            algorithm="wgan_gp",
            discriminator={"base_filters": 64},
            beta_1=0.0,  # Gulrajani et al. 2017, Algorithm 1, which has 1e-4 for the rate
            beta_2=0.9,
            steps_per_epoch=100,
            algorithm_settings={"n_critic": 5, "average_decay": 0.99},
        ),
        _DIGITS,
        _DIGITS.replace(
            name="digits-5k",
            title="The same on the 4,000 digits of mnist-5k, with differentiable augmentation",
            data="mnist-5k",
            epochs=5,
            algorithm_settings={
                **_DIGITS.algorithm_settings,
                "augmentation": ["translation", "cutout"],
            },
        ),
        _DIGITS.replace(
            name="digits-by-class",
            title="Digits of a class that you name: the same with labels and a projection "
            "discriminator",
            network={"builder": "build_conditional_generator", "classes": 10},
            discriminator={"builder": "build_projection_discriminator", "classes": 10},
            epochs=5,
        ),
        _VAE.replace(
            name="digits-vae",
            title="VAE on all of binarised MNIST: the bound that ships",
            data="mnist",
            network={"latent_dim": 32, "base_filters": 32},
            batch_size=128,
            steps_per_epoch=468,
            epochs=20,
        ),
        _RESTORER,
        Recipe(
            "pix2pix",
            "pix2pix: the restorer fine-tuned against a PatchGAN",
            "pix2pix",
            "photos",
            network={"filters": (48, 64, 96), "blocks": (1, 2, 2)},
            learning_rate=2e-4,
            beta_1=0.5,  # pix2pix §3.3
            batch_size=8,
            steps_per_epoch=200,
            epochs=2,
            degradation=_NOISE,
            start_from="restorer",
            # pix2pix §4.2 has λ = 100, from scratch; a network that L1 trained needs less of it
            algorithm_settings={"l1_weight": 10.0, "average_decay": 0.98},
            discriminator={"base_filters": 32, "downsamplings": 2},
        ),
        Recipe(
            "pix2pix-unet",
            "pix2pix from scratch: a U-Net against a 70×70 PatchGAN",
            "pix2pix",
            "photos",
            network={"base_filters": 32, "depth": 4},
            learning_rate=2e-4,  # pix2pix §3.3
            beta_1=0.5,
            batch_size=4,
            steps_per_epoch=200,
            epochs=20,
            degradation=_NOISE,
            crop=96,
            algorithm_settings={"l1_weight": 100.0},
        ),
    ]
}
RECIPES |= {name: _ENHANCER.replace(name=name, **changes) for name, changes in ENHANCERS.items()}


def get_recipe(name):
    """Return the recipe of that name.

    Raises:
        UserError: There is none; the message names the nearest.
    """
    if name in RECIPES:
        return RECIPES[name]
    near = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UserError(f"no recipe {name!r}: {hint}recipes: {', '.join(RECIPES)}")

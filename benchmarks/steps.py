"""Training steps of all systems beside the usual public tutorials' on the same networks and batch.

Ours draw all noise from (seed, step), keep their metrics, and move the averaged generator where
there is one; the tutorials' (see reference_steps.py) do none of that. Ours also draw a fresh z for
the generator (Algorithm 1 of Goodfellow et al. 2014), show the critic fresh images (Algorithm 1 of
Gulrajani et al. 2017), and let pix2pix' generator face the discriminator that has just moved.

GFLOP/s are of the convolutions and matrix products in the step's own graph (see flops.py), beside
what a 2048³ matrix product reaches in the same rounds. "Kernels alone" is what that graph's
convolutions and matrix products take by themselves, with nothing between them; "of Keras' parts" is
our step with Keras' Adam and batch normalisation in place of our fused ones. Where PyTorch is
installed, its users' form of the usual step is there too.

Usage: python benchmarks/steps.py [--systems dcgan vae] [--every-form] [--rounds 11]
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

import keras
import reference_steps
import tensorflow as tf
from flops import count_flops, kernels_alone
from interleaved import Report, Result, build_parser, markdown, ratios, take_turns
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
from gan_keras.training.runtime import choose_runtime

try:
    import reference_torch
except ImportError:
    reference_torch = None

SIDE = 2048  # of the matrices that show the ceiling
N_CRITIC = 5
USUAL = "usual, float32, graph"
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


ALONE = "kernels alone"


def form(precision, mode):
    """Name one way to run our step."""
    return f"ours, {precision.removeprefix('mixed_')}, {mode}"


def build_forms(system, batch, precisions, modes):
    """Build the usual step and ours in each form.

    Returns:
        ({name: function without arguments}, {name: operations a call}).
    """
    keras.config.set_dtype_policy("float32")
    step, arguments = system.usual(batch)
    runs = {USUAL: partial(step, *arguments)}
    operations = {USUAL: count_flops(step.get_concrete_function(*arguments))}
    for precision in precisions:
        keras.config.set_dtype_policy(precision)
        model, data = system.ours(batch)
        step = tf.function(model.train_step)
        concrete = step.get_concrete_function(data)
        counted = count_flops(concrete)
        alone = form(precision, ALONE)
        runs[alone], operations[alone] = kernels_alone(concrete), counted
        compiled = tf.function(model.train_step, jit_compile=True)
        steps = {"graph": step, "eager": model.train_step, "XLA": compiled}
        for mode in modes:
            runs[form(precision, mode)] = partial(steps[mode], data)
            operations[form(precision, mode)] = counted
    with patch.dict(globals(), STOCK):  # in the last precision
        model, data = system.ours(batch)
    stock = form(precision, "graph, of Keras' parts")
    runs[stock], operations[stock] = partial(tf.function(model.train_step), data), counted
    keras.config.set_dtype_policy("float32")
    return runs, operations


def build_ceilings():
    """Return {precision: a function that takes one matrix product}."""

    @tf.function
    def product(a, b):
        return tf.matmul(a, b)

    runs = {}
    for precision in ("float32", "bfloat16"):
        pair = [tf.cast(tf.random.normal((SIDE, SIDE)), precision) for _ in range(2)]
        runs[precision] = partial(product, *pair)
    return runs


def settle(result):
    """Wait for a call's results: on a GPU they come later."""
    keras.tree.map_structure(keras.ops.convert_to_numpy, result)


def measure(name, batch, modes, rounds, report):
    """Time one system's forms in turns, and report them."""
    system, runtime = SYSTEMS[name], choose_runtime()
    batch = batch or system.batch_size
    picked = form(runtime.precision, "XLA" if runtime.jit_compile else "graph")
    if runtime.jit_compile and "XLA" not in modes:
        modes = (*modes, "XLA")
    runs, operations = build_forms(system, batch, ("float32", "mixed_bfloat16"), modes)
    if reference_torch:
        images = system.ours(batch)[1][0][:batch].numpy()
        runs |= reference_torch.build_forms(name, images)
    ceilings = build_ceilings()
    for run in (*runs.values(), *ceilings.values()):
        settle(run())
    seconds = take_turns(runs | ceilings, rounds, settle=settle)
    shares, rows = {}, []
    for key in runs:
        against = Result("", ratios(seconds[USUAL], seconds[key]))
        median = Result("", seconds[key]).median
        row = [key, " (".join(against.cells()[1:3]) + ")", f"{1e3 * median:.1f}"]
        row += [f"{batch / median:.0f}"]
        if key in operations:
            of_ceiling, precision = operations[key] / (2 * SIDE**3), key.split(", ")[1]
            shares[key] = [of_ceiling * r for r in ratios(seconds[precision], seconds[key])]
            row += [f"{operations[key] / median / 1e9:.0f}"]
            row += [f"{Result('', shares[key]).median:.2f}"]
        else:  # PyTorch's are not counted
            row += ["–", "–"]
        rows.append(row)
    header = "form", "against the usual", "ms a step", "images/s", "GFLOP/s", "of the ceiling"
    report.say(f"### {system.title}, batch {batch}", "", *markdown(header, *rows), "")
    reached = [2 * SIDE**3 / Result("", seconds[key]).median / 1e9 for key in ceilings]
    gflop = operations[picked] / 1e9
    report.say(
        f"{gflop:.1f} GFLOP a step (the usual: {operations[USUAL] / 1e9:.1f}); a {SIDE}³ matrix "
        f"product: {reached[0]:.0f} GFLOP/s in float32, {reached[1]:.0f} in bfloat16",
        "",
    )
    goals = {"dcgan": (1.35, 0.75)}.get(name, (None, None))
    slower, faster = (seconds[form(precision, "graph")] for precision in ("float32", "bfloat16"))
    report.results += [
        Result(
            f"{name}: ours against the usual step",
            ratios(seconds[USUAL], seconds[picked]),
            system.goal,
        ),
        Result(f"{name}: bfloat16 against float32", ratios(slower, faster), goals[0]),
        Result(f"{name}: share of the matrix ceiling", shares[picked], goals[1]),
    ]


def main():
    """Measure the systems, one after the other."""
    parser = build_parser(__doc__, rounds=11)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--batch", type=int, help="images a step, in place of each system's own")
    parser.add_argument("--every-form", action="store_true", help="eager and XLA too")
    args = parser.parse_args()
    runtime, report = choose_runtime(), Report("Training steps", args.json)
    report.say(f"{runtime.reason}; medians of {args.rounds} rounds", "")
    for name in args.systems:
        modes = ("graph", "eager", "XLA") if args.every_form or name == "dcgan" else ("graph",)
        measure(name, args.batch, modes, args.rounds, report)
        keras.utils.clear_session()
    report.finish()


if __name__ == "__main__":
    main()

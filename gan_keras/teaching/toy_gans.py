r"""Many seeds of a toy GAN trained as one model, in seconds.

=====  ==============================  =======================================
S      `seeds`                         how many are trained at once
k      `discriminator_updates`         updates of D for one of G
x      `real_points`                   (S, k·B, d)
z      `latents`                       (S, B, latent_dim), N(0, I)
G(z)   `fake_points`                   (S, B, d)
D(x)   `real_logits`, `fake_logits`    (S, B, 1), real is large
α      `positions`                     (S, B, 1), uniform on [0, 1): one a point
λ      `penalty_weight`                of the gradient penalty
=====  ==============================  =======================================

Seeds do not mix: layers multiply seed by seed, losses are summed over seeds, Adam is elementwise,
and each seed has its own initial weights, data and noise. A seed inside a stack learns what it
learns alone.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from gan_keras.algorithms.randomness import DISCRIMINATOR, GENERATOR, SeededRandomness
from gan_keras.layers.spectral_norm import power_iteration
from gan_keras.losses.adversarial import LOSSES
from gan_keras.teaching.stacked import (
    build_stacked_discriminator,
    build_stacked_generator,
    build_stacked_spectral_discriminator,
    stacked_gradient_penalty,
)
from gan_keras.teaching.toys import mode_shares

DATA = 3  # a stream beside those of `randomness`: which real points a minibatch holds


class _OneSeed(SeededRandomness):
    """Draws what a model of this seed alone would draw, at the step that all share."""

    def __init__(self, seed, step):
        self.seed, self.step = int(seed), step


class StackedModel(keras.Model):
    """What both algorithms share: two stacked players, their optimisers, each seed's draws.

    Args:
        generator: From `build_stacked_generator`.
        discriminator: From another builder, with the same seeds.
        seeds: Integers, one a stacked model.
        batch_size: Points a minibatch of each seed.
        discriminator_updates: k of Goodfellow et al. 2014, n_critic of Gulrajani et al. 2017.
    """

    def __init__(self, generator, discriminator, seeds, batch_size=128, discriminator_updates=5):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.seeds, self.batch_size = tuple(seeds), batch_size
        self.discriminator_updates = discriminator_updates
        self.latent_dim = generator.input_shape[-1]
        self.step = self.add_weight(shape=(), dtype="int64", initializer="zeros", trainable=False)
        self._each_seed = [_OneSeed(seed, self.step) for seed in self.seeds]
        self.built = True

    def compile(self, generator_optimizer, discriminator_optimizer, **kwargs):
        """Set the two optimisers, which must be elementwise: SGD, RMSprop, Adam."""
        super().compile(optimizer=None, **kwargs)
        self.generator_optimizer = generator_optimizer
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer = discriminator_optimizer
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def random_normal(self, shape, stream):
        """Draw N(0, 1), (S, *shape), each seed its own."""
        return tf.stack([seed.random_normal(shape, stream) for seed in self._each_seed])

    def random_uniform(self, shape, stream):
        """Draw from [0, 1), (S, *shape), each seed its own."""
        return tf.stack([seed.random_uniform(shape, stream) for seed in self._each_seed])

    def minibatches(self, points):
        """Pick this step's real points, (S, k·B, d), from each seed's own (S, N, d)."""
        places = self.random_uniform((self.discriminator_updates * self.batch_size,), DATA)
        places = tf.cast(places * points.shape[1], tf.int32)
        return tf.gather(points, places, batch_dims=1)

    def _fresh(self, real_points):
        """Yield x and G(z) for each update of D. G stands still meanwhile: one pass makes all."""
        updates = self.discriminator_updates
        latents = self.random_normal((updates * self.batch_size, self.latent_dim), DISCRIMINATOR)
        fake_points = self.generator(latents, training=True)
        return zip(
            tf.split(real_points, updates, axis=1),
            tf.split(fake_points, updates, axis=1),
            strict=True,
        )

    def _judge(self, real, fake):
        """Return D(x) and D(G(z)), in one pass."""
        logits = self.discriminator(ops.concatenate([real, fake], axis=1), training=True)
        return tf.split(logits, 2, axis=1)

    def _move_discriminator(self, tape, loss):
        variables = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(loss, variables), variables)

    def _move_generator(self, objective):
        latents = self.random_normal((self.batch_size, self.latent_dim), GENERATOR)  # z
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in self.generator.trainable_variables])
            fake_points = self.generator(latents, training=True)
            loss = objective(self.discriminator(fake_points, training=True))
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(loss, variables), variables)
        self.step.assign_add(1)

    def generate(self, count, seed=0):
        """Draw (S, count, d) by every generator, all from the same latents."""
        latents = np.random.default_rng(seed).standard_normal((count, self.latent_dim))
        latents = np.broadcast_to(latents.astype(np.float32), (len(self.seeds), *latents.shape))
        return np.asarray(self.generator(latents, training=False))

    def logits_on_grid(self, extent=3.0, side=61):
        """Return D on a square of the plane, (S, side, side): rows from −extent up, as a plot's."""
        axis = np.linspace(-extent, extent, side, dtype=np.float32)
        points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        points = np.broadcast_to(points, (len(self.seeds), *points.shape))
        logits = self.discriminator(points, training=False)
        return np.asarray(logits).reshape(-1, side, side)


class StackedGAN(StackedModel):
    """Algorithm 1 of Goodfellow et al. 2014 with the non-saturating loss (§3).

    With `build_stacked_spectral_discriminator` it is the spectral-norm GAN of Miyato et al. 2018.
    """

    def train_step(self, real_points):
        """Take one step: k times D, each on fresh x and z, then G on a fresh z."""
        seeds = len(self.seeds)  # a mean over seeds, times S, is a sum over seeds
        discriminator_loss, generator_loss = LOSSES["non_saturating"]

        # 1. Update the discriminator; spectral norms are re-estimated here and nowhere else.
        for real, fake in self._fresh(real_points):
            power_iteration(self.discriminator)
            with tf.GradientTape() as tape:
                loss = seeds * discriminator_loss(*self._judge(real, fake))
            self._move_discriminator(tape, loss)

        # 2. Update the generator.
        self._move_generator(lambda fake_logits: seeds * generator_loss(fake_logits))


class StackedWGANGP(StackedModel):
    """Algorithm 1 of Gulrajani et al. 2017.

    Args:
        *args: As `StackedModel`'s.
        penalty_weight: λ; 10 in the paper, 0.1 in its authors' program for two-dimensional toys.
        **kwargs: As `StackedModel`'s.
    """

    def __init__(self, *args, penalty_weight=0.1, **kwargs):
        super().__init__(*args, **kwargs)
        self.penalty_weight = penalty_weight

    def train_step(self, real_points):
        """Take one step: n_critic times the critic, each on fresh x, z and α, then G."""
        # 1. Update the critic.
        updates = self.discriminator_updates
        positions = self.random_uniform((updates * self.batch_size, 1), DISCRIMINATOR)  # α
        positions = tf.split(positions, updates, axis=1)
        for (real, fake), alpha in zip(self._fresh(real_points), positions, strict=True):
            with tf.GradientTape() as tape:
                real_scores, fake_scores = self._judge(real, fake)
                difference = ops.mean(fake_scores - real_scores, axis=(1, 2))
                penalty = stacked_gradient_penalty(self.discriminator, real, fake, alpha)
                loss = ops.sum(difference + self.penalty_weight * penalty)  # over seeds
            self._move_discriminator(tape, loss)

        # 2. Update the generator.
        self._move_generator(lambda scores: -ops.sum(ops.mean(scores, axis=(1, 2))))


ALGORITHMS = {
    "gan": (StackedGAN, build_stacked_discriminator),
    "spectral": (StackedGAN, build_stacked_spectral_discriminator),
    "wgan_gp": (StackedWGANGP, build_stacked_discriminator),
}


def build_stacked(algorithm, seeds, steps, hidden=(64, 64), dimension=2, **kwargs):
    """Return a compiled model of one algorithm; networks and optimisers are the same for all.

    Adam has β = (0.5, 0.9), as in Gulrajani et al.'s toys and Miyato et al.'s settings A and D, and
    five updates of D for one of G, as both papers have. The rate is 3e-3, above both papers' 1e-3
    and less, since runs are short, and falls linearly to 0, as in both papers' longer runs.

    Args:
        algorithm: A name in `ALGORITHMS`.
        seeds: Integers, one a stacked model.
        steps: Updates of G over which the rates fall.
        hidden: Units of each hidden layer of both players.
        dimension: Coordinates of a point; latents have as many.
        **kwargs: `batch_size`, `discriminator_updates`; `penalty_weight` of `StackedWGANGP`.

    Raises:
        ValueError: No such algorithm.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm {algorithm!r}: choose one of {', '.join(ALGORITHMS)}")
    model_class, build_discriminator = ALGORITHMS[algorithm]
    generator = build_stacked_generator(seeds, dimension, hidden, dimension)
    model = model_class(generator, build_discriminator(seeds, hidden, dimension), seeds, **kwargs)

    def adam(updates):
        rate = keras.optimizers.schedules.PolynomialDecay(3e-3, updates, 0.0)
        return keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9)

    model.compile(adam(steps), adam(steps * model.discriminator_updates))
    return model


@dataclasses.dataclass(frozen=True)
class History:
    """What `train` saw: `steps` (R,), and each mode's `shares` at them, (R, S, K) in [0, 1]."""

    steps: np.ndarray
    shares: np.ndarray


def train(model, mixture, steps, record_every=20, count=2500, training_points=20_000):
    """Train every seed, and record which share of its samples lies at each mode.

    Args:
        model: From `build_stacked`.
        mixture: A `GaussianMixture`; each seed learns from its own sample of it.
        steps: Updates of G, a multiple of `record_every`.
        record_every: Steps from record to record; the first is of the untrained generator.
        count: Points drawn from each generator for a record.
        training_points: Real points a seed.

    Returns:
        A `History` of steps / record_every + 1 records.

    Raises:
        ValueError: `steps` is no multiple of `record_every`.
    """
    if steps % record_every:
        raise ValueError(f"{steps} steps: give a multiple of record_every, {record_every}")
    points = tf.constant(np.stack([mixture.sample(training_points, s) for s in model.seeds]))

    @tf.function
    def advance():
        for _ in tf.range(record_every):
            model.train_step(model.minibatches(points))

    recorded = np.arange(0, steps + 1, record_every)
    shares = []
    for step in recorded:
        if step:
            advance()
        shares.append(mode_shares(model.generate(count, seed=int(step)), mixture))
    return History(recorded, np.stack(shares))

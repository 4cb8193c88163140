r"""WGAN-GP: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", Algorithm 1.

======  ==============================  =====================================================
x       `real_images`                   (B, h, w, c) in [-1, 1]
z       `latents`                       (B, latent_dim), N(0, I)
x̃       `fake_images`                   G(z), like x
x̂       `between`                       ε·x + (1 − ε)·x̃
ε       `shares`                        (B, 1, 1, 1), uniform on [0, 1): one an image
D       `self.discriminator`            the critic: a score, large for real, not a probability
λ       `penalty_weight`                10 in the paper
======  ==============================  =====================================================
"""

import keras
import tensorflow as tf

from gan_keras.algorithms.adversarial import AdversarialModel
from gan_keras.algorithms.latents import LatentGenerator
from gan_keras.algorithms.penalties import one_centred_penalty
from gan_keras.algorithms.randomness import DISCRIMINATOR, GENERATOR, scale_loss
from gan_keras.layers.spectral_norm import power_iteration


@keras.saving.register_keras_serializable(package="gan_keras")
class WGANGP(LatentGenerator, AdversarialModel):
    r"""min_G max_D E D(x) − E D(G(z)), with D held near the 1-Lipschitz functions by a penalty.

    A batch of `fit` holds the real images of all `n_critic` critic updates of one step, so each
    update sees fresh ones; images that do not divide evenly are left out. (A last batch of fewer
    than `n_critic` images shows them again.)

    Args:
        generator: A built network.
        critic: A built network without batch normalisation, which would make one image's score
            depend on the others, where the penalty is about each image (§4).
        n_critic: Critic updates a step; 5 in the paper.
        penalty_weight: λ.
        **kwargs: `seed`, `average_decay`, `augmentation` of `AdversarialModel`.

    Raises:
        ValueError: The critic has batch normalisation.

    Example:
        >>> model = WGANGP(build_generator(), build_critic())
        >>> model.compile(keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9),  # Algorithm 1
        ...               keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9))
        >>> model.fit(real_images, batch_size=5 * 64, epochs=20)
    """

    default_loss = "wasserstein"

    def __init__(self, generator, critic, n_critic=5, penalty_weight=10.0, **kwargs):
        if any(isinstance(layer, keras.layers.BatchNormalization) for layer in critic.layers):
            raise ValueError("the critic has batch normalisation: use build_critic (WGAN-GP §4)")
        super().__init__(generator, critic, **kwargs)
        self.n_critic, self.penalty_weight = n_critic, penalty_weight
        self._init_latents()
        self.penalty = keras.metrics.Mean(name="penalty")

    @property
    def metrics(self):
        """The critic's loss (−W₁'s estimate), the generator's, the penalty without λ."""
        return [*super().metrics, self.penalty]

    def train_step(self, data):
        """Take one step of Algorithm 1 (Gulrajani et al. 2017)."""
        real_images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)  # x
        images = tf.shape(real_images)[0]
        count = tf.maximum(images // self.n_critic, 1)
        latents = self.random_normal((self.n_critic * count, self.latent_dim), DISCRIMINATOR)
        all_shares = self.random_uniform((self.n_critic * count, 1, 1, 1), DISCRIMINATOR)  # ε

        # 1. Update the critic n_critic times, each on fresh x and z (lines 2–10).
        for update in range(self.n_critic):
            part = slice(update * count, (update + 1) * count)
            rows = tf.range(update * count, (update + 1) * count) % images  # if fewer than n_critic
            x, y = tf.gather(real_images, rows), None if labels is None else tf.gather(labels, rows)
            fake_images = self.generator(self._with(latents[part], y), training=True)  # x̃
            augment = self._draw_augmentation(x, DISCRIMINATOR, update)
            real, fake = augment(x), augment(fake_images)
            between = all_shares[part] * real + (1 - all_shares[part]) * fake  # x̂
            power_iteration(self.discriminator)
            with tf.GradientTape() as tape:
                real_scores = self.discriminator(self._with(real, y), training=True)  # D(x)
                fake_scores = self.discriminator(self._with(fake, y), training=True)  # D(x̃)
                critic_loss = self._discriminator_objective(real_scores, fake_scores)
                penalty = one_centred_penalty(
                    lambda x, y=y: self.discriminator(self._with(x, y), training=True), between
                )
                loss = critic_loss + self.penalty_weight * penalty
                scaled_loss = scale_loss(self.discriminator_optimizer, loss)
            variables = self.discriminator.trainable_variables
            self.discriminator_optimizer.apply(tape.gradient(scaled_loss, variables), variables)

        # 2. Update the generator on another minibatch of z (lines 11–12).
        latents = self.random_normal((count, self.latent_dim), GENERATOR)  # z
        augment = self._draw_augmentation(real_images[:count], GENERATOR)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in self.generator.trainable_variables])
            fake_images = augment(self.generator(self._with(latents, y), training=True))
            scores = self.discriminator(self._with(fake_images, y), training=True)
            generator_loss = self._generator_objective(scores)
            scaled_loss = scale_loss(self.generator_optimizer, generator_loss)
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(scaled_loss, variables), variables)

        self.penalty.update_state(penalty)
        return self._finish_step(critic_loss, generator_loss)

    def test_step(self, data):
        """Measure both losses on held-out images, with the averaged G."""
        real_scores, fake_scores = self._judge_held_out(data)
        critic_loss = self._discriminator_objective(real_scores, fake_scores)
        logs = self._report(critic_loss, self._generator_objective(fake_scores))
        return {name: value for name, value in logs.items() if name != "penalty"}

    def get_config(self):
        """Return both networks and the settings, for `from_config`."""
        config = super().get_config()
        config["critic"] = config.pop("discriminator")
        return {**config, "n_critic": self.n_critic, "penalty_weight": self.penalty_weight}

r"""DCGAN: Radford, Metz & Chintala 2016, trained by Algorithm 1 of Goodfellow et al. 2014.

=====  ==============================  ==========================
x      `real_images`                   (B, h, w, c) in [-1, 1]
y      `labels`                        (B,) integers, or None
z      `latents`                       (B, latent_dim), N(0, I)
G(z)   `fake_images`                   like x
D(x)   `real_logits`, `fake_logits`    (B, 1), real is large
=====  ==============================  ==========================
"""

import keras
import tensorflow as tf

from gan_keras.algorithms.adversarial import AdversarialModel, logits_accuracy
from gan_keras.algorithms.latents import LatentGenerator
from gan_keras.algorithms.penalties import zero_centred_penalty
from gan_keras.algorithms.randomness import DISCRIMINATOR, GENERATOR, scale_loss
from gan_keras.layers.spectral_norm import power_iteration


@keras.saving.register_keras_serializable(package="gan_keras")
class DCGAN(LatentGenerator, AdversarialModel):
    """The GAN of noise: noise in, image out; or noise and a label, where the networks take one.

    Args:
        generator: A built network.
        discriminator: A built network that returns logits.
        r1_weight: γ of R₁, a penalty on D's slope at real images that lets the game converge
            (Mescheder et al. 2018); 0 is the plain game.
        r1_every: R₁ is taken once in so many steps, and that much stronger (lazy regularisation:
            Karras et al. 2020, §3.1).
        **kwargs: `seed`, `average_decay`, `augmentation` of `AdversarialModel`.

    Example:
        >>> model = DCGAN(build_generator(), build_discriminator())
        >>> model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5),  # DCGAN §4
        ...               keras.optimizers.Adam(2e-4, beta_1=0.5))
        >>> model.fit(real_images, batch_size=64, epochs=20)
    """

    def __init__(self, generator, discriminator, r1_weight=0.0, r1_every=4, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.r1_weight, self.r1_every = r1_weight, r1_every
        self._init_latents()
        self.discriminator_accuracy = keras.metrics.Mean(name="discriminator_accuracy")

    @property
    def metrics(self):
        """Both losses in nats, and the share of images that the discriminator gets right."""
        return [*super().metrics, self.discriminator_accuracy]

    def train_step(self, data):
        """Take one step of Algorithm 1 with k = 1 (Goodfellow et al. 2014)."""
        real_images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)  # x, y
        shape = (tf.shape(real_images)[0], self.latent_dim)

        # 1. Update the discriminator on a minibatch of x and a minibatch of z.
        latents = self.random_normal(shape, DISCRIMINATOR)  # z
        fake_images = self.generator(self._with(latents, labels), training=True)  # G(z)
        augment = self._draw_augmentation(real_images, DISCRIMINATOR)
        real, fake = augment(real_images), augment(fake_images)
        power_iteration(self.discriminator)
        with tf.GradientTape() as tape:
            real_logits = self.discriminator(self._with(real, labels), training=True)  # D(x)
            fake_logits = self.discriminator(self._with(fake, labels), training=True)  # D(G(z))
            discriminator_loss = self._discriminator_objective(real_logits, fake_logits)
            scaled_loss = scale_loss(self.discriminator_optimizer, discriminator_loss)
        variables = self.discriminator.trainable_variables
        gradients = self._add_r1(tape.gradient(scaled_loss, variables), real, labels)
        self.discriminator_optimizer.apply(gradients, variables)

        # 2. Update the generator on another minibatch of z.
        latents = self.random_normal(shape, GENERATOR)  # z
        augment = self._draw_augmentation(real_images, GENERATOR)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in self.generator.trainable_variables])
            fake_images = augment(self.generator(self._with(latents, labels), training=True))
            logits = self.discriminator(self._with(fake_images, labels), training=True)
            generator_loss = self._generator_objective(logits)
            scaled_loss = scale_loss(self.generator_optimizer, generator_loss)
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(scaled_loss, variables), variables)

        self.discriminator_accuracy.update_state(logits_accuracy(real_logits, fake_logits))
        return self._finish_step(discriminator_loss, generator_loss)

    def _add_r1(self, gradients, images, labels):
        """Add the gradient of R₁ to the discriminator's, in the steps that take it.

        It is taken within the branch: XLA cannot look back through one whose batch has any size.
        """
        if not self.r1_weight:
            return gradients
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]

        def judge(x):
            return self.discriminator(self._with(x, labels), training=True)

        def penalised():
            with tf.GradientTape() as tape:
                r1 = self.r1_every * self.r1_weight * zero_centred_penalty(judge, images)
                scaled = scale_loss(self.discriminator_optimizer, r1)
            added = tape.gradient(scaled, self.discriminator.trainable_variables)
            # None: R₁ does not depend on the last bias
            return [g if r is None else g + r for g, r in zip(gradients, added, strict=True)]

        return tf.cond(self.step % self.r1_every == 0, penalised, lambda: gradients)

    def test_step(self, data):
        """Measure both losses and D's accuracy on held-out images, with the averaged G."""
        real_logits, fake_logits = self._judge_held_out(data)
        self.discriminator_accuracy.update_state(logits_accuracy(real_logits, fake_logits))
        discriminator_loss = self._discriminator_objective(real_logits, fake_logits)
        return self._report(discriminator_loss, self._generator_objective(fake_logits))

    def get_config(self):
        """Return both networks and the settings, for `from_config`."""
        return {**super().get_config(), "r1_weight": self.r1_weight, "r1_every": self.r1_every}

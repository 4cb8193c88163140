r"""DCGAN: Radford, Metz & Chintala 2016, trained by Algorithm 1 of Goodfellow et al. 2014.

=====  ==============================  ==========================
x      `real_images`                   (B, h, w, c) in [-1, 1]
z      `latents`                       (B, latent_dim), N(0, I)
G(z)   `fake_images`                   like x
D(x)   `real_logits`, `fake_logits`    (B, 1), real is large
=====  ==============================  ==========================
"""

import keras
import tensorflow as tf

from gan_keras.algorithms.adversarial import AdversarialModel, draw_latents, logits_accuracy
from gan_keras.algorithms.randomness import DISCRIMINATOR, EVALUATION, GENERATOR


@keras.saving.register_keras_serializable(package="gan_keras")
class DCGAN(AdversarialModel):
    """The unconditional GAN: noise in, image out.

    Example:
        >>> model = DCGAN(build_generator(), build_discriminator())
        >>> model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5),  # DCGAN §4
        ...               keras.optimizers.Adam(2e-4, beta_1=0.5))
        >>> model.fit(real_images, batch_size=64, epochs=20)
    """

    def __init__(self, generator, discriminator, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.latent_dim = generator.input_shape[-1]
        self.discriminator_accuracy = keras.metrics.Mean(name="discriminator_accuracy")

    @property
    def metrics(self):
        """Both losses in nats, and the share of images that the discriminator gets right."""
        return [*super().metrics, self.discriminator_accuracy]

    def train_step(self, data):
        """Take one step of Algorithm 1 with k = 1 (Goodfellow et al. 2014)."""
        real_images, _, _ = keras.utils.unpack_x_y_sample_weight(data)  # x
        shape = (tf.shape(real_images)[0], self.latent_dim)

        # 1. Update the discriminator on a minibatch of x and a minibatch of z.
        latents = self.random_normal(shape, DISCRIMINATOR)  # z
        fake_images = self.generator(latents, training=True)  # G(z); no gradient wanted here
        with tf.GradientTape() as tape:
            real_logits = self.discriminator(real_images, training=True)  # D(x)
            fake_logits = self.discriminator(fake_images, training=True)  # D(G(z))
            discriminator_loss = self._discriminator_objective(real_logits, fake_logits)
            scaled_loss = self.discriminator_optimizer.scale_loss(discriminator_loss)
        variables = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(scaled_loss, variables), variables)

        # 2. Update the generator on another minibatch of z.
        latents = self.random_normal(shape, GENERATOR)  # z
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in self.generator.trainable_variables])
            logits = self.discriminator(self.generator(latents, training=True), training=True)
            generator_loss = self._generator_objective(logits)
            scaled_loss = self.generator_optimizer.scale_loss(generator_loss)
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(scaled_loss, variables), variables)

        self.discriminator_accuracy.update_state(logits_accuracy(real_logits, fake_logits))
        return self._finish_step(discriminator_loss, generator_loss)

    def test_step(self, data):
        """Measure both losses and D's accuracy on held-out images, with the averaged G."""
        real_images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        shape = (tf.shape(real_images)[0], self.latent_dim)
        latents = self.random_normal(shape, EVALUATION, counter=self.discriminator_loss.count)
        real_logits = self.discriminator(real_images, training=False)
        fake_logits = self.discriminator(self(latents), training=False)
        self.discriminator_accuracy.update_state(logits_accuracy(real_logits, fake_logits))
        self.discriminator_loss.update_state(
            self._discriminator_objective(real_logits, fake_logits)
        )
        self.generator_loss.update_state(self._generator_objective(fake_logits))
        return {metric.name: metric.result() for metric in self.metrics}

    def generate(self, count, seed=0):
        """Draw `count` images, float32 (count, h, w, c) in [-1, 1]; the same for the same seed."""
        latents = draw_latents(count, self.latent_dim, seed)
        return self.averaged_generator.predict(latents, batch_size=256, verbose=0)

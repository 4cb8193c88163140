"""The training steps of the usual public TensorFlow tutorials, from their algorithms.

Their facts: one `tf.function`, float32, no XLA, Keras' Adam, no averaging, no metrics but the
losses. Each takes built networks and returns a function of a batch that takes one step.
"""

import math

import keras
import tensorflow as tf


def _adam(variables, rate, beta_1, beta_2=0.999):
    optimizer = keras.optimizers.Adam(rate, beta_1, beta_2)
    optimizer.build(variables)
    return optimizer


def _apply(optimizer, network, tape, loss):
    variables = network.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)


def wgan_gp_step(generator, critic, n_critic=5, penalty_weight=10.0):
    """Return the usual WGAN-GP step: all its critic updates see the same real images."""
    generator_optimizer, critic_optimizer = (
        _adam(network.trainable_variables, 2e-4, 0.5, 0.9) for network in (generator, critic)
    )

    def draw(images):
        latents = tf.random.normal((tf.shape(images)[0], generator.input_shape[-1]))
        return generator(latents, training=True)

    def penalty(images, fakes):
        shares = tf.random.uniform((tf.shape(images)[0], 1, 1, 1))
        between = images + shares * (fakes - images)
        with tf.GradientTape() as tape:
            tape.watch(between)
            scores = critic(between, training=True)
        slopes = tf.reduce_sum(tf.square(tape.gradient(scores, between)), axis=(1, 2, 3))
        return tf.reduce_mean(tf.square(tf.sqrt(slopes) - 1))

    @tf.function
    def step(images):
        for _ in range(n_critic):
            with tf.GradientTape() as tape:
                fakes = draw(images)
                real, fake = critic(images, training=True), critic(fakes, training=True)
                critic_loss = tf.reduce_mean(fake) - tf.reduce_mean(real)
                critic_loss += penalty_weight * penalty(images, fakes)
            _apply(critic_optimizer, critic, tape, critic_loss)
        with tf.GradientTape() as tape:
            generator_loss = -tf.reduce_mean(critic(draw(images), training=True))
        _apply(generator_optimizer, generator, tape, generator_loss)
        return critic_loss, generator_loss

    return step


def vae_step(encoder, decoder):
    """Return the usual VAE step: log p(x|z) + log p(z) − log q(z|x) of one z an image.

    Args:
        encoder: images → [mean, log variance].
        decoder: latents → Bernoulli logits.
    """
    variables = encoder.trainable_variables + decoder.trainable_variables
    optimizer = _adam(variables, 1e-4, 0.9)

    def log_normal(sample, mean, log_variance):
        terms = tf.square(sample - mean) * tf.exp(-log_variance) + log_variance
        return -0.5 * tf.reduce_sum(terms + math.log(2 * math.pi), axis=1)

    @tf.function
    def step(binary):
        with tf.GradientTape() as tape:
            mean, log_variance = encoder(binary, training=True)
            latents = tf.random.normal(tf.shape(mean)) * tf.exp(0.5 * log_variance) + mean
            logits = decoder(latents, training=True)
            entropy = tf.nn.sigmoid_cross_entropy_with_logits(binary, logits)
            bound = -tf.reduce_sum(entropy, axis=(1, 2, 3)) + log_normal(latents, 0.0, 0.0)
            loss = -tf.reduce_mean(bound - log_normal(latents, mean, log_variance))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return step


def restorer_step(network):
    """Return the usual step of a restorer that learns by the mean absolute error."""
    optimizer = _adam(network.trainable_variables, 1e-3, 0.9)

    @tf.function
    def step(degraded, target):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(target - network(degraded, training=True)))
        _apply(optimizer, network, tape, loss)
        return loss

    return step


def pix2pix_step(generator, discriminator, l1_weight=100.0):
    """Return the usual pix2pix step: both players learn from the same passes."""
    generator_optimizer, discriminator_optimizer = (
        _adam(network.trainable_variables, 2e-4, 0.5) for network in (generator, discriminator)
    )
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def step(degraded, target):
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            restored = generator(degraded, training=True)
            real = discriminator([degraded, target], training=True)
            fake = discriminator([degraded, restored], training=True)
            l1 = tf.reduce_mean(tf.abs(target - restored))
            generator_loss = entropy(tf.ones_like(fake), fake) + l1_weight * l1
            discriminator_loss = entropy(tf.ones_like(real), real)
            discriminator_loss += entropy(tf.zeros_like(fake), fake)
        _apply(generator_optimizer, generator, generator_tape, generator_loss)
        _apply(discriminator_optimizer, discriminator, discriminator_tape, discriminator_loss)
        return generator_loss, discriminator_loss

    return step

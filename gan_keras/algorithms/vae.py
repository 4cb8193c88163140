r"""VAE: auto-encoding variational Bayes (Kingma & Welling 2014) on binarised images.

=========  ==============================  =======================================
x          `binary`                        (B, h, w, c), 0 or 1
z          `latents`                       (B, latent_dim)
q(z|x)     `mean`, `log_variance`          (B, latent_dim) each, the encoder's
p(x|z)     `logits`                        (B, h, w, c), the decoder's, of a Bernoulli
p(z)       –                               N(0, I)
L          `elbo`                          nats: a sum over pixels, a mean over images
=========  ==============================  =======================================
"""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from gan_keras.algorithms.adversarial import compile_options
from gan_keras.algorithms.latents import draw_latents
from gan_keras.algorithms.randomness import EVALUATION, GENERATOR, SeededRandomness, scale_loss
from gan_keras.data.ranges import from_unit, to_unit
from gan_keras.losses.reconstruction import (
    bernoulli_log_likelihood,
    gaussian_kl,
    gaussian_log_density,
)


@keras.saving.register_keras_serializable(package="gan_keras")
class VAE(SeededRandomness, keras.Model):
    r"""Maximises L = E_q[log p(x|z)] − β·KL(q(z|x) ‖ p(z)).

    Images come in [-1, 1]; at every step each pixel becomes 1 with its brightness as probability
    (Burda et al. 2016, §5), anew each time.

    Args:
        encoder: images → [mean, log_variance].
        decoder: latents → Bernoulli logits.
        beta: Weight of the KL term; 1 gives the bound itself (β-VAE: Higgins et al. 2017).
        seed: Seed of all randomness inside the steps.
        **kwargs: Passed to `keras.Model`.
    """

    def __init__(self, encoder, decoder, beta=1.0, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = decoder.input_shape[-1]
        self.beta = beta
        self._init_randomness(seed)
        self.elbo = keras.metrics.Mean(name="elbo")
        self.log_likelihood = keras.metrics.Mean(name="log_likelihood")
        self.kl = keras.metrics.Mean(name="kl")
        self.built = True

    def compile(self, optimizer="adam", **kwargs):
        """Set the optimiser; other arguments are those of `keras.Model.compile`."""
        super().compile(optimizer=optimizer, **kwargs)
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        """The bound and its two terms: elbo = log_likelihood − kl, in nats an image."""
        return [self.elbo, self.log_likelihood, self.kl]

    def call(self, images, training=False):
        """Reconstruct by the mean path: no random draw inside."""
        mean, _ = self.encoder(images, training=training)
        return self.decode(mean)

    def _terms(self, images, stream, counter=None, training=False):
        """Binarise, draw one z from q, return (log p(x|z), KL), each (B,) nats."""
        draws = self.random_uniform(tf.shape(images), stream, counter)
        binary = tf.cast(draws < to_unit(tf.cast(images, tf.float32)), tf.float32)  # x
        mean, log_variance = self.encoder(from_unit(binary), training=training)  # q(z|x)
        noise = self.random_normal(tf.shape(mean), stream, counter)  # ε
        latents = mean + ops.exp(0.5 * log_variance) * noise  # z, §2.4's reparameterisation
        logits = self.decoder(latents, training=training)  # p(x|z)
        return bernoulli_log_likelihood(binary, logits), gaussian_kl(mean, log_variance)

    def _report(self, log_likelihood, kl):
        self.elbo.update_state(log_likelihood - kl)
        self.log_likelihood.update_state(log_likelihood)
        self.kl.update_state(kl)
        return {metric.name: metric.result() for metric in self.metrics}

    def train_step(self, data):
        """Take one step of Algorithm 1 (Kingma & Welling 2014) with one z an image."""
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            log_likelihood, kl = self._terms(images, GENERATOR, training=True)
            loss = ops.mean(self.beta * kl - log_likelihood)  # −L, Eq. 10
            scaled_loss = scale_loss(self.optimizer, loss)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(scaled_loss, variables), variables)
        self.step.assign(self.step + 1)
        return self._report(log_likelihood, kl)

    def test_step(self, data):
        """Measure the bound on held-out images: the same draws at every evaluation."""
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self._report(*self._terms(images, EVALUATION, counter=self.elbo.count))

    def encode(self, images):
        """Return q(z|x)'s (mean, log variance), each (B, latent_dim), for images in [-1, 1]."""
        return self.encoder(images, training=False)

    def decode(self, latents):
        """Return p(x|z)'s mean as images float32 (B, h, w, c) in [-1, 1]."""
        return from_unit(ops.sigmoid(self.decoder(latents, training=False)))

    def reconstruct(self, images):
        """Encode, take the mean of q, decode: images (B, h, w, c) in [-1, 1] → the same."""
        return self.predict(images, batch_size=256, verbose=0)

    def generate(self, count, seed=0):
        """Draw z ~ N(0, I) and decode: `count` images in [-1, 1]; the same for the same seed."""
        latents = draw_latents(count, self.latent_dim, seed)
        logits = self.decoder.predict(latents, batch_size=256, verbose=0)
        return np.asarray(from_unit(ops.sigmoid(logits)))

    def importance_weighted_bound(self, images, samples=50, seed=0):
        r"""Bound log p(x) by L_k = E log (1/k) Σ_i p(x, z_i)/q(z_i|x) (Burda et al. 2016, Eq. 8).

        Args:
            images: (N, h, w, c) in [-1, 1], binarised with `seed` (images of −1 and 1 stay).
            samples: k ≥ 1; the bound grows with it, and with k = 1 it is the ELBO's estimate.
            seed: Seed of the binarisation and of z.

        Returns:
            (N,) float32 nats.
        """
        generator = np.random.default_rng(seed)
        bounds = []
        for start in range(0, len(images), max(1, 2500 // samples)):  # ≤ 2,500 decoder passes
            batch = np.asarray(images[start : start + max(1, 2500 // samples)], np.float32)
            binary = (generator.random(batch.shape, np.float32) < to_unit(batch)).astype("float32")
            mean, log_variance = (ops.repeat(t, samples, 0) for t in self.encode(from_unit(binary)))
            noise = generator.standard_normal(mean.shape, dtype=np.float32)
            latents = mean + ops.exp(0.5 * log_variance) * noise
            log_weights = (
                bernoulli_log_likelihood(
                    ops.repeat(binary, samples, 0), self.decoder(latents, training=False)
                )
                + gaussian_log_density(latents, 0.0 * mean, 0.0 * mean)  # log p(z)
                - gaussian_log_density(latents, mean, log_variance)  # log q(z|x)
            )
            log_weights = ops.reshape(log_weights, (len(batch), samples))
            bounds.append(np.asarray(ops.logsumexp(log_weights, axis=1)) - math.log(samples))
        return np.concatenate(bounds)

    def get_config(self):
        """Return both networks and the settings, for `from_config`."""
        return {
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "beta": self.beta,
            "seed": self.seed,
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
        }

    def get_compile_config(self):
        """Return the optimiser, for `compile_from_config`."""
        return {"optimizer": keras.saving.serialize_keras_object(self.optimizer)}

    def compile_from_config(self, config):
        """Compile as `get_compile_config` described."""
        optimizer = keras.saving.deserialize_keras_object(config["optimizer"])
        self.compile(optimizer, **compile_options())

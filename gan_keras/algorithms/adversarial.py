"""What every adversarial algorithm shares: two players, two optimisers, an averaged generator."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from gan_keras.algorithms.randomness import SeededRandomness, wrap_for_precision
from gan_keras.losses.adversarial import LOSSES


class AdversarialModel(SeededRandomness, keras.Model):
    """A generator and a discriminator, each with its own optimiser; subclasses add `train_step`.

    The averaged generator is an exponential moving average of the generator's weights, batch-norm
    statistics included (Yazıcı et al. 2019, §3; the warm-up is that of TensorFlow's
    `ExponentialMovingAverage`). It is model state; samples, evaluation and export use it.

    Args:
        generator: A built network.
        discriminator: A built network that returns logits.
        seed: Seed of all randomness inside `train_step`.
        average_decay: Decay of the average in [0, 1); 0 keeps a copy of the latest weights.
        **kwargs: Passed to `keras.Model`.
    """

    def __init__(self, generator, discriminator, seed=0, average_decay=0.999, **kwargs):
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.average_decay = average_decay
        self.averaged_generator = keras.models.clone_model(generator)
        self.averaged_generator.set_weights(generator.get_weights())
        self.averaged_generator.trainable = False
        self._init_randomness(seed)
        self.discriminator_loss = keras.metrics.Mean(name="discriminator_loss")
        self.generator_loss = keras.metrics.Mean(name="generator_loss")
        self.built = True

    def compile(
        self, generator_optimizer, discriminator_optimizer, loss="non_saturating", **kwargs
    ):
        """Set the two optimisers and the adversarial loss.

        Args:
            generator_optimizer: A Keras optimiser or its name.
            discriminator_optimizer: Another one.
            loss: A name in `losses.adversarial.LOSSES`.
            **kwargs: `jit_compile`, `run_eagerly`, `steps_per_execution` of `keras.Model.compile`.

        Raises:
            ValueError: No such loss.
        """
        if loss not in LOSSES:
            raise ValueError(f"loss {loss!r}: choose one of {', '.join(LOSSES)}")
        super().compile(optimizer=None, **kwargs)
        self.adversarial_loss = loss
        self._discriminator_objective, self._generator_objective = LOSSES[loss]
        self.generator_optimizer = wrap_for_precision(generator_optimizer, self.generator)
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer = wrap_for_precision(
            discriminator_optimizer, self.discriminator
        )
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    @property
    def metrics(self):
        """The running means that an epoch reports."""
        return [self.discriminator_loss, self.generator_loss]

    def call(self, inputs, training=False):
        """Apply the averaged generator."""
        return self.averaged_generator(inputs, training=training)

    def _finish_step(self, discriminator_loss, generator_loss):
        """Move the average, count the step, report the losses."""
        step = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.average_decay, (1.0 + step) / (10.0 + step))
        for average, latest in zip(
            self.averaged_generator.weights, self.generator.weights, strict=True
        ):
            average.assign(decay * average.value + (1.0 - decay) * latest.value)
        self.step.assign(self.step + 1)
        self.discriminator_loss.update_state(discriminator_loss)
        self.generator_loss.update_state(generator_loss)
        return {metric.name: metric.result() for metric in self.metrics}

    def get_config(self):
        """Return both networks and the settings, for `from_config`."""
        return {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "seed": self.seed,
            "average_decay": self.average_decay,
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
        }

    def get_compile_config(self):
        """Return both optimisers and the loss, for `compile_from_config`."""
        return {
            "generator_optimizer": keras.saving.serialize_keras_object(self.generator_optimizer),
            "discriminator_optimizer": keras.saving.serialize_keras_object(
                self.discriminator_optimizer
            ),
            "loss": self.adversarial_loss,
        }

    def compile_from_config(self, config):
        """Compile as `get_compile_config` described."""
        self.compile(
            **{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()},
            **compile_options(),
        )


def compile_options():
    """Return what a loaded model is compiled with on this machine (see `training.runtime`)."""
    from gan_keras.training.runtime import choose_runtime

    return {"jit_compile": choose_runtime().jit_compile}


def logits_accuracy(real_logits, fake_logits):
    """Share of logits on the right side of 0, real and fake weighted equally."""
    real = ops.mean(ops.cast(real_logits > 0, "float32"))
    fake = ops.mean(ops.cast(fake_logits < 0, "float32"))
    return 0.5 * (real + fake)


def draw_latents(count, latent_dim, seed=0):
    """Draw z ~ N(0, I) as float32 (count, latent_dim), a pure function of the seed."""
    return np.random.default_rng(seed).standard_normal((count, latent_dim), dtype=np.float32)

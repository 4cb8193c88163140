"""What every adversarial algorithm shares: two players, two optimisers, an averaged generator."""

from functools import partial

import keras
import tensorflow as tf
from keras import ops

from gan_keras.algorithms.augmentation import AUGMENTATIONS
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
        average_decay: Decay of the average in [0, 1); 0 keeps none: it is the generator itself.
        augmentation: Names in `augmentation.AUGMENTATIONS`: what D sees, real and generated, is
            changed by them at random (differentiable augmentation, for small data sets).
        **kwargs: Passed to `keras.Model`.

    Raises:
        ValueError: No such augmentation.
    """

    default_loss = "non_saturating"

    def __init__(
        self, generator, discriminator, seed=0, average_decay=0.999, augmentation=(), **kwargs
    ):
        unknown = set(augmentation) - set(AUGMENTATIONS)
        if unknown:
            raise ValueError(f"augmentation {unknown}: choose of {', '.join(AUGMENTATIONS)}")
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.average_decay = average_decay
        self.augmentation = tuple(augmentation)
        self.averaged_generator = generator
        if average_decay:
            self.averaged_generator = keras.models.clone_model(generator)
            self.averaged_generator.set_weights(generator.get_weights())
            self.averaged_generator.trainable = False
        self._init_randomness(seed)
        self.discriminator_loss = keras.metrics.Mean(name="discriminator_loss")
        self.generator_loss = keras.metrics.Mean(name="generator_loss")
        self.built = True

    def compile(
        self,
        generator_optimizer,
        discriminator_optimizer,
        loss=None,
        label_smoothing=0.0,
        **kwargs,
    ):
        """Set the two optimisers and the adversarial loss.

        Args:
            generator_optimizer: A Keras optimiser or its name.
            discriminator_optimizer: Another one; another rate makes two time-scales (Heusel et
                al. 2017).
            loss: A name in `losses.adversarial.LOSSES`; None takes the algorithm's own.
            label_smoothing: In [0, 1): D is taught that real is 1 − label_smoothing; fake stays 0
                (one-sided: Salimans et al. 2016, §3.4). For losses that have a label.
            **kwargs: `jit_compile`, `run_eagerly`, `steps_per_execution` of `keras.Model.compile`.

        Raises:
            ValueError: No such loss, or one without labels to smooth.
        """
        loss = loss or self.default_loss
        if loss not in LOSSES:
            raise ValueError(f"loss {loss!r}: choose one of {', '.join(LOSSES)}")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing {label_smoothing}: a number in [0, 1) is wanted")
        if label_smoothing and loss in ("hinge", "wasserstein"):
            raise ValueError(f"loss {loss!r} has no labels to smooth: label_smoothing must be 0")
        super().compile(optimizer=None, **kwargs)
        self.adversarial_loss, self.label_smoothing = loss, label_smoothing
        self._discriminator_objective, self._generator_objective = LOSSES[loss]
        if label_smoothing:
            self._discriminator_objective = partial(
                self._discriminator_objective, real_label=1 - label_smoothing
            )
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

    def _draw_augmentation(self, images, stream, update=0):
        """Draw T for images shaped like these; return it as a function that repeats it.

        Args:
            images: (B, h, w, c).
            stream: Which player's update this is.
            update: Which of its updates in this step.
        """
        draws, count = {}, tf.shape(images)[0]
        for index, name in enumerate(self.augmentation):
            number = 1 + index + len(self.augmentation) * update
            shape = (count, AUGMENTATIONS[name][1])
            draws[name] = self.random_uniform(shape, stream, draw=number)

        def augment(images):
            for name in self.augmentation:
                images = AUGMENTATIONS[name][0](images, draws[name])
            return images

        return augment

    def _report(self, discriminator_loss, generator_loss):
        """Count both losses in, and return all running means."""
        self.discriminator_loss.update_state(discriminator_loss)
        self.generator_loss.update_state(generator_loss)
        return {metric.name: metric.result() for metric in self.metrics}

    def _finish_step(self, discriminator_loss, generator_loss):
        """Move the average, count the step, report the losses."""
        if self.average_decay:
            step = tf.cast(self.step, tf.float32)
            decay = tf.minimum(self.average_decay, (1.0 + step) / (10.0 + step))
            pairs = zip(self.averaged_generator.weights, self.generator.weights, strict=True)
            for average, latest in pairs:
                average.assign(decay * average.value + (1.0 - decay) * latest.value)
        self.step.assign(self.step + 1)
        return self._report(discriminator_loss, generator_loss)

    def get_config(self):
        """Return both networks and the settings, for `from_config`."""
        return {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "seed": self.seed,
            "average_decay": self.average_decay,
            "augmentation": list(self.augmentation),
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
            "label_smoothing": self.label_smoothing,
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

    return choose_runtime().compile_options


def logits_accuracy(real_logits, fake_logits):
    """Share of logits on the right side of 0, real and fake weighted equally."""
    real = ops.mean(ops.cast(real_logits > 0, "float32"))
    fake = ops.mean(ops.cast(fake_logits < 0, "float32"))
    return 0.5 * (real + fake)

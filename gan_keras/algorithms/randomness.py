"""Random numbers for a `train_step`: the same in eager, graph and XLA, other on each replica.

And what precision and replicas ask of its losses.
"""

import math

import keras
import tensorflow as tf

DISCRIMINATOR, GENERATOR, EVALUATION = range(3)  # streams: who draws


class SeededRandomness:
    """A mixin for `keras.Model`: a seed, a step counter, and draws keyed by both.

    `keras.random` gives other numbers under XLA than in graph mode, and the same ones on every
    replica of a `MirroredStrategy`. Here each draw is a pure function of (seed, step, stream,
    replica), and the step is model state: saved, restored, resumed. TensorFlow and XLA make the
    same philox integers, but other floats of them: the conversion is done here.
    """

    def _init_randomness(self, seed):
        self.seed = int(seed)
        self.step = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )

    @classmethod
    def from_config(cls, config):
        """Build the model that `get_config` described."""
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

    def _key(self, stream, counter, draw):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        first = (self.seed * 8 + stream) * 4096 + tf.cast(replica, tf.int64)
        second = tf.cast(self.step if counter is None else counter, tf.int64) + draw * 2**40
        return tf.stack([first, second])

    def random_normal(self, shape, stream, counter=None):
        """Draw N(0, 1) float32 of `shape`, for this step or, in an evaluation, this `counter`."""
        first, second = tf.unstack(self._uniform(tf.concat([[2], shape], 0), stream, counter))
        return tf.sqrt(-2 * tf.math.log(1 - first)) * tf.cos(2 * math.pi * second)  # Box–Muller

    def random_uniform(self, shape, stream, counter=None, draw=0):
        """Draw from [0, 1) float32 of `shape`; independent of `random_normal`'s draws.

        Several draws of one stream in one step each have their own number, `draw`.
        """
        return self._uniform(shape, stream + 4, counter, draw)

    def _uniform(self, shape, stream, counter, draw=0):
        key = self._key(stream, counter, draw)
        bits = tf.random.stateless_uniform(shape, key, None, None, tf.uint32, alg="philox")
        top_24 = tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32))  # float32 holds 24 exactly
        return tf.cast(top_24, tf.float32) * 2.0**-24


def wrap_for_precision(optimizer, model):
    """Return the optimiser of one player, with loss scaling where the model computes in float16.

    Keras does this only for `model.optimizer`; bfloat16 has float32's range and needs none.
    """
    optimizer = keras.optimizers.get(optimizer)
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if model.compute_dtype == "float16" and not scaled:
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def scale_loss(optimizer, loss):
    """Return what one player differentiates: its mean over this replica's images, scaled.

    By 1/replicas, for a distributed optimiser adds the replicas' gradients up; and in float16 by
    the optimiser's own factor.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return optimizer.scale_loss(loss / replicas if replicas > 1 else loss)

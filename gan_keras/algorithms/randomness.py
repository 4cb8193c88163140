"""Random numbers for a `train_step`: the same in eager, graph and XLA, other on each replica."""

import keras
import tensorflow as tf

DISCRIMINATOR, GENERATOR, EVALUATION = range(3)  # streams: who draws


class SeededRandomness:
    """A mixin for `keras.Model`: a seed, a step counter, and draws keyed by both.

    `keras.random` gives other numbers under XLA than in graph mode, and the same ones on every
    replica of a `MirroredStrategy`. Here each draw is a pure function of (seed, step, stream,
    replica), and the step is model state: saved, restored, resumed.
    """

    def _init_randomness(self, seed):
        self.seed = int(seed)
        self.step = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )

    def _key(self, stream, counter):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        first = (self.seed * 8 + stream) * 4096 + tf.cast(replica, tf.int64)
        second = tf.cast(self.step if counter is None else counter, tf.int64)
        return tf.stack([first, second])

    def random_normal(self, shape, stream, counter=None):
        """Draw N(0, 1) float32 of `shape`, for this step or, in an evaluation, this `counter`."""
        return tf.random.stateless_normal(shape, self._key(stream, counter), alg="philox")

    def random_uniform(self, shape, stream, counter=None):
        """Draw from [0, 1) float32 of `shape`; independent of `random_normal`'s draws."""
        return tf.random.stateless_uniform(shape, self._key(stream + 4, counter), alg="philox")


def wrap_for_precision(optimizer, model):
    """Return the optimiser of one player, with loss scaling where the model computes in float16.

    Keras does this only for `model.optimizer`; bfloat16 has float32's range and needs none.
    """
    optimizer = keras.optimizers.get(optimizer)
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if model.compute_dtype == "float16" and not scaled:
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer

"""What replicas of a model have each counted by themselves."""

import keras


def averager(model, strategy):
    """Build what gives all replicas the mean of what each has counted: batch-norm statistics.

    Keras lets every replica move its own, of its share of each batch.

    Args:
        model: A model built under the strategy.
        strategy: A `tf.distribute.Strategy`.

    Returns:
        A function without arguments, to be called by all workers.
    """
    import tensorflow as tf

    def average():
        context = tf.distribute.get_replica_context()
        for variable in model.non_trainable_variables:
            if keras.backend.is_float_dtype(variable.dtype):
                value = tf.identity(variable.value)
                variable.value.assign(context.all_reduce(tf.distribute.ReduceOp.MEAN, value))

    return tf.function(lambda: strategy.run(average))


class AverageStatistics(keras.callbacks.Callback):
    """Averages the replicas' statistics after each epoch, before it is recorded.

    Args:
        strategy: A `tf.distribute.Strategy`.
    """

    def __init__(self, strategy):
        super().__init__()
        self._strategy = strategy

    def on_train_begin(self, logs=None):
        """Build the function."""
        self._average = averager(self.model, self._strategy)

    def on_epoch_end(self, epoch, logs=None):
        """Average."""
        self._average()

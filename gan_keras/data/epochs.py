"""Batches that know their epoch."""

import keras


class EpochDataset(keras.utils.PyDataset):
    """A `PyDataset` whose batches may depend on `epoch`, the number of epochs completed.

    Set `epoch` to start elsewhere, as a resumed run does. Keras also reports the end of an epoch
    that never began, after it has looked at a data set's first batches; that one is not counted.
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.epoch, self._begun = 0, False
        self.failure = None  # the `UserError` of a batch: `fit` would bury it in one of its own

    def on_epoch_begin(self):
        """Note that an epoch has begun."""
        self._begun = True

    def on_epoch_end(self):
        """Move on to the next epoch's batches."""
        self.epoch += self._begun
        self._begun = False

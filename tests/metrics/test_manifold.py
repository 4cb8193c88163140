import tracemalloc

import numpy as np
import pytest

from gan_keras.data.digits import load_digits
from gan_keras.data.ranges import from_uint8
from gan_keras.metrics import manifold
from gan_keras.metrics.manifold import memorisation, precision_recall

LINE = np.array([[0.0], [1.0], [3.0], [6.0]])  # distances to the second neighbour: 3, 2, 3, 5


def test_precision_and_recall_by_hand():
    generated = np.array([[-3.0], [8.0], [11.1], [20.0], [30.0]])
    # the real balls for k = 2 are [-3, 3], [-1, 3], [0, 6] and [1, 11]: they hold -3 and 8
    # the generated ones, of radius 14.1, 11, 8.9, 10 and 18.9: the first, [-17.1, 11.1], holds all
    assert precision_recall(generated, LINE, neighbours=2) == (2 / 5, 1.0)
    # k = 1: real balls [-1, 1], [0, 2], [1, 5], [3, 9]; generated ones, from the left, of radius
    # 11, 3.1, 3.1, 8.9 and 10: the first holds 0, 1, 3 and 6
    assert precision_recall(generated, LINE, neighbours=1) == (1 / 5, 1.0)
    assert precision_recall(LINE, generated, neighbours=1) == (1.0, 1 / 5)


def test_one_generated_mode_is_precise_and_without_recall():
    generator = np.random.default_rng(0)
    modes = np.repeat(np.eye(8) * 20, 50, axis=0)  # eight modes far apart, fifty points of each
    real = modes + generator.normal(size=modes.shape)
    collapsed = modes[:1] + 0.3 * generator.normal(size=(400, 8))
    precision, recall = precision_recall(collapsed, real)
    assert precision > 0.95
    assert recall < 1 / 8
    assert precision_recall(real, collapsed) == (recall, precision)
    far = precision_recall(real + 100, real)
    assert far == (0.0, 0.0)


def test_a_set_is_its_own_manifold_but_no_point_is_its_own_neighbour():
    points = np.random.default_rng(1).normal(size=(60, 5))
    assert precision_recall(points, points) == (1.0, 1.0)
    pair = np.array([[0.0, 0.0], [1.0, 0.0]])  # k = 1: the radius is 1, not 0
    assert precision_recall(np.array([[-1.0, 0.0], [2.1, 0.0]]), pair, neighbours=1)[0] == 0.5


def test_blocks_do_not_change_the_result(monkeypatch):
    generator = np.random.default_rng(2)
    a, b = generator.normal(size=(2, 90, 6))
    images = generator.normal(size=(3, 50, 4, 4, 1))
    whole = precision_recall(a, b), memorisation(*images)
    monkeypatch.setattr(manifold, "BLOCK", 7 * 90)
    in_blocks = precision_recall(a, b), memorisation(*images)
    assert in_blocks[0] == whole[0]
    assert 0 < whole[0][0] < 1
    assert in_blocks[1].pop("pairs").tolist() == whole[1].pop("pairs").tolist()
    assert in_blocks[1] == whole[1]


def test_memory_stays_small(monkeypatch):
    assert manifold.BLOCK * 8 * 4 <= 200e6  # bytes: three blocks, and comparisons
    monkeypatch.setattr(manifold, "BLOCK", 2**18)  # 2 MB
    a, b = np.random.default_rng(3).normal(size=(2, 1500, 8))  # all distances at once: 18 MB
    tracemalloc.start()
    precision_recall(a, b)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**21


def test_relative_distance_by_hand():
    training = np.array([[0.0], [2.0], [4.0], [8.0], [1000.0]])
    generated = np.array([[0.5], [5.0]])  # 0.5 over the mean of 1.5 and 3.5; 1 over that of 3 and 3
    held_out = np.array([[3.0], [1.0]])  # 1 over that of 1 and 3; 1 over that of 1 and 3
    found = memorisation(generated, held_out, training, quantile=0.5, neighbours=2)
    assert found["share"] == 1.0
    assert found["median_ratio"] == pytest.approx((0.2 + 1 / 3) / 2 / 0.5, rel=1e-6)
    assert found["pairs"].tolist() == [[0, 0], [1, 2]]
    assert (found["quantile"], found["samples"]) == (0.5, [2, 2, 5])
    nothing = memorisation(held_out, generated, training, quantile=0.5, neighbours=2)
    assert nothing["share"] == 0.0


@pytest.fixture(scope="module")
def digits():
    """Return training digits, held-out digits and some more that nobody trained on."""
    train, test = (from_uint8(load_digits("mnist-5k", split)[0]) for split in ("train", "test"))
    return train, test[::2], test[1::2]


@pytest.mark.parametrize("sigma", [0, 0.05, 0.25])
def test_a_generator_of_training_images_is_caught(digits, sigma):
    train, held_out, _ = digits
    generator = np.random.default_rng(4)
    chosen = generator.choice(len(train), 300, replace=False)
    noise = sigma * generator.normal(size=(300, *train.shape[1:]))
    found = memorisation(np.clip(train[chosen] + noise, -1, 1), held_out, train, worst=300)
    assert found["share"] > 0.85
    assert found["median_ratio"] < 0.6
    generated, nearest = found["pairs"].T
    assert np.mean(chosen[generated] == nearest) > 0.97
    if sigma == 0:
        assert (found["share"], found["median_ratio"]) == (1.0, 0.0)


def test_a_few_copies_are_counted_and_shown(digits):
    train, held_out, fresh = digits
    generated = np.concatenate([fresh[:380], train[::200]])  # 20 of 400
    found = memorisation(generated, held_out, train, worst=20)
    assert sorted(found["pairs"].tolist()) == [[380 + i, 200 * i] for i in range(20)]
    assert 20 / 400 <= found["share"] <= 20 / 400 + 0.04
    assert found["median_ratio"] == pytest.approx(1, abs=0.1)


def test_real_images_that_nobody_trained_on_are_cleared(digits):
    train, held_out, fresh = digits
    found = memorisation(fresh, held_out, train, quantile=0.05)
    assert found["share"] < 0.1
    assert found["median_ratio"] == pytest.approx(1, abs=0.05)


def test_copies_are_not_lost_in_rounding():
    generator = np.random.default_rng(5)
    training = 1000 + generator.normal(size=(40, 30))  # ‖x‖² is 3e7: float32 keeps no unit of it
    found = memorisation(training[:5], 1000 + generator.normal(size=(20, 30)), training)
    assert found["median_ratio"] == 0.0
    assert found["pairs"].tolist() == [[i, i] for i in range(5)]


def test_sets_that_cannot_be_compared_are_refused():
    three, four = np.zeros((3, 2)), np.zeros((4, 2))
    with pytest.raises(ValueError, match="more than 3 points"):
        precision_recall(four, three)
    with pytest.raises(ValueError, match="of one size"):
        precision_recall(four, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="more than 5 points"):
        memorisation(four, four, np.zeros((5, 2)))
    with pytest.raises(ValueError, match="of one size"):
        memorisation(np.zeros((4, 3)), four, np.zeros((6, 2)))
    with pytest.raises(ValueError, match="held-out images are training images"):
        training = np.arange(12.0).reshape(6, 2)
        memorisation(training + 0.1, training, training)

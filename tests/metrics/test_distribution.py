import numpy as np
import pytest

from gan_keras.metrics import distribution
from gan_keras.metrics.distribution import (
    class_imbalance,
    class_shares,
    classifier_features,
    compare_features,
    frechet_distance,
    frechet_interval,
    kernel_distance,
    read_images,
    squared_mmd,
)
from gan_keras.metrics.manifold import precision_recall
from gan_keras.networks.digits import build_classifier


def gaussians(generator, count, size, shift=0.0, scale=1.0):
    """Draw from N(0, I) and from N(shift, scale² I)."""
    a, b = generator.normal(size=(2, count, size))
    return a, shift + scale * b


@pytest.mark.parametrize(("shift", "scale"), [(0.5, 1.0), (0.0, 1.5), (0.3, 0.5)])
def test_frechet_distance_of_gaussians_in_closed_form(shift, scale):
    a, b = gaussians(np.random.default_rng(0), 100_000, 8, shift, scale)
    expected = 8 * (shift**2 + (scale - 1) ** 2)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=0.03)


def covered(draw, measure, runs):
    """Share of runs whose interval holds the mean of all runs' estimates."""
    found = [measure(*draw(), seed) for seed in range(runs)]
    mean = np.mean([estimate for estimate, _ in found])
    return np.mean([low <= mean <= high for _, (low, high) in found])


def test_frechet_interval_covers_what_samples_of_this_size_have_on_average():
    def measure(a, b, seed):
        found = frechet_interval(a, b, replicates=40, seed=seed)
        return found["fid"], found["interval"]

    generator = np.random.default_rng(1)
    apart = covered(lambda: gaussians(generator, 150, 4, 0.5, 1.3), measure, 150)
    assert 0.88 <= apart <= 0.99
    # at the floor it is too wide, never too narrow
    assert covered(lambda: gaussians(generator, 150, 4), measure, 60) >= 0.95


def test_frechet_interval_shrinks_with_the_root_of_the_samples():
    a, b = gaussians(np.random.default_rng(2), 6400, 4, 0.5, 1.3)
    wide, narrow = (frechet_interval(a[:n], b[:n]) for n in (400, 6400))
    widths = [found["interval"][1] - found["interval"][0] for found in (wide, narrow)]
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.35)
    assert narrow["samples"] == [6400, 6400]


def test_frechet_interval_is_about_the_distance_and_repeatable():
    a, b = gaussians(np.random.default_rng(3), 300, 6, 0.2)
    found = frechet_interval(a, b[:200], seed=4)
    assert found["fid"] == frechet_distance(a, b[:200])
    assert found["interval"][0] < found["fid"] < found["interval"][1]
    assert found["samples"] == [300, 200]
    assert frechet_interval(a, b[:200], seed=4) == found
    assert frechet_interval(a, b[:200], seed=5)["interval"] != found["interval"]
    assert frechet_interval(a, a[::-1])["interval"][0] == 0.0


def test_squared_mmd_of_two_point_masses():
    a, b = np.tile([1.0, 1.0], (3, 1)), np.tile([2.0, 0.0], (5, 1))
    # k(a, a) = (2/2 + 1)³ = 8, k(b, b) = (4/2 + 1)³ = 27, k(a, b) = (2/2 + 1)³ = 8
    assert squared_mmd(a, b) == pytest.approx(8 + 27 - 2 * 8)
    assert squared_mmd(a, a) == pytest.approx(0)


def test_squared_mmd_by_hand():
    # one feature: k(0, 1) = 1 · k(2, 3) = 7³ · k(0, 2), k(0, 3), k(1, 2), k(1, 3) = 1, 1, 27, 64
    value = squared_mmd(np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]]))
    assert value == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)


@pytest.mark.parametrize(("p", "q"), [(0.3, 0.3), (0.2, 0.6)])
def test_squared_mmd_has_no_bias(p, q):
    # coins: k is 8 where both show 1, else 1, so the truth is 7(p − q)²
    generator = np.random.default_rng(6)
    draws = generator.random((6000, 2, 4, 1)) < np.array([p, q])[:, None, None]
    values = [squared_mmd(a, b) for a, b in draws.astype(float)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - 7 * (p - q) ** 2) < 3.5 * error
    assert error < 0.05  # where every sample meets itself too, the mean is 0.7 too high
    assert min(values) < 0


def test_kernel_distance_averages_subsets():
    a, b = np.tile([1.0, 1.0], (30, 1)), np.tile([2.0, 0.0], (20, 1))
    found = kernel_distance(a, b)
    assert found.pop("kid") == pytest.approx(19)
    assert found.pop("error") == pytest.approx(0, abs=1e-9)
    assert found == {"subset_size": 10, "subsets": 100, "samples": [30, 20]}
    a, b = gaussians(np.random.default_rng(7), 400, 5, 0.3)
    found = kernel_distance(a, b, 100, 30, seed=1)
    assert found["subset_size"] == 100
    assert found == kernel_distance(a, b, 100, 30, seed=1)
    assert found["kid"] != kernel_distance(a, b, 100, 30, seed=2)["kid"]
    assert found["kid"] == pytest.approx(squared_mmd(a, b), abs=0.5 * found["error"])


def test_kernel_distance_knows_its_error():
    def measure(size):
        def estimate(a, b, seed):
            found = kernel_distance(a, b, size, 30, seed)
            margin = 1.96 * found["error"]
            return found["kid"], (found["kid"] - margin, found["kid"] + margin)

        return estimate

    generator = np.random.default_rng(8)
    for size in (20, 50):  # of 100: half of the set is the most a subset may be
        apart = covered(lambda: gaussians(generator, 100, 4, 0.6), measure(size), 150)
        assert 0.86 <= apart <= 0.99
        assert covered(lambda: gaussians(generator, 100, 4), measure(size), 60) >= 0.95


def test_the_measures_say_equal_where_the_sets_are_and_apart_where_they_are_not():
    generator = np.random.default_rng(9)
    same = compare_features(*gaussians(generator, 400, 8), balls=300)
    apart = compare_features(*gaussians(generator, 400, 8, 0.7, 0.5), balls=300)
    assert abs(same["kid"]) < 2 * same["kid_error"] + 0.02
    assert same["fid_interval"][1] < apart["fid_interval"][0]
    assert apart["kid"] > 10 * apart["kid_error"] / 2
    assert same["samples"] == 400
    assert same["manifold_samples"] == 300


def test_compare_features_holds_each_measure():
    a, b = gaussians(np.random.default_rng(10), 60, 3, 0.4)
    row = compare_features(a, b[:50], seed=3)
    assert (row["samples"], row["manifold_samples"]) == (60, 50)
    frechet, kernel = frechet_interval(a, b[:50], seed=3), kernel_distance(a, b[:50], seed=3)
    assert (row["fid"], row["fid_interval"]) == (frechet["fid"], frechet["interval"])
    assert (row["kid"], row["kid_error"]) == (kernel["kid"], kernel["error"])
    whole = compare_features(a[:50], b[:50])  # all of them, in another order
    assert (whole["precision"], whole["recall"]) == precision_recall(a[:50], b[:50])
    assert compare_features(a, b[:50], seed=3) == row


@pytest.mark.parametrize("measure", [frechet_interval, kernel_distance, squared_mmd])
def test_too_few_features_are_refused(measure):
    with pytest.raises(ValueError, match="feature arrays"):
        measure(np.zeros((1, 3)), np.zeros((9, 3)))
    with pytest.raises(ValueError, match="feature arrays"):
        measure(np.zeros((9, 3)), np.zeros((9, 4)))


def test_class_shares_and_imbalance_by_hand():
    classes = [0, 0, 0, 1, 3]
    np.testing.assert_allclose(class_shares(classes, 4), [0.6, 0.2, 0, 0.2])
    assert class_imbalance(classes, 4) == pytest.approx(0.35)  # what must move to be uniform
    assert class_imbalance(np.arange(10)) == pytest.approx(0)
    assert class_imbalance(np.full(7, 9)) == pytest.approx(0.9)
    for wrong in ([], [0, 4], [-1, 0]):
        with pytest.raises(ValueError, match="class in 0 … 3"):
            class_shares(wrong, 4)


def test_imbalance_that_chance_alone_makes():
    generator = np.random.default_rng(11)
    values = [class_imbalance(generator.integers(0, 10, 10_000)) for _ in range(200)]
    assert np.mean(values) == pytest.approx(0.4 * np.sqrt(10 / 10_000), rel=0.1)


def test_images_are_read_once_for_features_and_classes(randomise):
    classifier = randomise(build_classifier(base_filters=4, feature_dim=5))
    images = np.random.default_rng(12).uniform(-1, 1, (300, 28, 28, 1)).astype(np.float32)
    features, classes = read_images(classifier, images)
    assert features.shape == (300, 5)
    np.testing.assert_array_equal(features, classifier_features(classifier, images))
    np.testing.assert_array_equal(classes, classifier.predict(images, verbose=0).argmax(1))
    assert len(set(classes)) > 1


def test_measures_can_be_taken_of_float32_features():
    a, b = gaussians(np.random.default_rng(13), 100, 4, 3.0)
    low, high = (x.astype(np.float32) for x in (a, b))
    for measure in (distribution.squared_mmd, distribution.frechet_distance):
        assert measure(low, high) == pytest.approx(measure(a, b), rel=1e-5)

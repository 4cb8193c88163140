import math

import numpy as np
import pytest
from scipy import linalg
from skimage.metrics import structural_similarity

from gan_keras.metrics.distribution import classifier_features, classifier_fid, frechet_distance
from gan_keras.metrics.image_quality import psnr, ssim
from gan_keras.networks.digits import build_classifier

PHOTOGRAPHS = np.random.default_rng(0).uniform(-1, 1, (3, 24, 20, 3)).astype(np.float32)


def test_psnr_by_hand():
    target = np.zeros((2, 4, 4, 1), np.float32)
    restored = target + np.array([0.2, 0.02], np.float32)[:, None, None, None]
    values = psnr(target, restored, 2)  # errors of a tenth and a hundredth of the range
    np.testing.assert_allclose(values, [20, 40], rtol=1e-5)
    # the average of the images' values, 30 dB, is not that of the pooled error, 22.97 dB
    assert float(np.mean(values)) == pytest.approx(30, abs=1e-3)


def test_psnr_depends_on_the_range_that_is_given():
    target, restored = PHOTOGRAPHS, 0.9 * PHOTOGRAPHS
    difference = np.subtract(psnr(target, restored, 2), psnr(target, restored, 1))
    np.testing.assert_allclose(difference, 20 * math.log10(2), rtol=1e-5)
    scaled = psnr((target + 1) * 127.5, (restored + 1) * 127.5, 255)
    np.testing.assert_allclose(scaled, psnr(target, restored, 2), rtol=1e-4)


def test_psnr_reads_integers_without_wrapping_around():
    black, white = np.zeros((1, 2, 2, 1), np.uint8), np.full((1, 2, 2, 1), 255, np.uint8)
    np.testing.assert_allclose(psnr(black, white, 255), [0], atol=1e-5)


def test_equal_images():
    assert np.isposinf(psnr(PHOTOGRAPHS, PHOTOGRAPHS, 2)).all()
    np.testing.assert_allclose(ssim(PHOTOGRAPHS, PHOTOGRAPHS, 2), 1, atol=1e-6)


@pytest.mark.parametrize("data_range", [2, 255])
def test_ssim_is_that_of_scikit_image(data_range):
    noise = np.random.default_rng(1).normal(0, 0.3, PHOTOGRAPHS.shape).astype(np.float32)
    noise *= np.array([0.3, 1, 2], np.float32)[:, None, None, None]
    target, restored = ((x * data_range / 2) for x in (PHOTOGRAPHS, PHOTOGRAPHS + noise))
    expected = [
        structural_similarity(
            a,
            b,
            data_range=data_range,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            win_size=11,
        )
        for a, b in zip(target, restored, strict=True)
    ]
    values = ssim(target, restored, data_range)
    assert values.shape == (3,)
    np.testing.assert_allclose(values, expected, atol=2e-4)
    assert max(expected) - min(expected) > 0.1


def with_moments(mean, covariance, count=64, seed=0):
    """Return samples whose mean and covariance are exactly these."""
    samples = np.random.default_rng(seed).normal(size=(count, len(mean)))
    samples -= samples.mean(0)
    root = linalg.cholesky(np.cov(samples, rowvar=False), lower=True)
    white = linalg.solve_triangular(root, samples.T, lower=True)
    return (linalg.cholesky(np.array(covariance), lower=True) @ white).T + mean


def test_frechet_distance_of_commuting_covariances():
    a = with_moments([0.0, 1.0, 2.0], np.diag([1.0, 4.0, 9.0]))
    b = with_moments([1.0, 1.0, 0.0], np.diag([4.0, 4.0, 1.0]), count=90, seed=1)
    expected = 1 + 0 + 4 + (2 - 1) ** 2 + 0 + (3 - 1) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_any_gaussians():
    generator = np.random.default_rng(3)
    roots = generator.normal(size=(2, 4, 4))
    first, second = (r @ r.T + 0.1 * np.eye(4) for r in roots)
    a, b = with_moments(np.zeros(4), first), with_moments(np.ones(4), second, seed=1)
    cross = np.trace(np.real(linalg.sqrtm(first @ second)))
    expected = 4 + np.trace(first) + np.trace(second) - 2 * cross
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_equal_and_of_degenerate_features():
    a = np.random.default_rng(4).normal(size=(50, 6))
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-9)
    flat = np.hstack([a, np.zeros((50, 3))])  # a feature that never fires
    assert frechet_distance(flat, flat + 2) == pytest.approx(4 * 9, rel=1e-9)
    one = np.array([[0.0], [2.0]])  # a single feature: variances 2 and 8
    assert frechet_distance(one, 2 * one) == pytest.approx(1 + 2 + 8 - 2 * 4)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3))),
        (np.zeros((5, 3)), np.zeros((1, 3))),
        (np.zeros((5, 3)), np.zeros((5, 4))),
        (np.zeros(5), np.zeros(5)),
    ],
)
def test_features_that_have_no_covariance_are_refused(a, b):
    with pytest.raises(ValueError, match="feature arrays"):
        frechet_distance(a, b)


def test_classifier_fid_is_the_distance_of_the_features(randomise):
    classifier = randomise(build_classifier(base_filters=4, feature_dim=5))
    generator = np.random.default_rng(5)
    images, reference = generator.uniform(-1, 1, (2, 30, 28, 28, 1)).astype(np.float32)
    features = classifier_features(classifier, images)
    assert features.shape == (30, 5)
    logits = features @ classifier.layers[-1].kernel + classifier.layers[-1].bias
    np.testing.assert_allclose(logits, classifier(images, training=False), rtol=1e-4, atol=1e-5)
    assert classifier_fid(classifier, images, images) == pytest.approx(0, abs=1e-5)
    expected = frechet_distance(features, classifier_features(classifier, reference * 0.5))
    assert classifier_fid(classifier, images, reference * 0.5) == pytest.approx(expected, rel=1e-6)
    assert expected > 0.01

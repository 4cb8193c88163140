"""Distances between distributions of images: the classifier-FID of digits."""

import keras
import numpy as np


def frechet_distance(features_a, features_b):
    r"""‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½) of two Gaussians fitted to features.

    The formula is Dowson & Landau's (1982); Heusel et al. 2017, Eq. 6, made it a measure of
    generators. tr (Σ₁Σ₂)^½ is the sum of the roots of the eigenvalues of Σ₁^½ Σ₂ Σ₁^½.

    Args:
        features_a: (N, D), N > 1.
        features_b: (M, D), M > 1.

    Returns:
        A float ≥ 0. With few samples it is biased upward: compare equal N only.

    Raises:
        ValueError: Fewer than two samples, or unequal D.
    """
    a, b = np.asarray(features_a, np.float64), np.asarray(features_b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"two feature arrays (N, D) with N > 1 are wanted: {a.shape}, {b.shape}")
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    values, vectors = np.linalg.eigh(cov_a)
    root_a = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root_a @ cov_b @ root_a), 0, None)).sum()
    distance = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a + cov_b) - 2 * cross
    return float(max(distance, 0.0))


def classifier_features(classifier, images):
    """Return the activations (N, D) of the layer named "features" for images in [-1, 1]."""
    network = keras.Model(classifier.input, classifier.get_layer("features").output)
    batches = np.array_split(np.asarray(images, np.float32), -(-len(images) // 256))
    features = [network(batch, training=False) for batch in batches]
    return np.concatenate([keras.ops.convert_to_numpy(batch) for batch in features])


def classifier_fid(classifier, images, reference):
    """Compute the Fréchet distance of a digit classifier's features.

    It is not comparable with an FID on Inception features. Print it beside its floor, the same
    distance between two disjoint sets of real images of the same N.

    Args:
        classifier: A network with a layer named "features".
        images: (N, 28, 28, 1) in [-1, 1].
        reference: (M, 28, 28, 1), real.

    Returns:
        A float ≥ 0.
    """
    return frechet_distance(
        classifier_features(classifier, images), classifier_features(classifier, reference)
    )

"""Distances between distributions of images: Fréchet, kernel, and the balance of classes.

All of them compare features of a digit classifier, so none is comparable with a number on
Inception features. Print each beside its floor, the same measure between real images and as many
other real images.
"""

import keras
import numpy as np

from gan_keras.metrics.manifold import one_thread, precision_recall


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
    a, b = _feature_pair(features_a, features_b, 2)
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    values, vectors = np.linalg.eigh(cov_a)
    root_a = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root_a @ cov_b @ root_a), 0, None)).sum()
    distance = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a + cov_b) - 2 * cross
    return float(max(distance, 0.0))


@one_thread
def frechet_interval(features_a, features_b, replicates=100, seed=0):
    r"""Compute the Fréchet distance with a 95 % interval for its expectation at these N and M.

    Each replicate is the distance of random halves of both sets, drawn without replacement. About
    the whole, the mean of half of N samples scatters with variance σ²(2/N − 1/N) = σ²/N, as the
    whole does about the population: the replicates' standard deviation s is the estimate's own
    (half-sampling; Politis & Romano 1994). Their level is not: a half is biased upward twice as
    much as the whole. (A bootstrap that draws with replacement has the same fault, since its
    duplicates hold fewer distinct samples.) So only their spread is used: distance ± 1.96 s.

    The interval is about the distance that N and M samples have on average, bias included, which
    is what a floor of equal N and M is compared with; it is not about infinitely many samples.
    In simulations (Gaussians of 4 to 64 dimensions, digit features of a GAN and of a VAE, N of 200
    to 1,000) it covered that 93 to 98 % of the time. At the floor, where the first-order term
    vanishes, s is up to 1.8 times too large and the interval always covered. It knows nothing of
    other seeds of the training.

    Args:
        features_a: (N, D), N > 3.
        features_b: (M, D), M > 3.
        replicates: Random halves.
        seed: Seed of the halves.

    Returns:
        A dictionary: `fid`, `interval` as [low, high] with low ≥ 0, and `samples` as [N, M].

    Raises:
        ValueError: Fewer than four samples, or unequal D.
    """
    a, b = _feature_pair(features_a, features_b, 4)
    distance, generator = frechet_distance(a, b), np.random.default_rng(seed)
    halves = [
        frechet_distance(*(x[generator.permutation(len(x))[: len(x) // 2]] for x in (a, b)))
        for _ in range(replicates)
    ]
    margin = float(1.96 * np.std(halves, ddof=1))
    interval = [max(distance - margin, 0.0), distance + margin]
    return {"fid": distance, "interval": interval, "samples": [len(a), len(b)]}


def squared_mmd(features_a, features_b):
    r"""Estimate the squared maximum mean discrepancy with the kernel k(x, y) = (x·y/D + 1)³.

    The unbiased estimate of E k(a, a') + E k(b, b') − 2 E k(a, b) (Gretton et al. 2012, Eq. 3):
    no sample meets itself.

    Args:
        features_a: (N, D), N > 1.
        features_b: (M, D), M > 1.

    Returns:
        A float; its expectation is 0 for equal distributions, so it may be negative.

    Raises:
        ValueError: Fewer than two samples, or unequal D.
    """
    a, b = _feature_pair(features_a, features_b, 2)

    def kernel_sum(x, y):
        inner = x @ y.T
        inner /= x.shape[1]
        inner += 1
        return np.vdot(inner * inner, inner)  # a power of 3 is 20 times slower

    def mean_of_others(x):
        itself = (np.square(x).mean(1) + 1) ** 3  # k(x, x)
        return (kernel_sum(x, x) - itself.sum()) / (len(x) * (len(x) - 1))

    across = kernel_sum(a, b) / (len(a) * len(b))
    return float(mean_of_others(a) + mean_of_others(b) - 2 * across)


@one_thread
def kernel_distance(features_a, features_b, subset_size=1000, subsets=100, seed=0):
    r"""Compute the KID: `squared_mmd` averaged over random subsets (Bińkowski et al. 2018, §4).

    Subsets of m out of n samples overlap, so their standard deviation s over √(number of subsets)
    would only say how well the average over all subsets is known. The standard error here also
    counts the n samples: s² (1/subsets + m/(n − m)), since a subset scatters about the whole with
    variance c(1/m − 1/n) and the whole about the population with c/n. It is too large, never too
    small, where the distributions are nearly equal.

    Args:
        features_a: (N, D), N > 3.
        features_b: (M, D), M > 3.
        subset_size: m above; at most half of the smaller set is used.
        subsets: How many.
        seed: Seed of the subsets.

    Returns:
        A dictionary: `kid`, `error` (one standard error), `subset_size`, `subsets`, and `samples`
        as [N, M]. The expectation of `kid` is 0 for equal distributions, whatever N.

    Raises:
        ValueError: Fewer than four samples, or unequal D.
    """
    a, b = _feature_pair(features_a, features_b, 4)
    count, generator = min(len(a), len(b)), np.random.default_rng(seed)
    size = min(subset_size, count // 2)
    values = [
        squared_mmd(*(x[generator.choice(len(x), size, replace=False)] for x in (a, b)))
        for _ in range(subsets)
    ]
    error = np.std(values, ddof=1) * np.sqrt(1 / subsets + size / (count - size))
    result = {"kid": float(np.mean(values)), "error": float(error)}
    return result | {"subset_size": size, "subsets": subsets, "samples": [len(a), len(b)]}


def compare_features(generated, real, balls=5000, seed=0):
    """Compare generated features with real ones in every way there is here.

    Args:
        generated: (N, D).
        real: (M, D).
        balls: Features a side, at most, on which precision and recall are measured.
        seed: Seed of what is resampled and of the choice of features.

    Returns:
        A dictionary: `samples` (N), `fid`, `fid_interval` (95 %), `kid`, `kid_error` (a standard
        error), `precision` and `recall`, and `manifold_samples`, on how many of a side.
    """
    frechet = frechet_interval(generated, real, seed=seed)
    kernel = kernel_distance(generated, real, seed=seed)
    balls, generator = min(balls, len(generated), len(real)), np.random.default_rng(seed)
    some = (x[generator.permutation(len(x))[:balls]] for x in (generated, real))
    precision, recall = precision_recall(*some)
    return {
        "samples": len(generated),
        "fid": frechet["fid"],
        "fid_interval": frechet["interval"],
        "kid": kernel["kid"],
        "kid_error": kernel["error"],
        "precision": precision,
        "recall": recall,
        "manifold_samples": balls,
    }


def class_shares(classes, count=10):
    """Return the share (count,) of each class among predicted classes (N,) in 0 … count − 1."""
    classes = np.asarray(classes)
    if classes.size == 0 or classes.min() < 0 or classes.max() >= count:
        raise ValueError(f"at least one class in 0 … {count - 1} is wanted: {classes}")
    return np.bincount(classes, minlength=count) / classes.size


def class_imbalance(classes, count=10):
    """Return the total variation distance ½ Σ |share − 1/count| of classes (N,) from uniform.

    0 is balance, 1 − 1/count one class alone. N samples of a balanced generator have about
    0.4·√(count/N) by chance: 0.013 for ten classes and 10,000 samples.
    """
    return float(0.5 * np.abs(class_shares(classes, count) - 1 / count).sum())


def read_images(classifier, images):
    """Return the activations (N, D) of the layer "features" and the predicted classes (N,).

    Args:
        classifier: A network with a layer named "features"; its output are logits.
        images: (N, 28, 28, 1) in [-1, 1].
    """
    outputs = [classifier.get_layer("features").output, classifier.output]
    network = keras.Model(classifier.input, outputs)
    batches = np.array_split(np.asarray(images, np.float32), -(-len(images) // 256))
    read = [network(batch, training=False) for batch in batches]
    features, logits = (
        np.concatenate([keras.ops.convert_to_numpy(batch) for batch in batches])
        for batches in zip(*read, strict=True)
    )
    return features, logits.argmax(1)


def classifier_features(classifier, images):
    """Return the activations (N, D) of the layer named "features" for images in [-1, 1]."""
    return read_images(classifier, images)[0]


def classifier_fid(classifier, images, reference):
    """Compute the Fréchet distance of a digit classifier's features.

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


def _feature_pair(features_a, features_b, least):
    """Return both as float64, or say what is wrong with their shapes."""
    a, b = np.asarray(features_a, np.float64), np.asarray(features_b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < least:
        raise ValueError(
            f"two feature arrays (N, D) with N ≥ {least} are wanted: {a.shape}, {b.shape}"
        )
    return a, b

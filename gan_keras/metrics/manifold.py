"""Nearest neighbours: improved precision and recall, and a check for memorised images."""

import numpy as np
from threadpoolctl import threadpool_limits

BLOCK = 2**22  # distances held at once: 32 MB in float64

# NumPy's second thread gains nothing on matrices of this size, and beside another busy process it
# waits in a loop: five to ten times the processor's time.
one_thread = threadpool_limits.wrap(limits=1, user_api="blas")


@one_thread
def precision_recall(generated, real, neighbours=3):
    """Compute improved precision and recall (Kynkäänniemi et al. 2019, §2).

    The manifold of a set is taken to be the union of balls, one around each point, that reach to
    its k-th nearest neighbour in the set. Precision is the share of generated points inside the
    real manifold (are they good?), recall that of real points inside the generated one (are they
    all there?). Both rise with the number of points: compare equal N, and look at the floor.

    Args:
        generated: Features (N, D).
        real: Features (M, D).
        neighbours: k.

    Returns:
        (precision, recall), each in [0, 1].

    Raises:
        ValueError: Unequal D, or not more than k points.
    """
    generated, real = np.asarray(generated, np.float64), np.asarray(real, np.float64)
    _check_points(neighbours, generated, real)
    return _share_inside(generated, real, neighbours), _share_inside(real, generated, neighbours)


@one_thread
def memorisation(generated, held_out, training, quantile=0.01, neighbours=5, worst=10):
    """Look for generated images that are copies of training images.

    A copy is much nearer to one training image than to the next ones, so the measure is the
    distance to the nearest over the mean distance to the k after it: 0 for a copy, below 1 always
    (so Carlini et al. 2023, §4.2, told copies from plain images, which are near to everything).
    Held-out images say what is usual: a generator that copies nothing has a share of about
    `quantile` or, where its images lie apart from the real ones, less. It knows the space that it
    is given: of pixels, it sees through noise, but not through a shift; and it misses an altered
    copy of an image that the training set holds more than k times.

    Args:
        generated: (N, …); pixels tell copies from good images better than classifier features.
        held_out: (H, …), real, not trained on.
        training: (T, …), T > k, what the generator was trained on.
        quantile: The share of held-out images that the threshold calls copies.
        neighbours: k.
        worst: Number of suspicious pairs to return.

    Returns:
        A dictionary: `share` of generated images below the held-out quantile, `quantile`,
        `median_ratio` of the generated median to the held-out one (near 0 for a copier, about 1
        where nothing is copied), `samples` as [N, H, T], and `pairs`, int (≤ worst, 2):
        indices into `generated` and `training`, most suspicious first.

    Raises:
        ValueError: Unequal sizes of images, not more than k training images, or held-out images
            that are training images.
    """
    generated, held_out, training = (
        np.asarray(images, np.float32).reshape(len(images), -1)
        for images in (generated, held_out, training)
    )
    _check_points(neighbours, training)
    _check_points(0, generated, held_out, training)
    measure, nearest = _relative_distance(generated, training, neighbours)
    usual, _ = _relative_distance(held_out, training, neighbours)
    if not np.median(usual):
        raise ValueError("most held-out images are training images: nothing to compare with")
    order = np.argsort(measure, kind="stable")[:worst]
    return {
        "share": float(np.mean(measure < np.quantile(usual, quantile))),
        "quantile": quantile,
        "median_ratio": float(np.median(measure) / np.median(usual)),
        "samples": [len(generated), len(held_out), len(training)],
        "pairs": np.stack([order, nearest[order]], axis=1),
    }


def _check_points(least, *sets):
    if any(x.ndim != 2 or x.shape[1] != sets[0].shape[1] or len(x) <= least for x in sets):
        raise ValueError(
            f"sets of more than {least} points of one size are wanted: "
            f"{', '.join(str(x.shape) for x in sets)}"
        )


def _distance_blocks(points, others):
    """Yield (index of the first row, squared distances (rows, M)) of (N, D) from (M, D)."""
    rows, squares = max(1, BLOCK // len(others)), np.square(others).sum(1)
    for start in range(0, len(points), rows):
        some = points[start : start + rows]
        block = some @ others.T
        block *= -2
        block += squares
        block += np.square(some).sum(1)[:, None]
        yield start, block


def _share_inside(points, centres, neighbours):
    """Share of points (N, D) inside at least one centre's ball."""
    radii = []
    for start, block in _distance_blocks(centres, centres):
        rows = np.arange(len(block))
        block[rows, start + rows] = np.inf  # no centre is its own neighbour
        block.partition(neighbours - 1, axis=1)
        radii.append(block[:, neighbours - 1].copy())
    radii = np.concatenate(radii)
    inside = [(block <= radii).any(1) for _, block in _distance_blocks(points, centres)]
    return float(np.concatenate(inside).mean())


def _relative_distance(points, training, neighbours):
    """Distance to the nearest of `training` over the mean of the next k, and the nearest's index.

    Differences are taken again for the few nearest: in ‖x‖² + ‖y‖² − 2x·y a copy is lost in
    rounding.
    """
    measures, nearest = [], []
    for start, block in _distance_blocks(points, training):
        close = np.argpartition(block, neighbours, axis=1)[:, : neighbours + 1]
        some = points[start : start + len(block)]
        distances = np.stack([np.linalg.norm(some - training[i], axis=1) for i in close.T], axis=1)
        order = np.argsort(distances, axis=1)
        distances = np.take_along_axis(distances, order, axis=1)
        mean = distances[:, 1:].mean(1)
        measures.append(np.divide(distances[:, 0], mean, np.zeros_like(mean), where=mean > 0))
        nearest.append(np.take_along_axis(close, order, axis=1)[:, 0])
    return np.concatenate(measures), np.concatenate(nearest)

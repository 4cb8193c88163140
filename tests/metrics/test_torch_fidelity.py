"""The same features given to torch-fidelity (optional: `pip install torch torch-fidelity`)."""

import numpy as np
import pytest

from gan_keras.metrics.distribution import frechet_distance, kernel_distance, squared_mmd
from gan_keras.metrics.manifold import precision_recall

torch = pytest.importorskip("torch")
pytest.importorskip("torch_fidelity")


@pytest.fixture(scope="module")
def features():
    """Return two sets of 64 rectified and correlated features, as a classifier's are."""
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(64, 64))
    a = generator.normal(size=(1500, 64)) @ mixing
    b = (0.3 + 0.9 * generator.normal(size=(1500, 64))) @ mixing
    return np.maximum(a, 0), np.maximum(b, 0)


def test_frechet_distance(features):
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    statistics = [fid_features_to_statistics(torch.from_numpy(x)) for x in features]
    theirs = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    ours = frechet_distance(*features)
    print(f"FID: ours {ours!r}, theirs {theirs!r}")
    assert ours == pytest.approx(theirs, rel=1e-9)


def kid_of_torch_fidelity(features, subset_size, subsets):
    from torch_fidelity.metric_kid import kid_features_to_metric

    found = kid_features_to_metric(
        *map(torch.from_numpy, features),
        kid_subsets=subsets,
        kid_subset_size=subset_size,
        rng_seed=1,
        verbose=False,
    )
    return found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]


def test_kernel_distance(features):
    theirs, _ = kid_of_torch_fidelity(features, 1500, 1)  # one subset, all samples: no chance
    ours = squared_mmd(*features)
    print(f"MMD²: ours {ours!r}, theirs {theirs!r}")
    assert ours == pytest.approx(theirs, rel=1e-9)
    theirs, spread = kid_of_torch_fidelity(features, 500, 100)  # other subsets than ours
    ours = kernel_distance(*features, subset_size=500, subsets=100)["kid"]
    print(f"KID: ours {ours!r}, theirs {theirs!r}, a subset's standard deviation {spread!r}")
    assert abs(ours - theirs) < 4 * spread * np.sqrt(2 / 100)


def test_precision_and_recall(features):
    from torch_fidelity.metric_prc import prc_features_to_metric

    generated, real = features[0], features[1][:1200]
    theirs = prc_features_to_metric(
        torch.from_numpy(generated), torch.from_numpy(real), prc_neighborhood=3, verbose=False
    )
    ours = precision_recall(generated, real, neighbours=3)
    print(f"precision and recall: ours {ours}, theirs {theirs}")
    assert ours == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-6)
    assert 0.01 < ours[0] != ours[1] < 0.99

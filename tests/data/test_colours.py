"""Other colours: what stays, what moves, and how far."""

import numpy as np
import pytest

from gan_keras.data.colours import vary_colours


def photograph(seed=0):
    """Muted, so that nothing clips."""
    values = np.random.default_rng(seed).uniform(-0.15, 0.15, (20, 30, 3))
    return values.astype(np.float32)


def varied(seed):
    return vary_colours(photograph(), np.random.default_rng(seed))


def test_brightness_stays_and_channels_move_apart_by_one_factor():
    before = photograph()
    apart = before - before.mean(-1, keepdims=True)
    factors, orders = [], set()
    for seed in range(300):
        after = varied(seed)
        assert after.dtype == np.float32 and after.shape == before.shape
        np.testing.assert_allclose(after.mean(-1), before.mean(-1), atol=1e-6)
        moved = after - after.mean(-1, keepdims=True)
        sizes = [np.linalg.norm(x, axis=(0, 1)) for x in (apart, moved)]
        factor = np.linalg.norm(sizes[1]) / np.linalg.norm(sizes[0])
        if factor > 1e-3:
            order = tuple(
                int(
                    np.argmin(
                        [np.abs(moved[..., i] - factor * apart[..., j]).max() for j in range(3)]
                    )
                )
                for i in range(3)
            )
            np.testing.assert_allclose(moved, factor * apart[..., order], atol=1e-5)
            orders.add(order)
        factors.append(factor)
    factors = np.array(factors)
    assert len(orders) == 6
    assert np.mean(factors < 1e-3) == pytest.approx(0.15, abs=0.06)  # grey
    coloured = factors[factors > 1e-3]
    assert 0.5 <= coloured.min() < 0.55 and 2.7 < coloured.max() <= 3.0
    assert np.median(coloured) == pytest.approx(1.5**0.5, rel=0.2)  # uniform in the logarithm


def test_it_is_a_function_of_the_generator_alone_and_clips():
    np.testing.assert_array_equal(varied(3), varied(3))
    loud = np.random.default_rng(0).uniform(-1, 1, (8, 8, 3)).astype(np.float32)
    before = loud.copy()
    results = [vary_colours(loud, np.random.default_rng(seed)) for seed in range(20)]
    assert max(np.abs(result).max() for result in results) == 1
    np.testing.assert_array_equal(loud, before)

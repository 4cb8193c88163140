"""Other colours: what stays, what moves, and how far."""

import numpy as np
import pytest

from gan_keras.data.colours import tint_colours, vary_colours


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


def test_tints_turn_detail_of_brightness_into_detail_of_colour():
    """Of a grey picture, half of the time: each channel a multiple of what it was, 0.05 to 1."""
    grey = np.repeat(photograph()[..., :1], 3, axis=-1)
    coloured = 0
    for seed in range(200):
        after = tint_colours(grey, np.random.default_rng(seed))
        assert after.dtype == np.float32 and after.min() >= -1 and after.max() <= 1
        shares = (after + 1) / (grey + 1)
        assert shares.min() >= 0.05 - 1e-6 and shares.max() <= 1 + 1e-6
        fine = after - after.mean(-1, keepdims=True)
        coloured += np.abs(fine - fine.mean((0, 1))).max() > 0.01
        np.testing.assert_array_equal(after, tint_colours(grey, np.random.default_rng(seed)))
    assert 0.4 < coloured / 200 < 0.6


def test_tints_come_after_the_other_colours():
    results = [(tint_colours(photograph(), np.random.default_rng(i)), varied(i)) for i in range(60)]
    same = [np.array_equal(tinted, other) for tinted, other in results]
    assert 0.3 < np.mean(same) < 0.7

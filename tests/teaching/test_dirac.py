"""The Dirac-GAN and its portrait; what is a theorem about it is in tests/test_theory.py."""

import numpy as np
import pytest

from gan_keras.teaching import dirac, portrait, show


def test_one_round_by_hand():
    """At θ = 1, ψ = 0 the logit is 0, and both weights are ½."""
    assert dirac.play_round(1.0, 0.0, 0.2, "simultaneous") == (1.0, -0.1)
    theta, psi = dirac.play_round(1.0, 0.0, 0.2, "alternating")
    weight = 1 / (1 + np.exp(-0.1))  # 1 − σ(a) for a = −0.1 is σ(0.1)
    assert psi == -0.1 and theta == pytest.approx(1 - 0.2 * weight * 0.1)


def test_each_player_has_its_rate_and_friction_is_the_discriminators():
    theta, psi = dirac.play_round(0.0, 1.0, (0.2, 0.0), "simultaneous", gamma=5.0)
    assert (theta, psi) == (0.1, 1.0)
    theta, psi = dirac.play_round(0.0, 1.0, (0.0, 0.2), "simultaneous", gamma=2.0)
    assert (theta, psi) == (0.0, pytest.approx(0.6))


@pytest.mark.parametrize("order", dirac.ORDERS)
def test_games_side_by_side_are_played_as_alone(order):
    starts = np.array([[1.0, 0.3], [0.2, -0.4]])
    together = dirac.orbit(*starts, 0.3, 5, order, gamma=0.2)
    assert together.shape == (6, 2, 2)
    for index in range(2):
        alone = dirac.orbit(*starts[:, index], 0.3, 5, order, gamma=0.2)
        np.testing.assert_allclose(together[:, :, index], alone, rtol=1e-12)


def test_the_flow_is_what_small_steps_come_to():
    far = dirac.orbit(1.0, 0.5, 0.5, 4, "continuous")[-1]
    for order in ("simultaneous", "alternating"):
        errors = [
            np.linalg.norm(dirac.orbit(1.0, 0.5, h, round(2 / h), order)[-1] - far)
            for h in (0.02, 0.002)
        ]
        assert errors[1] < 0.15 * errors[0] < 0.01  # first order: a tenth of the step and error


def test_verdicts():
    angles = np.linspace(0, 20, 200)[:, None]
    circle = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    shrinking = np.linspace(1, 0, 200)[:, None]
    assert dirac.verdict(circle) == "circles"
    assert dirac.verdict(circle * (1 + angles / 20)) == "flies apart"
    assert dirac.verdict(circle * (0.3 + shrinking)) == "creeps in"
    assert dirac.verdict(circle * shrinking**3) == "settles"
    assert set(portrait.COLOURS) == {"circles", "flies apart", "creeps in", "settles"}


def test_errors_name_what_there_is():
    with pytest.raises(ValueError, match="saturating, non_saturating"):
        dirac.velocity(1.0, 1.0, "hinge")
    with pytest.raises(ValueError, match="continuous, simultaneous, alternating"):
        dirac.play_round(1.0, 1.0, 0.1, "at random")


def test_the_portraits_tell_eight_stories(monkeypatch):
    monkeypatch.setenv(show.STATIC, "1")
    figure = portrait.press_play().figure
    told = [axes.get_title().split("\n")[1] for axes in figure.axes]
    assert told == [
        *("circles; circles", "flies apart; flies apart", "circles; circles", "settles; settles"),
        *("creeps in; creeps in", "creeps in; flies apart", "creeps in; creeps in"),
        "settles; settles",
    ]


def test_where_a_kernel_runs_there_is_a_button_to_press(monkeypatch):
    monkeypatch.delenv(show.STATIC, raising=False)
    widget = portrait.press_play(rounds=40)
    controls, picture = widget.children
    clock, position = controls.children[-1].children
    assert type(clock).__name__ == "Play" and clock.max == position.max == 40
    position.value = 40  # draws the end, verdict and all
    assert picture.outputs == () or "error" not in str(picture.outputs)

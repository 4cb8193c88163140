"""The bug museum: each broken form is worse, each check catches it and lets the right one pass."""

import math
import re

import pytest

from gan_keras.cli import main
from gan_keras.errors import UserError
from gan_keras.teaching import museum

READY = [exhibit.number for exhibit in museum.CATALOGUE if exhibit.ready]
TRAINED = (11, 12, 13)  # they train small VAEs, some ten seconds in all
SEEN = [pytest.param(n, marks=pytest.mark.slow) if n in TRAINED else n for n in READY]


@pytest.fixture(scope="module")
def damage():
    """Return a function that runs an exhibit, once for all tests."""
    done = {}

    def run(number):
        if number not in done:
            done[number] = museum.run(number)
        return done[number]

    return run


def test_the_catalogue_has_all_exhibits_in_order():
    assert [exhibit.number for exhibit in museum.CATALOGUE] == list(range(1, 29))
    assert [*range(1, 8), *range(11, 19), 23, 24, 25, 27, 28] == READY


@pytest.mark.parametrize("number", SEEN)
def test_the_check_catches_the_broken_form_and_nothing_else(number, damage):
    shown = damage(number)
    assert len(shown.complaint) > 20
    assert shown.passed == ""
    assert shown.broken != shown.right
    assert shown.figure.axes


def test_three_doublings_give_56_and_are_refused_by_a_fixed_discriminator(damage):
    assert (damage(1).broken, damage(1).right) == (56, 28)
    assert "56" in damage(1).complaint
    assert "refuses" in damage(1).harmless


def test_probabilities_as_logits_have_a_floor(damage):
    floor = (math.log1p(math.exp(-1)) + math.log(2)) / 2
    assert damage(2).broken == pytest.approx(floor, abs=1e-4)
    assert damage(2).right < 1e-6
    assert "Keras sees which layer made it" in damage(2).harmless


def test_keras_still_repairs_the_direct_case():
    import keras
    import numpy as np

    scores = keras.Input((1,))
    head = keras.Model(scores, keras.layers.Activation("sigmoid")(scores))
    outputs = head(np.array([[20.0], [-20.0]]))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    with pytest.warns(UserWarning, match="Sigmoid"):
        assert float(loss(np.array([[1.0], [0.0]]), outputs)) < 1e-6


def test_an_unbalanced_batch_moves_the_mean_logit_to_the_log_ratio(damage):
    assert damage(3).broken == pytest.approx(math.log(96 / 256), abs=0.05)
    assert abs(damage(3).right) < 0.05
    assert "mean logit 0.0" in damage(3).harmless


def test_one_tape_on_both_losses_of_the_min_max_leaves_nothing_for_the_generator(damage):
    assert damage(4).broken == 0  # two terms with two signs: exactly nothing
    assert damage(4).right > 0.1
    assert "persistent" in damage(4).harmless


def test_the_saturating_loss_starves_by_what_one_minus_d_over_d_says(damage):
    assert damage(7).broken == pytest.approx((1 - 1e-4) / 1e-4, rel=1e-3)
    assert damage(7).right == 1
    moved = re.search(r"by (\S+) and (\S+), where plain gradient descent moved it by (\S+) and",
                      damage(7).harmless)  # fmt: skip
    starved, kept, by_descent = map(float, moved.groups())
    assert starved == pytest.approx(kept, rel=0.3)  # Adam
    assert by_descent < 1e-3 * starved


def test_a_generator_with_label_0_is_found_out(damage):
    assert damage(24).broken < 0.01 < 0.2 < damage(24).right < 0.8
    assert damage(24).harmless == ""


def test_swapped_arguments_keep_the_fakes_from_the_discriminator(damage):
    assert damage(25).broken == 0
    assert damage(25).right == pytest.approx(1 / (1 + math.exp(-4)), rel=1e-4)
    assert "16.1·D" in damage(25).harmless
    assert -math.log(1e-7) == pytest.approx(16.1, abs=0.05)  # what Keras clips at


def test_inert_normalisation_lets_the_signal_fade(damage):
    assert damage(5).broken < 0.2 * damage(5).right


def test_a_frozen_discriminator_does_not_move(damage):
    assert damage(6).broken == 0
    assert damage(6).right > 0.05
    assert damage(6).harmless == ""


def test_a_small_buffer_shows_one_digit(damage):
    assert (damage(28).broken, damage(28).right) == (1, 10)


def test_a_notebook_shows_an_exhibit_with_its_picture(damage, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.setattr(museum, "run", damage)
    museum.show(5)
    museum.show(1, heading=False)
    (first, picture, second, _), exhibit = shown, museum.find(5)
    assert first.text.startswith(f"### Exhibit 5: {exhibit.mistake}\n\n{exhibit.measure}: **0.0")
    assert "was training=True passed?\n" in first.text  # a question needs no full stop
    assert picture.figure is damage(5).figure and picture.words == exhibit.mistake
    assert second.text.startswith("side of the image: **56** broken, **28** right. ")
    assert "count doublings.\n\n*Harmless where* D has" in second.text


def test_an_enhancer_of_fresh_noise_agrees_by_chance(damage):
    assert 0.02 < damage(14).broken < 0.25 < 0.7 < damage(14).right
    assert "largest difference 0)" in damage(14).complaint


def test_scaling_twice_divides_by_half_the_range(damage):
    assert damage(15).broken == pytest.approx(damage(15).right / 127.5, rel=1e-4)
    assert "-1.0078 and -0.9922" in damage(15).complaint


def test_one_number_normalises_to_nothing(damage):
    assert damage(16).broken == 0 and damage(16).right > 0.5
    assert all(norm in damage(16).complaint for norm in ("instance norm", "batch norm"))
    alive = float(re.search(r"variance (\S+)\)", damage(16).harmless).group(1))
    assert alive > 0.5  # batch normalisation of sixteen images at 1×1


def test_crops_drawn_before_the_cache_are_drawn_once(damage):
    assert (damage(17).broken, damage(17).right) == (1, 5)


def test_a_peak_of_1_costs_six_decibels(damage):
    lost = 20 * math.log10(2)
    assert damage(18).right - damage(18).broken == pytest.approx(lost, abs=1e-4)
    assert damage(18).right == pytest.approx(20 * math.log10(255 / 25), abs=0.1)
    assert "14.1" in damage(18).complaint and "6.02 dB" in damage(18).lesson


def test_in_training_mode_batch_mates_move_the_psnr(damage):
    assert damage(23).broken > 1 and damage(23).right < 1e-3
    assert int(re.search(r"up to (\d+) grey", damage(23).complaint).group(1)) > 10


def test_the_degraded_image_as_real_teaches_to_do_nothing(damage):
    assert abs(damage(27).broken) < 0.2
    assert damage(27).right > 3
    assert damage(27).complaint.startswith("100% of the pixels")


@pytest.mark.slow
def test_the_printed_bound_does_not_know_the_image(damage):
    assert damage(11).broken == 0
    assert damage(11).right > 50
    printed, prior = re.search(r"training: (\S+) against (\S+) nats", damage(11).lesson).groups()
    assert float(printed) == pytest.approx(float(prior), abs=0.3)
    assert float(prior) == pytest.approx(-4 * math.log(2 * math.pi), abs=0.1)  # q sits on 0


@pytest.mark.slow
def test_a_mean_over_pixels_kills_every_latent(damage):
    assert damage(12).broken < 0.01
    assert damage(12).right > 5
    assert "543 nats" in damage(12).complaint and "β is 784" in damage(12).complaint


@pytest.mark.slow
def test_a_test_set_in_the_training_set_flatters(damage):
    assert damage(13).broken > 10
    assert abs(damage(13).right) < 0.5 * damage(13).broken
    last, whole = map(
        float, re.search(r"spread is (\S+) nats.* (\S+)\.$", damage(13).lesson).groups()
    )
    assert 1 < last < 10 and whole < 0.1 * last


def test_the_command_lists_and_refuses(capsys):
    assert main(["museum"]) == 0
    listed = capsys.readouterr().out
    assert listed.count("(coming)") == len(museum.CATALOGUE) - len(READY)
    assert main(["museum", "9"]) == 2
    assert "comes with chapter 04; open: 1, 2, 3, 4, 5, 6, 7, 11, 12" in capsys.readouterr().err
    assert main(["museum", "99"]) == 2
    assert "numbered 1 to 28" in capsys.readouterr().err
    with pytest.raises(UserError):
        museum.run("four")


def test_the_command_runs_one_and_saves_its_picture(tmp_path, capsys):
    assert main(["museum", "01", "--out", str(tmp_path / "one.png")]) == 0
    said = capsys.readouterr().out
    assert "broken 56, right 28" in said
    assert "the check says: G makes images (56, 56, 1)" in said
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_listing_needs_no_tensorflow(run_python):
    code = """
import sys
from gan_keras.cli import main

main(["museum"])
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr

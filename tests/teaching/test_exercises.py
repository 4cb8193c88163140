"""Every chapter's exercises: right, right otherwise, wrong in typical ways, and the stub.

The answers are in answers_NN.py: OTHERWISE has right ones written another way, WRONG wrong ones
with the message that each must get.
"""

from importlib import import_module

import pytest
from answers import SEEDS, found_in_the_wild, points_of, solution

from gan_keras.errors import UserError
from gan_keras.teaching.exercises import NotYet, check, exercises, ladder

CHAPTERS = {n: import_module(f"answers_{n}") for n in ("01", "02", "03", "05", "06")}
GRADED = [e.number for chapter in CHAPTERS for e in exercises(chapter) if e.inspect]
WRONG = [wrong for chapter in CHAPTERS.values() for wrong in chapter.WRONG]


@pytest.mark.parametrize("number", GRADED)
def test_the_solution_passes_with_any_seed(number, monkeypatch, capsys):
    answer = solution(number)
    check(number, answer)
    for seed in SEEDS:
        monkeypatch.setenv("GRADING_SEED", seed)
        check(number, answer, hidden=True)
    assert capsys.readouterr().out.count("passed") == 1 + len(SEEDS)


@pytest.mark.parametrize("number", GRADED)
def test_right_answers_written_another_way_pass(number, monkeypatch):
    monkeypatch.setenv("GRADING_SEED", "7")
    for hidden in (False, True):
        check(number, CHAPTERS[number[:2]].OTHERWISE[number], hidden)


@pytest.mark.parametrize(("number", "answer", "message"), WRONG)
def test_typical_wrong_answers_get_the_message_that_helps(number, answer, message, monkeypatch):
    monkeypatch.setenv("GRADING_SEED", "11")
    expected = rf"(?s)^{number}: .*(?:{message}).*\(chapter {number[:2]} §"
    with pytest.raises(NotYet, match=expected):
        check(number, answer)
    with pytest.raises(NotYet):
        check(number, answer, hidden=True)


@pytest.mark.parametrize("number", GRADED)
def test_each_exercise_has_two_wrong_answers_or_more(number):
    assert [wrong for wrong, _, _ in WRONG].count(number) >= 2


@pytest.mark.parametrize("number", GRADED)
def test_the_stub_says_that_it_is_the_stub(number):
    def stub(*_):
        raise NotImplementedError("your answer goes here")

    with pytest.raises(NotYet, match=rf"{number}: this is still the stub"):
        check(number, stub)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_ladder_lists_points_and_minutes(chapter):
    text = repr(ladder(chapter))
    assert all(exercise.title in text for exercise in exercises(chapter))
    assert 4 <= len(exercises(chapter)) <= 6
    assert points_of(chapter) == {e.number: e.points for e in exercises(chapter) if e.inspect}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_what_was_found_in_the_wild_is_refused(chapter):
    """The third exercise of each chapter shows a broken function; its mistakes are in WRONG."""
    message = {"02": "swapped", "05": "denominator"}.get(chapter, f"chapter {chapter} §")
    with pytest.raises(NotYet, match=rf"{chapter}\.3: .*{message}"):
        check(f"{chapter}.3", found_in_the_wild(chapter))


def test_code_that_raises_is_quoted_and_shown_without_a_traceback():
    with pytest.raises(NotYet, match=r"your code raised KeyError: 'x'") as caught:
        check("03.1", lambda g, rate: {}["x"])
    assert caught.value._render_traceback_() == [f"not yet: {caught.value}"]


def test_hidden_inputs_are_others_than_the_visible_and_need_a_seed(monkeypatch):
    monkeypatch.delenv("GRADING_SEED", raising=False)
    adam = CHAPTERS["03"].OTHERWISE["03.1"]
    with pytest.raises(UserError, match="GRADING_SEED"):
        check("03.1", adam, hidden=True)
    seen = {}
    for seed in (None, "1", "2"):
        asked = []

        def spy(gradient, rate, asked=asked):
            asked.append((gradient, rate))
            return adam(gradient, rate)

        if seed:
            monkeypatch.setenv("GRADING_SEED", seed)
        check("03.1", spy, hidden=bool(seed))
        seen[seed] = asked
    assert seen[None] != seen["1"] != seen["2"]


def test_numbers_that_nobody_checks_are_refused():
    with pytest.raises(UserError, match=r"no exercise 03\.9: there are 03\.1"):
        check("03.9", None)
    with pytest.raises(UserError, match="★"):
        check("03.6", None)
    with pytest.raises(UserError, match="chapter 09"):
        check("09.1", None)

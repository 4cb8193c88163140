"""Exercises that grade themselves: `check("03.2", answer)`.

A check is deterministic, takes less than ten seconds, and says what is wrong and where in the
chapter to look. Its inputs are drawn from a generator: with a fixed seed where a student checks an
answer, with the secret GRADING_SEED of the environment in a teacher's hidden tests.
"""

import importlib
import os
from dataclasses import dataclass

import numpy as np

from gan_keras.errors import UserError
from gan_keras.teaching.show import table

CHAPTERS = ("01", "02", "03", "05", "06")
SEED = "GRADING_SEED"


class NotYet(AssertionError):
    """What a check says of an answer that is not right yet; Jupyter shows the message alone."""

    def _render_traceback_(self):
        return [f"not yet: {self}"]


@dataclass(frozen=True)
class Exercise:
    """An exercise and its check.

    Attributes:
        number: Such as "03.2".
        kind: "predict", "derive and code", "find the bug", "build", "show" or "★".
        title: One line.
        minutes: About how long it takes.
        points: 0 for a ★, which nobody grades.
        where: The chapter's section to look at.
        inspect: Called as ``inspect(answer, draw)`` with a NumPy generator; raises `NotYet`, or
            returns a sentence that praises. None for a ★.
    """

    number: str
    kind: str
    title: str
    minutes: int
    points: int
    where: str
    inspect: object = None


def exercises(chapter):
    """Return a chapter's exercises, in order.

    Raises:
        UserError: The chapter has none yet.
    """
    if chapter not in CHAPTERS:
        raise UserError(f"no exercises for chapter {chapter}: there are some for {CHAPTERS}")
    return importlib.import_module(f"gan_keras.teaching.exercises.chapter_{chapter}").EXERCISES


def find(number):
    """Return an exercise by its number.

    Raises:
        UserError: There is none.
    """
    chapter = str(number).split(".")[0]
    for exercise in exercises(chapter):
        if exercise.number == number:
            return exercise
    known = ", ".join(exercise.number for exercise in exercises(chapter))
    raise UserError(f"no exercise {number}: there are {known}")


def check(number, answer, hidden=False):
    """Check an answer.

    Args:
        number: Of the exercise, such as "03.2".
        answer: What the exercise asks for.
        hidden: Draw the inputs from the environment's GRADING_SEED, as a teacher's tests do.

    Raises:
        NotYet: The answer is not right yet; the message says what is wrong and where to look.
        UserError: There is no such exercise, or no GRADING_SEED for a hidden test.

    Example:
        >>> check("03.2", design)
        03.2 passed: …
    """
    exercise = find(number)
    if exercise.inspect is None:
        raise UserError(f"{number} is a ★: nobody grades it")
    if hidden and not os.environ.get(SEED, "").isdigit():
        raise UserError(f"hidden tests need {SEED}, an integer, in the environment")
    seed = [int(os.environ[SEED]), 1] if hidden else [0, 0]
    chapter, place = number.split(".")
    draw = np.random.default_rng([*seed, int(chapter), int(place)])
    try:
        praise = exercise.inspect(answer, draw)
    except NotImplementedError:
        message = "this is still the stub: write your answer in its place, and delete the `raise`"
    except NotYet as complaint:
        message = str(complaint)
    except Exception as error:  # whatever a student's code does
        message = f"your code raised {type(error).__name__}: {error}"
    else:
        print(f"{number} passed: {praise}")
        return
    raise NotYet(f"{number}: {message} (chapter {exercise.where})") from None


def ladder(chapter):
    """Show a chapter's exercises as a table."""
    rows = [[e.number, e.kind, e.title, e.minutes, e.points or "–"] for e in exercises(chapter)]
    return table(["exercise", "kind", "what", "minutes", "points"], *rows)

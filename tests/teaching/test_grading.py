"""Grading end to end: the release, hand-ins of all kinds, and the CSV."""

import csv
import subprocess
import time

import nbformat
import pytest
from exercises import assignments, grade, nbgrader, source_notebook

from notebooks import NOTEBOOKS

SCRIPT = next(script for script in assignments() if script.stem == "03_dcgan")
LOOP = "def first_step(gradient, learning_rate):\n    while True:\n        pass"
STUBBORN = """
import time
def first_step(gradient, learning_rate):
    while True:
        try:
            time.sleep(1)
        except BaseException:
            pass
"""


def hand_in(folder, student, notebook):
    (folder / student).mkdir(parents=True)
    nbformat.write(notebook, folder / student / "03_dcgan.ipynb")


def answered(answers=None):
    """Return the student's notebook with the solutions' answers, some of them replaced."""
    student = nbformat.read(NOTEBOOKS / "exercises" / "03_dcgan.ipynb", 4)
    source = {
        cell.metadata["nbgrader"]["grade_id"]: cell.source
        for cell in source_notebook(SCRIPT).cells
        if cell.metadata["nbgrader"]["solution"]
    }
    for cell in student.cells:
        name = cell.metadata["nbgrader"]["grade_id"]
        if name in source:
            cell.source = (answers or {}).get(name, source[name])
    return student


def test_a_command_that_takes_too_long_is_ended(tmp_path):
    started = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        nbgrader(tmp_path, "--version", limit=0.1)
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_a_command_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="no_such_assignment"):
        nbgrader(tmp_path, "generate_assignment", "no_such_assignment")


@pytest.mark.slow
def test_hand_ins_are_graded_one_by_one_whatever_they_do(tmp_path):
    handins = tmp_path / "handins"
    hand_in(handins, "ada", answered())
    hand_in(handins, "ben", nbformat.read(NOTEBOOKS / "exercises" / "03_dcgan.ipynb", 4))
    broken = {
        "03_1-solution": LOOP,
        "03_2-solution": "raise ValueError('oh')",
        "03_3-solution": "(",
    }
    hand_in(handins, "carl", answered(broken))
    (handins / "dora").mkdir()
    (handins / "dora" / "03_dcgan.ipynb").write_text("not a notebook")
    hand_in(handins, "eve", answered({"03_1-solution": STUBBORN}))
    out = tmp_path / "grades.csv"
    rows = grade(handins, seed=123, out=out, timeout=30, limit=200)
    by = {row["student"]: row for row in rows}
    assert list(by) == ["ada", "ben", "carl", "dora", "eve"]
    assert by["ada"]["score"] == by["ada"]["of"] == 20
    assert by["ben"]["score"] == 0 and by["ben"]["status"] == "graded"
    assert by["carl"]["03.1"] == by["carl"]["03.2"] == by["carl"]["03.3"] == 0
    assert by["carl"]["03.4"] == 5 and by["carl"]["03.5"] == 5
    assert "03_1-check: stopped, it took too long" in by["carl"]["note"]
    assert by["dora"]["status"].startswith("not gradable") and by["dora"]["score"] == 0
    assert by["eve"]["status"] == "not gradable: its code does not end"
    with out.open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["student"] for row in read] == list(by)
    assert read[0]["03.5"] == "5.0"

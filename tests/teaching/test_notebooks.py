"""Committed notebooks are of their scripts, and run without a word of complaint."""

import ast
import builtins
import importlib
import re

import nbformat
import pytest
from exercises import assignments, source_notebook

from gan_keras.teaching import show
from notebooks import LIMIT, NOTEBOOKS, build, code, convert, fingerprint, problems, scripts

NAMES = [script.stem for script in scripts()]
CHAPTERS = [script for script in scripts() if script.stem[:2].isdigit()]


def committed(name, folder=""):
    return nbformat.read(NOTEBOOKS / folder / f"{name}.ipynb", 4)


@pytest.mark.parametrize("script", scripts(), ids=NAMES)
def test_script_and_notebook_agree(script):
    built, expected = committed(script.stem), convert(script)
    stamp = built.metadata["gan_keras"]
    assert stamp == {"source": f"src/{script.name}", "sha256": fingerprint(script), "form": "full"}
    assert [(c.cell_type, c.source) for c in built.cells] == [
        (c.cell_type, c.source) for c in expected.cells
    ]
    assert (NOTEBOOKS / f"{script.stem}.ipynb").stat().st_size <= LIMIT


@pytest.mark.parametrize("script", scripts(), ids=NAMES)
def test_a_notebook_was_executed_whole_in_order_and_without_complaint(script):
    built = committed(script.stem)
    counts = [cell.execution_count for cell in built.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert problems(built) == []
    pictures = sum(
        "image/png" in o.get("data", {}) for c in built.cells for o in c.get("outputs", [])
    )
    assert pictures >= (10 if script in CHAPTERS else 5)


@pytest.mark.parametrize("script", CHAPTERS, ids=lambda script: script.stem)
def test_a_chapter_has_the_nine_parts_and_a_parameters_cell(script):
    notebook = convert(script)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(r"^## (\d)", text, re.M) == [str(n) for n in range(1, 10)]
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    fast = convert(script, fast=True)
    replaced = next(c for c in fast.cells if "parameters" in c.metadata.get("tags", []))

    def names(source):
        return {node.targets[0].id for node in ast.parse(source).body}

    assert names(tagged[0].source) == names(replaced.source)
    assert replaced.source != tagged[0].source


def test_problems_are_seen():
    cell = nbformat.v4.new_code_cell("x", id="c")
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="UserWarning: no\n"),
        nbformat.v4.new_output("stream", name="stdout", text="WARNING:tensorflow: no\n"),
        nbformat.v4.new_output("stream", name="stdout", text="fine\n"),
        nbformat.v4.new_output("error", ename="KeyError", evalue="'x'"),
    ]
    assert problems(nbformat.v4.new_notebook(cells=[cell])) == [
        "c: UserWarning: no",
        "c: WARNING:tensorflow: no",
        "c: KeyError: 'x'",
    ]


@pytest.mark.parametrize("script", assignments(), ids=[s.stem for s in assignments()])
def test_the_release_is_the_source_without_answers(script):
    source, released = source_notebook(script), committed(script.stem, "exercises")
    solved = committed(script.stem, "solutions")
    assert released.metadata["gan_keras"]["sha256"] == fingerprint(script)
    assert solved.metadata["gan_keras"]["sha256"] == fingerprint(script)
    assert problems(solved) == []
    assert code(solved) == code(source)
    everything = "\n".join(cell.source for cell in released.cells)
    assert not re.search("SOLUTION|HIDDEN|hidden=", everything)
    for before, after in zip(source.cells, released.cells, strict=True):
        assert before.metadata["nbgrader"]["grade_id"] == after.metadata["nbgrader"]["grade_id"]
        if before.metadata["nbgrader"]["solution"]:
            assert "raise NotImplementedError('your answer goes here')" in after.source


def test_show_source_shows_the_package_own_code():
    text = show.show_source(show.panels).text
    assert text.startswith("`gan_keras/teaching/show.py`, line ")
    assert "```python\ndef panels(" in text


def test_a_table_puts_words_left_and_numbers_right():
    text = show.table(["what", "how many"], ["two words", 1.23456], ["other", 7.0]).text
    assert text.splitlines() == [
        "| what | how many |", "|:--|--:|", "| two words | 1.23 |", "| other | 7 |"
    ]  # fmt: skip


def test_a_bar_in_a_cell_is_no_border():
    (*_, row) = show.table(["mistake"], ["q(z|x) for p(x|z)"]).text.splitlines()
    assert row.count("|") == 2 and row.replace("&#124;", "|") == "| q(z|x) for p(x|z) |"


def test_numbers_have_three_digits_and_no_exponent_that_a_reader_must_decode():
    values = (0.25, 48.72, 999.4, 1723.4, 123456.0, 2.5e7, -1723.4, 6e-8)
    wanted = ["0.25", "48.7", "999", "1,720", "123,000", "2.5e+07", "-1,720", "6e-08"]
    assert [show.number(value) for value in values] == wanted


def test_a_knob_is_a_row_of_panels_while_notebooks_are_built(monkeypatch):
    seen = []
    monkeypatch.setenv(show.STATIC, "1")
    picture = show.turn(lambda axes, value: seen.append(value), [1, 2, 3], "size")
    assert seen == [1, 2, 3] and len(picture.figure.axes) == 3
    monkeypatch.delenv(show.STATIC)
    knob = show.turn(lambda axes, value: seen.append(value), [1, 2, 3], "size")
    assert type(knob).__name__ == "VBox" and knob.children[0].options[2] == ("3", 3)


def test_a_picture_is_small_and_has_words():
    figure, axes = show.panels()
    axes.plot([1, 2])
    data, about = show.Picture(figure, "a line")._repr_mimebundle_()
    assert len(data["image/png"]) < 20_000 and about["image/png"]["alt"] == "a line"


# The map and the glossary


def test_the_map_names_every_chapter_and_marks_what_is_to_come():
    text = (NOTEBOOKS / "README.md").read_text()
    for number, title in show.CHAPTERS.items():
        line = next(line for line in text.splitlines() if line.startswith(f"| {number} "))
        assert title in line
        assert ("to come" in line) == (number not in show.WRITTEN)
    assert sorted(show.WRITTEN) == [script.stem[:2] for script in CHAPTERS]


def test_the_glossary_names_what_the_code_has():
    text = (NOTEBOOKS / "README.md").read_text()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.count("|") == 5]
    names = [re.findall(r"`([^`]+)`", row[2]) for row in rows if re.fullmatch(r" \d\d.* ", row[3])]
    assert len(names) >= 25
    for name in (name for cell in names for name in cell):
        module, _, rest = name.partition(":")
        found = importlib.import_module(f"gan_keras.{module}" if rest else "builtins")
        for part in (rest or name).split("."):
            if rest and not hasattr(found, part):
                source = (
                    NOTEBOOKS.parent / "gan_keras" / f"{module.replace('.', '/')}.py"
                ).read_text()
                assert re.search(rf"\b{part}\b", source), name
            elif rest:
                found = getattr(found, part)
            else:
                assert hasattr(builtins, part), f"{name}: write module:name"


@pytest.mark.slow
@pytest.mark.parametrize("script", scripts(), ids=NAMES)
def test_the_fast_form_runs_without_error_or_warning(script, tmp_path):
    assert problems(build(script, tmp_path, fast=True)) == []

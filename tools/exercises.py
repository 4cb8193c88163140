"""Exercises: the student release, the teacher's solutions, and grades.

Usage: python tools/exercises.py release            # notebooks/exercises/, for students
       python tools/exercises.py solutions          # notebooks/solutions/, executed, for teachers
       python tools/exercises.py grade HANDINS --seed SECRET [--out grades.csv]

HANDINS holds a folder for each student, and in it the notebook under its own name, such as
HANDINS/ada/03_dcgan.ipynb. Student code is run: grade on a machine where that is all right.
"""

import argparse
import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat

from notebooks import KERNEL, NOTEBOOKS, execute, fingerprint, write

SOURCES = NOTEBOOKS / "src" / "exercises"
CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "gan_keras"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError('your answer goes here')"}
c.Execute.timeout = %d
c.Execute.interrupt_on_timeout = True
c.Execute.iopub_timeout = 15
"""


def assignments():
    """Return the scripts with exercises, in order."""
    return sorted(SOURCES.glob("*.py"))


def source_notebook(script):
    """Return a script as nbgrader's source: solutions and hidden tests are in it, and marked.

    A cell's `role` becomes nbgrader's metadata: "text" is locked, "solution" is the student's,
    "check" is locked and worth `points`.
    """
    notebook = jupytext.read(script, fmt="py:percent")
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index:03}"
        role, number = cell.metadata.pop("role", "text"), cell.metadata.pop("exercise", "")
        graded = {
            "schema_version": 3,
            "grade_id": f"{number.replace('.', '_')}-{role}" if number else f"text-{index:03}",
            "grade": role == "check",
            "solution": role == "solution",
            "locked": role != "solution",
            "task": False,
        }
        points = cell.metadata.pop("points", None)
        cell.metadata["nbgrader"] = graded | ({"points": points} if role == "check" else {})
    origin = {"source": f"src/exercises/{Path(script).name}", "sha256": fingerprint(script)}
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}, "gan_keras": origin}
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def course(folder, scripts, timeout=60):
    """Make an nbgrader course in a folder, with these assignments released.

    Args:
        folder: An empty folder.
        scripts: Of `assignments`.
        timeout: Seconds that one cell of a hand-in may take.
    """
    folder = Path(folder)
    (folder / "nbgrader_config.py").write_text(CONFIG % timeout)
    for script in scripts:
        name = script.stem
        write(source_notebook(script), folder / "source" / name / f"{name}.ipynb")
        nbgrader(folder, "generate_assignment", name, "--create", "--force")


def nbgrader(folder, *arguments, limit=300, **environment):
    """Run one nbgrader command, and end all that it started if it takes longer than `limit`.

    Raises:
        RuntimeError: It failed; the message is the end of what it wrote.
        subprocess.TimeoutExpired: It took too long.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # alembic
            "PYTHONPATH": str(NOTEBOOKS.parent),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "GAN_KERAS_STATIC": "1",
            **environment,
        },
    )
    try:
        said, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode:
        raise RuntimeError(said[-4000:])
    return said


def release(out=NOTEBOOKS / "exercises"):
    """Write the students' notebooks: solutions and hidden tests taken out by nbgrader."""
    with tempfile.TemporaryDirectory() as folder:
        course(folder, assignments())
        for script in assignments():
            made = Path(folder) / "release" / script.stem / f"{script.stem}.ipynb"
            write(nbformat.read(made, 4), Path(out) / made.name)
            print(Path(out) / made.name)


def solutions(out=NOTEBOOKS / "solutions", seed="1"):
    """Write the teachers' notebooks: everything is in them, executed."""
    for script in assignments():
        notebook = source_notebook(script)
        os.environ["GRADING_SEED"] = seed
        seconds = execute(notebook)
        write(notebook, Path(out) / f"{script.stem}.ipynb")
        print(f"{Path(out) / script.stem}.ipynb: {seconds:.0f} s")


def grade(handins, seed, out="grades.csv", timeout=60, limit=600):
    """Grade every hand-in, each by itself, and write one row for each.

    A hand-in whose code raises gets the points of what works, and so does one with a cell that is
    interrupted after `timeout` seconds. One that cannot be interrupted, or takes `limit` seconds
    in all, is not graded.

    Args:
        handins: A folder of students' folders.
        seed: GRADING_SEED: keep it secret, and change it each term.
        out: The CSV: student, assignment, status, score, of, and each exercise's points.
        timeout: Seconds a cell.
        limit: Seconds a hand-in.

    Returns:
        The rows, as dictionaries.
    """
    known = {script.stem: script for script in assignments()}
    found = [
        (folder.name, file)
        for folder in sorted(Path(handins).iterdir())
        if folder.is_dir()
        for file in sorted(folder.glob("*.ipynb"))
        if file.stem in known
    ]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        course(folder, [known[name] for name in sorted({file.stem for _, file in found})], timeout)
        for student, file in found:
            place = Path(folder) / "submitted" / student / file.stem
            place.mkdir(parents=True)
            shutil.copy(file, place)
            row = {"student": student, "assignment": file.stem, "status": "graded"}
            arguments = ("autograde", file.stem, "--student", student, "--create", "--force")
            try:
                nbgrader(folder, *arguments, limit=limit, GRADING_SEED=str(seed))
            except (subprocess.TimeoutExpired, RuntimeError) as error:
                endless = isinstance(error, subprocess.TimeoutExpired) or "CellTimeout" in str(
                    error
                )
                reason = "its code does not end" if endless else _reason(error)
                row["status"] = f"not gradable: {reason}"
            rows.append(row | _points(folder, student, file.stem, row["status"] == "graded"))
            print(f"{student:16} {file.stem}  {rows[-1]['score']} of {rows[-1]['of']}", end="  ")
            print(row["status"])
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with open(out, "w", newline="") as target:
        writer = csv.DictWriter(target, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def _reason(error):
    """Return the line of nbgrader's output that names the error."""
    lines = [line.strip() for line in str(error).splitlines()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (named or lines)[-1][:150]


def _points(folder, student, assignment, graded):
    """Return a hand-in's score, the most that there is, each exercise's points, and a note."""
    script = next(script for script in assignments() if script.stem == assignment)
    cells = [cell.metadata["nbgrader"] for cell in source_notebook(script).cells]
    most = {cell["grade_id"]: cell["points"] for cell in cells if cell["grade"]}
    points = dict.fromkeys(most, 0.0)
    notes = []
    if graded:
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{Path(folder) / 'gradebook.db'}") as book:
            submission = book.find_submission(assignment, student)
            for one in submission.notebooks[0].grades:
                points[one.name] = one.score or 0.0
        made = Path(folder) / "autograded" / student / assignment / f"{assignment}.ipynb"
        notes = _interrupted(nbformat.read(made, 4))
    exercises = {name.split("-")[0].replace("_", "."): value for name, value in points.items()}
    note = f"{', '.join(notes)}: stopped, it took too long" if notes else ""
    total = {"score": sum(points.values()), "of": sum(most.values())}
    return total | exercises | {"note": note}


def _interrupted(notebook):
    """Return the cells that had to be interrupted."""
    return [
        cell.metadata["nbgrader"]["grade_id"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error" and output.ename == "KeyboardInterrupt"
    ]


def main():
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("release", help="write the students' notebooks")
    commands.add_parser("solutions", help="write the teachers' notebooks")
    c = commands.add_parser("grade", help="grade a folder of hand-ins into a CSV")
    c.add_argument("handins")
    c.add_argument("--seed", required=True, type=int, help="secret; the hidden tests' inputs")
    c.add_argument("--out", default="grades.csv")
    c.add_argument("--timeout", type=int, default=60, help="seconds a cell")
    c.add_argument("--limit", type=int, default=600, help="seconds a hand-in")
    args = parser.parse_args()
    if args.command == "grade":
        grade(args.handins, args.seed, args.out, args.timeout, args.limit)
    else:
        {"release": release, "solutions": solutions}[args.command]()


if __name__ == "__main__":
    main()

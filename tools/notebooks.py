"""Build the course's notebooks: script → notebook → executed notebook, stamped with its source.

Usage: python tools/notebooks.py [--fast] [--text] [--out FOLDER] [NAME …]

Names are those of notebooks/src/*.py; all by default. The fast form replaces the cell tagged
`parameters` by what its `fast` metadata holds; it is what the tests execute. A committed notebook
is the full form. With --text, a notebook whose code is unchanged gets the script's new text and
stamp, and keeps its outputs, which are those of that code.
"""

import argparse
import hashlib
import os
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
LIMIT = 1_000_000  # bytes of a notebook with its outputs
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def scripts():
    """Return the chapters' sources, in order."""
    return sorted((NOTEBOOKS / "src").glob("*.py"))


def fingerprint(script):
    """Return the SHA-256 of a script's text."""
    return hashlib.sha256(Path(script).read_bytes()).hexdigest()


def convert(script, fast=False):
    """Return a script as a notebook without outputs.

    Args:
        script: A py:percent file.
        fast: Whether to replace the cell tagged `parameters` by its `fast` values.
    """
    notebook = jupytext.read(script, fmt="py:percent")
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index:03}"
        values = cell.metadata.pop("fast", None)
        if fast and "parameters" in cell.metadata.get("tags", []):
            cell.source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": KERNEL,
            "language_info": {"name": "python"},
            "gan_keras": {
                "source": f"src/{Path(script).name}",
                "sha256": fingerprint(script),
                "form": "fast" if fast else "full",
            },
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def execute(notebook, timeout=1200):
    """Run all cells in order, in a fresh kernel; knobs become rows of figures.

    Returns:
        Seconds of wall time.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell raised.
    """
    here = dict(os.environ)
    os.environ.update(
        GAN_KERAS_STATIC="1",
        TF_CPP_MIN_LOG_LEVEL="3",
        PYTHONPATH=str(NOTEBOOKS.parent),
        MPLBACKEND="Agg",
    )
    started = time.perf_counter()
    try:
        client = NotebookClient(
            notebook,
            timeout=timeout,
            startup_timeout=180,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": str(NOTEBOOKS)}},
        )
        client.execute()
    finally:
        os.environ.clear()
        os.environ.update(here)
    return time.perf_counter() - started


def problems(notebook):
    """Return what a reader should not see: errors, warnings, anything on standard error."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                found.append(f"{cell.id}: {output.ename}: {output.evalue}")
            if output.output_type == "stream" and (
                output.name == "stderr" or "WARNING" in output.text or "Warning:" in output.text
            ):
                found.append(f"{cell.id}: {output.text.strip()}")
    return found


def write(notebook, path):
    """Write a notebook, and refuse one that is larger than a code host likes to show.

    Returns:
        Its size in bytes.
    """
    text = nbformat.writes(notebook) + "\n"
    size = len(text.encode())
    if size > LIMIT:
        raise ValueError(f"{path}: {size:,} bytes, at most {LIMIT:,} are wanted: fewer figures")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    return size


def build(script, out=NOTEBOOKS, fast=False):
    """Convert, execute and write one chapter.

    Returns:
        The executed notebook.
    """
    notebook = convert(script, fast)
    before = os.times()
    seconds = execute(notebook)
    after = os.times()
    processor = sum(after[2:4]) - sum(before[2:4])  # of the kernel, which has ended
    path = Path(out) / f"{Path(script).stem}.ipynb"
    size = write(notebook, path)
    print(f"{path}: {seconds:.0f} s ({processor:.0f} s of one core), {size / 1e6:.2f} MB")
    for problem in problems(notebook):
        print(f"  {problem}")
    return notebook


def code(notebook):
    """Return the sources of a notebook's code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def update_text(script, out=NOTEBOOKS):
    """Bring the text of a built notebook up to date, where only text has changed.

    Raises:
        ValueError: Code has changed: the notebook must be executed.
    """
    path = Path(out) / f"{Path(script).stem}.ipynb"
    built, notebook = nbformat.read(path, 4), convert(script)
    if code(built) != code(notebook):
        raise ValueError(f"{path}: its code has changed, so it must be executed: leave out --text")
    done = (cell for cell in built.cells if cell.cell_type == "code")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            executed = next(done)
            cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
    print(f"{path}: text updated, {write(notebook, path) / 1e6:.2f} MB")


def main():
    """Build the chapters that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--fast", action="store_true", help="with the parameters of the tests")
    parser.add_argument("--text", action="store_true", help="only text has changed")
    parser.add_argument("--out", default=NOTEBOOKS, type=Path)
    args = parser.parse_args()
    for script in scripts():
        if args.names and script.stem not in args.names:
            continue
        if args.text:
            update_text(script, args.out)
        else:
            build(script, args.out, args.fast)


if __name__ == "__main__":
    main()

"""Every benchmark of speed, one after the other: LATEST.md and a chart of what has a goal.

Each runs in a process of its own; nothing runs beside it. Some minutes on two cores.

Usage: python benchmarks/latest.py [--only startup] [--out benchmarks/results/LATEST.md]
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from interleaved import Result
from matplotlib.figure import Figure

HERE = Path(__file__).parent
SCRIPTS = ("steps", "pipelines", "enhancement", "startup")


def run(script, options):
    """Run one benchmark, its text going to the terminal as it comes.

    Returns:
        (its lines of Markdown, its `Result`s).
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results.json")
        command = [sys.executable, HERE / f"{script}.py", "--json", path, *options]
        subprocess.run(command, check=True)
        content = json.loads(path.read_text())
    return content["lines"], [Result(**result) for result in content["results"]]


def figure(results):
    """Draw each result as a share of its goal: the median, and the range of its rounds."""
    drawing = Figure(figsize=(9, 0.9 + 0.36 * len(results)), layout="constrained")
    axes = drawing.subplots()
    for row, result in enumerate(reversed(results)):
        low, middle, high = result.share_of_goal
        colour = "C0" if middle >= 1 else "C3"
        axes.plot([low, high], [row, row], color=colour, alpha=0.5, linewidth=5)
        axes.plot(middle, row, "o", color=colour)
        _, median, _, goal = result.cells()
        axes.annotate(
            f"{median} (goal {goal})", (1.01, row), xycoords=("axes fraction", "data"), va="center"
        )
    axes.axvline(1, color="black", linestyle=":", label="goal")
    axes.set(xscale="log", xlabel="share of the goal: right of the line is reached")
    axes.set_yticks(range(len(results)), [result.name for result in reversed(results)])
    axes.grid(alpha=0.3, axis="x", which="both")
    return drawing


def main():
    """Run the benchmarks, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS)
    parser.add_argument("--rounds", help="of each benchmark, in place of its own number")
    parser.add_argument("--out", type=Path, default=HERE / "results/LATEST.md")
    args = parser.parse_args()
    versions = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras"))
    lines = [
        f"# {' '.join(['python', *sys.argv])}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}; {platform.machine()}; Python "
        f"{platform.python_version()}, {versions}",
    ]
    results = []
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for script in args.only:
        text, measured = run(script, ["--rounds", args.rounds] if args.rounds else [])
        lines += ["", *text]
        results += [result for result in measured if result.goal is not None]
        args.out.write_text("\n".join(lines) + "\n")
    if results:
        chart = args.out.with_suffix(".png")
        figure(results).savefig(chart, dpi=120)
        lines[3:3] = ["", f"![each result as a share of its goal]({chart.name})"]
        args.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

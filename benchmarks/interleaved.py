"""What the benchmarks share: turns, ratios with their range, and the load of the machine.

Things that are compared take turns in one run, so that a busy neighbour slows all of them alike. A
ratio is that of one round's two times; its median is shown, and the smallest and the largest.
"""

import argparse
import json
import os
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """One measured quantity.

    Attributes:
        name: What it is.
        values: One a round.
        goal: What it should reach, or None.
        unit: "×", larger is better; or "s", smaller is better.
    """

    name: str
    values: list
    goal: float | None = None
    unit: str = "×"

    @property
    def median(self):
        """The middle one of all values."""
        return statistics.median(self.values)

    @property
    def share_of_goal(self):
        """(smallest, median, largest) as shares of the goal: 1 reaches it, more is better."""
        values = min(self.values), self.median, max(self.values)
        if self.unit == "s":
            return tuple(self.goal / value for value in reversed(values))
        return tuple(value / self.goal for value in values)

    @property
    def with_range(self):
        """The median and the range, as text: "1.65 × (1.21–2.36)"."""
        _, median, spread, _ = self.cells()
        return f"{median} ({spread})"

    def cells(self):
        """Return (name, median, range, goal) as text."""
        low, high, sign = min(self.values), max(self.values), "≤" if self.unit == "s" else "≥"
        goal = "–" if self.goal is None else f"{sign} {self.goal:g} {self.unit}"
        return self.name, f"{self.median:.2f} {self.unit}", f"{low:.2f}–{high:.2f}", goal


def take_turns(runs, rounds, seconds=0.3, settle=lambda result: None):
    """Time functions in turns, each long enough to be timed.

    Args:
        runs: {name: function without arguments}, compiled and warm.
        rounds: Turns of each.
        seconds: What a turn should last, of calls one after the other; 0 for one call.
        settle: Called with a turn's last result: waits until it is there.

    Returns:
        {name: [seconds a call, one a round]}.
    """

    def timed(run, calls):
        started = time.perf_counter()
        for _ in range(calls):
            result = run()
        settle(result)
        return (time.perf_counter() - started) / calls

    calls = dict.fromkeys(runs, 1)
    if seconds:
        for name, run in runs.items():
            calls[name] = max(1, min(200, round(seconds / timed(run, 1))))
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(timed(run, calls[name]))
    return times


def ratios(slower, faster):
    """Return slower/faster of each round: above 1 where the second is the faster one."""
    return [a / b for a, b in zip(slower, faster, strict=True)]


def markdown(header, *rows):
    """Return a table's lines."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]


def _load():
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"


class Report:
    """A benchmark's text and results, printed as they come.

    Args:
        title: Of its section.
        path: Where to write both as JSON for `benchmarks/latest.py`, or None.
    """

    def __init__(self, title, path):
        self.path, self.lines, self.results = path, [], []
        self._load_before = _load()
        self.say(f"## {title}", "")

    def say(self, *lines):
        """Print lines of Markdown, and keep them."""
        print(*lines, sep="\n", flush=True)
        self.lines += lines

    def finish(self):
        """Say all results and the load, and write them."""
        header = "", "median", "smallest–largest", "goal"
        self.say("", *markdown(header, *(result.cells() for result in self.results)))
        self.say("", f"load average {self._load_before} before, {_load()} after")
        if self.path:
            content = {"lines": self.lines, "results": [asdict(r) for r in self.results]}
            self.path.write_text(json.dumps(content, indent=1))


def build_parser(description, rounds):
    """Return a parser that knows what all benchmarks are told."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--json", type=Path, help="the results go there too")
    return parser

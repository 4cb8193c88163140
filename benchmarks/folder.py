"""`gan-keras enhance` over a large folder: memory while it goes, a kill, and what is done already.

Small noisy photographs, whose files and not whose pixels take the time. The command is killed half
way, and started again with --resume; its memory is read from outside as files come to be.

Usage: python benchmarks/folder.py [--count 10000]
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from interleaved import markdown
from PIL import Image

from gan_keras.data.photo_files import photo_paths

SIDE = 64


def write_photographs(folder, count):
    """Write small JPEGs, cut out of a photograph and made noisy, a thousand to a folder."""
    generator = np.random.default_rng(0)
    with Image.open(photo_paths("photos", "test")[0]) as image:
        photograph = np.asarray(image.convert("RGB"), np.float32)
    for index in range(count):
        top, left = (int(generator.integers(side - SIDE)) for side in photograph.shape[:2])
        noisy = photograph[top : top + SIDE, left : left + SIDE]
        noisy = noisy + generator.normal(0, 25, noisy.shape)
        path = Path(folder, f"{index // 1000}", f"{index:05}.jpg")
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=95)


def count(folder):
    """Return how many photographs there are in a folder, which need not exist."""
    return len(list(folder.rglob("*.jpg")))


def enhance(source, out, *options, kill_at=None):
    """Run the command and watch it.

    Returns:
        (files there at the end, memory in MB after each tenth of what was missing, its output).
    """
    command = [sys.executable, "-m", "gan_keras", "enhance", source, "--out", out, *options]
    there = count(out)
    missing = count(source) - there
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    watched, memory = psutil.Process(process.pid), []
    while process.poll() is None:
        time.sleep(0.5)
        made = count(out) - there
        with contextlib.suppress(psutil.Error):  # it has just ended
            while len(memory) < min(9, 10 * made // missing if missing else 0):
                memory.append(watched.memory_info().rss / 2**20)
        if kill_at and made >= kill_at:
            process.kill()
    said = process.communicate()[0].strip()
    return count(out), memory, said


def is_whole(path):
    """Say whether a restored file can be read to its end."""
    try:
        with Image.open(path) as image:
            image.load()
            return image.size == (SIDE, SIDE)
    except OSError:
        return False


def main():
    """Kill it half way, go on, and go on once more."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    args = parser.parse_args()
    load = os.getloadavg()[0]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "photographs"), Path(folder, "restored")
        source.mkdir()
        write_photographs(source, args.count)
        for name, options, kill_at in (
            ("killed half way", (), args.count // 2),
            ("--resume", ("--resume",), None),
            ("--resume again", ("--resume",), None),
        ):
            started = time.monotonic()
            there, memory, said = enhance(source, out, *options, kill_at=kill_at)
            seconds = time.monotonic() - started
            said = re.sub(r": \S+$", "", said) or "–"  # without the folder
            tenths = " ".join(f"{m:.0f}" for m in memory) or "–"
            rows.append((name, f"{there:,}", f"{seconds:.0f}", tenths, said))
        whole, others = sum(map(is_whole, out.rglob("*.jpg"))), len(list(out.rglob("*.part")))
    heads = ("", "files there", "seconds", "MB after each tenth of its files", "it says")
    print(f"# {' '.join(['python', *sys.argv])}\n")
    print(f"{args.count:,} photographs of {SIDE}×{SIDE}; load {load:.2f} at the start\n")
    print("\n".join(markdown(heads, *rows)))
    print(f"\n{whole:,} restored files are whole; {others} that a kill left unfinished")


if __name__ == "__main__":
    main()

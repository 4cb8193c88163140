"""Start-up times, cold: `gan-keras --help`, and the first restored photograph of one megapixel.

Each is a fresh process, and they take turns with an empty Python and one that only imports
TensorFlow: on a busy machine all of them are slow.

Usage: python benchmarks/startup.py [--rounds 5]
"""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from interleaved import Report, Result, build_parser, take_turns
from PIL import Image

from gan_keras.data.photo_files import photo_paths

PYTHON = [sys.executable, "-c"]
COMMAND = [sys.executable, "-m", "gan_keras"]


def main():
    """Time the processes."""
    args = build_parser(__doc__, rounds=5).parse_args()
    report = Report("Start-up, cold", args.json)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder, "photo.png")
        with Image.open(photo_paths("photos", "test")[0]) as image:
            noisy = np.asarray(image.convert("RGB").resize((1000, 1000)), np.float32)
        noisy += np.random.default_rng(0).normal(0, 25, noisy.shape)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(photo)
        enhance = [*COMMAND, "enhance", str(photo), "--out", str(Path(folder, "restored"))]
        commands = {
            "an empty Python": ([*PYTHON, "pass"], None),
            "gan-keras --help": ([*COMMAND, "--help"], 0.5),
            "import tensorflow": ([*PYTHON, "import tensorflow"], None),
            "first restored photograph, 1 MP": (enhance, 8.0),
        }
        options = {"check": True, "capture_output": True, "env": environment}
        runs = {
            k: partial(subprocess.run, command, **options) for k, (command, _) in commands.items()
        }
        seconds = take_turns(runs, args.rounds, seconds=0)
    for name, (_, goal) in commands.items():
        report.results.append(Result(name, seconds[name], goal, "s"))
    report.finish()


if __name__ == "__main__":
    main()

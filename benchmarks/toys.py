"""Which modes of a ring of eight Gaussians ten seeds of each algorithm keep, and for how long.

The ring, the number of points for a record and what a sample of high quality is are published:
Metz et al. 2017 (radius 2, σ = 0.02) and Srivastava et al. 2017 (2,500 points; within 3 σ of the
nearest mean). Networks, optimisers and the number of updates are the same for all: see
`build_stacked`. Below the three algorithms stands a control: the plain GAN with one update of D for
one of G, and as many updates of D in all. Run it on a quiet machine.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import datetime
import platform
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from gan_keras.teaching.toy_gans import build_stacked, train
from gan_keras.teaching.toys import mode_shares, modes_kept, ring

STEPS, UPDATES = 800, 5
RUNS = {  # label -> algorithm, steps of G, updates of D for each
    "GAN": ("gan", STEPS, UPDATES),
    "spectral norm": ("spectral", STEPS, UPDATES),
    "WGAN-GP": ("wgan_gp", STEPS, UPDATES),
    "GAN, k = 1": ("gan", STEPS * UPDATES, 1),
}
SETTINGS = """\
Ring of radius 2, σ = 0.02, 20,000 training points a seed. Both players: two hidden layers of 64
ReLU, orthogonal start; z of 2 dimensions; batch 128. Adam, β = (0.5, 0.9), rate from 3e-3 linearly
to 0. WGAN-GP: λ = 0.1. No average of weights. A mode is kept if at least 1.25 % of 2,500 samples
(a tenth of its fair share) lie within 3 σ of its mean; in brackets, if one sample does. The last
GAN is the control: as many updates of D, and as many of G as of D."""


def run(algorithm, steps, updates, seeds):
    """Train one algorithm, and return its history and seconds of wall time and of processors."""
    wall, processors = time.perf_counter(), time.process_time()
    model = build_stacked(algorithm, seeds, steps, discriminator_updates=updates)
    history = train(model, ring(), steps, record_every=steps // 40)
    return history, time.perf_counter() - wall, time.process_time() - processors


def row(label, budget, shares):
    """Return a table's row without its seconds, for shares (seeds, modes)."""
    kept, touched = modes_kept(shares), modes_kept(shares, least=1 / 2500)
    seeds = " ".join(f"{a}({b})" if a != b else str(a) for a, b in zip(kept, touched, strict=True))
    quality = 100 * np.sum(shares, axis=1)
    return (
        f"| {label} | {budget} | {seeds} | {np.sum(kept == 8)} of {len(kept)} "
        f"| {quality.mean():.0f} % ({quality.min():.0f}–{quality.max():.0f}) "
    )


def machine():
    """Name the processor, where the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def piano_roll(histories):
    """Draw step × mode, colour the share of samples: a row an algorithm, a column a seed."""
    seeds = min(5, next(iter(histories.values())).shares.shape[1])
    figure = Figure(figsize=(2.6 * seeds + 1.4, 1.75 * len(histories) + 0.6), layout="constrained")
    grid = figure.subplots(len(histories), seeds, squeeze=False, sharey=True)
    for axes_row, (label, history) in zip(grid, histories.items(), strict=True):
        end = history.steps[-1]
        for seed, axes in enumerate(axes_row):
            picture = axes.imshow(
                100 * history.shares[:, seed].T,
                aspect="auto",
                origin="lower",
                interpolation="nearest",
                extent=(0, end, 0.5, 8.5),
                vmin=0,
                vmax=25,
                cmap="magma",
            )
            axes.set_title(f"{label}, seed {seed}" if seed == 0 else f"seed {seed}", fontsize=10)
            axes.set_xticks([0, end // 2, end])
            axes.set_yticks(range(1, 9))
            axes.tick_params(labelsize=8)
        axes_row[0].set_ylabel("mode")
    for axes in grid[-1]:
        axes.set_xlabel("step of G")
    bar = figure.colorbar(picture, ax=grid, extend="max", shrink=0.8)
    bar.set_label("share of samples within 3 σ, % (fair: 12.4)")
    return figure


def main():
    """Train, print the table in Markdown, and write it and the figure where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the table here")
    parser.add_argument("--figure", type=Path, help="write the piano roll here, a PNG")
    args = parser.parse_args()
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    command = " ".join(["python benchmarks/toys.py", *sys.argv[1:]])
    lines = [
        "# The ring of eight Gaussians",
        "",
        f"{machine()}, load {load:.2f} at the start; Python {platform.python_version()}, "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}; {datetime.date.today()}; "
        f"`{command}`",
        "",
        SETTINGS,
        "",
        "| | steps of G × updates of D | modes kept, by seed | all 8 kept | high quality (range) "
        "| seconds | processor seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    histories, total, processor_total = {}, 0.0, 0.0
    for label, (algorithm, steps, updates) in RUNS.items():
        history, wall, processors = run(algorithm, steps, updates, seeds)
        histories[label] = history
        if updates == UPDATES:
            total, processor_total = total + wall, processor_total + processors
        lines.append(
            row(label, f"{steps} × {updates}", history.shares[-1])
            + f"| {wall:.1f} | {processors:.1f} |"
        )
        print(lines[-1], flush=True)
    truth = np.stack([mode_shares(ring().sample(2500, seed), ring()) for seed in seeds])
    lines += [
        row("true samples", "–", truth) + "| – | – |",
        "",
        f"The first three together: {total:.0f} s, {processor_total:.0f} processor seconds.",
    ]
    print("\n".join(lines[-3:]))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text("\n".join(lines) + "\n")
    if args.figure:
        piano_roll(histories).savefig(args.figure, dpi=100)


if __name__ == "__main__":
    main()

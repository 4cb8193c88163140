"""Callbacks of a run: progress, metrics as CSV, sample grids, checkpoints, a stop at NaN."""

import csv
import math
import sys
import time
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from gan_keras.errors import UserError
from gan_keras.training.checkpoint import atomic_path, save_checkpoint


class TrainingDivergedError(UserError):
    """A loss is no longer a number, or one that no learning leads to."""


def steps_done(batch, steps):
    """Return how many steps of an epoch are done: an execution of several may end beyond them.

    Args:
        batch: What Keras tells `on_train_batch_end`.
        steps: Of the epoch; None where that is not known.
    """
    return min(batch + 1, steps or batch + 1)


LARGEST = 1000  # of a restorer's or classifier's loss: they begin near 1


class StopWhenDiverged(keras.callbacks.Callback):
    """Stop where a loss is no longer finite, or absurd; say which, whose, and what to try."""

    def on_train_batch_end(self, batch, logs=None):
        """Check the running means."""
        for name, value in (logs or {}).items():
            absurd = not math.isfinite(value) or (name == "loss" and value > LARGEST)
            if absurd and "psnr" not in name:
                player = name.removesuffix("_loss") if name.endswith("_loss") else "model"
                steps = self.params["steps"]
                step = steps * self._epoch + steps_done(batch, steps)
                raise TrainingDivergedError(
                    f"step {step}: {name} is {value:.4g} (the {player} diverged): try a lower "
                    "learning rate, --precision float32, or look for bad values in the data; the "
                    "last epoch's checkpoint is intact"
                )

    def on_epoch_begin(self, epoch, logs=None):
        """Remember where we are."""
        self._epoch = epoch


class Progress(keras.callbacks.Callback):
    """One progress bar for the whole run: steps, time left, the latest metrics."""

    def __init__(self, label, total_epochs):
        super().__init__()
        self._label, self._total_epochs = label, total_epochs
        self._bar = None

    def on_epoch_begin(self, epoch, logs=None):
        """Open the bar, at the epoch from which the run goes on."""
        if self._bar is None:
            steps = self.params["steps"]
            self._bar = tqdm(
                total=steps * self._total_epochs,
                initial=steps * epoch,
                desc=self._label,
                unit="step",
                mininterval=0.5 if sys.stderr.isatty() else 15,
            )

    def on_train_batch_end(self, batch, logs=None):
        """Count the steps of an execution."""
        steps = self.params["steps"]
        self._bar.update(steps_done(batch, steps) - self._bar.n % steps)

    def on_epoch_end(self, epoch, logs=None):
        """Show the epoch's metrics."""
        shown = {k: f"{v:.4g}" for k, v in (logs or {}).items() if "loss" in k or "val" in k}
        self._bar.set_postfix(shown or {k: f"{v:.4g}" for k, v in logs.items()}, refresh=False)

    def close(self):
        """Close the bar, whatever happened."""
        if self._bar is not None:
            self._bar.close()


class RunRecorder(keras.callbacks.Callback):
    """After each epoch: the metrics as a CSV row, a sample grid, and then the checkpoint.

    The checkpoint is last, so that a run killed in between repeats the epoch; a resumed run cuts
    the CSV back to the epoch of the checkpoint.

    Args:
        folder: The run's folder.
        draw: A function that returns a uint8 image of samples, or None.
        first_epoch: Finished epochs of the run that goes on.
        seconds: Their training time.
    """

    def __init__(self, folder, draw=None, first_epoch=0, seconds=0.0):
        super().__init__()
        self._folder, self._draw, self._seconds = Path(folder), draw, seconds
        path = self._folder / "metrics.csv"
        self._rows = []
        if first_epoch and path.exists():
            with path.open(newline="") as file:
                self._rows = list(csv.DictReader(file))[:first_epoch]

    @property
    def seconds(self):
        """Training time so far, without the time between two parts of a resumed run."""
        return self._seconds

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Write the row, the grid, the checkpoint."""
        self._seconds += time.perf_counter() - self._started
        row = {"epoch": epoch + 1, "seconds": round(self._seconds, 2)}
        self._rows.append(row | {name: f"{float(v):.6g}" for name, v in (logs or {}).items()})
        with atomic_path(self._folder / "metrics.csv") as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(self._rows[-1]), extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self._rows)
        if self._draw is not None:
            save_png(self._folder / "samples" / f"epoch_{epoch + 1:04d}.png", self._draw())
        save_checkpoint(
            self._folder / "checkpoint.npz", self.model, epoch=epoch + 1, seconds=self._seconds
        )


def save_png(path, image):
    """Write a uint8 image (H, W, 1 or 3) as PNG, atomically."""
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(np.squeeze(image)).save(temporary, format="PNG")


def read_seconds(folder):
    """Return a run's training time in seconds from its `metrics.csv`, or None without one."""
    path = Path(folder) / "metrics.csv"
    if not path.exists():
        return None
    with path.open(newline="") as file:
        return float(list(csv.DictReader(file))[-1]["seconds"])

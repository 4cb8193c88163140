"""Training on several machines: one process each, which share every batch.

Keras 3's own `fit` fails under `MultiWorkerMirroredStrategy` (keras#20585, seen with 3.15), so the
loop is written out here: `strategy.run(model.train_step)`, and nothing else that a machine could do
alone while the others wait. Each machine runs the same command, with its own place in TF_CONFIG:

    TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
                "task": {"type": "worker", "index": 0}}' \
        gan-keras train dcgan --strategy multi_worker --out /shared/runs/dcgan --resume

The folder is one that all of them see. Worker 0 writes to it. When a machine dies, the others stop
with an error; start all of them again, and they go on after the last finished epoch.
"""

import json
import os
from pathlib import Path

import keras

from gan_keras.errors import UserError
from gan_keras.training.assembly import build_model, compile_model, load_data
from gan_keras.training.callbacks import RunRecorder
from gan_keras.training.checkpoint import atomic_path, restore_checkpoint
from gan_keras.training.replicas import averager
from gan_keras.training.runtime import choose_runtime


def read_cluster(text):
    """Read TF_CONFIG.

    Args:
        text: Its value.

    Returns:
        (index, workers): which worker this process is, and how many there are.

    Raises:
        UserError: It is missing, no JSON, or names no worker.
    """
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        if task["type"] != "worker" or not 0 <= task["index"] < len(workers):
            raise ValueError(f"task {task}")
        return task["index"], len(workers)
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(
            f"--strategy multi_worker needs TF_CONFIG ({error!r}): "
            '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
        ) from error


def train_worker(recipe, out, precision=None, resume=False, say=print):
    """Train a recipe as one of several workers.

    The folder gets `settings.json`, `metrics.csv`, `checkpoint.npz` after each epoch, and at the
    end `model.keras`. Every worker cuts its rows out of the same batches, which are pure functions
    of (seed, epoch, index): without batch normalisation and noise, of which each worker has its
    own, the work is that of one machine with the whole batch. Their batch-norm statistics are
    averaged after each epoch. The other workers write what they have to `.worker_N`.

    Args:
        recipe: A `Recipe`; `batch_size` is that of all workers together.
        out: The run's folder, shared by all workers.
        precision: See `choose_runtime`.
        resume: Go on after the last finished epoch; start if nothing is there.
        say: Prints a line for people.

    Returns:
        The trained model.

    Raises:
        UserError: TF_CONFIG is wrong, the batch cannot be shared equally, a worker has several
            GPUs, the recipe fine-tunes another, or the folder holds another run, or this one and
            `resume` is not set.
    """
    import tensorflow as tf

    index, workers = read_cluster(os.environ.get("TF_CONFIG"))
    if recipe.batch_size % workers:
        raise UserError(f"batch {recipe.batch_size} cannot be shared among {workers} workers")
    if recipe.start_from:
        raise UserError(f"{recipe.name} fine-tunes another recipe: train it on one machine")
    if recipe.epochs < 1:
        raise UserError(f"epochs {recipe.epochs}: at least 1 is needed")
    folder, runtime = Path(out), choose_runtime(precision, "multi_worker")
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise UserError(f"{folder} is not empty: --resume goes on with a run, or choose another")
    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # waits for the others
    if strategy.num_replicas_in_sync != workers:
        raise UserError("a worker has several GPUs: start one for each, with CUDA_VISIBLE_DEVICES")
    say(f"{recipe.name}, worker {index} of {workers}: {recipe.title}\n  {runtime.reason}")
    keras.config.set_dtype_policy(runtime.precision)
    keras.utils.set_random_seed(recipe.seed)
    data, _, record = load_data(recipe)
    with strategy.scope():
        model = build_model(recipe)
        compile_model(model, recipe, jit_compile=False)
    keras.config.set_dtype_policy("float32")
    _check_settings(folder, recipe, runtime, record, write=index == 0)
    data.epoch, seconds = 0, 0.0
    if (folder / "checkpoint.npz").exists():
        data.epoch, seconds = restore_checkpoint(folder / "checkpoint.npz", model)
        say(f"  resuming {folder} after epoch {data.epoch}")

    @tf.function
    def step(batch):
        strategy.run(model.train_step, args=(batch,))

    average = averager(model, strategy)
    own = folder if index == 0 else folder / f".worker_{index}"
    recorder = RunRecorder(own, None, data.epoch, seconds)
    recorder.set_model(model)
    for epoch in range(data.epoch, recipe.epochs):
        recorder.on_epoch_begin(epoch)
        data.on_epoch_begin()
        for metric in model.metrics:
            metric.reset_state()
        for number in range(len(data)):
            parts = data[number]
            parts = parts if isinstance(parts, tuple) else (parts,)
            step(tuple(share_rows(part, index, workers) for part in parts))
        average()
        data.on_epoch_end()
        # all workers read, and write: a mean over replicas is only had together
        logs = {name: float(value) for name, value in model.get_metrics_result().items()}
        recorder.on_epoch_end(epoch, logs)
        say(f"  epoch {epoch + 1}: {', '.join(f'{k} {v:.4g}' for k, v in logs.items())}")
    with atomic_path(own / "model.keras") as path:
        model.save(path)
    return model


def share_rows(part, index, workers):
    """Return one worker's rows of a batch."""
    rows = len(part) // workers
    return part[index * rows : (index + 1) * rows]


def _check_settings(folder, recipe, runtime, record, write):
    path = folder / "settings.json"
    settings = {
        "recipe": recipe.to_dict(),
        "precision": runtime.precision,
        "strategy": "multi_worker",
        "data": record,
    }
    if path.exists() and json.loads(path.read_text()) != settings:
        raise UserError(f"{folder} holds a run with other settings: choose another --out")
    if write:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(settings, indent=1))

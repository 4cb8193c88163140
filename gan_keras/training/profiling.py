"""What a training step spends its time on: TensorFlow's trace, and a table of it."""

from collections import defaultdict
from pathlib import Path

import keras

from gan_keras.errors import UserError
from gan_keras.training.assembly import build_model, compile_model, load_data
from gan_keras.training.runtime import choose_runtime

PROFILED = (11, 20)  # steps: compiled and warm


def profile(recipe, out, precision=None, say=print):
    """Train for a few steps, and trace the last ten of them.

    Args:
        recipe: A `Recipe`; what it would fine-tune is taken untrained.
        out: The trace goes to its `logs/`, for TensorBoard; nothing else is written.
        precision: See `choose_runtime`.
        say: Prints a line for people.

    Returns:
        The table that was said; see `longest_operations`.

    Raises:
        UserError: Keras runs on another backend than TensorFlow; the data cannot be read.
    """
    if keras.backend.backend() != "tensorflow":
        raise UserError("the profiler is TensorFlow's: set KERAS_BACKEND=tensorflow")
    runtime, logs = choose_runtime(precision), Path(out) / "logs"
    say(f"{recipe.name}: {recipe.title}\n  {runtime.reason}")
    recipe = recipe.replace(epochs=1, steps_per_epoch=PROFILED[1])
    policy_before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(runtime.precision)
    try:
        keras.utils.set_random_seed(recipe.seed)
        data, _, _ = load_data(recipe)
        model = build_model(recipe)
        compile_model(model, recipe, runtime.jit_compile)
        trace = keras.callbacks.TensorBoard(logs, write_graph=False, profile_batch=PROFILED)
        model.fit(data, callbacks=[trace], shuffle=False, verbose=0)
    finally:
        keras.config.set_dtype_policy(policy_before)
    rows = longest_operations(logs)
    say(f"  {'operation':36} {'a step':>7} {'ms a step':>10} {'share':>6}")
    for kind, calls, milliseconds, share in rows:
        say(f"  {kind:36} {calls:7.1f} {milliseconds:10.2f} {share:6.1%}")
    say(f"  the whole trace: tensorboard --logdir {logs}")
    return rows


def longest_operations(logs, count=10):
    """Sum up the trace that the TensorBoard callback left.

    An operation's time is that on the thread which runs it, while it may use others; the times of
    operations side by side add up, so that shares are of all operations' time, not of the clock.

    Args:
        logs: The folder that the callback wrote to.
        count: How many kinds of operations.

    Returns:
        [(kind, calls a step, milliseconds a step, share of all)], the longest first: "_MklNative…"
        and the like are oneDNN's.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    trace = max(Path(logs).rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)
    space = xplane_pb2.XSpace()
    space.ParseFromString(trace.read_bytes())
    steps = PROFILED[1] - PROFILED[0] + 1
    calls, picoseconds = defaultdict(int), defaultdict(int)
    for plane in space.planes:
        for line in plane.lines:
            if not line.name.startswith("tf_Compute"):  # the threads that run operations
                continue
            for event in line.events:
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if name and name[-1] != ":":  # layer:kind, not C++::Function
                    calls[kind] += 1
                    picoseconds[kind] += event.duration_ps
    total = max(sum(picoseconds.values()), 1)
    longest = sorted(picoseconds, key=picoseconds.get, reverse=True)[:count]
    return [
        (kind, calls[kind] / steps, picoseconds[kind] / 1e9 / steps, picoseconds[kind] / total)
        for kind in longest
    ]

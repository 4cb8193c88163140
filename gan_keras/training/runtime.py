"""The one place that looks at the hardware and picks precision, XLA, threads, steps and devices."""

import os
import platform
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import keras

from gan_keras.errors import UserError

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class Runtime:
    """What a run uses, and why.

    Attributes:
        device: What was found.
        precision: A Keras dtype policy's name.
        jit_compile: Whether steps are compiled with XLA.
        threads: That TensorFlow's operations share.
        steps_per_execution: Training steps between two returns to Python.
        reason: One line for people.
    """

    device: str
    precision: str
    jit_compile: bool
    threads: int
    steps_per_execution: int
    reason: str

    @property
    def compile_options(self):
        """What `compile` is told of it."""
        return {"jit_compile": self.jit_compile, "steps_per_execution": self.steps_per_execution}


@cache
def _hardware():
    """Return (kind, name, has fast bfloat16)."""
    if keras.backend.backend() == "jax":
        import jax

        device = jax.devices()[0]
        if device.platform != "cpu":
            return "gpu", device.device_kind, True
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            details = tf.config.experimental.get_device_details(gpu)
            ampere = details.get("compute_capability", (0, 0)) >= (8, 0)
            return "gpu", details.get("device_name", gpu.name), ampere
    info = ""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            info = file.read()
    names = [line.split(":", 1)[1].strip() for line in info.splitlines() if "model name" in line]
    flags = set(info.split())
    name = names[0] if names else platform.processor() or platform.machine()
    return "cpu", name, bool(flags & {"avx512_bf16", "amx_bf16"})


def available_cores(quota="/sys/fs/cgroup/cpu.max"):
    """Count the cores that this process may use: by its affinity, and by its container's share.

    Args:
        quota: A file of cgroup v2: microseconds a period (or "max"), and the period.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        share, period = Path(quota).read_text().split()
        return max(1, min(cores, round(int(share) / int(period))))
    except (OSError, ValueError):
        return cores


def choose_runtime(precision=None, strategy=None):
    """Pick precision, XLA and threads for this machine.

    bfloat16 on a CPU with AVX-512-bf16 or AMX and on an Ampere or newer GPU, else float32; XLA on
    a GPU and under JAX (on a CPU it halves the speed of TensorFlow's DCGAN step); as many threads
    as there are cores, of which TensorFlow by itself would see a container's whole machine; eight
    steps an execution on a GPU, which would wait for Python, and one on a CPU, where a step takes
    tens of times as long as Python's part of it. The environment overrides each:
    GAN_KERAS_PRECISION=float32, GAN_KERAS_XLA=0 or 1, GAN_KERAS_THREADS=2,
    GAN_KERAS_STEPS_PER_EXECUTION=4. Threads are set where TensorFlow has not begun to compute.

    Args:
        precision: One of `PRECISIONS`, "bfloat16" or "float16" for short; None picks.
        strategy: See `build_strategy`; XLA is off under it.

    Returns:
        A `Runtime`.

    Raises:
        UserError: No such precision or number of threads or steps, or XLA is asked for under a
            strategy.
    """
    kind, name, fast_bfloat16 = _hardware()
    threads = _set_threads(_asked("threads", available_cores()))
    steps = _asked("steps_per_execution", 8 if kind == "gpu" else 1)
    asked = precision or os.environ.get("GAN_KERAS_PRECISION")
    if asked:
        chosen = asked if asked.startswith(("mixed_", "float32")) else f"mixed_{asked}"
        if chosen not in PRECISIONS:
            raise UserError(f"precision {asked!r}: choose one of {', '.join(PRECISIONS)}")
        why = "as asked"
    else:
        chosen = "mixed_bfloat16" if fast_bfloat16 else "float32"
        why = f"{name} {'has' if fast_bfloat16 else 'lacks'} fast bfloat16"
    compiled = kind == "gpu" or keras.backend.backend() == "jax"  # JAX has no graph but XLA's
    xla = os.environ.get("GAN_KERAS_XLA", "1" if compiled and not strategy else "0") == "1"
    if xla and strategy:
        raise UserError(f"TensorFlow's {strategy} strategy does not go with XLA: GAN_KERAS_XLA=0")
    reason = f"{chosen} ({why}); XLA {'on' if xla else 'off'} ({strategy or kind.upper()})"
    reason += f"; {threads} threads; {steps} step{'s'[: steps > 1]} an execution"
    return Runtime(f"{kind}: {name}", chosen, xla, threads, steps, reason)


def _asked(what, default):
    """Return a whole number from the environment, or the default."""
    asked = os.environ.get(f"GAN_KERAS_{what.upper()}") or str(default)
    if not asked.isdecimal() or int(asked) < 1:
        raise UserError(f"{what} {asked!r}: a whole number from 1 is wanted")
    return int(asked)


def _set_threads(asked):
    """Tell TensorFlow how many threads an operation may use; return how many it uses."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        try:
            tf.config.threading.set_intra_op_parallelism_threads(asked)
        except RuntimeError:  # it has begun to compute
            return tf.config.threading.get_intra_op_parallelism_threads() or available_cores()
    return asked


def compile_network(network):
    """Return a network as a function of images, without training.

    Under TensorFlow it is one graph for all sizes, without XLA, which would compile for each.

    Args:
        network: One input, one output.

    Returns:
        A function: float32 (B, H, W, C) → NumPy array.
    """
    apply = partial(network, training=False)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        shape = tf.TensorSpec(network.input_shape, tf.float32)
        apply = tf.function(apply, [shape], autograph=False)
    return lambda images: keras.ops.convert_to_numpy(apply(images))


@cache  # a second MirroredStrategy in one process would mix its messages with the first one's
def build_strategy(name):
    """Build what spreads each batch over the devices of this machine.

    Args:
        name: None for one device, or "mirrored", which takes all GPUs, or, where
            there is none, all logical CPUs that TensorFlow was told of.

    Returns:
        A `tf.distribute.Strategy`, or None.

    Raises:
        UserError: No such strategy, or another backend than TensorFlow.
    """
    if name not in (None, "mirrored"):
        raise UserError(f"strategy {name!r}: choose mirrored or multi_worker")
    if name and keras.backend.backend() != "tensorflow":
        raise UserError(f"strategy {name!r} needs KERAS_BACKEND=tensorflow")
    if name is None:
        return None
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])

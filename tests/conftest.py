"""What every test starts from: a CPU, quiet libraries, float32, nothing left by the test before."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3",
    CUDA_VISIBLE_DEVICES="-1",
    KERAS_BACKEND="tensorflow",
    MPLBACKEND="Agg",
)
for name in ("GAN_KERAS_PRECISION", "GAN_KERAS_XLA", "GAN_KERAS_THREADS"):
    os.environ.pop(name, None)

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def clean_keras():
    """Go back to float32 and forget names and seeds, where Keras is loaded at all."""
    yield
    if "keras" in sys.modules and hasattr(sys.modules["keras"], "config"):
        import keras

        keras.config.set_dtype_policy("float32")
        keras.utils.clear_session(free_memory=False)


@pytest.fixture(scope="session")
def run_python():
    """Return a function that runs a script in a fresh interpreter."""

    def run(code, *arguments, **environment):
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture(scope="session")
def randomise():
    """Return a function that gives a network random weights of a scale that keeps signals alive.

    Builders start some layers at zero; a test of what a network computes must not.
    """

    def fill(network, seed=0, positive=False):
        generator = np.random.default_rng(seed)
        for variable in network.trainable_variables:
            shape = tuple(variable.shape)
            fan_in = max(1, int(np.prod(shape[:-1])))
            values = generator.standard_normal(shape) * np.sqrt(1.5 / fan_in)
            if len(shape) == 1:
                values = 0.1 * generator.standard_normal(shape) + (variable.name == "gamma")
            variable.assign(np.abs(values) + 1e-3 if positive else values)
        return network

    return fill


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory):
    """Return a folder of four small smooth photographs (one is split off as test)."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(5)
    for index in range(4):
        small = Image.fromarray(generator.integers(0, 256, (5, 6, 3), np.uint8))
        small.resize((48, 40), Image.BICUBIC).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def restorer_file(tmp_path_factory, randomise):
    """Return a saved tiny restorer with random weights."""
    from gan_keras.networks.restorer import build_restorer

    network = randomise(build_restorer(filters=(4, 6), blocks=(1, 1)))
    path = tmp_path_factory.mktemp("models") / "restorer.keras"
    network.save(path)
    return path

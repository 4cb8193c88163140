"""Small models, exported once, and the stand-in server around them."""

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True, scope="module")
def clean_keras():
    """Clean up after a module, not after each test: a cleared session prepares every graph anew."""
    yield
    import keras

    keras.config.set_dtype_policy("float32")
    keras.utils.clear_session(free_memory=False)


@pytest.fixture(scope="session")
def restorer(randomise):
    """Return a tiny restorer with random weights and a receptive field of 79 pixels."""
    from gan_keras.networks.restorer import build_restorer

    return randomise(build_restorer(filters=(4, 6), blocks=(1, 1)))


@pytest.fixture(scope="session")
def exports(tmp_path_factory, restorer, randomise):
    """Return a folder with `tiny` (an enhancer), `digits` (a generator with labels) and `vae`."""
    import gan_keras
    from gan_keras.algorithms.latents import Generator
    from gan_keras.networks import digits
    from gan_keras.serving import export

    out = tmp_path_factory.mktemp("saved_models")
    export.export_enhancer(gan_keras.Enhancer(restorer), "tiny", out, max_pixels=1_000_000)
    small = {"latent_dim": 4, "base_filters": 2}
    generator = randomise(digits.build_conditional_generator(**small))
    generator.save(out / "generator.keras")
    export.export_generator(Generator(generator), "digits", out)
    vae = gan_keras.VAE(
        randomise(digits.build_encoder(**small)), randomise(digits.build_decoder(**small))
    )
    vae.compile()
    vae.save(out / "vae.keras")
    export.export_vae(vae, "vae", out)
    return out


@pytest.fixture(scope="session")
def served(exports):
    """Return the exported models, loaded in sessions."""
    from server_double import load_models

    return load_models(exports)


@pytest.fixture(scope="session")
def smooth():
    """Return a function that makes a smooth random picture: uint8 (height, width, 3)."""

    def make(height, width, seed=0):
        small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
        return np.asarray(Image.fromarray(small).resize((width, height), Image.BICUBIC))

    return make


@pytest.fixture(scope="session")
def encoded():
    """Return a function that encodes an array or a Pillow image as a file's bytes."""

    def encode(image, kind="PNG", **options):
        image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    return encode


@pytest.fixture(scope="session")
def decoded():
    """Return a function that decodes a file's bytes as an array, in the file's own mode."""
    return lambda data: np.asarray(Image.open(io.BytesIO(data)))

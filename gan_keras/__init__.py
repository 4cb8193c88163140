"""gan_keras: generative models for image enhancement in Keras 3; a course and a toolkit.

Importing this package imports nothing else: each name below is loaded at its first use.
"""

import importlib

_WHERE = {
    "DCGAN": "algorithms.dcgan",
    "WGANGP": "algorithms.wgan_gp",
    "VAE": "algorithms.vae",
    "Pix2Pix": "algorithms.pix2pix",
    "Enhancer": "restoration.enhancer",
    "UserError": "errors",
    "Recipe": "recipes",
    "RECIPES": "recipes",
    "get_recipe": "recipes",
    "load": "loading",
    "shipped": "loading",
    "train": "training.run",
}

__all__ = sorted([*_WHERE, "recipes"])
__version__ = "0.1.0"


def __getattr__(name):
    if name in _WHERE:
        return getattr(importlib.import_module(f"gan_keras.{_WHERE[name]}"), name)
    try:
        return importlib.import_module(f"gan_keras.{name}")
    except ModuleNotFoundError as error:
        if error.name == f"gan_keras.{name}":
            raise AttributeError(f"module 'gan_keras' has no attribute {name!r}") from None
        raise


def __dir__():
    return __all__

"""Read a file of named tensors that PyTorch saved, without PyTorch and without running its code.

A pickle may call any function that it names; here only those of tensors are admitted, and what they
build is plain: a dictionary of arrays. The layout is that of PyTorch before 1.6: small pickles
(a magic number, a version, the writer's machine), the dictionary, the keys of its storages, and
then each storage: its length in 8 bytes, and its numbers.
"""

import collections
import functools
import pickle

import numpy as np

from gan_keras.errors import UserError

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_tensors(path):
    """Read the tensors of a file.

    Args:
        path: What `torch.save(model.state_dict(), path)` wrote, in the older of its two layouts.

    Returns:
        {name: array}, float32 or int64.

    Raises:
        UserError: Another kind of file; one that names anything but tensors; or a damaged one.
    """
    try:
        with open(path, "rb") as file:
            if (_Tensors(file).load(), _Tensors(file).load()) != (MAGIC, VERSION):
                raise pickle.UnpicklingError("its layout is another one")
            _Tensors(file).load()  # of the writer's machine: numbers are little-endian anyway
            dictionary = _Tensors(file)
            tensors = dictionary.load()
            storages = {}
            for key in _Tensors(file).load():
                count = int(np.frombuffer(file.read(8), "<i8")[0])
                dtype = dictionary.types[key]
                storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
        return {name: build(storages) for name, build in tensors.items()}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except Exception as error:  # opcodes raise whatever broken bytes provoke
        raise UserError(f"{path} is no file of tensors that can be read ({error})") from error


class _Tensors(pickle.Unpickler):
    """Unpickles a dictionary; each tensor becomes a function of the storages, which come later."""

    def __init__(self, file):
        super().__init__(file)
        self.types = {}  # of the storages, by key

    def find_class(self, module, name):
        """Return what a pickle names, if it is admitted."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _later
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, identifier):
        """Note a storage's type and return its key."""
        kind, dtype, key, _, _, view = identifier
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"it refers to {identifier}")
        self.types[key] = dtype
        return key


def _later(key, offset, shape, strides, *_):
    return functools.partial(_build, key, offset, shape, strides)


def _build(key, offset, shape, strides, storages):
    """Copy a tensor out of its storage; strides count numbers."""
    numbers = storages[key]
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides), default=0) < 0 or last >= len(numbers):
        raise ValueError("a tensor lies outside its storage")
    steps = [step * numbers.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps).copy()

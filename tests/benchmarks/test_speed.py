"""The benchmarks measure what they say, and run: each in small."""

import json
import subprocess
import sys

import folder
import interleaved
import keras
import latest
import numpy as np
import pytest
import reference_steps
import tensorflow as tf
from flops import count_flops, kernels, kernels_alone
from interleaved import Result
from keras import layers
from latest import figure
from reference_steps import vae_step

from gan_keras.algorithms.vae import VAE
from gan_keras.networks.adversarial_digits import build_critic
from gan_keras.networks.digits import build_decoder, build_encoder, build_generator
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.restorer import build_restorer
from gan_keras.networks.unet_256 import build_unet_256


def run_main(name, monkeypatch, tmp_path, *arguments):
    """Run a benchmark in this process; return {name of the result: its values}."""
    path = tmp_path / "results.json"
    module = __import__(name)
    monkeypatch.setattr(sys, "argv", [name, "--rounds", "2", "--json", str(path), *arguments])
    module.main()
    results = json.loads(path.read_text())["results"]
    assert all(len(r["values"]) == 2 and min(r["values"]) > 0 for r in results)
    return {result["name"]: result for result in results}


def test_things_take_turns_and_ratios_are_of_one_round(monkeypatch):
    clock, order, settled = [0.0], [], []
    monkeypatch.setattr(interleaved.time, "perf_counter", lambda: clock[0])

    def run(name, seconds):
        clock[0] += next(seconds)
        order.append(name)
        return name

    slow, fast = iter([9, 4, 6, 10]), iter([9, 2, 2, 2])
    runs = {"slow": lambda: run("slow", slow), "fast": lambda: run("fast", fast)}
    times = interleaved.take_turns(runs, 3, seconds=5, settle=settled.append)
    assert order == settled == ["slow", "fast"] * 4  # once to see how long it takes
    assert times == {"slow": [4, 6, 10], "fast": [2, 2, 2]}
    result = Result("r", interleaved.ratios(times["slow"], times["fast"]), 2.0)
    assert result.cells() == ("r", "3.00 ×", "2.00–5.00", "≥ 2 ×")
    assert result.share_of_goal == (1, 1.5, 2.5)
    seconds = Result("s", [1.0, 2.0, 4.0], 2.0, "s")
    assert seconds.share_of_goal == (0.5, 1, 2) and seconds.cells()[3] == "≤ 2 s"


def test_a_short_call_is_repeated(monkeypatch):
    clock, calls = [0.0], []
    monkeypatch.setattr(interleaved.time, "perf_counter", lambda: clock[0])

    def run():
        clock[0] += 0.1
        calls.append(1)

    times = interleaved.take_turns({"it": run}, 2, seconds=0.5)
    assert len(calls) == 1 + 2 * 5
    assert times["it"] == pytest.approx([0.1, 0.1])


def test_operations_of_a_step_by_hand():
    network = keras.Sequential(
        [
            keras.Input((8, 6, 3)),
            layers.Conv2D(5, 3, 2, "same"),  # (4, 3, 5)
            layers.Conv2DTranspose(2, 4, 2, "same"),  # (8, 6, 2)
            layers.Flatten(),
            layers.Dense(7),
        ]
    )
    forward = 4 * 3 * 5 * 9 * 3 + 4 * 3 * 5 * 16 * 2 + 96 * 7
    batch = tf.zeros((10, 8, 6, 3))
    passed = tf.function(lambda x: network(x)).get_concrete_function(batch)
    assert count_flops(passed) == 2 * 10 * forward

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(network(x)))
        return tape.gradient(loss, network.trainable_variables)

    first_layer_in_images = 4 * 3 * 5 * 9 * 3  # nobody asks for this gradient
    expected = 2 * 10 * (3 * forward - first_layer_in_images)
    concrete = step.get_concrete_function(batch)
    assert count_flops(concrete) == expected
    results = kernels_alone(concrete)()
    assert len(results) == len(kernels(concrete)) == 3 * 3 - 1
    shapes = [kernel.outputs[0].shape[-1:] for kernel in kernels(concrete)]
    assert [result.shape for result in results] == shapes
    assert all(np.abs(result).max() > 0 for result in results)


def pictures(*shape):
    return tf.constant(np.random.default_rng(0).uniform(-1, 1, shape), tf.float32)


def step_of(name):
    """Return (the usual step, its arguments, the networks that it should move)."""
    shape, count = (16, 16, 1), 4
    images = pictures(count, *shape)
    if name == "wgan-gp":
        networks = build_generator(shape, 5, 2), build_critic(shape, 2)
        return reference_steps.wgan_gp_step(*networks, n_critic=2), [images], networks
    if name == "vae":
        networks = build_encoder(shape, 3, 2), build_decoder(shape, 3, 2)
        return reference_steps.vae_step(*networks), [tf.cast(images > 0, tf.float32)], networks
    generator = build_restorer(filters=(4,), blocks=(1,))
    pair = [pictures(count, 16, 16, 3), pictures(count, 16, 16, 3) / 2]
    if name == "restorer":
        return reference_steps.restorer_step(generator), pair, [generator]
    networks = generator, build_patchgan(base_filters=2, downsamplings=1)
    return reference_steps.pix2pix_step(*networks), pair, networks


@pytest.mark.parametrize("name", ["wgan-gp", "vae", "restorer", "pix2pix"])
def test_the_usual_steps_move_their_players(name):
    step, arguments, networks = step_of(name)
    before = [[np.array(v) for v in n.trainable_variables] for n in networks]
    for _ in range(2):  # what starts at zero hides what lies before it
        losses = keras.tree.flatten(step(*arguments))
    assert np.isfinite(losses).all() and len(losses) == (1 if name in ("vae", "restorer") else 2)
    for network, weights in zip(networks, before, strict=True):
        pairs = zip(weights, network.trainable_variables, strict=True)
        moved = [np.abs(a - b).max() for a, b in pairs]
        assert sum(m > 1e-6 for m in moved) > 0.7 * len(moved)


def test_the_usual_vae_maximises_our_bound(randomise):
    """The same networks and images: two estimates of one number, of other draws."""
    encoder, decoder = build_encoder((16, 16, 1), 3, 2), build_decoder((16, 16, 1), 3, 2)
    binary = tf.cast(pictures(512, 16, 16, 1) > 0, tf.float32)
    model = VAE(randomise(encoder), randomise(decoder))
    encoder.get_layer("mean").bias.assign([5, -5, 5])
    model.compile("sgd")
    ours = model.evaluate(2 * binary - 1, verbose=0, return_dict=True)
    images = keras.Input((16, 16, 1))
    usual = vae_step(keras.Model(images, encoder(2 * images - 1)), decoder)
    assert -float(usual(binary)) == pytest.approx(ours["elbo"], rel=0.02)
    assert ours["kl"] > 0.1 * abs(ours["elbo"])  # neither term hides the other


@pytest.mark.slow
def test_pytorch_learns_on_networks_of_the_same_shapes():
    pytest.importorskip("torch")  # nothing else needs it
    import reference_torch

    shapes = {"restorer": (2, 64, 64, 3), "pix2pix": (1, 256, 256, 3)}
    for name in reference_torch.STEPS:
        images = pictures(*shapes.get(name, (8, 28, 28, 1))).numpy()
        for step in reference_torch.build_forms(name, images).values():
            losses = [step() for _ in range(4)]
            assert np.isfinite(losses).all()
            assert name in ("dcgan", "wgan-gp") or losses[-1] < losses[0]

    def count(network):
        return sum(weights.numel() for weights in network.parameters())

    assert count(reference_torch._UNet()) == build_unet_256().count_params()
    assert count(reference_torch._Restorer()) == build_restorer().count_params()


def test_steps_prints_its_ratios(monkeypatch, tmp_path, capsys):
    found = run_main("steps", monkeypatch, tmp_path, "--systems", "vae", "--batch", "4")
    assert [name.removeprefix("vae: ") for name in found] == [
        "ours against the usual step",
        "bfloat16 against float32",
        "share of the matrix ceiling",
    ]
    assert found["vae: ours against the usual step"]["goal"] == 2.5
    printed = capsys.readouterr().out
    assert "| usual, float32, graph | 1.00 × (1.00–1.00)" in printed
    assert "load average" in printed and "2048³" in printed
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.slow
def test_pipelines_are_set_beside_their_steps(monkeypatch, tmp_path):
    found = run_main("pipelines", monkeypatch, tmp_path)
    assert {"input: dcgan", "input: auto", "input: inpaint"} <= found.keys()
    assert all(result["goal"] == 5 for result in found.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
def test_enhancement_knows_every_home(monkeypatch, tmp_path, capsys):
    run_main("enhancement", monkeypatch, tmp_path, "--side", "128")
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " | " in line]
    psnr = {row[0].strip("| "): float(row[1]) for row in rows if row[1][:2].isdigit()}
    homes = "Keras", "Keras, bfloat16", "SavedModel", "litert", "litert-int8", "onnx"
    assert {home: psnr[home] for home in homes} == pytest.approx(
        dict.fromkeys(homes, psnr["Keras"]), abs=0.5
    )
    assert psnr["Keras"] > 28


@pytest.mark.slow
def test_startup_times_what_the_commands_take(monkeypatch, tmp_path):
    found = run_main("startup", monkeypatch, tmp_path)
    empty, help = (found[name]["values"] for name in ("an empty Python", "gan-keras --help"))
    restored = found["first restored photograph, 1 MP"]["values"]
    # 0.06 s, 0.07 s and 7 s: the first two are too near each other for a busy machine.
    assert 0 < min(empty) < min(restored) / 10 and 0 < min(help) < min(restored) / 10


@pytest.mark.slow
def test_a_folder_is_gone_through_killed_and_gone_on_with(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["folder", "--count", "300"])
    folder.main()
    printed = capsys.readouterr().out
    assert "\n300 restored files are whole" in printed
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines()]
    rows = {row[0]: row[1:] for row in rows if len(row) == 5}
    assert 150 <= int(rows["killed half way"][0]) < 300
    assert rows["--resume"][0] == rows["--resume again"][0] == "300"
    assert rows["--resume again"][3].startswith("0 of 0 restored")
    assert rows["killed half way"][3] == "–"


def test_the_chart_shows_each_goal(tmp_path):
    results = [Result("fast", [1.2, 1.5, 1.4], 1.3), Result("late", [9.0, 10.0], 8.0, "s")]
    drawing = figure(results)
    (axes,) = drawing.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["late", "fast"]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["9.50 s (goal ≤ 8 s)", "1.40 × (goal ≥ 1.3 ×)"]
    drawing.savefig(tmp_path / "chart.png")


def test_a_benchmark_that_fails_stops_the_rest(monkeypatch, tmp_path):
    monkeypatch.setattr(latest, "HERE", tmp_path)
    (tmp_path / "steps.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(sys, "argv", ["latest", "--only", "steps", "--out", str(tmp_path / "L.md")])
    with pytest.raises(subprocess.CalledProcessError):
        latest.main()

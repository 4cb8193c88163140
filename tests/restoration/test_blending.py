"""The dial from fidelity to realism."""

import shutil

import keras
import numpy as np
import pytest

from gan_keras import Enhancer, cli, loading
from gan_keras.cli import main
from gan_keras.errors import UserError
from gan_keras.networks.restorer import build_inpainter, build_restorer
from gan_keras.restoration.blending import blend, realism_tasks
from gan_keras.serving import tryout
from gan_keras.serving.export import export, exportable

IMAGE = np.random.default_rng(3).integers(0, 256, (21, 34, 3), np.uint8)


@pytest.fixture
def pair(randomise):
    """Return two tiny restorers with different weights."""
    return [randomise(build_restorer(filters=(4, 6), blocks=(1, 1)), seed) for seed in (0, 1)]


@pytest.fixture
def weights(tmp_path, monkeypatch, pair, restorer_file):
    """Return a folder in place of `weights`: `denoise` has a realism version, `auto` has none."""
    folder = tmp_path / "gan_keras" / "weights"
    folder.mkdir(parents=True)
    for name, network in zip(("denoise", "denoise_realism"), pair, strict=True):
        network.save(folder / f"{name}.keras")
    shutil.copy(restorer_file, folder / "auto.keras")
    for name in ("denoise", "denoise_realism", "auto"):
        (folder / f"{name}.md").write_text(f"# {name}: for a test\n")
    monkeypatch.setattr(loading, "WEIGHTS", folder)
    monkeypatch.setattr("gan_keras.serving.export.WEIGHTS", folder)
    monkeypatch.setattr(cli, "__file__", str(folder.parent / "cli.py"))
    return folder


@pytest.mark.parametrize("share", [0, 0.25, 1])
def test_weights_are_the_mean_by_hand(pair, share):
    before = [network.get_weights() for network in pair]
    mixed = blend(*pair, share).get_weights()
    assert len(mixed) == len(before[0]) > 8
    for weight, a, b in zip(mixed, *before, strict=True):
        expected = {0: a, 1: b}.get(share, 0.75 * a + 0.25 * b)
        np.testing.assert_array_equal(weight, np.float32(expected))
        assert (a != b).all()
    for network, kept in zip(pair, before, strict=True):  # neither is changed
        for a, b in zip(network.get_weights(), kept, strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_inpainter_can_be_blended_too(randomise):
    pair = [randomise(build_inpainter(filters=(4,), blocks=(1,)), seed) for seed in (0, 1)]
    given = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 4)).astype(np.float32)
    np.testing.assert_array_equal(blend(*pair, 1)(given), pair[1](given))


def test_the_ends_of_the_dial_are_the_two_networks(weights, pair):
    ends = [Enhancer(network)(IMAGE) for network in pair]
    assert (ends[0] != ends[1]).any()
    np.testing.assert_array_equal(Enhancer.load("denoise")(IMAGE), ends[0])
    np.testing.assert_array_equal(Enhancer.load("denoise", realism=1)(IMAGE), ends[1])
    mixed = Enhancer.load("denoise", realism=0.5)
    np.testing.assert_array_equal(mixed(IMAGE), Enhancer(blend(*pair, 0.5))(IMAGE))
    assert (mixed(IMAGE) != ends[0]).any() and (mixed(IMAGE) != ends[1]).any()
    own = Enhancer.load("auto", 1, str(weights / "denoise_realism.keras"))  # of one's own
    np.testing.assert_array_equal(own(IMAGE), ends[1])


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_shares_that_cannot_be(weights, share):
    with pytest.raises(UserError, match=f"realism {share}: a number from 0 to 1"):
        Enhancer.load("denoise", realism=share)


def test_networks_of_another_architecture(pair, randomise):
    wider = build_restorer(filters=(4, 8), blocks=(1, 1))
    given = keras.Input((None, None, 3))
    other = keras.Model(given, keras.layers.Conv2D(3, 3, padding="same")(given))
    for network in (wider, other):
        with pytest.raises(UserError, match="another architecture"):
            blend(pair[0], network, 0.5)


def mistake(capsys, *arguments):
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_the_command(weights, pair, photo_folder, tmp_path, capsys):
    photo, out = photo_folder / "0.png", tmp_path / "out"
    enhance = ["enhance", photo, "--out", out, "--precision", "float32"]
    assert main([str(word) for word in [*enhance, "--realism", "0.5"]]) == 0
    from PIL import Image

    expected = Enhancer(blend(*pair, 0.5))(np.asarray(Image.open(photo)))
    np.testing.assert_array_equal(np.asarray(Image.open(out / "0.png")), expected)
    assert "from 0 to 1" in mistake(capsys, *enhance, "--realism", "2")
    line = mistake(capsys, *enhance, "--task", "auto", "--realism", "0.5")
    assert "auto ships without a realism version; those that do: denoise" in line
    assert main([str(word) for word in [*enhance, "--task", "auto", "--realism", "0"]]) == 0
    own = ["--model", weights / "auto.keras", "--realism", "1"]
    assert "--realism-model" in mistake(capsys, *enhance, *own)
    mine = ["--realism-model", weights / "denoise_realism.keras"]
    assert "say how far" in mistake(capsys, *enhance, *mine)
    assert "say how far" in mistake(capsys, "export", "denoise", "--out", out, *mine)
    assert main([str(word) for word in [*enhance, *own, *mine]]) == 0
    expected = Enhancer(pair[1])(np.asarray(Image.open(photo)))
    np.testing.assert_array_equal(np.asarray(Image.open(out / "0.png")), expected)


def test_where_none_ships_the_line_says_so(weights):
    (weights / "denoise_realism.keras").unlink()
    with pytest.raises(UserError, match="those that do: none yet"):
        Enhancer.load("denoise", realism=0.5)


def test_realism_versions_are_no_tasks_of_their_own(weights, capsys):
    assert main(["list"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "for a test" in line]
    assert len(lines) == 2
    assert any("denoise: for a test; --realism 0…1" in line for line in lines)
    assert not lines[0].endswith("1")  # auto has no such version
    assert realism_tasks() == ["denoise"]
    assert exportable() == ["auto", "denoise"]
    assert set(tryout.gather()[0]) == {"auto", "denoise"}


def test_an_export_is_the_blended_network_and_its_card_says_so(weights, pair, tmp_path, capsys):
    import tensorflow as tf

    version = export("denoise", out=tmp_path / "served", realism=0.5)
    served = tf.saved_model.load(str(version)).signatures["enhance_array"]
    images = IMAGE[None].astype(np.float32) / 255
    restored = served(images=tf.constant(images))["images"].numpy()[0]
    expected = Enhancer(blend(*pair, 0.5))(2 * images[0] - 1)
    np.testing.assert_allclose(2 * restored - 1, expected, atol=1e-5)
    assert "share 0.5: detail may be invented" in (version / "assets.extra/card.md").read_text()
    out = ["--out", tmp_path / "served"]
    assert "one enhancer" in mistake(capsys, "export", "--all", "--realism", "0.5", *out)

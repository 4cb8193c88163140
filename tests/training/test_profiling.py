"""The profiler: a table of what a step spends its time on."""

import keras
import pytest

from gan_keras.cli import main
from gan_keras.recipes import get_recipe
from gan_keras.training.profiling import PROFILED, profile


@pytest.fixture(scope="module")
def profiled(tmp_path_factory):
    folder, said = tmp_path_factory.mktemp("profile"), []
    network = {"filters": (8, 8), "blocks": (1, 1)}
    recipe = get_recipe("restorer").replace(network=network, batch_size=2, crop=16)
    return profile(recipe, folder, "float32", said.append), folder, said


def test_the_longest_operations_are_convolutions_and_their_gradients(profiled):
    rows, _, said = profiled
    shares = [share for *_, share in rows]
    assert shares == sorted(shares, reverse=True) and 0.5 < sum(shares) <= 1
    assert any("Conv2DBackpropFilter" in kind for kind, *_ in rows[:4])
    assert all(calls > 0 and milliseconds > 0 for _, calls, milliseconds, _ in rows)
    assert rows[0][0] in said[2]  # below the recipe and the heading


def test_a_step_is_counted_once(profiled):
    def calls(kind):
        return sum(calls for name, calls, *_ in profiled[0] if kind in name)

    # 8 convolutions, of which the first hands no gradient on; 2 transposed ones, forwards
    assert calls("Conv2DBackpropInput") == 7 + 2
    assert calls("Conv2DBackpropFilter") == 8 + 2


def test_what_it_leaves(profiled):
    _, folder, _ = profiled
    assert [path.name for path in folder.iterdir()] == ["logs"]
    assert list(folder.rglob("*.xplane.pb"))
    assert keras.config.dtype_policy().name == "float32"
    assert PROFILED[0] > 1  # compilation is not in it


@pytest.mark.slow
def test_the_command_traces_in_the_place_of_training(tmp_path, capsys):
    command = ["train", "vae", "--profile", "--precision", "float32", "--out", str(tmp_path)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "Conv2DBackpropFilter" in said and f"tensorboard --logdir {tmp_path / 'logs'}" in said
    assert not (tmp_path / "model.keras").exists()


def test_a_mistake_is_one_line(tmp_path, capsys):
    assert main(["train", "restorer", "--profile", "--data", str(tmp_path)]) == 2
    assert "no images" in capsys.readouterr().err

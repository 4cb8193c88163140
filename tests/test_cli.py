import importlib
import inspect
import re
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gan_keras
from gan_keras.cli import main
from gan_keras.recipes import RECIPES

COMMANDS = ("demo", "train", "generate", "enhance", "evaluate", "compare", "export", "check")
COMMANDS += ("remote", "app", "list", "info")


@pytest.fixture(scope="module")
def gan_file(tmp_path_factory):
    """Return a saved tiny DCGAN."""
    from gan_keras.networks.digits import build_discriminator, build_generator

    model = gan_keras.DCGAN(
        build_generator(latent_dim=4, base_filters=2), build_discriminator(base_filters=2)
    )
    model.compile("adam", "adam")
    path = tmp_path_factory.mktemp("models") / "gan.keras"
    model.save(path)
    return path


def photograph(path, size=(23, 17), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {"RGB": 3, "L": 1}[mode]
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], channels), np.uint8)
    Image.fromarray(pixels.squeeze(-1) if channels == 1 else pixels).save(path, **options)
    return path


def huge_png(path, side=20_000):
    """Write a PNG whose header promises side² pixels; there are none."""

    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def truncated_jpeg(path):
    photograph(path, (200, 150))
    path.write_bytes(path.read_bytes()[:3000])
    return path


def text_named_png(path):
    path.write_text("these are words")
    return path


def empty_file(path):
    path.write_bytes(b"")
    return path


def run(capfd, *arguments):
    """Return (exit status, lines on stdout, lines on stderr)."""
    capfd.readouterr()
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        status = stopped.code
    out, err = capfd.readouterr()
    return status, out.splitlines(), [line for line in err.replace("\r", "\n").splitlines() if line]


def mistake(capfd, *arguments):
    """Run a command that must end with status 2 and one line; return the line."""
    status, _, err = run(capfd, *arguments)
    assert status == 2
    assert len(err) == 1, err
    assert err[0].startswith("gan-keras")
    return err[0]


# the program itself


def test_help_is_quick_for_it_imports_nothing_large(run_python):
    """Of the best of three, as a machine may be busy."""
    code = (
        "import sys; import gan_keras.cli; gan_keras.cli._parser(); "
        "large = {'tensorflow', 'keras', 'numpy', 'jax', 'PIL', 'scipy', 'matplotlib'}; "
        "print(sorted(large & set(sys.modules)))"
    )
    assert run_python(code).stdout.strip() == "[]"
    help_of = "import sys, gan_keras.cli; sys.exit(gan_keras.cli.main(['--help']))"
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        result = run_python(help_of)
        seconds.append(time.perf_counter() - started)
        assert result.returncode == 0 and "enhance" in result.stdout
    assert min(seconds) < 0.5


def test_commands_start_without_what_keras_only_wraps(run_python, restorer_file):
    """It took half of TensorFlow's start; who asks for it afterwards gets it."""
    code = (
        "import sys; from gan_keras import cli; cli._quiet(); import gan_keras; "
        "gan_keras.load(sys.argv[1]); wrapped = set(cli._WRAPPED); "
        "print(sorted(wrapped & set(sys.modules))); import matplotlib, pandas, sklearn; "
        "print(wrapped <= set(sys.modules) and sklearn.__version__ > '')"
    )
    result = run_python(code, restorer_file)
    assert result.stdout.split("\n")[:2] == ["[]", "True"], result.stderr


def test_python_m_runs_the_same_program(run_python):
    code = "import runpy, sys; sys.argv = ['gan_keras', 'list']; "
    code += "runpy.run_module('gan_keras', run_name='__main__')"
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    assert "dcgan" in result.stdout and result.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(capfd, command):
    status, out, err = run(capfd, command, "--help")
    assert (status, err) == (0, [])
    assert "usage: gan-keras " + command in out[0]
    assert len(out) > 3


def test_list_names_recipes(capfd):
    status, out, err = run(capfd, "list")
    assert (status, err) == (0, [])
    for recipe in RECIPES.values():
        assert any(recipe.name in line and recipe.title in line for line in out)


def test_info_says_what_a_bug_report_needs(capfd):
    status, out, err = run(capfd, "info")
    assert (status, err) == (0, [])
    text = "\n".join(out)
    for word in ("python", "keras", "tensorflow", "numpy", "cores", "XLA", "float"):
        assert word in text


# mistakes: one line, status 2, nothing half-written


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["train"],
        ["enhance"],
        ["train", "dcgan", "--epochs", "many"],
        ["train", "dcgan", "--resume", "--overwrite"],
    ],
    ids=["nothing", "unknown command", "no recipe", "no photograph", "words for a number", "both"],
)
def test_mistakes_of_usage(capfd, arguments):
    assert "--help" in mistake(capfd, *arguments)


@pytest.mark.parametrize(
    ("name", "nearest"), [("dcgna", "dcgan"), ("pix2pixx", "pix2pix"), ("restore", "restorer")]
)
def test_unknown_recipe_names_the_nearest(capfd, name, nearest, tmp_path):
    line = mistake(capfd, "train", name, "--out", tmp_path / "run")
    assert f"did you mean '{nearest}'?" in line
    assert not (tmp_path / "run").exists()


def test_a_recipe_like_no_other_lists_them_all(capfd):
    line = mistake(capfd, "train", "qqqq")
    assert all(name in line for name in RECIPES) and "did you mean" not in line


@pytest.mark.parametrize("epochs", ["0", "-3"])
def test_epochs_below_one(capfd, epochs, tmp_path):
    line = mistake(capfd, "train", "dcgan", "--epochs", epochs, "--out", tmp_path / "run")
    assert epochs in line and "at least 1" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("seed", ["-1", str(2**40)])
def test_seeds_that_cannot_be(capfd, seed, tmp_path):
    line = mistake(capfd, "train", "dcgan", "--seed", seed, "--out", tmp_path / "run")
    assert "seed" in line
    assert not (tmp_path / "run").exists()


def test_seeds_that_cannot_be_in_generate(capfd, gan_file, tmp_path):
    out = tmp_path / "digits.png"
    assert "seed" in mistake(capfd, "generate", gan_file, "--seed", "-1", "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "restorer", "--data", "{}/nowhere"], "no such folder"),
        (["train", "restorer", "--data", "{}/empty"], "no images"),
        (["train", "restorer", "--data", "{}/broken"], "no readable photograph"),
        (["train", "restorer", "--pairs", "{}/empty"], "input"),
        (["train", "dcgan", "--data", "{}/empty"], "mnist-5k"),
        (["train", "dcgan", "--precision", "float8"], "mixed_bfloat16"),
        (["train", "restorer", "--data", "photos", "--pairs", "{}"], "exclude each other"),
    ],
)
def test_data_that_cannot_be_trained_on(capfd, tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    for index in range(3):
        text_named_png(tmp_path / "broken" / f"{index}.png")
    filled = [argument.format(tmp_path) for argument in arguments]
    assert words in mistake(capfd, *filled, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path, "No such file"),
        (text_named_png, "not an image"),
        (empty_file, "empty"),
        (huge_png, "178,956,970 pixels"),
    ],
    ids=["missing", "text", "zero bytes", "20,000 × 20,000"],
)
def test_photographs_that_cannot_be_enhanced(capfd, tmp_path, restorer_file, make, words):
    source = make(tmp_path / "photo.png")
    arguments = ["enhance", source, "--model", restorer_file, "--out", tmp_path / "out"]
    line = mistake(capfd, *arguments)
    assert words in line and str(source) in line
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_truncated_jpeg(capfd, tmp_path, restorer_file):
    source = truncated_jpeg(tmp_path / "photo.jpg")
    arguments = ["enhance", source, "--model", restorer_file, "--out", tmp_path / "out"]
    line = mistake(capfd, *arguments)
    assert "cut short" in line and str(source) in line
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_an_empty_folder(capfd, tmp_path, restorer_file):
    (tmp_path / "photos").mkdir()
    arguments = ["--model", restorer_file, "--out", tmp_path / "out"]
    assert "no images" in mistake(capfd, "enhance", tmp_path / "photos", *arguments)


def whole_image_network(path):
    import keras

    images = keras.Input((None, None, 3))
    keras.Model(images, keras.layers.GroupNormalization(groups=-1)(images)).save(path)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path, "no model"),
        (text_named_png, "is not a model that can be loaded"),
        (empty_file, "is not a model that can be loaded"),
        (whole_image_network, "whole image|receptive field"),
    ],
    ids=["missing", "text", "zero bytes", "whole-image normalisation"],
)
def test_model_files_that_are_none(capfd, tmp_path, make, words):
    import re

    photo = photograph(tmp_path / "photo.png")
    model = make(tmp_path / "model.keras")
    line = mistake(capfd, "enhance", photo, "--model", model, "--out", tmp_path / "out")
    assert re.search(words, line)
    assert not (tmp_path / "out").exists()


def test_models_of_another_kind(capfd, tmp_path, gan_file, restorer_file):
    photo = photograph(tmp_path / "photo.png")
    line = mistake(capfd, "enhance", photo, "--model", gan_file, "--out", tmp_path / "out")
    assert "restorer or a pix2pix" in line
    line = mistake(capfd, "export", "digit_classifier", "--out", tmp_path / "out")
    assert "restorer or a pix2pix" in line
    line = mistake(capfd, "generate", restorer_file, "--out", tmp_path / "digits.png")
    assert "name a DCGAN or a VAE" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png"]


def test_an_unfinished_run_is_no_model(capfd, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.npz").write_bytes(b"")
    assert "--resume" in mistake(capfd, "evaluate", tmp_path / "run")


def test_an_unknown_task(capfd, tmp_path):
    photo = photograph(tmp_path / "photo.png")
    line = mistake(capfd, "enhance", photo, "--task", "denoyse", "--out", tmp_path / "out")
    assert "'denoyse'" in line


def test_counts_and_places_of_generate(capfd, tmp_path, gan_file):
    assert "at least 1" in mistake(capfd, "generate", gan_file, "--count", "0")
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "digits.png"
    assert "cannot write" in mistake(capfd, "generate", gan_file, "--out", out)


# what works


def test_enhance_keeps_sizes_names_and_folders(capfd, tmp_path, restorer_file):
    source, out = tmp_path / "photos", tmp_path / "out"
    photograph(source / "a.png", (23, 17))
    photograph(source / "deep" / "er" / "b.JPG", (40, 9), format="JPEG")
    photograph(source / "deep" / "grey.png", (5, 6), "L")
    photograph(source / "one.png", (1, 1))
    (source / "notes.txt").write_text("not an image")
    single = photograph(tmp_path / "single.bmp", (12, 8))
    options = "--model", restorer_file, "--out", out, "--precision", "float32"
    status, lines, _ = run(capfd, "enhance", source, single, *options)
    assert status == 0 and "5 of 5" in lines[-1]
    found = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
    assert set(found) == {"a.png", "deep/er/b.JPG", "deep/grey.png", "one.png", "single.bmp"}
    for name, path in found.items():
        before = Image.open(single if name == "single.bmp" else source / name)
        after = Image.open(path)
        assert (after.size, after.mode, after.format) == (before.size, before.mode, before.format)
    assert np.asarray(Image.open(out / "a.png")).std() > 1
    enhancer = gan_keras.Enhancer.load(restorer_file)
    expected = enhancer(np.asarray(Image.open(source / "a.png")))
    np.testing.assert_array_equal(np.asarray(Image.open(out / "a.png")), expected)


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        ([], "float32", "float32"),
        ([], "mixed_bfloat16", "bfloat16"),
        (["--precision", "float32"], "mixed_bfloat16", "float32"),
        (["--precision", "bfloat16"], "float32", "bfloat16"),
    ],
)
def test_enhance_has_the_precision_that_is_picked(
    capfd, tmp_path, monkeypatch, restorer_file, options, environment, expected
):
    chosen, load = [], gan_keras.Enhancer.load
    monkeypatch.setattr(
        gan_keras.Enhancer, "load", lambda *a, **k: chosen.append(k["precision"]) or load(*a, **k)
    )
    monkeypatch.setenv("GAN_KERAS_PRECISION", environment)
    photo, out = photograph(tmp_path / "a.png"), tmp_path / "out"
    assert run(capfd, "enhance", photo, "--model", restorer_file, "--out", out, *options)[0] == 0
    assert chosen == [expected]


def test_enhance_fills_in_what_is_marked_and_shows_what_changed(capfd, tmp_path, randomise):
    from gan_keras.networks.restorer import build_inpainter

    model = tmp_path / "inpainter.keras"
    randomise(build_inpainter(filters=(2,), blocks=(1,))).save(model)
    photo, out = photograph(tmp_path / "a.png"), tmp_path / "out"
    pixels = np.asarray(Image.open(photo)).copy()
    pixels[3:6] = (255, 0, 0)
    Image.fromarray(pixels).save(photo)
    lost = np.zeros((17, 23), bool)
    lost[3:6] = True
    Image.fromarray(lost).save(tmp_path / "mask.png")
    results = []
    for options in (["--mask", tmp_path / "mask.png"], ["--mask-colour", "#fa0408"]):
        arguments = ["enhance", photo, "--model", model, "--out", out, "--show-changes", *options]
        assert run(capfd, *arguments)[0] == 0
        results.append(np.asarray(Image.open(out / "a.png")))
        np.testing.assert_array_equal(results[-1][~lost], pixels[~lost])
        assert (results[-1][lost] != pixels[lost]).any()
    np.testing.assert_array_equal(*results)
    changes = np.asarray(Image.open(out / "a.png.changes.png")).astype(float) - 127.5
    assert np.abs(changes[~lost]).max() <= 0.5
    expected = np.clip(4 * (results[0][lost] - pixels[lost].astype(float)), -127.5, 127.5)
    np.testing.assert_allclose(changes[lost], expected, atol=0.6)
    Image.fromarray(lost[:5]).save(tmp_path / "small.png")
    common = ["enhance", photo, "--model", model, "--out", out]
    assert "equal sizes" in mistake(capfd, *common, "--mask", tmp_path / "small.png")
    line = mistake(capfd, *common, "--mask-colour", "lime")
    assert "no pixel is marked" in line and str(photo) in line
    Image.fromarray(lost.astype(np.uint8)).save(tmp_path / "ones.png")  # 0 and 1 of 255
    assert "no pixel of the mask is white" in mistake(
        capfd, *common, "--mask", tmp_path / "ones.png"
    )
    assert "no colour 'redd'" in mistake(capfd, *common, "--mask-colour", "redd")
    assert "give a mask" in mistake(capfd, *common)


def test_enhance_scales_the_change_and_takes_the_mean_of_turns(capfd, tmp_path, restorer_file):
    photo = photograph(tmp_path / "a.png")
    before = np.asarray(Image.open(photo))

    def enhanced(*options):
        out = tmp_path / "out"
        assert (
            run(capfd, "enhance", photo, "--model", restorer_file, "--out", out, *options)[0] == 0
        )
        return np.asarray(Image.open(out / "a.png"))

    full = enhanced()
    np.testing.assert_array_equal(enhanced("--strength", "0"), before)
    half = enhanced("--strength", "0.5")
    np.testing.assert_allclose(half, (full + before.astype(float)) / 2, atol=1)
    assert (enhanced("--best") != full).any()
    arguments = ["enhance", photo, "--model", restorer_file, "--out", tmp_path / "out"]
    assert "strength 2.0" in mistake(capfd, *arguments, "--strength", "2")
    assert "takes no mask" in mistake(
        capfd, *arguments, "--mask-colour", str("#{:02x}{:02x}{:02x}".format(*before[0, 0]))
    )


def test_enhance_goes_on_where_it_was_stopped(capfd, tmp_path, restorer_file):
    source, out = tmp_path / "photos", tmp_path / "out"
    for name in "abc":
        photograph(source / f"{name}.png")
    arguments = ["enhance", source, "--model", restorer_file, "--out", out]
    run(capfd, *arguments)
    (out / "b.png").unlink()
    (out / "a.png").write_bytes(b"left alone")
    status, lines, _ = run(capfd, *arguments, "--resume")
    assert status == 0 and "1 of 1 restored" in lines[-1] and "a minute" in lines[-1]
    assert (out / "a.png").read_bytes() == b"left alone"
    assert (out / "b.png").exists()
    status, lines, _ = run(capfd, *arguments, "--resume")
    assert status == 0 and "0 of 0 restored" in lines[-1]
    for expected in ("3 of 3", "0 of 0"):  # the maps are asked for, and not there yet
        assert expected in run(capfd, *arguments, "--resume", "--show-changes")[1][-1]
    assert len(list(out.iterdir())) == 6
    (out / "b.png").unlink()  # its map alone is not enough
    assert "1 of 1" in run(capfd, *arguments, "--resume", "--show-changes")[1][-1]
    inside = [*arguments[:-1], source / "restored"]
    for expected in ("3 of 3", "0 of 0"):  # what it wrote into the folder is no source
        assert expected in run(capfd, *inside, "--resume")[1][-1]


def test_enhance_stops_within_a_tile(capfd, tmp_path, monkeypatch, restorer_file):
    source, out, begun, finished = tmp_path / "photos", tmp_path / "out", [], []
    for index in range(20):
        photograph(source / f"{index:02}.png")
    enhance_file = gan_keras.Enhancer.enhance_file

    def interrupted(self, path, target, mask, on_tile):
        begun.append(path.name)
        if path.name == "02.png":
            raise KeyboardInterrupt
        for _ in range(6000 if "02.png" in begun else 0):  # a minute of tiles
            time.sleep(0.01)
            on_tile(0.5)
        result = enhance_file(self, path, target, mask, on_tile)
        finished.append(path.name)
        return result

    monkeypatch.setattr(gan_keras.Enhancer, "enhance_file", interrupted)
    started = time.monotonic()
    status, _, err = run(capfd, "enhance", source, "--model", restorer_file, "--out", out)
    assert status == 130 and len(err) == 1 and "--resume" in err[0]
    assert "02.png" in begun and len(begun) < 20 and time.monotonic() - started < 30
    done = {path.name for path in out.iterdir()}
    assert done == set(finished) and done <= set(begun) - {"02.png"}


def test_a_photograph_too_large_for_the_memory_is_named(
    capfd, tmp_path, monkeypatch, restorer_file
):
    for name in ("a.png", "b.png"):
        photograph(tmp_path / "photos" / name)
    call = gan_keras.Enhancer.__call__
    calls = iter(range(2))

    def first_fails(self, *arguments):
        if next(calls) == 0:
            raise MemoryError
        return call(self, *arguments)

    monkeypatch.setattr(gan_keras.Enhancer, "__call__", first_fails)
    arguments = "--model", restorer_file, "--out", tmp_path / "out"
    status, lines, err = run(capfd, "enhance", tmp_path / "photos", *arguments)
    assert status == 1 and "1 of 2 restored" in lines[-1]
    assert re.fullmatch(r"skipped: .*[ab]\.png: MemoryError", err[-1])


def test_what_no_file_can_hold_is_said_before_the_work(capfd, tmp_path, monkeypatch):
    photograph(tmp_path / "wide.webp", size=(4096, 2))
    monkeypatch.setattr(gan_keras.Enhancer, "__call__", lambda *_: pytest.fail("it has begun"))
    arguments = "--task", "super-resolve", "--out", tmp_path / "out"
    status, _, err = run(capfd, "enhance", tmp_path / "wide.webp", *arguments)
    assert status == 2 and "WEBP cannot hold 16384 × 8 pixels" in err[-1]


def test_enhance_skips_bad_files_and_names_them(capfd, tmp_path, restorer_file):
    source, out = tmp_path / "photos", tmp_path / "out"
    photograph(source / "good.png")
    text_named_png(source / "words.png")
    truncated_jpeg(source / "half.jpg")
    status, lines, err = run(capfd, "enhance", source, "--model", restorer_file, "--out", out)
    assert status == 1
    skipped = [line for line in err if line.startswith("skipped: ")]
    assert len(skipped) == 2
    assert any("words.png" in line for line in skipped)
    assert any("half.jpg" in line for line in skipped)
    assert "1 of 3" in lines[-1]
    assert [path.name for path in out.iterdir()] == ["good.png"]


def test_enhance_refuses_to_write_two_photographs_into_one(capfd, tmp_path, restorer_file):
    first, second = (photograph(tmp_path / name / "a.png") for name in ("one", "two"))
    options = ["--model", restorer_file, "--out"]
    line = mistake(capfd, "enhance", first, second, *options, tmp_path / "out")
    assert "a.png" in line
    before = first.read_bytes()
    for given in (first, first.parent):
        line = mistake(capfd, "enhance", given, *options, first.parent)
        assert f"{first} would be written over" in line
    assert first.read_bytes() == before
    assert not (tmp_path / "out").exists()


def test_enhance_writes_beside_the_folder_of_photographs(
    capfd, tmp_path, monkeypatch, restorer_file
):
    photograph(tmp_path / "holiday" / "a.png")
    monkeypatch.chdir(tmp_path)
    for options, place in (([], "restored"), (["--out", "."], ".")):
        status, lines, _ = run(capfd, "enhance", "holiday", "--model", restorer_file, *options)
        assert status == 0 and "1 of 1" in lines[-1] and (tmp_path / place / "a.png").exists()


def test_enhance_refuses_what_it_could_not_write_before_it_computes(capfd, tmp_path, restorer_file):
    photograph(tmp_path / "a.png").rename(tmp_path / "a.ppm")
    out = tmp_path / "out"
    line = mistake(capfd, "enhance", tmp_path / "a.ppm", "--model", restorer_file, "--out", out)
    assert "a.ppm: its kind is not written" in line and not out.exists()


def test_generate(capfd, tmp_path, gan_file):
    out = tmp_path / "new" / "digits.png"
    for seed in (1, 2, 1):
        status, _, err = run(
            capfd, "generate", gan_file, "--count", "5", "--seed", seed, "--out", out
        )
        assert (status, err) == (0, [])
        image = Image.open(out)
        assert image.mode == "L" and min(image.size) >= 28
        (tmp_path / f"{seed}.png").write_bytes(out.read_bytes())
        if seed == 2:
            assert out.read_bytes() != (tmp_path / "1.png").read_bytes()
    assert out.read_bytes() == (tmp_path / "1.png").read_bytes()


def test_evaluate_compares_enhancers_with_doing_nothing(
    capfd, tmp_path, restorer_file, photo_folder
):
    status, lines, err = run(capfd, "compare", restorer_file, "--data", photo_folder)
    assert (status, err) == (0, [])
    rows = [line for line in lines[2:] if line.strip()]  # what is measured, on how many; the table
    assert "gaussian_noise" in lines[0] and "photographs" in lines[1]
    assert "PSNR" in rows[0] and "SSIM" in rows[0]
    names = ("do nothing", "median", "bilateral", *["non-local means"] * 2, str(restorer_file))
    for row, name in zip(rows[1:], names, strict=True):
        assert row.startswith(name)
    status, again, _ = run(capfd, "evaluate", restorer_file, "--data", photo_folder)
    assert status == 0

    def scores(table):
        return [line.split("  ")[-2].strip() for line in table if "do nothing" in line]

    assert scores(again) == scores(lines)


def test_train_then_what_can_be_done_with_the_run(capfd, tmp_path, photo_folder, monkeypatch):
    small = RECIPES["restorer"].replace(
        network={"filters": (2,), "blocks": (1,)},
        crop=16,
        batch_size=4,
        steps_per_epoch=2,
        schedule="constant",
    )
    monkeypatch.setitem(RECIPES, "restorer", small)
    folder = tmp_path / "run"
    train = ["train", "restorer", "--data", photo_folder, "--epochs", "1", "--out", folder]
    status, lines, _ = run(capfd, *train, "--seed", "5", "--precision", "float32")
    assert status == 0 and str(folder) in lines[-1]
    before = (folder / "model.keras").read_bytes()
    assert "--resume" in mistake(capfd, *train, "--seed", "5")
    assert "seed=5, not 6" in mistake(capfd, *train, "--seed", "6", "--resume")
    assert (folder / "model.keras").read_bytes() == before
    photo = photograph(tmp_path / "photo.png")
    status, _, _ = run(capfd, "enhance", photo, "--model", folder, "--out", tmp_path / "out")
    assert status == 0 and (tmp_path / "out" / "photo.png").exists()
    for version in ("1", "2"):  # never replacing one
        status, lines, _ = run(capfd, "export", folder, "--out", tmp_path / "served")
        assert status == 0 and Path(lines[0]) == tmp_path / "served" / "run" / version
        assert (Path(lines[0]) / "saved_model.pb").exists() and "docker run" in lines[1]


def test_an_interrupt_says_how_to_go_on(capfd, tmp_path, monkeypatch):
    import gan_keras.training.run

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(gan_keras.training.run, "train", interrupted)
    status, _, err = run(capfd, "train", "dcgan", "--out", tmp_path / "run")
    assert status == 130
    assert len(err) == 1 and "--resume" in err[0]


# the package's front door


def test_importing_the_package_imports_nothing_else(run_python):
    code = "import sys, gan_keras; print({'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    assert run_python(code).stdout.strip() == "set()"


@pytest.mark.parametrize("name", gan_keras.__all__)
def test_public_names_are_there_and_documented(name):
    thing = getattr(gan_keras, name)
    assert name in dir(gan_keras)
    if callable(thing) or inspect.ismodule(thing):
        assert inspect.getdoc(thing) and len(inspect.getdoc(thing)) > 15


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(gan_keras, "Dcgan")
    with pytest.raises(AttributeError, match="Dcgan"):
        gan_keras.Dcgan  # noqa: B018


def test_everything_public_has_a_docstring():
    missing = []
    for path in sorted(Path(gan_keras.__file__).parent.rglob("*.py")):
        relative = path.relative_to(Path(gan_keras.__file__).parents[1]).with_suffix("")
        module = importlib.import_module(".".join(relative.parts).removesuffix(".__init__"))
        if not module.__doc__:
            missing.append(module.__name__)
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(thing) or inspect.isclass(thing):
                if not thing.__doc__:
                    missing.append(f"{module.__name__}.{name}")
                for method, function in vars(thing).items() if inspect.isclass(thing) else ():
                    public = inspect.isfunction(function) and not method.startswith("_")
                    if public and not function.__doc__:
                        missing.append(f"{module.__name__}.{name}.{method}")
    assert missing == []
    assert len([name for name in sys.modules if name.startswith("gan_keras.")]) > 20

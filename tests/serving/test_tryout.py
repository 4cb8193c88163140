"""What the page does, without the page; and the one line that each mistake gets."""

import asyncio
import json
import socket

import numpy as np
import pytest
from PIL import Image

import gan_keras
from gan_keras.algorithms.latents import Generator
from gan_keras.cli import main
from gan_keras.errors import UserError
from gan_keras.networks import digits
from gan_keras.networks.restorer import build_inpainter, build_super_resolver
from gan_keras.restoration.changes import map_of_changes
from gan_keras.restoration.files import read_image
from gan_keras.serving import app, tryout


@pytest.fixture(scope="module")
def enhancer(restorer):
    return gan_keras.Enhancer(restorer)


def read(path):
    return np.asarray(Image.open(path))


def photographs(smooth):
    """Return name → (a Pillow image, how to save it): what visitors bring."""
    colour, exif = Image.fromarray(smooth(31, 22)), Image.Exif()
    exif[0x0112] = 6  # turned
    alpha = np.dstack([smooth(9, 8), np.full((9, 8), 255, np.uint8)])
    sixteen = np.asarray(colour.convert("L")).astype(np.uint16) * 257
    return {
        "turned.jpg": (colour, {"exif": exif}),
        "grey.png": (colour.convert("L"), {}),
        "alpha.png": (Image.fromarray(alpha), {}),
        "sixteen.png": (Image.fromarray(sixteen), {}),
        "dot.webp": (colour.crop((0, 0, 1, 1)), {}),
    }


@pytest.mark.parametrize("name", ["turned.jpg", "grey.png", "alpha.png", "sixteen.png", "dot.webp"])
def test_restore_does_what_enhance_does(enhancer, smooth, tmp_path, name):
    image, options = photographs(smooth)[name]
    image.save(tmp_path / name, **options)
    shares = []
    done = tryout.restore(enhancer, tmp_path / name, tmp_path, 0.5, on_tile=shares.append)
    half = gan_keras.Enhancer(enhancer.network, strength=0.5)
    before, after = half.enhance_file(tmp_path / name, tmp_path / "expected.png")
    assert shares == [1] and done.file.suffix == ".png"
    assert done.file.read_bytes() == (tmp_path / "expected.png").read_bytes()

    def in_8_bits(samples):
        samples = samples if samples.dtype == np.uint8 else np.round(samples / 257)
        return samples[..., 0] if samples.shape[2] == 1 else samples

    np.testing.assert_array_equal(read(done.before), in_8_bits(before.samples))
    np.testing.assert_array_equal(read(done.after), in_8_bits(after.samples))
    changes = map_of_changes(before, after).samples
    np.testing.assert_array_equal(read(done.changes), in_8_bits(changes))
    assert name == "dot.webp" or np.ptp(read(done.changes)) > 3
    height, width = before.samples.shape[:2]
    assert done.facts.startswith(f"{width} × {height} pixels · ") and done.facts.endswith(" s")
    shown, facts = tryout.preview(tmp_path / name, tmp_path)
    np.testing.assert_array_equal(read(shown), read(done.before))
    assert facts == f"{width} × {height} pixels"


def test_no_strength_is_no_change(enhancer, smooth, tmp_path):
    Image.fromarray(smooth(20, 30)).save(tmp_path / "photo.png")
    done = tryout.restore(enhancer, tmp_path / "photo.png", tmp_path, strength=0)
    np.testing.assert_array_equal(read(done.after), smooth(20, 30))
    assert (read(done.changes) == 128).all()
    best = tryout.restore(enhancer, tmp_path / "photo.png", tmp_path / "best", best=True)
    expected = gan_keras.Enhancer(enhancer.network, best=True)(smooth(20, 30))
    np.testing.assert_array_equal(read(best.file), expected)


def test_what_is_transparent_is_shown_on_white(enhancer, tmp_path):
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[:, 3:, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    shown = read(tryout.preview(tmp_path / "photo.png", tmp_path)[0])
    assert (shown[:, :3] == 255).all() and (shown[:, 3:] == 0).all()
    done = tryout.restore(enhancer, tmp_path / "photo.png", tmp_path)
    np.testing.assert_array_equal(read(done.file)[..., 3], pixels[..., 3])


def test_large_pictures_are_shown_smaller_and_kept_whole(enhancer, smooth, tmp_path, monkeypatch):
    monkeypatch.setattr(tryout, "SHOWN_PIXELS", 40 * 60 // 4)
    Image.fromarray(smooth(40, 60)).save(tmp_path / "photo.png")
    done = tryout.restore(enhancer, tmp_path / "photo.png", tmp_path)
    assert read(done.file).shape == (40, 60, 3)
    for path in (done.before, done.after, done.changes):
        assert read(path).shape == (20, 30, 3)
    assert "shown at 50% of its width" in done.facts
    halved = smooth(40, 60).reshape(20, 2, 30, 2, 3).mean((1, 3))
    assert np.abs(halved - read(done.before)).max() < 4
    monkeypatch.setattr(tryout, "SHOWN_SIDE", 15)
    assert read(tryout.preview(tmp_path / "photo.png", tmp_path)[0]).shape == (10, 15, 3)


def test_an_enlarged_photograph_is_compared_with_its_enlargement(smooth, tmp_path):
    Image.fromarray(smooth(20, 30)).save(tmp_path / "photo.png")
    double = gan_keras.Enhancer(build_super_resolver(4, 1, 2))  # untrained: repeats pixels
    done = tryout.restore(double, tmp_path / "photo.png", tmp_path)
    small = Image.fromarray(smooth(20, 30))
    bicubic = np.asarray(small.resize((60, 40), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(read(done.before) - bicubic).max() <= 2
    repeated = np.repeat(np.repeat(smooth(20, 30), 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(read(done.after), repeated)
    assert done.facts.startswith("30 × 20 pixels → 60 × 40 · ")
    assert read(tryout.preview(tmp_path / "photo.png", tmp_path, 2)[0]).shape == (40, 60, 3)


def test_an_inpainter_fills_in_what_is_transparent(smooth, tmp_path, randomise):
    inpainter = gan_keras.Enhancer(randomise(build_inpainter((4,), (1,))))
    alpha = np.full((20, 30), 255, np.uint8)
    alpha[5:9, 5:9], alpha[12, 12] = 0, 127
    Image.fromarray(np.dstack([smooth(20, 30), alpha])).save(tmp_path / "photo.png")
    done = tryout.restore(inpainter, tmp_path / "photo.png", tmp_path)
    filled, known = read(done.file), alpha == 255
    assert filled.shape == (20, 30, 3)
    np.testing.assert_array_equal(filled[known], smooth(20, 30)[known])
    np.testing.assert_array_equal(filled, inpainter(smooth(20, 30), ~known))
    assert (read(done.before)[5:9, 5:9] == 255).all()
    Image.fromarray(smooth(20, 30)).save(tmp_path / "opaque.png")
    Image.fromarray(255 - alpha // 128 * 255).save(tmp_path / "mask.png")
    options = {"mask": tmp_path / "mask.png"}
    masked = tryout.restore(inpainter, tmp_path / "opaque.png", tmp_path, **options)
    np.testing.assert_array_equal(read(masked.file), filled)
    with pytest.raises(UserError, match="give a mask, or transparent pixels"):
        tryout.restore(inpainter, tmp_path / "opaque.png", tmp_path)


def test_what_the_page_does_not_take(enhancer, smooth, tmp_path, monkeypatch):
    (tmp_path / "words.png").write_text("these are words")
    for function in (tryout.preview, lambda *a: tryout.restore(enhancer, *a)):
        with pytest.raises(UserError, match="not an image"):
            function(tmp_path / "words.png", tmp_path)
    Image.fromarray(smooth(20, 30)).save(tmp_path / "photo.png")
    monkeypatch.setattr(tryout, "MAX_PIXELS", 2399)
    tryout.restore(enhancer, tmp_path / "photo.png", tmp_path)
    with pytest.raises(UserError, match=r"photograph has 600 pixels.*up to 599"):
        tryout.preview(tmp_path / "photo.png", tmp_path, scale=2)
    with pytest.raises(UserError, match="strength 7"):
        tryout.restore(enhancer, tmp_path / "photo.png", tmp_path, 7)


def test_all_that_ships_is_offered_and_ones_own_first(restorer_file):
    own = str(restorer_file)
    enhancers, generators = tryout.gather([own])
    assert next(iter(enhancers)) == own
    offered = set(enhancers) | set(generators)
    shipped = {name for name in gan_keras.shipped() if not name.endswith("_realism")}
    assert offered == {own, *shipped} - {"digit_classifier"}
    assert {"digits", "digits_by_class", "fashion", "vae"} <= set(generators)
    classifier = gan_keras.loading.WEIGHTS / "digit_classifier.keras"
    with pytest.raises(UserError, match="neither enhances nor generates"):
        tryout.gather([str(classifier)])


@pytest.mark.parametrize("name", sorted(set(gan_keras.shipped()) - {"digit_classifier"}))
def test_words_are_the_cards(name):
    card, text = gan_keras.loading.shipped_card(name), tryout.words(name)
    assert card["recipe"]["title"] in text and card["bad_at"] in text and card["licence"] in text


def test_words_on_ones_own_models(tmp_path):
    def run(name):
        (tmp_path / name).mkdir()
        settings = {"recipe": gan_keras.get_recipe(name).to_dict()}
        (tmp_path / name / "settings.json").write_text(json.dumps(settings))
        return tryout.words(str(tmp_path / name))

    assert "may be invented" in run("pix2pix")
    assert "may be invented" not in run("restorer") + run("vae")
    assert f"gan-keras evaluate {tmp_path / 'restorer'}" in tryout.words(tmp_path / "restorer")
    assert "is not known" in tryout.words("bare.keras")


def test_examples_are_what_a_model_was_trained_to_repair(tmp_path):
    coffee, china = tryout.examples("denoise", tmp_path)
    assert (coffee.name, china.name) == ("coffee.png", "china.png")
    noisy = read_image(coffee).samples
    again = read_image(tryout.examples("denoise", tmp_path)[0]).samples
    np.testing.assert_array_equal(noisy, again)
    clean = read_image(tryout.examples("bare.keras", tmp_path)[0]).samples
    assert noisy.shape == clean.shape == (400, 600, 3)
    assert 3 < (noisy - clean.astype(float)).std() <= 56
    recipe = gan_keras.get_recipe("denoise").to_dict() | {"degradation": {"name": "holes"}}
    (tmp_path / "settings.json").write_text(json.dumps({"recipe": recipe}))
    alpha = read_image(tryout.examples(tmp_path, tmp_path)[1]).alpha
    assert set(np.unique(alpha)) == {0, 255}


@pytest.fixture(scope="module")
def by_class(randomise):
    return Generator(randomise(digits.build_conditional_generator(latent_dim=4, base_filters=2)))


@pytest.fixture(scope="module")
def generators(randomise, by_class):
    """Return label → model: one of each kind."""
    small = {"latent_dim": 4, "base_filters": 2}
    vae = gan_keras.VAE(
        randomise(digits.build_encoder(**small)), randomise(digits.build_decoder(**small))
    )
    network = randomise(digits.build_generator(**small))
    gan = gan_keras.DCGAN(network, digits.build_discriminator(base_filters=2))
    for variable in network.trainable_variables:  # only the averaged copy can draw anything
        variable.assign(0 * variable)
    return {"vae": vae, "gan": gan, "by class": by_class}


@pytest.mark.parametrize("kind", ["vae", "gan", "by class"])
def test_a_walk_leads_from_seed_to_seed(generators, kind):
    model, label = generators[kind], 3 if kind == "by class" else None
    images = tryout.walk(model, (5, 6), np.linspace(0, 1, 4), label)
    assert images.shape == (4, 28, 28, 1) and np.abs(images).max() <= 1
    asked = {} if label is None else {"labels": label}
    for end, seed in ((0, 5), (-1, 6)):
        drawn = np.asarray(model.generate(1, seed, **asked))[0]
        np.testing.assert_allclose(images[end], drawn, atol=1e-5)
    assert np.abs(images[0] - images[-1]).max() > 0.01
    again = tryout.walk(model, (5, 6), np.linspace(0, 1, 4), label)
    np.testing.assert_array_equal(images, again)
    half = tryout.walk(model, (5, 6), [1 / 3], label)
    np.testing.assert_allclose(half[0], images[1], atol=1e-5)


def test_a_walk_is_of_the_class_that_is_asked_for(by_class):
    three, four = (tryout.walk(by_class, (5, 6), [0.5], label) for label in (3, 4))
    assert np.abs(three - four).max() > 0.01
    for label in (10, -1, None):
        with pytest.raises(UserError, match="it knows 0 to 9"):
            tryout.walk(by_class, (5, 6), [0.5], label)
    for seed in (-1, 2**32, None, 1.5):
        with pytest.raises(UserError, match=r"a whole number from 0 to 4,294,967,295"):
            tryout.walk(by_class, (5, seed), [0.5], 3)


def test_small_images_are_shown_pixel_by_pixel():
    images = np.linspace(-1, 1, 3 * 4, dtype=np.float32).reshape(3, 2, 2, 1)
    row, one = tryout.strip(images, 5), tryout.large(images[2], 5)
    assert row.shape == ((2 + 2 + 2) * 5, (2 + 3 * 4) * 5, 3) and one.shape == (10, 10, 3)
    assert row.dtype == one.dtype == np.uint8
    np.testing.assert_array_equal(one[::5, ::5, 0], [[185, 209], [232, 255]])
    np.testing.assert_array_equal(one, row[10:20, 50:60])


def test_without_gradio_one_line_says_what_to_install(run_python):
    code = (
        "import sys; sys.modules['gradio'] = None; from gan_keras.cli import main; "
        "print(main(['app', '--port', '0']), {'tensorflow', 'keras'} & set(sys.modules))"
    )
    result = run_python(code)
    assert result.stdout.strip() == "2 set()"
    assert result.stderr == "gan-keras: the page needs Gradio: pip install 'gan_keras[app]'\n"


def test_a_port_that_cannot_be_had_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(app, "require_gradio", lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["app", "--port", str(port)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"cannot listen at 127.0.0.1:{port} (Address already in use)" in line
    assert main(["app", "--port", "70000"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--port 70000: a number from 0 to 65535" in line


def test_every_answer_forbids_browsers_to_ask_elsewhere():
    sent = []

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b"words"})

    async def send(message):
        sent.append(message)

    asyncio.run(app.fenced(application)({"type": "http"}, None, send))
    assert sent[0]["headers"] == [(b"a", b"b"), (b"content-security-policy", app.POLICY)]
    assert sent[1]["body"] == b"words"
    assert b"default-src 'self'" in app.POLICY and b"http" not in app.POLICY

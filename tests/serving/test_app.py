"""The page as a visitor has it: the server in a process of its own, used with Chromium."""

import functools
import http.client
import importlib.util
import json
import os
import signal
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import Browser, wait_for
from PIL import Image

import gan_keras
from gan_keras.restoration.changes import map_of_changes
from gan_keras.restoration.files import Picture, read_image
from gan_keras.serving.tryout import large, strip, walk

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SERVER = """
import sys

def note(event, details):  # Python's own sockets: whom does the server ask?
    if event == "socket.connect" and isinstance(details[1], tuple):
        host = details[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = details[0]
    else:
        return
    if host not in ("127.0.0.1", "localhost", "::1", None):
        print("asked:", host, file=sys.stderr, flush=True)

sys.addaudithook(note)
from gan_keras.cli import main
sys.exit(main(sys.argv[1:]))
"""


def gradio_python():
    """Return an interpreter that has Gradio."""
    own = ROOT / ".venv-app/bin/python"
    python = sys.executable if importlib.util.find_spec("gradio") else str(own)
    assert Path(python).exists(), "no Gradio: make .venv-app/ready"
    return python


def listen_to_ctrl_c():
    """Undo what a shell does to jobs in its background: they ignore SIGINT, and so do theirs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def served(restorer_file, tmp_path_factory):
    """Return the page's address; at the end, see that the server had nothing to complain of."""
    folder = tmp_path_factory.mktemp("served")
    command = [gradio_python(), "-c", SERVER, "app", "--port", "0", "--model", str(restorer_file)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    with open(folder / "errors.txt", "w+") as errors:
        pipes = {"stdout": subprocess.PIPE, "stderr": errors, "text": True}
        pipes["preexec_fn"] = listen_to_ctrl_c
        server = subprocess.Popen(command, env=environment, **pipes)
        try:
            line = server.stdout.readline()
            assert line.endswith("(Ctrl-C stops it)\n"), (folder / "errors.txt").read_text()
            yield line.split()[0]
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 130
        finally:
            server.kill()
    assert (folder / "errors.txt").read_text() == "\ngan-keras: stopped\n"
    assert [path.name for path in folder.iterdir()] == ["errors.txt"], "a photograph stayed behind"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def page(browser, served):
    """Return the browser with the page newly opened; at the end, see whom it asked."""
    browser.open(served)
    browser.wait("document.querySelector('#facts') != null")
    yield browser
    assert {urlsplit(url).netloc for url in browser.requests} - {""} == {urlsplit(served).netloc}
    assert browser.complaints == []


def button(words, role="button:not([role])"):
    found = f"[...document.querySelectorAll('{role}')].filter(e => e.offsetParent)"
    return f"{found}.find(e => e.innerText.trim() == {json.dumps(words)})"


def labelled(words):
    return f"document.querySelector('[aria-label={json.dumps(words)}]')"


def images(place):
    return f"[...document.querySelectorAll('{place} img')]"


def shown(page, place, count=1):
    """Return what the images of a place show, as arrays, as soon as all are there."""
    page.wait(f"{images(place)}.length == {count}")
    addresses = page.run(f"{images(place)}.map(e => e.src)")
    return [fetched(address) for address in addresses]


@functools.cache  # an address is of one content, which Gradio may be writing once more just now
def fetched(address):
    def whole():
        try:
            return [np.asarray(Image.open(urllib.request.urlopen(address)))]
        except (OSError, http.client.IncompleteRead):
            return None

    return wait_for(whole, 10, address)[0]


def choose(page, label, option):
    page.click(labelled(label))
    ends = f"e => e.innerText.trim().endsWith({json.dumps(option)})"
    found = f"[...document.querySelectorAll('[role=option]')].find({ends})"
    page.wait(f"{found} != null")
    page.click(found)


def text(page, place):
    return page.run(f"document.querySelector({json.dumps(place)}).innerText")


def test_a_photograph_is_restored(page, tmp_path, smooth):
    noise = np.random.default_rng(0).normal(0, 25, (72, 96, 3))
    pixels = np.clip(smooth(72, 96) + noise, 0, 255).astype(np.uint8)
    photo, exif = tmp_path / "my photo.png", Image.Exif()
    exif[0x0112] = 6  # it stands upright when turned
    Image.fromarray(pixels).save(photo, exif=exif)
    page.give_file("input[type=file]", photo)
    page.wait(f"{images('#slider')}.filter(e => e.naturalWidth == 72).length == 2")
    assert "72 × 96 pixels" in text(page, "#facts")
    upright = np.rot90(pixels, -1)
    np.testing.assert_array_equal(shown(page, "#slider", 2), [upright, upright])

    choose(page, "Task", "denoise")
    bad_at = gan_keras.loading.shipped_card("denoise")["bad_at"]
    page.wait(f"document.body.innerText.includes({json.dumps(bad_at)})")
    page.type(labelled("number input for Strength: share of the change"), "0.5")
    page.click(button("Restore"))
    page.wait("document.querySelector('#facts').innerText.trim().endsWith(' s')", 120)
    enhancer = gan_keras.Enhancer.load("denoise", strength=0.5)
    _, after = enhancer.enhance_file(photo, tmp_path / "expected.png")
    left, right = shown(page, "#slider", 2)
    np.testing.assert_array_equal(left, upright)
    assert np.abs(right.astype(int) - after.samples).max() <= 1
    assert np.abs(right.astype(int) - upright).mean() > 3
    (changes,) = shown(page, "#changes")
    expected = map_of_changes(Picture(left), Picture(right)).samples
    np.testing.assert_array_equal(changes, expected)

    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "got"))
    page.click("document.querySelector('#file')")
    file = wait_for(lambda: next((tmp_path / "got").glob("*.png"), None), 20)
    assert file.name == "my photo-restored.png"
    np.testing.assert_array_equal(read_image(file).samples, right)

    clip = f"parseFloat({images('#slider')}[1].style.clipPath.split(' ').at(-1))"
    assert page.run(clip) == pytest.approx(50, abs=1)
    x, y = page.middle("document.querySelector('#slider [data-testid=slider]')")
    width = page.run(f"{images('#slider')}[0].getBoundingClientRect().width")
    page.drag((x, y), (x - width / 8, y), (x - width / 4, y))
    assert page.run(clip) == pytest.approx(25, abs=3)

    picture = Image.open(page.screenshot(tmp_path / "enhance.png")).convert("L")
    assert picture.width == 1280 and picture.height > 900
    strips = np.asarray(picture)[:900].reshape(9, 100, 1280).std(axis=(1, 2))
    assert (strips > 5).all(), "an empty stretch of the page"


def test_an_example_is_offered_and_taken(page):
    page.click(button("Example: coffee"))
    page.wait(f"{images('#slider')}.filter(e => e.naturalWidth == 600).length == 2")
    assert "600 × 400 pixels" in text(page, "#facts")
    page.click(button("Restore"))  # by the first task: the model of our own
    page.wait("document.querySelector('#facts').innerText.trim().endsWith(' s')", 120)
    before, after = shown(page, "#slider", 2)
    assert before.shape == after.shape == (400, 600, 3) and (before != after).any()


def test_mistakes_are_said_in_the_page(page, tmp_path):
    def said(words):
        page.wait(f"document.querySelector('.toast-wrap').innerText.includes({json.dumps(words)})")
        assert str(tmp_path) not in text(page, ".toast-wrap")
        assert "/" not in text(page, ".toast-wrap")
        page.run("document.querySelectorAll('[data-testid=toast-close]').forEach(e => e.click())")

    page.click(button("Restore"))
    said("drop a photograph first")
    (tmp_path / "<b>words.png").write_text("these are words")
    Image.new("1", (8001, 5000)).save(tmp_path / "large.png")
    Image.new("L", (4, 4)).save(tmp_path / "huge.bmp")
    small = (tmp_path / "huge.bmp").read_bytes()
    bomb = small[:18] + struct.pack("<ii", 50_000, 50_000) + small[26:]
    (tmp_path / "huge.bmp").write_bytes(bomb)
    for name, words in (
        ("<b>words.png", "not an image"),
        ("large.png", "40,005,000 pixels"),
        ("huge.bmp", "more than"),
    ):
        page.give_file("input[type=file]", tmp_path / name)
        said(words)
        page.click(button("Restore"))
        said(words)
        page.click(labelled("Clear"))
        page.wait("document.querySelector('input[type=file]') != null")


def test_the_digits_are_walked(page, tmp_path):
    page.click(button("Digits", "[role=tab]"))
    page.wait(f"{images('#one')}.length == 1")
    digits, by_class = gan_keras.load("digits"), gan_keras.load("digits_by_class")

    def agrees(place, expected):
        def equal():
            (picture,) = shown(page, place)
            return picture.shape == expected.shape and np.abs(picture - 1.0 * expected).max() <= 1

        wait_for(equal, 60, f"{place} as expected")

    agrees("#walk", strip(walk(digits, (5, 9), np.linspace(0, 1, 11))))
    agrees("#one", large(walk(digits, (5, 9), [0.5])[0]))
    choose(page, "Generator", "digits_by_class")
    page.wait("document.body.innerText.includes('projection discriminator')")
    choose(page, "Class", "7")
    agrees("#walk", strip(walk(by_class, (5, 9), np.linspace(0, 1, 11), 7)))
    page.type(labelled("Seed A"), "6")
    page.type(labelled("number input for t: from A to B"), "0")
    agrees("#one", large(by_class.generate(1, 6, labels=7)[0]))
    page.screenshot(tmp_path / "digits.png")
    agrees("#walk", strip(walk(by_class, (6, 9), np.linspace(0, 1, 11), 7)))
    page.click(button("Other seeds"))
    page.wait(f"{labelled('Seed A')}.value != '6'")
    seeds = [int(page.run(f"{labelled(name)}.value")) for name in ("Seed A", "Seed B")]
    agrees("#walk", strip(walk(by_class, seeds, np.linspace(0, 1, 11), 7)))
    page.type(labelled("Seed A"), "-1")
    page.wait("document.querySelector('.toast-wrap').innerText.includes('seed -1')")

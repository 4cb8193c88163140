import json
import re

import numpy as np
import pytest
from PIL import Image

from gan_keras.errors import UserError
from gan_keras.plots import sample_grid
from gan_keras.report import write_report


def results():
    system = {"seconds": 150.0, "parameters": 1234567}
    return {
        "created": "2026-11-22 19:40",
        "seconds": 512.0,
        "settings": {"seed": 42},
        "machine": {"processor": "Example <CPU>", "cores": 2, "xla": False},
        "versions": {"keras": "3.15.1"},
        "digits": {
            "data": "mnist-5k",
            "train_images": 4000,
            "samples": 1000,
            "seed": 42,
            "classifier": {"test_accuracy": 0.9921, "split": "4,000 and 1,000"},
            "floor": 6.1,
            "real": "images/grid.png",
            "systems": [
                {"name": "DCGAN", "fid": 35.2, "samples": "images/grid.png", "nats": None}
                | system
                | {"walk": "images/grid.png", "command": "evaluate dcgan"},
                {"name": "VAE", "fid": 61.7, "reconstruction": "images/grid.png"}
                | system
                | {"nats": {"elbo": -104.2, "importance_weighted": -99.9, "k": 50}},
            ],
        },
        "photos": {
            "degradation": "Gaussian noise, σ = 25",
            "test_photos": ["coffee"],
            "rows": [
                {"method": "median 3×3", "kind": "classical", "psnr": 25.24, "ssim": 0.7},
                {"method": "do nothing", "kind": "nothing", "psnr": 20.24, "ssim": 0.4},
                {"method": "restorer", "kind": "ours", "psnr": 30.24, "ssim": 0.8},
            ],
            "comparisons": [
                {"photo": "coffee", "figure": "images/photo.png", "caption": "A & B <script>"}
            ],
            "slider": [
                {"photo": "coffee", "before": "images/photo.png", "after": "images/photo.png"}
            ],
            "command": "evaluate restorer",
        },
        "runs": [
            {
                "title": "DCGAN",
                "seconds": 45,
                "metrics": "dcgan/metrics.csv",
                "samples": [f"dcgan/epoch_{epoch:04d}.png" for epoch in range(1, 33)],
                "command": "train dcgan",
            }
        ],
        "export": {"path": "saved_models/x/1", "max_difference": 1, "command": "export x"},
        "next": ["python -m gan_keras enhance 'my photo.jpg'"],
    }


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    (tmp_path / "dcgan").mkdir()
    grid = Image.fromarray(sample_grid(generator.uniform(-1, 1, (20, 28, 28, 1)))[..., 0])
    grid.save(tmp_path / "images" / "grid.png")
    for epoch in range(1, 33):
        grid.save(tmp_path / "dcgan" / f"epoch_{epoch:04d}.png")
    noise = generator.integers(0, 256, (200, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "images" / "photo.png")
    (tmp_path / "dcgan" / "metrics.csv").write_text("epoch,generator_loss\n0,1.5\n1,1.2\n")
    return tmp_path


def write(folder, content):
    (folder / "results.json").write_text(json.dumps(content))
    return write_report(folder).read_text("utf-8")


def row(page, name):
    """Return the texts of the table row that starts with `name`."""
    found = re.search(rf"<tr[^>]*>\s*<th[^>]*>{name}</th>(.*?)</tr>", page, re.S).group(1)
    return [
        re.sub(r"<[^>]*>", "", text).strip() for text in re.findall(r"<td.*?</td>", found, re.S)
    ]


def test_page_needs_no_other_file(folder):
    page = write(folder, results())
    links = re.findall(r'\b(?:src|href|srcset|action)="([^"]*)"', page)
    assert links and all(link.startswith(("data:image/", "#")) for link in links)
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r"https?:|file:|@import|url\((?!#)", without_namespaces)
    assert page.count("<img ") == len(re.findall(r'<img [^>]*alt="[^"]+"', page))


def test_large_photographs_make_no_large_page(folder):
    noise = np.random.default_rng(1).integers(0, 256, (1500, 2400, 3), np.uint8)
    Image.fromarray(noise).save(folder / "images" / "photo.png", compress_level=1)
    assert len(write(folder, results())) < 8_000_000  # noise is the worst case of a JPEG


def test_values_are_escaped(folder):
    page = write(folder, results())
    assert "A &amp; B &lt;script&gt;" in page and "Example &lt;CPU&gt;" in page
    assert "enhance &#39;my photo.jpg&#39;" in page
    assert page.count("<script>") == 1


def test_numbers(folder):
    page = write(folder, results())
    assert "8 min 32 s" in page and "99.2%" in page and "1 of 255 grey levels" in page
    assert row(page, "DCGAN") == ["35.2", "2 min 30 s", "1,234,567", "–", "–"]
    assert row(page, "VAE") == ["61.7", "2 min 30 s", "1,234,567", "−104.2", "−99.9 k = 50"]
    assert row(page, "floor: real against real")[0] == "6.1"
    assert row(page, "restorer") == ["30.24", "0.800", "–", "–"]
    assert "<b>35.2</b>" in page and "<b>30.24</b>" in page and "<b>25.24</b>" not in page
    assert "<b>10.0 dB</b> over doing nothing" in page


def test_do_nothing_comes_first_and_bars_show_the_gain(folder):
    page = write(folder, results())
    assert page.index(">do nothing<") < page.index(">median 3×3<") < page.index(">restorer<")
    assert "--share: 0.0%" in page and "--share: 50.0%" in page and "--share: 100.0%" in page


def test_samples_are_spread_over_the_epochs(folder):
    page = write(folder, results())
    epochs = [int(epoch) for epoch in re.findall(r"<figcaption>epoch (\d+)", page)]
    assert epochs == [1, 2, 4, 8, 16, 32]


def test_curves_take_the_colour_of_the_page(folder):
    page = write(folder, results())
    svg = page[page.index("<svg") : page.index("</svg>")]
    assert "currentColor" in svg and "#000000" not in svg and ">epoch</text>" in svg


SECTIONS = {"digits": "digits", "photos": "photos", "runs": "training", "export": "export"}


@pytest.mark.parametrize("missing", list(results()))
def test_any_key_may_be_missing(folder, missing):
    content = results()
    del content[missing]
    page = write(folder, content)
    for key, section in SECTIONS.items():
        assert (f'<h2 id="{section}"' in page) == (key in content)
        assert (f'href="#{section}"' in page) == (key in content)
    text = re.sub(r"data:image[^\"]*", "", page)
    assert "Undefined" not in text and "None" not in text


@pytest.mark.parametrize("section", ["digits", "photos", "export"])
def test_any_part_of_a_section_may_be_missing(folder, section):
    for key in results()[section]:
        content = results()[section]
        del content[key]
        assert f'<h2 id="{section}"' in write(folder, {section: content})


def test_nothing_at_all(folder):
    assert "<h1>What this run made</h1>" in write(folder, {})


def test_no_results(tmp_path):
    with pytest.raises(UserError, match="python -m gan_keras demo"):
        write_report(tmp_path)
    (tmp_path / "results.json").write_text('{"digits": ')
    with pytest.raises(UserError, match="python -m gan_keras demo"):
        write_report(tmp_path)


def test_missing_image_is_named(folder):
    (folder / "images" / "grid.png").unlink()
    with pytest.raises(UserError, match=r"images/grid\.png"):
        write(folder, results())

"""Rows and tables of digits: small networks, and generators that hand out real digits."""

import json
import re

import numpy as np
import pytest

from gan_keras import evaluation
from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.vae import VAE
from gan_keras.data.digits import load_digits
from gan_keras.data.ranges import from_uint8
from gan_keras.errors import UserError
from gan_keras.evaluation import digit_floor, digit_floor_row, digit_row, measure, photo_rows
from gan_keras.networks.digits import (
    build_decoder,
    build_discriminator,
    build_encoder,
    build_generator,
)

KEYS = {
    *("samples", "fid", "fid_interval", "kid", "kid_error", "precision", "recall"),
    *("manifold_samples", "class_imbalance", "agreement", "copies", "parameters", "nats"),
}


@pytest.fixture(scope="module")
def dcgan(randomise):
    return DCGAN(
        randomise(build_generator(latent_dim=8, base_filters=4)),
        build_discriminator(base_filters=4),
    )


class Memoriser:
    """Hands out training digits, with a little noise; of the labels asked for, plus `shift`."""

    classes = None
    trainable_variables = ()

    def __init__(self, classes=None, shift=0, sigma=0.1):
        self.classes, self.shift, self.sigma = classes, shift, sigma
        images, self.labels = load_digits("mnist-5k", "train")
        self.images = from_uint8(images)

    def generate(self, count, seed=0, labels=None):
        assert (labels is None) == (self.classes is None)
        generator = np.random.default_rng(seed)
        if labels is None:
            chosen = generator.choice(len(self.images), count, replace=False)
        else:
            asked = (labels + self.shift) % self.classes
            chosen = [generator.choice(np.flatnonzero(self.labels == one)) for one in asked]
        images = self.images[chosen]
        noise = generator.normal(0, self.sigma, images.shape).astype(np.float32)
        return np.clip(images + noise, -1, 1)


def test_a_row_has_every_key_and_repeats(dcgan):
    row = digit_row(dcgan, seed=3)
    assert set(row) == KEYS
    assert json.loads(json.dumps(row)) == row
    assert digit_row(dcgan, seed=3) == row
    other = digit_row(dcgan, seed=4)
    for key in ("fid", "kid"):
        assert other[key] != row[key]
    assert row["samples"] == row["manifold_samples"] == 1000
    assert row["fid_interval"][0] < row["fid"] < row["fid_interval"][1]
    # noise is no copy, no digit, and not balanced
    assert row["copies"]["share"] <= 0.01
    assert row["copies"]["samples"] == [1000, 1000, 4000]
    assert row["precision"] < 0.3
    assert row["class_imbalance"] > 0.2
    assert row["agreement"] is row["nats"] is None


def test_a_memoriser_is_caught_where_every_other_measure_praises_it(dcgan):
    row, floor = digit_row(Memoriser(sigma=0.05), seed=5), digit_floor_row(seed=5)
    assert row["copies"]["share"] > 0.9
    assert row["copies"]["median_ratio"] < 0.4
    assert row["fid"] < 3 * floor["fid"]
    assert min(row["precision"], row["recall"]) > 0.75


def test_the_floor_is_measured_as_a_model_is():
    row = digit_floor_row(seed=5)
    assert set(row) == KEYS
    assert json.loads(json.dumps(row)) == row
    assert row["fid"] == digit_floor(seed=5)
    assert abs(row["kid"]) < 2 * row["kid_error"]
    assert row["copies"] is None
    assert row["agreement"] > 0.98  # how often the classifier is right


def test_a_conditional_generator_is_asked_for_each_class_and_read():
    right = digit_row(Memoriser(classes=10))
    assert right["agreement"] > 0.98
    assert right["class_imbalance"] < 0.01
    wrong = digit_row(Memoriser(classes=10, shift=1))
    assert wrong["agreement"] < 0.02
    assert wrong["class_imbalance"] < 0.01


def test_classes_that_the_classifier_does_not_know_are_not_judged(monkeypatch):
    monkeypatch.setattr(evaluation, "NAMED", ())
    row = digit_row(Memoriser(classes=10))
    assert row["agreement"] is row["class_imbalance"] is None
    assert row["fid"] > 0


def cells(line):
    return re.split(r"\s{2,}", line.strip())


def table(tmp_path, monkeypatch, models):
    """Measure models as if they were files; return the rows, the legend and the table's cells."""
    monkeypatch.chdir(tmp_path)
    load = evaluation.load
    monkeypatch.setattr(evaluation, "load", lambda name: models.get(name) or load(name))
    lines = []
    rows = measure(models, "mnist-5k", seed=2, say=lines.append)["digits"]
    assert max(map(len, lines)) <= 110
    start = next(i for i, line in enumerate(lines) if cells(line)[0] == "FID")
    return rows, " ".join(lines[:start]), [cells(line) for line in lines[start:]]


def test_the_table_says_what_the_rows_hold(tmp_path, monkeypatch, randomise, dcgan):
    vae = VAE(
        randomise(build_encoder(latent_dim=4, base_filters=2)),
        randomise(build_decoder(latent_dim=4, base_filters=2)),
    )
    vae.compile("adam")
    models = {"runs/demo/dcgan": dcgan, "runs/demo/vae": vae}
    rows, legend, (header, *lines) = table(tmp_path, monkeypatch, models)
    assert header == [
        *("FID", "KID", "prec.", "rec.", "imbal.", "copies", "ELBO", "L_50", "parameters")
    ]
    assert [line[0] for line in lines] == ["real mnist-5k (floor)", *models]
    assert "1,000 samples, 1,000 test images" in legend
    for row, line in zip(rows, lines, strict=True):
        shown = dict(zip(header, line[1:], strict=True))
        fid, margin = map(float, shown["FID"].split(" ± "))
        assert fid == pytest.approx(row["fid"], abs=0.051)
        assert margin == pytest.approx(row["fid_interval"][1] - row["fid"], abs=0.051)
        assert float(shown["rec."]) == pytest.approx(row["recall"], abs=0.0051)
        assert int(shown["parameters"].replace(",", "")) == row["parameters"]
    assert lines[0][6:9] == ["–", "–", "–"]
    assert rows[2]["nats"]["elbo"] == pytest.approx(float(lines[2][7]), abs=0.051)


def test_the_table_of_a_conditional_generator_says_how_it_is_read(tmp_path, monkeypatch):
    rows, _, (header, *lines) = table(tmp_path, monkeypatch, {"memoriser": Memoriser(classes=10)})
    assert header[-2:] == ["as asked", "parameters"]
    for row, line in zip(rows, lines, strict=True):
        assert line[-2] == f"{100 * row['agreement']:.1f}%"
    assert float(lines[1][header.index("copies") + 1].rstrip("%")) > 90


def test_an_enhancer_of_another_task_is_one_line(tmp_path, photo_folder, randomise):
    from gan_keras.networks.restorer import build_inpainter, build_super_resolver

    randomise(build_super_resolver(filters=2, blocks=1)).save(tmp_path / "larger.keras")
    randomise(build_inpainter(filters=(2,), blocks=(1,))).save(tmp_path / "filled.keras")
    for name in ("larger", "filled"):
        with pytest.raises(UserError, match="for another task"):
            measure([tmp_path / f"{name}.keras"], photo_folder)


def test_enlargers_and_inpainters_are_measured_on_their_own_task(photo_folder, randomise):
    from gan_keras.networks.restorer import build_inpainter, build_super_resolver
    from gan_keras.restoration.classical import classics_for
    from gan_keras.restoration.enhancer import Enhancer

    enlarging = {"name": "downsample", "factor": 4}
    cases = [
        (enlarging, build_super_resolver(filters=2, blocks=1), ["bicubic", "Lanczos"]),
        ({"name": "holes", "fraction": 0.5, "count": 0}, build_inpainter((2,), (1,)), []),
    ]
    for degradation, network, classics in cases:
        recipe = {"data": "photos", "degradation": degradation}
        photographs = evaluation.test_photographs(recipe, photo_folder)
        enhancers = {"untrained": Enhancer(network)}
        rows, _ = photo_rows(enhancers, photographs, classics_for(degradation))
        assert [row["method"] for row in rows] == ["do nothing", *classics, "untrained"]
        by_method = {row["method"]: row["psnr"] for row in rows}
        # an untrained enlarger repeats pixels, an untrained inpainter leaves mid-grey
        assert by_method["untrained"] == pytest.approx(by_method["do nothing"], abs=1e-6)
        if classics:
            assert by_method["Lanczos"] > by_method["do nothing"]


def test_the_spread_is_the_standard_deviation_from_photograph_to_photograph():
    target = np.zeros((16, 16, 3), np.float32)
    pairs = [(str(shift), target + np.float32(shift), target) for shift in (0.2, 0.02)]
    (row,), _ = photo_rows({}, pairs)
    assert row["psnr"] == pytest.approx(30.0, abs=1e-3)  # 20 and 40 dB: errors of 2/10 and 2/100
    assert row["psnr_spread"] == pytest.approx(200**0.5, abs=1e-3)
    (row,), _ = photo_rows({}, pairs[:1])
    assert row["psnr_spread"] == 0
    (row,), _ = photo_rows({}, [*pairs, ("untouched", target, target)])
    assert np.isinf(row["psnr"]) and np.isnan(row["psnr_spread"])


def test_the_table_has_the_measures_of_the_papers():
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    generator = np.random.default_rng(0)
    target = generator.integers(0, 256, (40, 50, 3), np.uint8)
    darker = (target * 0.7).astype(np.uint8)
    (row,), _ = photo_rows({}, [("one", from_uint8(darker), from_uint8(target))])
    wanted = peak_signal_noise_ratio(target, darker)
    assert row["psnr"] == pytest.approx(wanted, abs=1e-3)
    wanted = structural_similarity(
        target,
        darker,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert row["ssim"] == pytest.approx(wanted, abs=0.003)  # another border


def test_classics_know_the_default_strengths():
    from gan_keras.restoration.classical import classics_for

    assert "bicubic" in classics_for({"name": "downsample"})
    assert "median 3×3" in classics_for({"name": "gaussian_noise"})
    assert classics_for({"name": "gaussian_noise", "sigma": (0, 55)}) == {}
    assert classics_for({"name": "gaussian_noise", "sigma": 25, "chance": 0.5}) == {}
    assert classics_for([{"name": "jpeg"}]) == {}

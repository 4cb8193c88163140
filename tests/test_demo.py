"""The demo: what it says of itself; from end to end with a few steps a system; in a browser."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_keras import demo, recipes

slow = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run the demo twice in a new folder, five steps an epoch; return the folder and the prints."""
    folder = tmp_path_factory.mktemp("demo")
    small = {
        name: recipe.replace(steps_per_epoch=5, epochs=2, batch_size=8)
        for name, recipe in recipes.RECIPES.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "RECIPES", small)
        patch.chdir(folder)
        demo.run_demo("runs/demo")
        before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/demo/*/model.keras")}
        demo.run_demo("runs/demo")
        after = {p: p.stat().st_mtime_ns for p in folder.glob("runs/demo/*/model.keras")}
    assert len(before) == 4
    assert before == after, "the second demo must not train again"
    return folder


def test_a_failed_training_is_named():
    psnr = {"do nothing": 20.9, "median 3×3": 19.0, "Restorer (L1)": 18.1, "pix2pix": 22.8}
    kinds = "nothing", "classical", "ours", "ours"
    rows = [
        {"method": method, "psnr": value, "kind": kind}
        for (method, value), kind in zip(psnr.items(), kinds, strict=True)
    ]
    assert demo.below_nothing(rows) == ["Restorer (L1)"]


@slow
def test_results_hold_every_row(finished):
    results = json.loads((finished / "runs/demo/results.json").read_text())
    assert [system["name"] for system in results["digits"]["systems"]] == ["DCGAN", "VAE"]
    assert 0 < results["digits"]["floor"] < results["digits"]["systems"][0]["fid"]
    nats = results["digits"]["systems"][1]["nats"]
    assert nats["elbo"] < nats["importance_weighted"] < 0
    rows = results["photos"]["rows"]
    assert [row["kind"] for row in rows] == ["nothing"] + ["classical"] * 4 + ["ours"] * 2
    assert rows[0]["psnr"] == pytest.approx(20.9, abs=0.5)  # σ = 25, clipped
    assert max(row["psnr"] for row in rows[1:5]) > 27


@slow
def test_exported_model_agrees_with_keras(finished):
    export = json.loads((finished / "runs/demo/results.json").read_text())["export"]
    assert export["max_difference"] <= 1  # of 255: one rounding
    assert (finished / export["path"] / "saved_model.pb").exists()
    assert Path(export["path"]).name == "2"  # the second demo does not replace the first's
    restored = np.asarray(Image.open(finished / "runs/demo" / export["restored"]))
    assert restored.std() > 10


@slow
def test_report_shows_in_a_browser(finished, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "no browser: apt-get install chromium"
    picture = tmp_path / "report.png"
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-sync", "--hide-scrollbars"]
    command += [f"--user-data-dir={tmp_path}/profile", f"--screenshot={picture}"]
    command += ["--window-size=1100,6000", f"file://{finished}/runs/demo/report.html"]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert pixels.shape == (6000, 1100)
    strips = pixels.reshape(20, 300, 1100).std(axis=(1, 2))
    assert (strips[:15] > 5).all(), "an empty stretch in the upper part of the report"

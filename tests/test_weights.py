"""What ships: loads with plain Keras, is small, has a card, and does what its card says."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import gan_keras
from gan_keras.cli import main
from gan_keras.data.degradations import build_degradation, downsample, gaussian_noise
from gan_keras.data.digits import load_digits
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import DATA_RANGE, from_uint8, to_uint8
from gan_keras.evaluation import digit_floor, measure
from gan_keras.loading import WEIGHTS
from gan_keras.metrics.image_quality import psnr
from gan_keras.restoration.enhancer import enhance_degraded
from gan_keras.restoration.enlarging import enlarge

NAMES = gan_keras.shipped()


def test_the_shipped_models_are_these():
    digits = ["digit_classifier", "digits", "digits_by_class", "fashion", "vae"]
    enhancers = ["auto", "deblur", "denoise", "inpaint", "super_resolve"]
    realism = ["denoise_realism", "super_resolve_realism"]
    assert sorted([*digits, *enhancers, *realism]) == NAMES
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 25e6


def test_plain_keras_loads_them_in_safe_mode(run_python):
    code = """
import sys, keras
for path in sys.argv[1:]:
    network = keras.saving.load_model(path, safe_mode=True)
    assert network.dtype_policy.name == "float32" and network.count_params() > 0, path
    print(path)
assert "gan_keras" not in sys.modules
"""
    done = run_python(code, *(WEIGHTS / f"{name}.keras" for name in NAMES))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_float16_and_inference_only(name):
    with zipfile.ZipFile(WEIGHTS / f"{name}.keras") as archive:
        assert not json.loads(archive.read("config.json"))["compile_config"]
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    assert "optimizer" not in weights
    kinds = []
    weights.visititems(lambda _, item: kinds.append(getattr(item, "dtype", None)))
    assert {str(kind) for kind in kinds if kind is not None and kind.kind == "f"} == {"float16"}


@pytest.mark.parametrize("name", NAMES)
def test_card_says_how_it_was_made(name):
    card = json.loads((WEIGHTS / f"{name}.json").read_text())
    assert card["recipe"]["seed"] >= 0
    assert card["seconds"] > 60
    assert len(card["curve"]["epoch"]) == card["recipe"]["epochs"]
    published = gan_keras.get_recipe(card["recipe"]["name"])
    trained = gan_keras.Recipe(**card["recipe"])  # settings that are newer have their defaults
    assert trained.replace(data=published.data).to_dict() == published.to_dict()
    assert "bad at" in (WEIGHTS / f"{name}.md").read_text()


def test_classifier_reads_digits():
    images, labels = load_digits("mnist-5k", "test")
    model = gan_keras.load("digit_classifier")
    right = model.predict(from_uint8(images), verbose=0).argmax(1) == labels
    assert right.mean() >= 0.99


def test_floor_is_far_below_noise():
    from gan_keras.metrics.distribution import classifier_fid

    noise = np.random.default_rng(0).uniform(-1, 1, (1000, 28, 28, 1)).astype(np.float32)
    test = from_uint8(load_digits("mnist-5k", "test")[0])
    fid = classifier_fid(gan_keras.load("digit_classifier"), noise, test)
    assert fid > 20 * digit_floor()


@pytest.mark.parametrize("name", ["digits", "digits_by_class", "vae"])
def test_generated_digits_are_digits_of_all_classes(name):
    """On mnist-5k's test images, part of MNIST's training set: a smaller N than on the card."""
    floor, row = measure([name], "mnist-5k", say=lambda line: None)["digits"]
    assert row["fid"] < (90 if name == "vae" else 3 * floor["fid"])  # its card has 66.6
    assert row["class_imbalance"] < 0.12
    assert row["copies"]["share"] < 0.03
    if name == "digits_by_class":
        assert row["agreement"] > 0.97
    if name == "vae":
        assert -110 < row["nats"]["elbo"] < row["nats"]["importance_weighted"] < -80


def test_generated_clothes_differ():
    images = gan_keras.load("fashion").generate(50, seed=3)
    assert images.shape == (50, 28, 28, 1)
    assert np.abs(images).max() <= 1
    distances = np.square(images[:25] - images[25:]).mean(axis=(1, 2, 3))
    assert distances.min() > 0.02
    again = gan_keras.load("fashion").generate(50, seed=3)
    np.testing.assert_array_equal(images, again)


def test_a_class_is_drawn_from_the_command_line(tmp_path):
    out = tmp_path / "sevens.png"
    arguments = ["generate", "digits_by_class", "--label", "7", "--count", "20", "--out", str(out)]
    assert main(arguments) == 0
    grid = np.asarray(Image.open(out))
    cells = [grid[y : y + 28, x : x + 28] for y in (2, 32) for x in range(2, 302, 30)]
    classifier = gan_keras.load("digit_classifier")
    read = classifier.predict(from_uint8(np.stack(cells)[..., None]), verbose=0).argmax(1)
    assert (read == 7).mean() >= 0.9


def test_denoiser_is_ahead_of_every_classical_row():
    rows = measure(["denoise"], say=lambda line: None)["photos"]
    by_method = {row["method"]: row["psnr"] for row in rows}
    assert by_method["denoise"] > by_method["non-local means, h = 0.8 σ"] + 2.5
    assert by_method["denoise"] > by_method["non-local means, tuned"] + 1.8
    assert by_method["non-local means, tuned"] > by_method["median 3×3"] > by_method["do nothing"]


SEEN_BY_NONE = photo_paths("photos", "test") + photo_paths("photos", "train")  # of the enhancers


def crops(paths=SEEN_BY_NONE[:4], side=256):
    """Return the middles of photographs that no enhancer was trained on, float32."""
    for path in paths:
        image = Photographs([path])[0]
        top, left = ((n - side) // 2 for n in image.shape[:2])
        yield from_uint8(image[top : top + side, left : left + side])


def quality(target, image):
    """Return the PSNR in dB of what 8 bits show."""
    shown = from_uint8(to_uint8(image))
    return float(psnr(target[None], shown[None], DATA_RANGE)[0])


def test_four_times_larger_is_ahead_of_bicubic():
    enhancer, gains = gan_keras.Enhancer.load("super-resolve"), []
    for target in crops():
        small = downsample(target, None)
        gains.append(quality(target, enhancer(small)) - quality(target, enlarge(small, 4)))
    assert np.mean(gains) > 1.8


@pytest.mark.parametrize(
    ("task", "degrade"), [("denoise", gaussian_noise), ("super-resolve", downsample)]
)
def test_realism_has_more_fine_detail_than_fidelity_at_little_cost(task, degrade):
    """As much power of the finest detail as the photographs have, or nearer to it."""

    def finest(image):
        return np.square(image - ndimage.uniform_filter(image, (3, 3, 0))).mean()

    fidelity, realism = (gan_keras.Enhancer.load(task, realism) for realism in (0, 1))
    costs, shares = [], []
    for index, target in enumerate(crops()):
        degraded = degrade(target, np.random.default_rng(index))
        smooth, detailed = fidelity(degraded), realism(degraded)
        costs.append(quality(target, smooth) - quality(target, detailed))
        shares.append([finest(image) / finest(target) for image in (smooth, detailed)])
    smooth, detailed = np.exp(np.log(shares).mean(axis=0))
    assert smooth + 0.05 < detailed < 1.1
    assert 0 < np.mean(costs) < 1


def test_the_denoiser_knows_grey_photographs_and_their_noise():
    enhancer, gains = gan_keras.Enhancer.load("denoise"), []
    for index, target in enumerate(crops()):
        grey = np.repeat(target.mean(axis=2, keepdims=True), 3, axis=2)
        noisy = gaussian_noise(grey, np.random.default_rng(index), sigma=25, grey=1)
        restored = enhancer(noisy[..., 0])
        gains.append(quality(grey, restored[..., None].repeat(3, 2)) - quality(grey, noisy))
    assert np.mean(gains) > 8


def gain(name, specification):
    """Return what a shipped enhancer wins over doing nothing, in dB: the mean over the crops."""
    enhancer, degrade, gains = gan_keras.Enhancer.load(name), build_degradation(specification), []
    for index, target in enumerate(crops()):
        degraded = degrade(target, np.random.default_rng(index))
        before = quality(target, degraded[..., :3])
        gains.append(quality(target, enhance_degraded(enhancer, degraded)) - before)
    return np.mean(gains)


AUTO = {  # degradation → dB over doing nothing, a little less than it was shipped with
    "jpeg": ({"name": "jpeg", "quality": 10}, 1.2),
    "noise": ({"name": "gaussian_noise", "sigma": 25}, 9.8),
    "blur": ({"name": "gaussian_blur", "sigma": 1.5}, 4.0),
    "all": ([{"name": "gaussian_blur", "sigma": 1}, {"name": "gaussian_noise", "sigma": 10},
             {"name": "jpeg", "quality": 40}], 1.5),
}  # fmt: skip


@pytest.mark.parametrize("name", AUTO)
def test_auto_repairs_each_and_all(name):
    specification, least = AUTO[name]
    assert gain("auto", specification) > least


def test_inpaint_fills_half_of_a_photograph_in():
    assert gain("inpaint", {"name": "holes", "fraction": 0.5, "count": 0}) > 12


@pytest.mark.parametrize(
    ("specification", "least"),
    [
        ({"name": "gaussian_blur", "sigma": 2}, 3.5),
        ({"name": "motion_blur", "length": 10}, 3.5),
        ({"name": "motion_blur", "length": 15}, 3.0),
    ],
)
def test_deblur_sharpens_without_being_told_how(specification, least):
    """A little less than it was shipped with."""
    assert gain("deblur", [specification, {"name": "gaussian_noise", "sigma": 2}]) > least


def test_auto_leaves_a_clean_photograph_alone():
    enhancer = gan_keras.Enhancer.load("auto")
    values = [quality(target, enhancer(target)) for target in crops(SEEN_BY_NONE)]
    by_name = {path.name: value for path, value in zip(SEEN_BY_NONE, values, strict=True)}
    assert by_name.pop("grace_hopper.jpg") > 35  # a scan, whose grain is noise to it
    assert min(by_name.values()) >= 40


def test_enhance_works_straight_after_install(tmp_path):
    source = photo_paths("photos", "test")[0]
    noisy = tmp_path / "noisy.png"
    clean = np.asarray(Image.open(source).convert("RGB"))[:150, :201]
    noise = np.random.default_rng(0).normal(0, 25, clean.shape)
    Image.fromarray(np.clip(clean + noise, 0, 255).astype(np.uint8)).save(noisy)
    assert main(["enhance", str(noisy), "--out", str(tmp_path / "out")]) == 0
    restored = np.asarray(Image.open(tmp_path / "out/noisy.png")).astype(float)
    before = np.square(np.asarray(Image.open(noisy)).astype(float) - clean).mean()
    assert np.square(restored - clean).mean() < before / 5


def test_compare_prints_one_table(capsys):
    assert main(["evaluate", "denoise"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0].strip() for line in printed[3:5]] == ["do nothing", "median 3×3"]


def test_list_names_them_without_importing_keras(run_python):
    code = "import sys; from gan_keras.cli import main; main(['list'])"
    done = run_python(f"{code}; assert 'keras' not in sys.modules")
    assert done.returncode == 0, done.stderr
    names = [name for name in NAMES if not name.endswith("_realism")]  # the end of a dial
    assert all(name in done.stdout for name in (*names, "dcgan", "pix2pix"))
    dialled = [line.split()[0] for line in done.stdout.splitlines() if "--realism" in line]
    assert dialled == ["denoise", "super_resolve"]

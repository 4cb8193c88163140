import io
import math
import pickle

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from gan_keras.data.degradations import (
    DEGRADATIONS,
    blurred,
    build_degradation,
    compose,
    downsample,
    gaussian_blur,
    gaussian_noise,
    holes,
    jpeg,
    low_light,
    missing_pixels,
    motion_blur,
    poisson_noise,
    scratches,
)
from gan_keras.data.ranges import GREY_LEVEL, from_unit, to_uint8, to_unit
from gan_keras.errors import UserError


def generator(seed=0):
    return np.random.default_rng(seed)


def flat(value, side=256, channels=3):
    return np.full((side, side, channels), value, np.float32)


def impulse(side=41):
    image = np.zeros((side, side, 1), np.float32)
    image[side // 2, side // 2] = 1
    return image


def texture(side=32, channels=3):
    return generator(9).uniform(-1, 1, (side, side, channels)).astype(np.float32)


def moments(spread):
    """Variance along x, along y, and covariance, of an impulse's image."""
    spread = spread[..., 0] / spread.sum()
    y, x = np.indices(spread.shape) - spread.shape[0] // 2
    return (spread * x * x).sum(), (spread * y * y).sum(), (spread * x * y).sum()


def test_grey_noise_is_the_same_in_all_channels():
    x = texture(64)
    same = gaussian_noise(x, generator(), sigma=25, grey=1) - x
    np.testing.assert_allclose(same, same[..., :1] + 0 * same, atol=1e-6)
    assert same.std() == pytest.approx(25 * GREY_LEVEL, rel=0.03)
    often = [np.ptp(gaussian_noise(x, generator(i), grey=0.3) - x, -1).max() for i in range(200)]
    assert 0.2 < np.mean(np.array(often) < 1e-5) < 0.4
    with pytest.raises(UserError, match=r"grey=1.5: give a number from 0 to 1"):
        gaussian_noise(x, generator(), grey=1.5)


def test_clipped_noise_is_what_a_file_keeps_of_it():
    free = gaussian_noise(flat(-0.9), generator(), sigma=25)
    kept = gaussian_noise(flat(-0.9), generator(), sigma=25, clipped=1)
    np.testing.assert_array_equal(kept, np.clip(free, -1, 1))
    assert kept.mean() > -0.88 > -0.89 > free.mean()  # the bias that comes with it
    often = [gaussian_noise(flat(1.0), generator(i), clipped=0.3).max() <= 1 for i in range(200)]
    assert 0.2 < np.mean(often) < 0.4


@pytest.mark.parametrize("name", DEGRADATIONS)
@pytest.mark.parametrize("shape", [(24, 40, 3), (17, 9, 1)])
def test_shape_type_and_determinism(name, shape):
    image = generator().uniform(-1, 1, shape).astype(np.float32)
    before = image.copy()
    first, again = (DEGRADATIONS[name](image, generator(1)) for _ in range(2))
    expected = (shape[0] // 4, shape[1] // 4, shape[2]) if name == "downsample" else shape
    expected = (*shape[:2], shape[2] + 1) if name == "holes" else expected
    assert first.shape == expected
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(image, before)
    if name not in ("gaussian_blur", "downsample", "jpeg"):
        assert (DEGRADATIONS[name](image, generator(2)) != first).any()


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_gaussian_noise_has_its_deviation_also_at_black_and_white(value):
    noise = gaussian_noise(flat(value), generator(), sigma=25) - value
    assert np.std(noise) / GREY_LEVEL == pytest.approx(25, rel=0.01)
    assert np.mean(noise) / GREY_LEVEL == pytest.approx(0, abs=0.3)


def test_unclipped_noise_has_the_psnr_of_the_formula():
    error = gaussian_noise(flat(1.0), generator(), sigma=25) - 1
    psnr = 10 * np.log10(2**2 / np.mean(error**2))
    assert psnr == pytest.approx(20 * math.log10(255 / 25), abs=0.05)  # 20.17 dB


@pytest.mark.parametrize("signal", [0.1, 0.5, 1.0])
def test_poisson_noise_has_the_signal_as_mean_and_signal_over_peak_as_variance(signal):
    noisy = to_unit(poisson_noise(flat(from_unit(signal)), generator(), peak=50))
    assert np.mean(noisy) == pytest.approx(signal, rel=0.01)
    assert np.var(noisy) == pytest.approx(signal / 50, rel=0.02)
    np.testing.assert_allclose(noisy * 50, np.round(noisy * 50), atol=1e-4)  # whole photons


def test_poisson_noise_keeps_black_black():
    assert (poisson_noise(flat(-1.0), generator()) == -1).all()
    assert (poisson_noise(flat(-1.5), generator()) == -1).all()  # after unclipped noise


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_gaussian_blur_of_an_impulse_has_variance_sigma_squared(sigma):
    spread = gaussian_blur(impulse(), generator(), sigma=sigma)
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    horizontal, vertical, mixed = moments(spread)
    assert horizontal == pytest.approx(sigma**2, rel=0.01)
    assert vertical == pytest.approx(sigma**2, rel=0.01)
    assert mixed == pytest.approx(0, abs=1e-5)
    ratio = spread[20, 21, 0] / spread[20, 20, 0]
    assert ratio == pytest.approx(math.exp(-1 / (2 * sigma**2)), rel=1e-3)


def test_blurs_leave_flat_images_and_do_not_mix_channels():
    image = np.broadcast_to(np.float32([-1, 0.25, 1]), (20, 30, 3))
    for blur in (gaussian_blur, motion_blur):
        np.testing.assert_allclose(blur(image, generator()), image, atol=1e-5)


def test_no_blur_is_the_identity():
    image = texture()
    np.testing.assert_array_equal(gaussian_blur(image, generator(), sigma=0), image)
    np.testing.assert_array_equal(motion_blur(image, generator(), length=0, angle=30), image)


@pytest.mark.parametrize("angle", [0, 30, 90, 135])
def test_motion_blur_of_an_impulse_has_the_length_and_the_angle(angle):
    spread = motion_blur(impulse(), generator(), length=15, angle=angle)
    horizontal, vertical, mixed = moments(spread)
    direction = math.degrees(math.atan2(-2 * mixed, horizontal - vertical) / 2)  # y points down
    assert (direction - angle + 90) % 180 - 90 == pytest.approx(0, abs=1)
    along = (horizontal + vertical) / 2 + math.hypot(horizontal - vertical, 2 * mixed) / 2
    assert math.sqrt(12 * along) == pytest.approx(15, rel=0.03)  # a uniform path: length²/12


@pytest.mark.parametrize("sizes", [{"length": 0}, {"sigma": 0}], ids=str)
def test_blurred_has_both_kinds_and_its_noise(sizes):
    image = flat(0.25)
    kinds = [blurred(texture(), generator(i), **sizes, noise=0) - texture() for i in range(20)]
    assert 4 < sum(np.abs(change).max() < 1e-4 for change in kinds) < 16  # the kind that is none
    noise = blurred(image, generator(), noise=3) - image
    assert noise.std() == pytest.approx(3 * GREY_LEVEL, rel=0.02)


def test_what_is_undone_is_nearer_to_the_sharp_image():
    image, gains = gaussian_blur(4 * texture(128), generator(), sigma=1.5), []
    for seed in range(8):
        errors = [
            np.mean((blurred(image, generator(seed), noise=1, undone=undone) - image) ** 2)
            for undone in (0, 1)
        ]
        gains.append(10 * math.log10(errors[0] / errors[1]))
    assert np.mean(gains) > 2


def test_motion_blur_reflects_borders():
    image = texture(16, 1)
    mirrored = np.pad(image, ((8, 8), (8, 8), (0, 0)), "symmetric")
    expected = motion_blur(mirrored, generator(), length=9, angle=20)[8:-8, 8:-8]
    np.testing.assert_allclose(
        motion_blur(image, generator(), length=9, angle=20), expected, atol=1e-6
    )


def test_downsample_is_pillows_bicubic_in_floats():
    image = texture(24)
    small = downsample(image, generator(), factor=3)
    for channel in range(3):
        plane = Image.fromarray(image[..., channel])
        expected = np.asarray(plane.resize((8, 8), Image.Resampling.BICUBIC))
        np.testing.assert_array_equal(small[..., channel], expected)
    assert not np.allclose(to_uint8(small) / 127.5 - 1, small, atol=1e-4)  # not 8-bit


def test_downsample_is_anti_aliased():
    stripes = np.tile(np.float32([1, -1]), (64, 32))[..., None]  # one pixel wide
    assert abs(downsample(stripes, generator(), factor=4)[2:-2, 2:-2]).max() < 0.05


def test_downsample_drops_what_is_beyond_a_multiple():
    image = texture(26)
    np.testing.assert_array_equal(
        downsample(image, generator(), factor=4), downsample(image[:24, :24], generator(), factor=4)
    )
    with pytest.raises(UserError, match="too small"):
        downsample(image[:3], generator(), factor=4)


def test_jpeg_is_a_real_round_trip_and_its_error_falls_with_quality():
    image = gaussian_blur(texture(64), generator(), sigma=1)
    file = io.BytesIO()
    Image.fromarray(to_uint8(image)).save(file, "JPEG", quality=40)
    expected = np.asarray(Image.open(file))
    np.testing.assert_array_equal(to_uint8(jpeg(image, generator(), quality=40)), expected)
    errors = [
        np.mean((jpeg(image, generator(), quality=quality) - image) ** 2)
        for quality in (1, 10, 30, 60, 100)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 4 * errors[-1]


def test_jpeg_of_grey_is_grey():
    image = flat(0.5, 16, 1)
    np.testing.assert_allclose(jpeg(image, generator(), quality=95), image, atol=GREY_LEVEL)


def test_missing_pixels_lose_a_fraction_with_all_channels():
    lost = missing_pixels(flat(0.5), generator(), fraction=0.3) == 0
    assert lost.mean() == pytest.approx(0.3, abs=0.01)
    assert (lost.all(-1) == lost.any(-1)).all()
    assert (missing_pixels(flat(0.5), generator(), fraction=0) == 0.5).all()
    assert (missing_pixels(flat(0.5), generator(), fraction=1) == 0).all()


@pytest.mark.parametrize("width", [5, 9])
def test_a_scratch_has_its_width(width):
    widths = []
    for seed in range(20):
        scratch = scratches(flat(-1.0, 128, 1), generator(seed), count=1, width=width)
        depth = ndimage.distance_transform_edt(scratch[..., 0] > 0)  # half of the pixel lit
        widths.append(2 * depth.max() - 1)
    assert np.median(widths) == pytest.approx(width, abs=0.8)


def test_thin_scratches_light_their_pixels_in_part():
    light = [
        to_unit(scratches(flat(-1.0, 128, 1), generator(1), count=1, width=width)).sum()
        for width in (0.5, 1, 2)
    ]
    assert light[1] / light[0] == pytest.approx(2, rel=0.3)
    assert light[2] / light[1] == pytest.approx(2, rel=0.2)


def test_scratches_are_white_lines_over_the_image():
    scratched = scratches(flat(-0.5), generator(), count=5, width=2)
    assert scratched.max() == 1
    assert (scratched == -0.5).mean() > 0.9
    assert (scratched[..., 0] == scratched[..., 2]).all()
    assert (scratches(flat(-0.5), generator(), count=0) == -0.5).all()


@pytest.mark.parametrize("exposure", [-3, -1, 0])
def test_low_light_scales_linear_light(exposure):
    dark = to_unit(low_light(flat(from_unit(0.8), 64), generator(), exposure=exposure, peak=1e9))
    light = ((0.8 + 0.055) / 1.055) ** 2.4 * 2.0**exposure  # sRGB 0.8 is 0.604 in linear light
    expected = 1.055 * light ** (1 / 2.4) - 0.055
    np.testing.assert_allclose(dark, expected, atol=1e-3)


def test_low_light_near_black_is_the_linear_piece_of_srgb():
    dark = to_unit(low_light(flat(from_unit(0.04), 8), generator(), exposure=-1, peak=1e9))
    np.testing.assert_allclose(dark, 0.02, atol=1e-4)


def test_low_light_counts_photons_and_saturates():
    dark = to_unit(low_light(flat(1.0), generator(), exposure=-2, peak=4000)).astype(float)
    photons = ((dark + 0.055) / 1.055) ** 2.4 * 4000
    assert photons.mean() == pytest.approx(1000, rel=0.01)
    assert photons.var() == pytest.approx(1000, rel=0.03)
    assert low_light(flat(0.5), generator(), exposure=5, peak=10).max() == 1


def test_holes_tell_where_they_are_and_leave_the_rest():
    image = texture(64)
    degraded = holes(image, generator(), fraction=0.3, count=4, width=5)
    known = degraded[..., 3] > 0
    assert set(np.unique(degraded[..., 3])) == {-1, 1}
    np.testing.assert_array_equal(degraded[known][:, :3], image[known])
    assert (degraded[~known][:, :3] == 0).all()
    single = holes(image, generator(), fraction=0.3, count=0)[..., 3] > 0
    assert single.mean() == pytest.approx(0.7, abs=0.03)
    assert known.mean() < 0.65
    scratched = holes(image, generator(), fraction=0, count=(2, 2), width=4)[..., 3] < 0
    assert 0.02 < scratched.mean() < 0.4
    rows, columns = np.nonzero(scratched)
    assert scratched[np.maximum(rows - 1, 0), columns].mean() > 0.5  # lines, not dots


def test_a_chance_is_taken_as_often_as_it_says():
    degrade = build_degradation({"name": "gaussian_noise", "sigma": 5, "chance": 0.3})
    image, rng = flat(0.0, 4), generator()
    changed = [(degrade(image, rng) != 0).any() for _ in range(500)]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.06)


def test_one_of_takes_each_as_often_with_what_follows_in_a_list():
    choices = [
        {"name": "missing_pixels", "fraction": 1},
        [{"name": "jpeg", "quality": 100}, {"name": "gaussian_blur", "sigma": 0}],
        [],
    ]
    degrade = pickle.loads(pickle.dumps(build_degradation({"one_of": choices})))
    image, rng = texture(8), generator()
    results = [degrade(image, rng) for _ in range(300)]
    kinds = [2 if np.array_equal(r, image) else int(r.any()) for r in results]
    assert np.bincount(kinds) / 300 == pytest.approx([1 / 3] * 3, abs=0.09)


def test_compose_applies_in_order():
    def add(image, generator):
        return image + 1

    def double(image, generator):
        return image * 2

    assert compose(add, double)(1, None) == 4
    assert compose(double, add)(1, None) == 3
    assert compose()(1, None) == 1


def test_compose_hands_one_generator_on():
    image = flat(0.0, 8)
    rng = generator(3)
    expected = gaussian_noise(gaussian_noise(image, rng, sigma=5), rng, sigma=5)
    both = build_degradation([{"name": "gaussian_noise", "sigma": 5}] * 2)
    np.testing.assert_array_equal(both(image, generator(3)), expected)


def test_a_pair_is_drawn_uniformly_at_each_call():
    rng = generator()
    degrade = build_degradation({"name": "gaussian_noise", "sigma": (5, 50)})
    drawn = [np.std(degrade(flat(0.0, 64), rng)) / GREY_LEVEL for _ in range(200)]
    assert 4.5 < min(drawn) < 7
    assert 48 < max(drawn) < 52
    assert np.mean(drawn) == pytest.approx(27.5, abs=2.5)


def test_a_whole_number_is_drawn_with_both_ends():
    image, rng = texture(16), generator()
    possible = [jpeg(image, rng, quality=quality) for quality in (20, 21, 22)]
    seen = set()
    for _ in range(40):
        result = jpeg(image, rng, quality=[20, 22])
        seen |= {i for i, other in enumerate(possible) if np.array_equal(other, result)}
    assert seen == {0, 1, 2}


def test_built_degradations_equal_the_functions_and_can_be_pickled():
    image = texture()
    degrade = build_degradation({"name": "missing_pixels", "fraction": 0.2})
    expected = missing_pixels(image, generator(4), fraction=0.2)
    np.testing.assert_array_equal(degrade(image, generator(4)), expected)
    chain = pickle.loads(pickle.dumps(build_degradation([{"name": "jpeg"}, {"name": "scratches"}])))
    assert chain(image, generator()).shape == image.shape


def test_building_leaves_the_specification_as_it_was():
    specification = {"name": "jpeg", "quality": 30}
    build_degradation(specification)
    assert specification == {"name": "jpeg", "quality": 30}


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ({"name": "gausian_noise"}, "did you mean 'gaussian_noise'.*missing_pixels"),
        ({"name": "jpeg", "qualty": 3}, "parameter of jpeg 'qualty': did you mean 'quality'"),
        ({"name": "gaussian_noise", "sigma": -1}, "sigma=-1: give a number from 0"),
        ({"name": "gaussian_noise", "sigma": "25"}, "sigma='25'"),
        ({"name": "gaussian_noise", "sigma": (5, "50")}, "sigma=.*pair"),
        ({"name": "gaussian_noise", "sigma": (50, 5)}, r"sigma=\(50, 5\)"),
        ({"name": "gaussian_noise", "sigma": (1, 2, 3)}, r"sigma=\(1, 2, 3\)"),
        ({"name": "gaussian_noise", "sigma": math.nan}, "sigma=nan"),
        ({"name": "jpeg", "quality": 0}, "quality=0: give a whole number from 1 to 100"),
        ({"name": "jpeg", "quality": 30.5}, "quality=30.5"),
        ({"name": "missing_pixels", "fraction": 2}, "fraction=2: give a number from 0 to 1"),
        ({"name": "downsample", "factor": (2, 4)}, r"factor=\(2, 4\)"),
        ({"name": "poisson_noise", "peak": 0}, "peak=0"),
        ({"name": "jpeg", "chance": 2}, "chance=2: give a number from 0 to 1"),
        ({"name": "jpeg", "chance": (0, 1)}, r"chance=\(0, 1\)"),
        ({"one_of": []}, "one_of is a list"),
        ({"one_of": [{"name": "jpeg"}], "quality": 3}, "one_of is a list"),
        ({"one_of": [{"name": "jpg"}]}, "did you mean 'jpeg'"),
        ({"sigma": 3}, "give a dictionary with a name"),
        ("jpeg", "give a dictionary with a name"),
        ([{"name": "jpeg"}, {"name": "blur"}], "no degradation 'blur'"),
    ],
)
def test_mistakes_are_found_when_building(specification, message):
    with pytest.raises(UserError, match=message):
        build_degradation(specification)


def test_functions_called_directly_check_too():
    with pytest.raises(UserError, match="fraction=2"):
        missing_pixels(texture(), generator(), fraction=2)

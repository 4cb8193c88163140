r"""What spoils a photograph: y = A(x) + n, in physical units.

Each function takes a sharp image x, float32 (H, W, C) in [-1, 1], and a `numpy.random.Generator`,
its only source of randomness; it returns the degraded y, a new float32 array of the same shape
and range unless it says otherwise. A parameter given as a pair (low, high) is drawn uniformly at
each call (a whole-numbered one including both ends): one restorer learns a range of strengths.
"""

import functools
import inspect
import io

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from gan_keras.data.blurs import convolve, gaussian_kernel, inverse_filter, motion_kernel
from gan_keras.data.noise import gaussian_noise, poisson_noise
from gan_keras.data.parameters import check_name, check_value, draw
from gan_keras.data.ranges import from_uint8, from_unit, to_uint8, to_unit
from gan_keras.errors import UserError


def gaussian_blur(image, generator, *, sigma=2.0):
    """Blur with a Gaussian, roughly a lens out of focus; borders are reflected.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        generator: Source of randomness.
        sigma: Standard deviation in pixels, ≥ 0; or a pair.
    """
    sigma = draw(generator, "sigma", sigma)
    return ndimage.gaussian_filter(image, sigma, axes=(0, 1), output=np.float32)


def motion_blur(image, generator, *, length=9.0, angle=(0.0, 180.0)):
    """Blur along a line, as a camera that moves during the exposure; borders are reflected.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        generator: Source of randomness.
        length: Path of the camera in pixels, ≥ 0; or a pair.
        angle: Direction in degrees, counter-clockwise from the horizontal; or a pair.
    """
    kernel = motion_kernel(draw(generator, "length", length), draw(generator, "angle", angle))
    (height, width), radius = image.shape[:2], len(kernel) // 2
    padded = np.pad(image, ((radius, radius), (radius, radius), (0, 0)), "symmetric")
    blurred = np.zeros(image.shape, np.float32)
    for top, left in np.argwhere(kernel):  # few taps: a line, not a square
        blurred += kernel[top, left] * padded[top : top + height, left : left + width]
    return blurred


def blurred(image, generator, *, sigma=(0.5, 3), length=(3, 20), noise=(0, 4), undone=0):
    """Blur by a Gaussian or along a line, and add noise: what `deblur` learns from.

    An enhancer first takes the blur out, as it estimates it, by `inverse_filter`: so does `undone`.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        generator: Source of randomness.
        sigma: Standard deviation of the Gaussian in pixels, ≥ 0; or a pair.
        length: Of the line in pixels, in any direction, ≥ 0; or a pair.
        noise: σ of the noise in grey levels, ≥ 0; or a pair.
        undone: Chance that the blur is taken out again, 0 to 1.
    """
    sigma, length = draw(generator, "sigma", sigma), draw(generator, "length", length)
    noise, angle = draw(generator, "noise", noise), generator.uniform(0, 180)
    moved, undo = generator.random(2) < (0.5, draw(generator, "undone", undone))
    a, b, c = generator.standard_normal(3)
    if moved:
        kernel = motion_kernel(length, angle)
        guess = motion_kernel((1 + 0.03 * a) * length, angle + 20 * b / max(length, 1))
    else:
        kernel, guess = gaussian_kernel(sigma), gaussian_kernel(max(sigma + 0.08 * a, 0))
    image = gaussian_noise(convolve(image, kernel), generator, sigma=noise)
    return convolve(image, inverse_filter(guess, noise * 1.3**c)) if undo else image


def downsample(image, generator, *, factor=4):
    """Make an image `factor` times smaller by anti-aliased bicubic, as papers do.

    Pillow's filter widens with the factor, and works on floats here: nothing is rounded to 8 bits.
    Rows and columns beyond a multiple of `factor` are left out; bicubic overshoots a little.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        generator: Not drawn from.
        factor: Whole number ≥ 1; no pair.

    Returns:
        float32 (H // factor, W // factor, C).
    """
    factor = draw(generator, "factor", factor)
    height, width = image.shape[0] // factor, image.shape[1] // factor
    if not height or not width:
        raise UserError(f"an image of {image.shape[:2]} is too small for downsample {factor}")
    image = np.asarray(image[: height * factor, : width * factor], np.float32)
    planes = [
        Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC)
        for plane in np.moveaxis(image, -1, 0)
    ]
    return np.stack(planes, axis=-1)


def jpeg(image, generator, *, quality=30):
    """Compress with JPEG and decompress, colours at half resolution (4:2:0) as cameras do.

    Args:
        image: float32 (H, W, 1 or 3); clipped to [-1, 1] and rounded to 8 bits first.
        generator: Source of randomness.
        quality: libjpeg's 1 (worst) to 100 (best); or a pair.
    """
    quality = draw(generator, "quality", quality)
    pixels = to_uint8(image)
    file = io.BytesIO()
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    picture.save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return from_uint8(Image.open(file)).reshape(image.shape)


def missing_pixels(image, generator, *, fraction=0.5):
    """Lose pixels at random, all channels together; mid-grey (0) takes their place.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        generator: Source of randomness.
        fraction: Chance that a pixel is lost, 0 to 1; or a pair.
    """
    fraction = draw(generator, "fraction", fraction)
    kept = generator.random(image.shape[:2]) >= fraction
    return image * kept[..., None].astype(np.float32)


def scratches(image, generator, *, count=(3, 8), width=1.5):
    """Draw white scratches: bent, anti-aliased lines between random points.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        generator: Source of randomness.
        count: How many, ≥ 0; or a pair.
        width: In pixels, ≥ 0.25, to the nearest quarter; or a pair, drawn for each scratch.
    """
    mask = Image.new("L", (4 * image.shape[1], 4 * image.shape[0]))
    pen, time = ImageDraw.Draw(mask), np.linspace(0, 1, 24)[:, None]
    for _ in range(draw(generator, "count", count)):
        start, bend, end = generator.uniform(0, mask.size, (3, 2))
        bend = (start + bend + end) / 3  # nearer to the straight line
        curve = (1 - time) ** 2 * start + 2 * time * (1 - time) * bend + time**2 * end  # Bézier
        slope = np.gradient(curve, axis=0)
        across = np.flip(slope, 1) * (1, -1) / np.linalg.norm(slope, axis=1, keepdims=True)
        across *= (round(4 * draw(generator, "width", width)) - 1) / 2  # an outline is 1 wide
        left, right = curve + across, curve - across
        for piece in np.hstack([left[:-1], left[1:], right[1:], right[:-1]]).tolist():
            pen.polygon(piece, 255)
    cover = np.asarray(mask.reduce(4), np.float32)[..., None] / 255
    return image * (1 - cover) + cover


def holes(image, generator, *, fraction=(0.0, 0.7), count=(0, 6), width=(1.5, 8.0)):
    """Lose single pixels and whole scratches, and tell where: what an inpainter learns from.

    Args:
        image: float32 (H, W, C) in [-1, 1].
        generator: Source of randomness.
        fraction: Chance that a pixel is lost by itself, 0 to 1; or a pair.
        count: How many scratches; or a pair.
        width: Of a scratch in pixels; or a pair.

    Returns:
        float32 (H, W, C + 1): mid-grey (0) where a pixel is lost; the last channel is 1 where it
        is known and -1 where it is lost.
    """
    clear = np.ones((*image.shape[:2], 1), np.float32)
    known = missing_pixels(clear, generator, fraction=fraction) > 0
    known &= scratches(-clear, generator, count=count, width=width) < 0
    return np.dstack([image * known, from_unit(known.astype(np.float32))])


def low_light(image, generator, *, exposure=-3.0, peak=1000):
    """Underexpose, as a camera does: fewer photons, counted in linear light.

    sRGB → linear light → times 2^exposure → photons are counted → sRGB. Darkening the sRGB values
    themselves would be no change of exposure. A sensor saturates: the result stays in [-1, 1].

    Args:
        image: float32 (H, W, C); clipped to [-1, 1] first.
        generator: Source of randomness.
        exposure: In stops: -3 leaves an eighth of the light; or a pair.
        peak: Mean number of photons that make a pixel white, ≥ 1; or a pair.
    """
    exposure, peak = draw(generator, "exposure", exposure), draw(generator, "peak", peak)
    srgb = np.clip(to_unit(image), 0, 1)
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    light = np.minimum(generator.poisson(light * 2.0**exposure * peak) / peak, 1)
    srgb = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return from_unit(srgb).astype(np.float32)


DEGRADATIONS = {
    function.__name__: function
    for function in (
        *(gaussian_noise, poisson_noise, gaussian_blur, motion_blur, blurred, downsample),
        *(jpeg, missing_pixels, scratches, holes, low_light),
    )
}


def _in_order(degradations, image, generator):
    for degradation in degradations:
        image = degradation(image, generator)
    return image


def compose(*degradations):
    """Return one callable (image, generator) that applies several, the first one first."""
    return functools.partial(_in_order, degradations)


def _one_of(degradations, image, generator):
    return degradations[generator.integers(len(degradations))](image, generator)


def _sometimes(degradation, chance, image, generator):
    return degradation(image, generator) if generator.random() < chance else image


def build_degradation(specification):
    """Turn plain data, as a recipe or the command line has it, into a degradation.

    Args:
        specification: {"name": "gaussian_noise", "sigma": (5, 50)}; or {"one_of": […]}, of which
            each is as likely; either may have a "chance", of 0 to 1, to be applied at all. Or a
            list of such dictionaries, applied in order; `one_of` chooses among lists too.

    Returns:
        A picklable callable (image, generator).

    Raises:
        UserError: An unknown name or parameter (the message names the nearest and the valid
            ones), or a value out of its range.
    """
    if isinstance(specification, list | tuple):
        return compose(*map(build_degradation, specification))
    if not isinstance(specification, dict) or not {"name", "one_of"} & specification.keys():
        raise UserError(f"{specification!r} is no degradation: give a dictionary with a name")
    parameters = dict(specification)
    if "chance" in parameters:
        chance, _ = check_value("chance", parameters.pop("chance"))
        return functools.partial(_sometimes, build_degradation(parameters), chance)
    if "one_of" in parameters:
        choices = parameters.pop("one_of")
        if parameters or not isinstance(choices, list | tuple) or not choices:
            raise UserError(f"{specification!r}: one_of is a list of degradations, with no more")
        return functools.partial(_one_of, tuple(map(build_degradation, choices)))
    name = parameters.pop("name")
    check_name("degradation", name, DEGRADATIONS)
    for parameter, value in parameters.items():
        valid = inspect.getfullargspec(DEGRADATIONS[name]).kwonlyargs
        check_name(f"parameter of {name}", parameter, valid)
        check_value(parameter, value)
    return functools.partial(DEGRADATIONS[name], **parameters)

"""Chapter 01's exercises: right answers written another way, and typical wrong ones."""

import numpy as np
from answers import found_in_the_wild, solution
from scipy import ndimage

from gan_keras.data.ranges import to_unit

# Right, written another way


def psnr_of_the_smaller_sigma(sigma, count):
    return -10 * np.log10(sigma**2 / count / 255**2)


def gain_by_least_squares(signal, noise, blur):
    """Solve for H from two samples that carry all of S and N: min |x − Hb x|² + |H n|²."""
    cross, total = signal * blur.conj(), noise + signal * (blur * blur.conj()).real
    return np.array([np.linalg.solve([[t]], [c])[0] for c, t in zip(cross, total, strict=True)])


def psnr_one_by_one(a, b, data_range):
    values = []
    for x, y in zip(a / data_range, b / data_range, strict=True):
        values.append(-20 * np.log10(np.linalg.norm(x - y) / np.sqrt(x.size)))
    return np.array([np.mean(values)])


def ssim_by_centred_moments(x, y, data_range):
    """Windows one by one, moments about their means, the three terms apart."""
    weights = np.exp(-((np.arange(-5, 6)) ** 2) / 4.5)
    window = np.outer(weights, weights)
    window /= window.sum()
    x, y = (np.lib.stride_tricks.sliding_window_view(i / data_range, (11, 11)) for i in (x, y))

    def mean(values):
        return np.einsum("hwij,ij->hw", values, window)

    mx, my = mean(x), mean(y)
    dx, dy = x - mx[..., None, None], y - my[..., None, None]
    sx, sy, sxy = np.sqrt(mean(dx**2)), np.sqrt(mean(dy**2)), mean(dx * dy)
    light = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
    contrast = (2 * sx * sy + 9e-4) / (sx**2 + sy**2 + 9e-4)
    return np.mean(light * contrast * (sxy + 4.5e-4) / (sx * sy + 4.5e-4))


def fog_and_blocks(image, mse):
    """A paler picture, which cannot clip, and two-valued noise, its strength found by scaling."""
    kind = image * (1 - np.sqrt(mse / np.mean(image**2)))
    coarse = np.random.default_rng(1).choice([-1.0, 1.0], image.shape)
    cruel, strength = image, np.sqrt(mse)
    for _ in range(60):
        cruel = np.clip(image + strength * coarse, -1, 1)
        strength *= np.sqrt(mse / np.mean((cruel - image) ** 2))
    return kind, cruel


OTHERWISE = {
    "01.1": psnr_of_the_smaller_sigma,
    "01.2": gain_by_least_squares,
    "01.3": psnr_one_by_one,
    "01.4": ssim_by_centred_moments,
    "01.5": fog_and_blocks,
}

# Wrong in typical ways, and what the message must say


def one_exposure(sigma, count):
    return 20 * np.log10(255 / sigma)


def psnr_with(peak=None, pooled=False, wraps=False, factor=10, per_image=False):
    """Return a PSNR with one thing changed."""

    def psnr(a, b, data_range):
        if not wraps:
            a, b = np.asarray(a, float), np.asarray(b, float)
        errors = np.mean((a - b) ** 2, axis=(1, 2, 3))
        if pooled:
            errors = np.mean(errors, keepdims=True)
        width = data_range if peak is None else peak(a)
        values = factor * np.log10(np.square(width, dtype=float) / errors)
        return values if per_image else np.mean(values)

    return psnr


def ssim_with(k=(0.01, 0.03), width=None, squared=True, border=False, box=False, whole=False):
    """Return an SSIM with one thing changed."""

    def mean(image):
        if whole:
            return np.mean(image)
        if box:
            return ndimage.uniform_filter(image, 11)
        return ndimage.gaussian_filter(image, 1.5, radius=5)

    def ssim(x, y, data_range):
        c1, c2 = ((one * (width or data_range)) ** (2 if squared else 1) for one in k)
        mx, my = mean(x), mean(y)
        vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        values = (2 * mx * my + c1) * (2 * vxy + c2) / (mx**2 + my**2 + c1) / (vx + vy + c2)
        return np.mean(values if border or whole else values[5:-5, 5:-5])

    return ssim


def not_solved_for(image, mse):
    noise = np.random.default_rng(0).standard_normal(image.shape)
    return [np.clip(image + np.sqrt(mse) * way, -1, 1) for way in (1.0, noise)]


def not_clipped(image, mse):
    noise = np.random.default_rng(0).standard_normal(image.shape)
    return [image + np.sqrt(mse) * way for way in (1.0, noise / noise.std())]


def two_noises(image, mse):
    return fog_and_blocks(image, mse)[1], solution("01.5")(image, mse)[1]


WRONG = [
    ("01.1", one_exposure, r"that is one exposure"),
    ("01.1", lambda s, n: 20 * np.log10(255 * n / s), r"√N, not with N"),
    ("01.1", lambda s, n: 10 * np.log10(255 / s * np.sqrt(n)), r"20 log₁₀ of a ratio"),
    ("01.1", lambda s, n: one_exposure(s, n) - 10 * np.log10(n), r"better, not worse"),
    ("01.1", lambda s, n: 20 * np.log(255 * np.sqrt(n) / s), r"natural logarithm"),
    ("01.1", lambda s, n: 20 * np.log10(np.sqrt(n) / s), r"peak is 255"),
    ("01.1", lambda s, n: 25.0, r"you said 25\.00"),
    ("01.2", lambda s, n, b: 1 / b, r"multiplies the noise"),
    ("01.2", lambda s, n, b: s / (s + n), r"right without a blur.*with a blur"),
    ("01.2", lambda s, n, b: b * s / (np.abs(b) ** 2 * s + n), r"conjugate"),
    ("01.2", lambda s, n, b: n / (s + n), r"share of noise"),
    ("01.2", lambda s, n, b: np.sqrt(s / (s + n)), r"keeps the signal's power"),
    ("01.2", lambda s, n, b: s / (s + n) / b, r"not finite.*says nothing"),
    ("01.2", lambda s, n, b: 0.5, r"one H each"),
    ("01.3", psnr_with(peak=lambda a: 1.0), r"6\.02 dB low: your peak is 1, the range is 2"),
    ("01.3", found_in_the_wild("01"), r"6\.02 dB low: your peak is 1, the range is 2"),
    ("01.3", psnr_with(peak=np.max), r"your peak is the brightest pixel"),
    ("01.3", psnr_with(peak=np.ptp), r"width of one picture's values"),
    ("01.3", psnr_with(peak=lambda a: 2.0), r"your peak is 2, the range is 255"),
    ("01.3", psnr_with(pooled=True), r"average per-image PSNRs"),
    ("01.3", psnr_with(wraps=True), r"wrap around.*before you subtract"),
    ("01.3", psnr_with(factor=20), r"twice too much"),
    ("01.3", psnr_with(per_image=True), r"return one, the mean"),
    ("01.4", ssim_with(whole=True), r"one window as large as the picture"),
    ("01.4", ssim_with(border=True), r"hang over the border"),
    ("01.4", ssim_with(box=True), r"boxes.*Gaussian"),
    ("01.4", ssim_with(width=255), r"those of 8 bits"),
    ("01.4", ssim_with(width=1), r"range of 1, not"),
    ("01.4", ssim_with(squared=False), r"C₁ and C₂ are squared"),
    ("01.4", ssim_with(k=(0, 0)), r"constants C₁ and C₂ are missing"),
    ("01.5", not_solved_for, r"clipping takes error away.*bisection"),
    ("01.5", not_clipped, r"a picture ends at"),
    ("01.5", two_noises, r"too near"),
    ("01.5", lambda image, mse: solution("01.5")(image, mse)[::-1], r"the kind one comes first"),
    ("01.5", lambda image, mse: [to_unit(image)] * 2, r"at most"),
    ("01.5", lambda image, mse: [image[:50]] * 2, r"two pictures of shape"),
]  # fmt: skip

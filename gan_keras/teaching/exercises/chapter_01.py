"""Chapter 01's exercises: what each check looks at, and what it says."""

import numpy as np
from keras import ops
from scipy import ndimage

from gan_keras.data.degradations import gaussian_noise
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import DATA_RANGE, GREY_LEVEL, from_uint8, to_uint8, to_unit
from gan_keras.metrics.image_quality import psnr, ssim
from gan_keras.teaching.exercises import Exercise, NotYet


def mean_of_exposures(answer, draw):
    """01.1: predict the PSNR of the mean of several exposures; the judge makes them."""
    for sigma, count in (
        (25, 4),
        *zip(draw.uniform(8, 60, 2), draw.integers(2, 9, 2), strict=True),
    ):
        sigma, count = float(sigma), int(count)
        image = draw.uniform(-1, 1, (1, 160, 160, 3)).astype(np.float32)
        exposures = [gaussian_noise(image, draw, sigma=sigma) for _ in range(count)]
        right = float(psnr(image, np.mean(exposures, axis=0), DATA_RANGE)[0])
        said = float(np.squeeze(answer(sigma, count)))
        one = 20 * np.log10(255 / sigma)
        if abs(said - right) < 0.15:
            continue
        for wrong, reason in (
            (one, "that is one exposure: the mean of several has less noise"),
            (
                one + 20 * np.log10(count),
                "the mean's σ falls with √N, not with N: variances add up, to N σ², and the "
                "mean divides them by N²",
            ),
            (2 * one - right, "the mean of several exposures is better, not worse"),
            (right / 2, "20 log₁₀ of a ratio of amplitudes, 10 log₁₀ of one of powers"),
            (right * np.log(10), "decibels are log₁₀: you took the natural logarithm"),
            (right - 20 * np.log10(255), "the peak is 255 where σ is in 8-bit grey levels"),
        ):
            if abs(said - wrong) < 0.15:
                raise NotYet(reason)
        raise NotYet(
            f"{count} exposures with σ = {sigma:.3g} have a mean of {right:.2f} dB, and you "
            f"said {said:.2f}"
        )
    return "N exposures are worth 10 log₁₀ N decibels"


WRONG_GAINS = (
    "1/B undoes the blur and multiplies the noise by as much: weigh it against S and N",
    "that is the share of noise: Wiener keeps the signal",
    "that is right without a blur; B mixes in before the noise does",
    "B is complex, and its phase has to be turned back: conjugate it",
    "the root keeps the signal's power (3.10), but does not minimise the error",
)


def wiener_gain(answer, draw):
    """01.2: Wiener's filter for a blur; the judge is the error that it leaves."""
    count = 64
    sharp = np.ones(count, np.complex128)
    turned = draw.uniform(0.05, 1, count) * np.exp(2j * np.pi * draw.random(count))
    turned[::9] = 0.0  # a motion's blur has zeros
    for blur, kind in ((sharp, "without a blur"), (turned, "with a blur")):
        signal, noise = 10.0 ** draw.uniform(-2, 2, (2, count))
        with np.errstate(all="ignore"):
            gain = np.asarray(answer(signal, noise, blur))
            power = np.abs(blur) ** 2 * signal + noise
            forms = (1 / blur, noise / power, signal / (signal + noise), blur * signal / power)
        forms += (np.sqrt(signal / power),)
        if gain.shape != (count,):
            raise NotYet(f"{count} frequencies came in, shape {gain.shape} came out: one H each")
        best = signal * noise / power
        left = np.abs(1 - gain * blur) ** 2 * signal + np.abs(gain) ** 2 * noise
        if np.allclose(left, best, rtol=1e-6):
            continue
        for reason, form in zip(WRONG_GAINS, forms, strict=True):
            if np.allclose(gain, form, rtol=1e-6, equal_nan=True):
                raise NotYet(f"{reason} ({kind})")
        if not np.isfinite(gain).all():
            raise NotYet("where B is 0 your gain is not finite: there the photograph says nothing")
        worst = np.argmax(left / best)
        raise NotYet(
            f"{kind}, at S = {signal[worst]:.3g}, N = {noise[worst]:.3g}, |B| = "
            f"{abs(blur[worst]):.2g} your H leaves an error of {left[worst]:.3g}, and "
            f"{best[worst]:.3g} is possible: complete the square"
        )
    return "the least error that a linear filter can leave, at every frequency"


def mean_psnr(answer, draw):
    """01.3: the mean PSNR of a batch, without the three mistakes of the broken form."""
    for sigmas, as_bytes in (
        ((25.0,) * 3, False),
        (draw.uniform(4, 60, 4), False),
        ((12, 40), True),
    ):
        shape = len(sigmas), 96, 96, 3
        a = draw.uniform(-0.7, 0.6, shape).astype(np.float32)
        b = np.stack(
            [gaussian_noise(x, draw, sigma=float(s)) for x, s in zip(a, sigmas, strict=True)]
        )
        data_range = DATA_RANGE
        if as_bytes:
            a, b, data_range = to_uint8(a), to_uint8(b), 255
        said = np.asarray(answer(a, b, data_range), np.float64)
        if said.shape == (len(sigmas),) and len(sigmas) > 1:
            raise NotYet(f"{len(sigmas)} numbers for a batch: return one, the mean of the PSNRs")
        said, a, b = float(np.squeeze(said)), a.astype(np.float64), b.astype(np.float64)
        errors = np.mean((a - b) ** 2, axis=(1, 2, 3))
        right = float(np.mean(10 * np.log10(data_range**2 / errors)))
        if abs(said - right) < 0.02:
            continue
        low = right - said
        for peak, whose in (
            (1.0, "1"),
            (DATA_RANGE, f"{DATA_RANGE:g}"),
            (a.max(), "the brightest pixel"),
            (np.ptp(a), "the width of one picture's values"),
        ):
            if abs(low - 20 * np.log10(data_range / peak)) < 0.01:
                raise NotYet(f"{low:.2f} dB low: your peak is {whose}, the range is {data_range:g}")
        if as_bytes:
            raise NotYet(
                f"{said:.2f} dB for 8-bit integers, {right:.2f} for the same pictures as floats: "
                "integers wrap around (3 − 5 is 254); convert before you subtract"
            )
        if abs(low - 10 * np.log10(data_range)) < 0.01:
            raise NotYet(f"{low:.2f} dB low: the peak is squared, as the error is")
        if abs(said - 2 * right) < 0.04:
            raise NotYet("twice too much: 10 log₁₀ of a ratio of squares, 20 log₁₀ of one of sizes")
        if abs(said - right * np.log(10)) < 0.04:
            raise NotYet("decibels are log₁₀: you took the natural logarithm")
        if abs(said - 10 * np.log10(data_range**2 / np.mean(errors))) < 0.01:
            raise NotYet(
                f"{said:.2f} dB, not {right:.2f}: average per-image PSNRs; you pooled the errors "
                "of all images first"
            )
        raise NotYet(
            f"noise of σ = {np.round(sigmas, 1)} gives {right:.2f} dB, and you said {said:.2f}"
        )
    return "20.17 dB for σ = 25, whatever the range, the batch and the type"


def _gaussian(image):
    return ndimage.gaussian_filter(image, 1.5, radius=5)


def _box(image):
    return ndimage.uniform_filter(image, 11)


def _ssim_map(x, y, constants, blur=_gaussian):
    """Return SSIM in each window; `blur` is the windows' weighted mean."""
    means = blur(x), blur(y)
    variances = blur(x * x) - means[0] ** 2, blur(y * y) - means[1] ** 2
    covariance = blur(x * y) - means[0] * means[1]
    c1, c2 = constants
    luminance = (2 * means[0] * means[1] + c1) / (means[0] ** 2 + means[1] ** 2 + c1)
    return luminance * (2 * covariance + c2) / (sum(variances) + c2)


def structural_similarity(answer, draw):
    """01.4: SSIM from its parts; the judge is the package's."""
    for width in (1.0, 255.0, float(draw.uniform(2, 9))):
        smooth = ndimage.gaussian_filter(draw.random((72, 80)), draw.uniform(1.5, 3))
        x = 0.1 + 0.8 * (smooth - smooth.min()) / np.ptp(smooth)
        y = np.clip(0.9 * x + 0.03 + draw.normal(0, 0.06, x.shape), 0, 1)
        x, y = x * width, y * width
        said = np.asarray(answer(x.copy(), y.copy(), width), np.float64)
        if said.shape != ():
            raise NotYet(f"shape {said.shape} came out: the mean over all windows is one number")
        right = float(ssim(x[None, ..., None], y[None, ..., None], width)[0])
        if abs(said - right) < 1e-3:
            continue
        squares, inner = (0.01**2, 0.03**2), (slice(5, -5), slice(5, -5))
        constants = [(k * width**2) for k in squares]
        whole = _ssim_map(x, y, constants, np.mean)
        for wrong, reason in (
            (whole, "one window as large as the picture: SSIM is the mean over 11×11 windows"),
            (
                _ssim_map(x, y, constants).mean(),
                "windows that hang over the border: only those inside count, (H − 10)(W − 10)",
            ),
            (
                _ssim_map(x, y, constants, _box)[inner].mean(),
                "your windows are boxes: the weights are a Gaussian's, σ = 1.5, of sum 1",
            ),
            (
                _ssim_map(x, y, [k * 255**2 for k in squares])[inner].mean(),
                "your constants are those of 8 bits: C = (K · data_range)²",
            ),
            (
                _ssim_map(x, y, squares)[inner].mean(),
                f"your constants are those of a range of 1, not {width:.3g}: C = (K · data_range)²",
            ),
            (
                _ssim_map(x, y, [0.01 * width, 0.03 * width])[inner].mean(),
                "C₁ and C₂ are squared: C = (K · data_range)²",
            ),
            (_ssim_map(x, y, (0, 0))[inner].mean(), "the constants C₁ and C₂ are missing"),
        ):
            if abs(said - wrong) < 1e-3:
                raise NotYet(reason)
        raise NotYet(
            f"SSIM of the test picture is {right:.4f} and yours is {said:.4f}: compare the box in "
            "3.9; Var and covariance are weighted means of products minus products of means"
        )
    return "term by term, and equal to the package's"


def kind_and_cruel(answer, draw):
    """01.5: two pictures of one error, one that SSIM likes and one that it does not."""
    paths = [
        path for path in photo_paths("photos") if path.stem in ("astronaut", "chelsea", "flower")
    ]
    photographs = Photographs(paths)
    for _ in range(2):
        pixels = from_uint8(photographs[int(draw.integers(len(paths)))])
        top, left = (
            int(draw.integers(length // 4, length // 2 - 16)) for length in pixels.shape[:2]
        )
        image = pixels[top : top + 112, left : left + 112]
        image = np.clip(1.5 * (image - np.median(image)) + 0.3, -1, 1)  # with burnt highlights
        wanted = float((draw.uniform(20, 28) * GREY_LEVEL) ** 2)
        pair = [
            np.asarray(ops.convert_to_numpy(i), np.float64) for i in answer(image.copy(), wanted)
        ]
        if len(pair) != 2 or any(i.shape != image.shape for i in pair):
            raise NotYet(
                f"two pictures of shape {image.shape} are wanted: the kind one, the cruel one"
            )
        for name, made in zip(("kind", "cruel"), pair, strict=True):
            beyond = np.abs(made).max()
            if not beyond <= 1 + 1e-5:
                raise NotYet(
                    f"the {name} one has a pixel of {beyond:.3g}: a picture ends at −1 and 1"
                )
            error = np.mean((made - image) ** 2)
            if error < 0.99 * wanted:
                raise NotYet(
                    f"the {name} one has an MSE of {error:.4g}, and {wanted:.4g} was asked for: "
                    "clipping takes error away; find the strength by bisection, clipping included"
                )
            if error > 1.01 * wanted:
                raise NotYet(
                    f"the {name} one has an MSE of {error:.4g}: at most {wanted:.4g}, ± 1 %"
                )
        kind, cruel = (float(ssim(to_unit(image)[None], to_unit(i)[None], 1.0)[0]) for i in pair)
        if cruel > kind + 0.1:
            raise NotYet(f"SSIM {kind:.2f} and {cruel:.2f}: the kind one comes first")
        if kind - cruel < 0.2:
            raise NotYet(
                f"SSIM {kind:.2f} and {cruel:.2f} are too near: what does the box of 3.9 forgive, "
                "and where does an error of the same size hurt most?"
            )
    return f"alike to PSNR; SSIM {kind:.2f} against {cruel:.2f} on the last one"


EXERCISES = (
    Exercise(
        "01.1", "predict", "the mean of several exposures", 5, 2, "01 §3.6", mean_of_exposures
    ),
    Exercise(
        "01.2", "derive and code", "Wiener's filter for a blur", 15, 4, "01 §3.8", wiener_gain
    ),
    Exercise("01.3", "find the bug", "the PSNR of a batch", 15, 4, "01 §3.6 and §7", mean_psnr),
    Exercise("01.4", "build", "SSIM from its parts", 20, 5, "01 §3.9", structural_similarity),
    Exercise("01.5", "show", "two pictures of one error", 30, 5, "01 §6.3", kind_and_cruel),
    Exercise("01.6", "★", "ask five people", 60, 0, "01 §6.3"),
)

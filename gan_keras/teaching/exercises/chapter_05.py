"""Chapter 05's exercises: what each check looks at, and what it says."""

import keras
import numpy as np
from keras import ops
from scipy.special import logsumexp

from gan_keras.losses.reconstruction import (
    bernoulli_log_likelihood,
    gaussian_kl,
    gaussian_log_density,
)
from gan_keras.teaching.exercises import Exercise, NotYet


def _kl(mean, log_variance):
    terms = np.float32(mean), np.float32(log_variance)
    return ops.convert_to_numpy(gaussian_kl(*terms)).astype(np.float64)


def _numbers(value):
    return np.asarray(ops.convert_to_numpy(value), np.float64)


def lost_nats(answer, draw):
    """05.1: predict what a wrong variance costs; the judge is the package's own KL."""
    for ratio, dimensions in [
        (4.0, 1),
        *zip(draw.uniform(0.1, 9, 4), draw.integers(2, 30, 4), strict=True),
    ]:
        right = float(_kl(np.zeros((1, dimensions)), np.full((1, dimensions), np.log(ratio)))[0])
        said = float(np.squeeze(answer(float(ratio), int(dimensions))))
        if np.isclose(said, right, rtol=1e-3, atol=1e-4):
            continue
        reverse = 0.5 * dimensions * (1 / ratio - 1 + np.log(ratio))
        squared = 0.5 * dimensions * (ratio**2 - 1 - 2 * np.log(ratio))
        if np.isclose(said, -right, rtol=1e-3):
            raise NotYet("right size, wrong sign: the bound is below log p, and a loss is positive")
        if np.isclose(said, reverse, rtol=1e-3):
            raise NotYet(
                "that is KL(posterior‖q), the other way round: the gap is KL(q‖posterior), an "
                "expectation over q"
            )
        if np.isclose(said, squared, rtol=1e-3):
            raise NotYet("`ratio` is one of variances, and you took it for one of deviations")
        if dimensions > 1 and np.isclose(said, right / dimensions, rtol=1e-3):
            raise NotYet(
                f"that is one direction's loss, and there are {dimensions}: independent "
                "directions add up"
            )
        if np.isclose(said, 2 * right, rtol=1e-3):
            raise NotYet("twice too much: the ½ of the Gaussian's exponent is missing")
        raise NotYet(
            f"for a ratio of {ratio:.3g} in {dimensions} direction(s) the bound loses "
            f"{right:.4g} nats, and you said {said:.4g}: put N(0, r) and N(0, 1) into 3.3's formula"
        )
    return "and a ratio of 1 costs nothing: the bound is tight exactly at the posterior"


def elbo_terms(answer, draw):
    """05.2: the bound's two terms, in nats, one number an image."""
    count, latents = int(draw.integers(3, 7)), int(draw.integers(3, 9))
    binary = np.float32(draw.random((count, 28, 28, 1)) < 0.3)
    logits = np.float32(draw.normal(size=binary.shape) * 3)
    mean = np.float32(draw.normal(size=(count, latents)))
    log_variance = np.float32(draw.uniform(-3, 1, (count, latents)))
    got = answer(binary, logits, mean, log_variance)
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise NotYet("two things are wanted: (log_likelihood, kl)")
    likelihood, kl = map(_numbers, got)
    for name, value in (("log_likelihood", likelihood), ("kl", kl)):
        if value.shape != (count,):
            raise NotYet(
                f"{name} has shape {value.shape}: one number an image is wanted, ({count},); the "
                "mean over the batch is taken later"
            )
    _judge_kl(answer, kl, mean, log_variance, draw)
    right = _numbers(bernoulli_log_likelihood(binary, logits))
    if np.allclose(likelihood, right / 784, rtol=1e-3):
        raise NotYet(
            f"{likelihood[0]:.3f} nats for 784 pixels: a mean over pixels beside a KL in nats: β "
            "became 784; sum over pixels"
        )
    if np.allclose(likelihood, -right, rtol=1e-3):
        raise NotYet("the sign: log p(x|z) of a pixel is at most 0; cross-entropy is its negative")
    if np.allclose(likelihood, right, rtol=1e-4):
        mistaken = draw.random(binary.shape) < 0.02
        sure = np.float32(np.where((binary > 0) ^ mistaken, 150, -150))
        with np.errstate(all="ignore"):
            extreme = _numbers(answer(binary, sure, mean, log_variance)[0])
        wanted = _numbers(bernoulli_log_likelihood(binary, sure))
        if not np.allclose(extreme, wanted, rtol=1e-3, atol=1e-2):
            raise NotYet(
                f"with logits of ±150 you get {extreme[0]:.4g} and not "
                f"{wanted[0]:.4g}: σ(a) was rounded to 0 or 1 before the logarithm; use "
                "x·a − softplus(a)"
            )
        return "nats for pixels, nats for latents: β is 1"
    raise NotYet(
        f"log p(x|z) of the first image is {right[0]:.4f} and yours {likelihood[0]:.4f}: sum "
        "x·log σ(a) + (1 − x)·log(1 − σ(a)) over all 784 pixels; the decoder returns logits"
    )


def _judge_kl(answer, kl, mean, log_variance, draw):
    """Compare the KL with its value, with Monte Carlo, and with what people write instead."""
    right = _kl(mean, log_variance)
    typical = (
        (_kl(mean, np.exp(0.5 * log_variance)), "you passed σ where log σ² belongs"),
        (_kl(mean, np.exp(log_variance)), "you passed σ² where log σ² belongs"),
        (
            0.5 * np.sum(mean**2 + log_variance**2 - 1 - np.log(log_variance**2), axis=1),
            "you took log σ² for σ itself: σ² is exp(log_variance)",
        ),
        (_kl(mean, 2 * log_variance), "you took log σ² for log σ: σ² is exp(log_variance)"),
        (-right, "the sign: a KL is never negative"),
        (right / mean.shape[1], "a mean over latents: independent latents add up"),
        (2 * right, "the ½ is missing"),
        (right - 0.5 * np.sum(mean**2, axis=1), "the means are missing: μ² costs, too"),
    )
    for wrong, message in typical:
        if np.allclose(kl, wrong, rtol=1e-3):
            raise NotYet(message)
    if not np.allclose(kl, right, rtol=1e-3, atol=1e-4):
        noise = np.float32(draw.normal(size=(20_000, mean.shape[1])))
        latents = mean[:1] + np.exp(0.5 * log_variance[:1]) * noise
        ratio = gaussian_log_density(latents, mean[:1], log_variance[:1])
        ratio -= gaussian_log_density(latents, 0 * mean[:1], 0 * mean[:1])
        raise NotYet(
            f"20,000 draws of log q(z|x) − log p(z) have the mean {float(ops.mean(ratio)):.2f}, "
            f"and your KL is {kl[0]:.2f}: ½ Σ (μ² + σ² − 1 − log σ²)"
        )
    blank, zero = np.zeros((1, 28, 28, 1), np.float32), 0 * mean[:1]
    standard = _numbers(answer(blank, blank, zero, zero)[1])
    if not np.allclose(standard, 0, atol=1e-5):
        raise NotYet(f"KL(N(0, I)‖N(0, I)) is 0, and you say {standard[0]:.3g}")


def importance_weighted(answer, draw):
    """05.3: L_k of log weights (k, B), without the three mistakes of the broken form."""
    for samples, level in ((1, -3.0), (int(draw.integers(4, 9)), -5.0), (50, -2000.0)):
        count = int(draw.integers(9, 15))
        log_q = draw.normal(size=(samples, count)) * 2
        each = level * np.linspace(0.5, 1.5, count)  # no two images are equally probable
        log_joint = each + log_q + draw.normal(size=(samples, count)) * 1.5
        weights = log_joint - log_q
        right = logsumexp(weights, axis=0) - np.log(samples)
        with np.errstate(all="ignore"):
            got = _numbers(answer(log_joint, log_q))
            if got.shape == (samples,) and samples != count:
                raise NotYet(f"{got.shape}: you averaged over images; the k draws are axis 0")
            if got.shape != (count,):
                raise NotYet(f"shape {got.shape}: one bound an image is wanted, ({count},)")
        if np.allclose(got, right, rtol=1e-5, atol=1e-5):
            continue
        if not np.all(np.isfinite(got)):
            raise NotYet(
                f"not a finite number where log p(x, z) is about {level:.0f}: exp of that is 0 in "
                "a computer; take each image's largest out of the sum first (logsumexp)"
            )
        if samples > 1 and np.allclose(got, right + np.log(samples), atol=1e-4):
            raise NotYet(
                f"too high by exactly log {samples}: the mean of the weights, not their sum; more "
                "draws would raise your 'bound' for ever"
            )
        if samples > 1 and np.allclose(got, weights.mean(0), atol=1e-4):
            raise NotYet(
                "that is the ELBO again, a mean of logarithms: L_k is the logarithm of a mean"
            )
        flipped = log_joint + log_q
        if np.allclose(got, logsumexp(flipped, axis=0) - np.log(samples), atol=1e-4) or np.allclose(
            got, logsumexp(flipped, axis=0), atol=1e-4
        ):
            raise NotYet("a weight is p(x, z)/q(z|x): q is in the denominator, subtract log q")
        raise NotYet(
            f"with k = {samples} the first image's bound is {right[0]:.4f}, and yours "
            f"{got[0]:.4f}: log of the mean over draws of p(x, z)/q(z|x)"
        )
    return "tight where weights are equal, and alive where log p is −2,000"


def tight_encoder(answer, draw):
    """05.4: the encoder of a linear-Gaussian model with which the bound is log p itself."""
    for latents, pixels in ((2, 5), (int(draw.integers(3, 6)), int(draw.integers(8, 15)))):
        turn = np.linalg.qr(draw.normal(size=(pixels, latents)))[0]
        lengths = draw.uniform(0.5, 3, latents)
        weights, noise = turn * lengths, float(draw.uniform(0.3, 2.5))
        network = answer(weights, noise)
        if not isinstance(network, keras.Model):
            raise NotYet(f"a keras.Model is wanted, not {type(network).__name__}")
        latent = draw.normal(size=(16, latents))
        x = np.float32(latent @ weights.T + np.sqrt(noise) * draw.normal(size=(16, pixels)))
        outputs = network(x)
        if not isinstance(outputs, tuple | list) or len(outputs) != 2:
            raise NotYet("two outputs are wanted: [mean, log_variance]")
        mean, log_variance = map(_numbers, outputs)
        for name, value in (("mean", mean), ("log_variance", log_variance)):
            if value.shape != (16, latents):
                raise NotYet(f"{name} has shape {value.shape}: {(16, latents)} is wanted")
        best_variance = noise / (lengths**2 + noise)
        best_mean = x @ weights / (lengths**2 + noise)
        shift = (mean - best_mean) ** 2 / best_variance
        gap = _kl(np.sqrt(shift), log_variance - np.log(best_variance))
        if np.max(gap) < 1e-3:
            continue
        _judge_encoder(x @ weights, lengths**2, noise, mean, log_variance, gap)
    return "log p − ELBO is 0 for every x: q is the posterior"


def _judge_encoder(projected, squared, noise, mean, log_variance, gap):
    """Say what is wrong with an encoder: projected is Wᵀx, squared the columns' squared lengths."""

    def near(value, wanted):
        return np.allclose(value, wanted, rtol=1e-2, atol=1e-3)

    variance = noise / (squared + noise)
    if near(log_variance, variance):
        raise NotYet("the second output is σ² itself: its logarithm is wanted")
    if near(log_variance, 0.5 * np.log(variance)):
        raise NotYet("the second output is log σ: log σ² is twice that")
    if near(mean, projected / squared):
        raise NotYet(
            "the mean is W⁺x, which explains x and forgets the prior: it pulls z towards 0, by a "
            "factor ‖w‖²/(‖w‖² + σ²)"
        )
    if near(mean, projected):
        raise NotYet("the mean is Wᵀx: divide by what 3.5's t becomes at β = 1, ‖w‖² + σ²")
    if near(log_variance, np.log(noise / squared)):
        raise NotYet(
            "the variance σ²/‖w‖² is that of the likelihood alone: the prior adds its precision, 1"
        )
    raise NotYet(
        f"the bound is {np.mean(gap):.3g} nats below log p on average: complete the square of "
        "−‖x − Wz‖²/2σ² − ‖z‖²/2 in z"
    )


def water_level(answer, draw):
    """05.5: the level βσ² at which a linear VAE spends a given number of nats."""
    for count, share in ((4, 0.2), (40, 0.1), (int(draw.integers(20, 90)), 0.6), (6, 1.3)):
        values = np.sort(np.exp(draw.normal(size=count) * 2))[::-1]
        full = 0.5 * np.sum(np.log(values / values[-1]))
        nats = float(share * full)
        level = float(np.squeeze(answer(values, nats)))
        if not level > 0 or not np.isfinite(level):
            raise NotYet(f"a level is a variance: positive and finite, not {level}")
        spent = 0.5 * np.log(values / level)
        total = np.maximum(spent, 0).sum()
        if np.isclose(total, nats, rtol=2e-3):
            continue
        if np.isclose(spent.sum(), nats, rtol=1e-2, atol=1e-2):
            raise NotYet(
                f"{np.sum(spent < 0)} of {count} directions lie under the level and were given "
                "negative nats: a collapsed direction spends 0, it earns nothing"
            )
        for factor, message in (
            (np.log(2), "you counted in bits: a nat is 1/log 2 = 1.44 bits"),
            (
                0.5,
                "half of what was asked for: a direction spends ½ log(λ/level), not log(λ/level)",
            ),
            (2.0, "twice what was asked for: the ½ was counted twice"),
        ):
            if np.isclose(total, factor * nats, rtol=1e-2):
                raise NotYet(message)
        raise NotYet(
            f"at your level {level:.4g} the directions spend {total:.3g} nats, and {nats:.3g} were "
            "asked for: Σ max(0, ½ log(λ/level)) falls steadily as the level rises"
        )
    return "the dearest directions first, the last ones under water"


EXERCISES = (
    Exercise("05.1", "predict", "what a wrong variance costs", 5, 2, "05 §3.3 and §4.1", lost_nats),
    Exercise(
        "05.2", "derive and code", "the bound's two terms", 15, 4, "05 §3.3 and §5", elbo_terms
    ),
    Exercise(
        "05.3",
        "find the bug",
        "an importance-weighted bound",
        15,
        4,
        "05 §3.6",
        importance_weighted,
    ),
    Exercise(
        "05.4", "build", "the encoder that closes the gap", 20, 5, "05 §3.2 and §3.5", tight_encoder
    ),
    Exercise("05.5", "show", "a digit for so many nats", 30, 5, "05 §3.5", water_level),
    Exercise("05.6", "★", "does a tighter bound make a better encoder?", 60, 0, "05 §3.6"),
)

"""Losses that compare an image with its target, and the terms of the VAE's bound."""

import math

from keras import ops


def _per_image(values):
    return ops.reshape(values, (ops.shape(values)[0], -1))


def l1(target, restored):
    """Mean absolute error: the mean over each image's pixels, then over the batch."""
    return ops.mean(ops.mean(_per_image(ops.abs(target - restored)), axis=-1))


def bernoulli_log_likelihood(binary, logits):
    r"""Log p(x|z) = Σ_pixels [x·log σ(a) + (1 − x)·log(1 − σ(a))] (Kingma & Welling 2014, C.1).

    Args:
        binary: (B, …) x, 0 or 1.
        logits: (B, …) a, from the decoder.

    Returns:
        (B,) nats: a sum over pixels.
    """
    return ops.sum(_per_image(binary * logits - ops.softplus(logits)), axis=-1)


def gaussian_log_density(value, mean, log_variance):
    r"""Log N(value; mean, diag exp(log_variance)), summed over the last axis, in nats."""
    squared = ops.square(value - mean) * ops.exp(-log_variance)
    return -0.5 * ops.sum(squared + log_variance + math.log(2 * math.pi), axis=-1)


def gaussian_kl(mean, log_variance):
    r"""KL(N(μ, σ²) ‖ N(0, I)) = ½·Σ (μ² + σ² − 1 − log σ²) (Kingma & Welling 2014, B).

    Args:
        mean: (B, D) μ.
        log_variance: (B, D) log σ².

    Returns:
        (B,) nats.
    """
    terms = ops.square(mean) + ops.exp(log_variance) - 1 - log_variance
    return 0.5 * ops.sum(terms, axis=-1)

r"""The players' losses, on logits.

=====  =========================
D(x)   `real_logits`: the discriminator's logits a on real images; σ(a) is its probability of "real"
D(G)   `fake_logits`: the same on generated images
=====  =========================

Each loss is averaged per image (over a PatchGAN's patches), then over the batch; real is 1, fake
is 0. An adversarial loss is a pair ``(discriminator_loss, generator_loss)``, named in `LOSSES`.
"""

from keras import ops


def _mean(values):
    per_image = ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=-1)
    return ops.mean(per_image)


def discriminator_cross_entropy(real_logits, fake_logits, real_label=1.0):
    r"""−E log σ(D(x)) − E log(1 − σ(D(G))), Goodfellow et al. 2014, Eq. 1 negated.

    With a real label c below 1 (one-sided label smoothing: Salimans et al. 2016, §3.4) the first
    term is −E [c·log σ(D(x)) + (1 − c)·log(1 − σ(D(x)))].

    Args:
        real_logits: (B, …) float.
        fake_logits: (B, …) float.
        real_label: c in (0, 1].

    Returns:
        A scalar in nats; 2·log 2 where D knows nothing.
    """
    real = ops.softplus(real_logits) - real_label * real_logits
    return _mean(real) + _mean(ops.softplus(fake_logits))


def generator_non_saturating(fake_logits):
    r"""−E log σ(D(G)): the heuristic of Goodfellow et al. 2014, §3.

    Its gradient in the logit is −(1 − σ(a)), full where D is sure that the image is fake.
    """
    return _mean(ops.softplus(-fake_logits))


def generator_saturating(fake_logits):
    r"""E log(1 − σ(D(G))): what the min–max game of Goodfellow et al. 2014, Eq. 1, asks of G.

    Its gradient in the logit is −σ(a): it vanishes where D is sure that the image is fake.
    """
    return -_mean(ops.softplus(fake_logits))


def discriminator_least_squares(real_logits, fake_logits, real_label=1.0):
    r"""½·E (D(x) − c)² + ½·E D(G)²: LSGAN, Mao et al. 2017, Eq. 9 with a = 0, b = c = 1."""
    real = ops.square(real_logits - real_label)
    return 0.5 * (_mean(real) + _mean(ops.square(fake_logits)))


def generator_least_squares(fake_logits):
    r"""½·E (D(G) − 1)²: LSGAN, Mao et al. 2017, Eq. 9 with c = 1."""
    return 0.5 * _mean(ops.square(fake_logits - 1))


def discriminator_hinge(real_logits, fake_logits):
    r"""E max(0, 1 − D(x)) + E max(0, 1 + D(G)): Lim & Ye 2017; Miyato et al. 2018, Eq. 16."""
    return _mean(ops.relu(1 - real_logits)) + _mean(ops.relu(1 + fake_logits))


def critic_wasserstein(real_scores, fake_scores):
    r"""E D(G) − E D(x): the negated estimate of W₁, if D is 1-Lipschitz (Arjovsky et al. 2017)."""
    return _mean(fake_scores) - _mean(real_scores)


def generator_wasserstein(fake_scores):
    r"""−E D(G): the generator's side of the hinge loss and of the Wasserstein distance."""
    return -_mean(fake_scores)


LOSSES = {
    "non_saturating": (discriminator_cross_entropy, generator_non_saturating),
    "saturating": (discriminator_cross_entropy, generator_saturating),
    "least_squares": (discriminator_least_squares, generator_least_squares),
    "hinge": (discriminator_hinge, generator_wasserstein),
    "wasserstein": (critic_wasserstein, generator_wasserstein),
}

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


def discriminator_cross_entropy(real_logits, fake_logits):
    r"""−E log σ(D(x)) − E log(1 − σ(D(G))), Goodfellow et al. 2014, Eq. 1 negated.

    Args:
        real_logits: (B, …) float.
        fake_logits: (B, …) float.

    Returns:
        A scalar in nats; 2·log 2 where D knows nothing.
    """
    return _mean(ops.softplus(-real_logits)) + _mean(ops.softplus(fake_logits))


def generator_non_saturating(fake_logits):
    r"""−E log σ(D(G)): the heuristic of Goodfellow et al. 2014, §3.

    Its gradient in the logit is −(1 − σ(a)), full where D is sure that the image is fake.
    """
    return _mean(ops.softplus(-fake_logits))


def discriminator_least_squares(real_logits, fake_logits):
    r"""½·E (D(x) − 1)² + ½·E D(G)²: LSGAN, Mao et al. 2017, Eq. 9 with a = 0, b = c = 1."""
    return 0.5 * (_mean(ops.square(real_logits - 1)) + _mean(ops.square(fake_logits)))


def generator_least_squares(fake_logits):
    r"""½·E (D(G) − 1)²: LSGAN, Mao et al. 2017, Eq. 9 with c = 1."""
    return 0.5 * _mean(ops.square(fake_logits - 1))


LOSSES = {
    "non_saturating": (discriminator_cross_entropy, generator_non_saturating),
    "least_squares": (discriminator_least_squares, generator_least_squares),
}

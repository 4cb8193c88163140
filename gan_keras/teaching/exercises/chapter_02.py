"""Chapter 02's exercises: gradients, D* and losses; `chapter_02_games` has rounds and orbits."""

import keras
import numpy as np
import tensorflow as tf

from gan_keras.losses.adversarial import (
    discriminator_cross_entropy,
    generator_non_saturating,
    generator_saturating,
)
from gan_keras.teaching.exercises import Exercise, NotYet
from gan_keras.teaching.exercises.chapter_02_games import growth_map, one_round
from gan_keras.teaching.toys import GaussianMixture, best_discriminator


def hunger(answer, draw):
    """02.1: predict how many times as long the non-saturating gradient is; the judge is a tape."""
    for logit in (-9.2, *draw.uniform(-12, -5, 2), *draw.uniform(-3, 3, 3)):
        a = tf.Variable([[logit]], dtype=tf.float32)
        with tf.GradientTape(persistent=True) as tape:
            losses = generator_non_saturating(a), generator_saturating(a)
        kept, starved = (tape.gradient(loss, a).numpy().item() for loss in losses)
        ratio, probability = kept / starved, 1 / (1 + np.exp(-logit))
        said = float(np.squeeze(answer(float(logit))))
        if np.isclose(said, ratio, rtol=1e-3):
            continue
        if np.isclose(said, 1 / ratio, rtol=1e-3):
            raise NotYet(
                f"upside down: at a logit of {logit:.2f} the saturating gradient is the shorter one"
            )
        if np.isclose(said, 1 / probability, rtol=1e-3):
            raise NotYet(
                f"{said:.6g} is 1/σ(a): that compares with a gradient of 1, but the non-saturating "
                "one is 1 − σ(a)"
            )
        if np.isclose(said, (1 - logit) / logit, rtol=1e-3):
            raise NotYet("a is a logit, not a probability: D = σ(a) is what you want in (1 − D)/D")
        if np.isclose(said, np.log1p(np.exp(-logit)) / np.log1p(np.exp(logit)), rtol=1e-3):
            raise NotYet("that is the ratio of the losses; G learns from their gradients")
        raise NotYet(
            f"at a logit of {logit:.2f} the gradients are {kept:.3g} and {starved:.3g}, so the "
            f"ratio is {ratio:.4g}, and you said {said:.4g}"
        )
    return "e⁻ᵃ: a D that is surer by one nat starves a saturating G by another factor of e"


def best_d(answer, draw):
    """02.2: the best discriminator of two mixtures, for any share of real points."""
    centre, width = draw.uniform(-1, 1), draw.uniform(0.3, 0.6)
    real = GaussianMixture(centre + draw.uniform(0.8, 1.5) * np.array([-1, 1]), width, [1, 3])
    fake = GaussianMixture([centre], draw.uniform(0.8, 1.2))
    near = (centre + draw.uniform(-2.5, 2.5, 40))[:, None]
    far = centre + np.array([[-300.0], [-80.0], [80.0], [500.0]])

    def said(points, prior):
        made = np.asarray(answer(real, fake, prior)(points), np.float64)
        if made.size != len(points):
            raise NotYet(f"{len(points)} points went in, {made.size} numbers came out")
        return made.reshape(-1)

    p, q = real.density(near), fake.density(near)
    with np.errstate(all="ignore"):  # whatever a first try does is said below
        half = said(near, 0.5)
        if np.allclose(half, p / q, rtol=1e-6):
            raise NotYet(f"p/q is a ratio, not a probability: it reaches {half.max():.3g} here")
        if np.allclose(half, q / (p + q), rtol=1e-6):
            raise NotYet("the other way round: D is the probability of *real*, whose density is p")
        if np.allclose(half, np.log(p / q), rtol=1e-6):
            raise NotYet("log p/q is the best logit; σ of it is the probability")
        if not np.allclose(half, p / (p + q), rtol=1e-6):
            worst = np.argmax(np.abs(half - p / (p + q)))
            raise NotYet(
                f"at x = {near[worst, 0]:.2f}, where p = {p[worst]:.3g} and q = {q[worst]:.3g}, "
                f"you said {half[worst]:.3g} for a balanced batch"
            )
        for prior in draw.uniform(0.05, 0.4, 2):
            share, right = said(near, prior), best_discriminator(near, real, fake, prior)
            if np.allclose(share, half, rtol=1e-6):
                raise NotYet(
                    f"right only for balanced batches: with a prior of {prior:.2f} you said the "
                    "same as with ½; weigh each density by how often D sees its points"
                )
            if np.allclose(share, best_discriminator(near, real, fake, 1 - prior), rtol=1e-6):
                raise NotYet("the prior is the share of *real* points: π belongs to p")
            if not np.allclose(share, right, rtol=1e-6):
                worst = np.argmax(np.abs(share - right))
                raise NotYet(
                    f"with a prior of {prior:.2f}, at x = {near[worst, 0]:.2f}, you said "
                    f"{share[worst]:.3g}: maximise πp log D + (1 − π)q log(1 − D)"
                )
            tails = said(far, prior)
            if not np.isfinite(tails).all():
                raise NotYet(
                    f"{np.sum(~np.isfinite(tails))} of {len(far)} points in the tails are not "
                    "finite: both densities underflow to 0 there; start from log densities"
                )
            if not np.allclose(tails, best_discriminator(far, real, fake, prior), atol=1e-6):
                raise NotYet(
                    "in the tails one of the two densities is astronomically larger, and D* knows "
                    "which, though both print as 0: start from log densities"
                )
    return "p/(p + q), for any mix of real and fake, finite wherever you look"


def two_losses(answer, draw):
    """02.3: both players' losses without the three mistakes of the broken form."""
    on_logits = keras.losses.BinaryCrossentropy(from_logits=True)
    on_probabilities = keras.losses.BinaryCrossentropy()
    for size in (5, int(draw.integers(6, 30))):
        real, fake = (draw.normal(mean, 2, (size, 1)).astype(np.float32) for mean in (1.0, -1.5))
        real, fake = tf.constant(real), tf.constant(fake)
        ones, zeros = tf.ones_like(real), tf.zeros_like(fake)
        made = [np.asarray(value) for value in answer(real, fake)]
        if len(made) != 2:
            raise NotYet(f"{len(made)} things came out: D's loss and G's loss are wanted")
        if any(value.size != 1 for value in made):
            shapes = " and ".join(str(value.shape) for value in made)
            raise NotYet(f"shapes {shapes} came out: each loss is one number, a mean over images")
        got = [value.item() for value in made]
        right = float(discriminator_cross_entropy(real, fake)), float(on_logits(ones, fake))

        def same(player, value, got=got):
            return np.isclose(got[player], float(value), rtol=1e-4)

        for loss in (on_logits, on_probabilities):
            if same(0, loss(real, ones) + loss(fake, zeros)):
                raise NotYet(
                    "the arguments are swapped: Keras' losses take (y_true, y_pred), the labels "
                    "first; as it stands D's loss does not ask what D should have said"
                )
        if same(0, on_probabilities(ones, real) + on_probabilities(zeros, fake)):
            raise NotYet("the loss reads logits as probabilities: say from_logits=True")
        if same(0, discriminator_cross_entropy(fake, real)):
            raise NotYet("the labels of D's loss are exchanged: real is 1, fake is 0")
        if same(0, right[0] / 2):
            raise NotYet("half of D's loss: add the two means, do not average them")
        if not same(0, right[0]):
            raise NotYet(f"D's loss is {right[0]:.4f} on these logits, and yours is {got[0]:.4f}")
        if same(1, on_logits(zeros, fake)) or same(1, on_probabilities(zeros, fake)):
            raise NotYet(
                "G is trained towards the label 0: it is paid for being found out, and D(G(z)) "
                "goes to 0; G wants D to say 1"
            )
        if same(1, generator_saturating(fake)):
            raise NotYet(
                "that is the min–max game's own loss for G, which starves where D is sure; the "
                "non-saturating one is asked for"
            )
        if same(1, on_probabilities(ones, fake)):
            raise NotYet("G's loss reads logits as probabilities: say from_logits=True")
        if same(1, on_logits(fake, ones)) or same(1, on_probabilities(fake, ones)):
            raise NotYet("the arguments of G's loss are swapped: (y_true, y_pred)")
        if same(1, on_logits(ones, real)):
            raise NotYet("G is paid for what D says of real images, which it cannot change")
        if not same(1, right[1]):
            raise NotYet(f"G's loss is {right[1]:.4f} on these logits, and yours is {got[1]:.4f}")
    return "each player pays for what D should have said from its own point of view"


EXERCISES = (
    Exercise("02.1", "predict", "how hungry is a saturating G?", 5, 2, "02 §3.4", hunger),
    Exercise("02.2", "derive and code", "the best discriminator", 15, 4, "02 §3.2", best_d),
    Exercise("02.3", "find the bug", "two losses", 15, 4, "02 §3.1 and §7", two_losses),
    Exercise("02.4", "build", "a whole GAN, one round of it", 20, 5, "02 §3.6 and §3.7", one_round),
    Exercise("02.5", "show", "the map of where a game settles", 30, 5, "02 §3.6", growth_map),
    Exercise("02.6", "★", "look ahead instead of leaning on friction", 60, 0, "02 §6.2"),
)

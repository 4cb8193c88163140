"""Chapter 02's exercises: right answers written another way, and typical wrong ones."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from scipy.special import expit

from gan_keras.losses.adversarial import discriminator_cross_entropy, generator_non_saturating

# Right, written another way


def hunger_by_probability(logit):
    probability = 1 / (1 + np.exp(-logit))
    return np.array([(1 - probability) / probability])


def best_d_by_the_larger(p, q, prior):
    """Divide by the larger of the two terms: the other way to be finite in the tails."""

    def judge(points):
        real, fake = p.log_density(points) + np.log(prior), q.log_density(points) + np.log1p(-prior)
        largest = np.maximum(real, fake)
        real, fake = np.exp(real - largest), np.exp(fake - largest)
        return (real / (real + fake))[:, None]

    return judge


def two_losses_by_softplus(real_logits, fake_logits):
    losses = [ops.mean(ops.softplus(a)) for a in (-real_logits, fake_logits, -fake_logits)]
    return float(losses[0] + losses[1]), float(losses[2])


def one_round_by_tape(data, noise, theta, psi, rate, gamma):
    theta, psi = tf.Variable(theta), tf.Variable(psi)
    with tf.GradientTape() as tape:
        real, fake = (tf.linalg.matvec(x, psi)[:, None] for x in (data, theta + noise))
        loss = discriminator_cross_entropy(real, fake) + gamma / 2 * tf.reduce_sum(psi**2)
    psi.assign_sub(rate * tape.gradient(loss, psi))
    with tf.GradientTape() as tape:
        loss = generator_non_saturating(tf.linalg.matvec(theta + noise, psi)[:, None])
    theta.assign_sub(rate * tape.gradient(loss, theta))
    return theta.numpy(), psi.numpy()


def growth_by_trace_and_determinant(rates, gammas, order):
    h, gamma = np.meshgrid(rates, gammas, indexing="ij")
    determinant = 1 - h * gamma + (h**2 / 4 if order == "simultaneous" else 0)
    trace = 2 - h * gamma - (0 if order == "simultaneous" else h**2 / 4)
    root = np.sqrt(trace**2 / 4 - determinant + 0j)
    return np.maximum(np.abs(trace / 2 + root), np.abs(trace / 2 - root))


OTHERWISE = {
    "02.1": hunger_by_probability,
    "02.2": best_d_by_the_larger,
    "02.3": two_losses_by_softplus,
    "02.4": one_round_by_tape,
    "02.5": growth_by_trace_and_determinant,
}


# Wrong in typical ways, and what the message must say


def naive_d(form):
    """Return an answer to 02.2 from a formula of the densities (p, q, prior)."""

    def best_d(p, q, prior):
        return lambda points: form(p.density(points), q.density(points), prior)

    return best_d


def on_logits(p, q, prior):
    return lambda points: p.log_density(points) - q.log_density(points)


def undecided_in_the_tails(p, q, prior):
    return lambda points: np.nan_to_num(
        prior * p.density(points) / (prior * p.density(points) + (1 - prior) * q.density(points)),
        nan=0.5,
    )


def losses_with(d=None, g=None, logits=True):
    """Return an answer to 02.3 with one player's loss replaced."""
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=logits)

    def answer(real, fake):
        ones, zeros = ops.ones_like(real), ops.zeros_like(fake)
        by_d = cross_entropy(ones, real) + cross_entropy(zeros, fake)
        by_g = cross_entropy(ones, fake)
        if d:
            by_d = d(cross_entropy, real, fake, ones, zeros)
        if g:
            by_g = g(cross_entropy, real, fake, ones, zeros)
        return by_d, by_g

    return answer


def round_with(
    order="in turn", weight=None, friction=1.0, uphill=False, sums=False, backwards=False
):
    """Return an answer to 02.4 with one thing changed."""

    def answer(data, noise, theta, psi, rate, gamma):
        def move_g(psi):
            a = (theta + noise) @ psi
            push = np.mean((weight or (lambda a: expit(-a)))(a)) * psi
            return theta + (-1 if backwards else 1) * rate * push

        old = psi
        fake = theta + noise if order != "generator first" else move_g(psi) + noise
        terms = expit(-data @ psi)[:, None] * data - expit(fake @ psi)[:, None] * fake
        pull = terms.sum(0) if sums else terms.mean(0)
        psi = psi + (-1 if uphill else 1) * rate * (pull - friction * gamma * psi)
        return move_g(psi if order == "in turn" else old), psi

    return answer


def growth_with(half=0.5, flow=False, order=None, power=1, pick=np.max, both=False, area=False):
    """Return an answer to 02.5 with one thing changed."""

    def answer(rates, gammas, asked):
        result = np.empty((len(rates), len(gammas)))
        for i, h in enumerate(rates):
            for j, gamma in enumerate(gammas):
                jacobian = np.array([[-gamma * both, half], [-half, -gamma]])
                matrix = np.eye(2) + h * jacobian
                if (order or asked) == "alternating":
                    matrix[0] = np.array([1, 0]) + h * half * matrix[1]
                if flow:
                    matrix = jacobian
                result[i, j] = pick(np.abs(np.linalg.eigvals(matrix))) ** power
                if area:
                    result[i, j] = np.abs(np.linalg.det(matrix)) ** 0.5
        return result

    return answer


WRONG = [
    ("02.1", lambda a: np.exp(a), r"upside down"),
    ("02.1", lambda a: 1 + np.exp(-a), r"1/σ\(a\).*1 − σ\(a\)"),
    ("02.1", lambda a: (1 - a) / a, r"a logit, not a probability"),
    ("02.1", lambda a: np.log1p(np.exp(-a)) / np.log1p(np.exp(a)), r"ratio of the losses"),
    ("02.1", lambda a: 1e4, r"at a logit of .* the gradients are"),
    ("02.2", naive_d(lambda p, q, prior: p / q), r"a ratio, not a probability"),
    ("02.2", naive_d(lambda p, q, prior: p / (p + q)), r"right only for balanced batches"),
    ("02.2", naive_d(lambda p, q, prior: q / (p + q)), r"the other way round"),
    ("02.2", on_logits, r"the best logit; σ of it"),
    ("02.2", naive_d(lambda p, q, pi: (1 - pi) * p / ((1 - pi) * p + pi * q)), r"π belongs to p"),
    ("02.2", naive_d(lambda p, q, pi: pi * p / (pi * p + (1 - pi) * q)), r"not finite.*underflow"),
    ("02.2", undecided_in_the_tails, r"in the tails one of the two .* start from log densities"),
    ("02.3", losses_with(d=lambda c, r, f, one, zero: c(r, one) + c(f, zero)), r"swapped.*y_true"),
    ("02.3", losses_with(logits=False), r"from_logits=True"),
    ("02.3", lambda r, f: (np.logaddexp(0, -r) + np.logaddexp(0, f),) * 2, r"a mean over images"),
    ("02.3", losses_with(d=lambda c, r, f, one, zero: c(zero, r) + c(one, f)), r"real is 1, fake"),
    ("02.3", losses_with(d=lambda c, r, f, one, zero: (c(one, r) + c(zero, f)) / 2), r"half of"),
    ("02.3", losses_with(g=lambda c, r, f, one, zero: c(zero, f)), r"towards the label 0"),
    ("02.3", losses_with(g=lambda c, r, f, one, zero: -c(zero, f)), r"min–max game's own loss"),
    ("02.3", losses_with(g=lambda c, r, f, one, zero: c(f, one)), r"arguments of G's loss"),
    ("02.3", losses_with(g=lambda c, r, f, one, zero: c(one, r)), r"real images"),
    ("02.4", round_with(order="at once"), r"G answered the old ψ"),
    ("02.4", round_with(order="generator first"), r"D moves first"),
    ("02.4", round_with(weight=expit), r"σ\(a\), the saturating one"),
    ("02.4", round_with(friction=0), r"the penalty is missing"),
    ("02.4", round_with(friction=2), r"mind the ½ and the 2"),
    ("02.4", round_with(uphill=True), r"D went uphill"),
    ("02.4", round_with(backwards=True), r"G went the wrong way"),
    ("02.4", round_with(sums=True), r"D should have gone from"),
    ("02.5", growth_with(flow=True), r"one round multiplies by I \+ hJ"),
    ("02.5", growth_with(half=1.0), r"rotation is twice too fast"),
    ("02.5", growth_with(order="simultaneous"), r"the numbers of the other order"),
    ("02.5", growth_with(both=True), r"in D's loss alone"),
    ("02.5", growth_with(power=2), r"\*square\* of a distance"),
    ("02.5", growth_with(area=True), r"complex pair"),
    ("02.5", growth_with(pick=np.min), r"smallest \|λ\|"),
    ("02.5", lambda r, g, order: np.ones((len(g), len(r))), r"make a \(3, 5\) map"),
]

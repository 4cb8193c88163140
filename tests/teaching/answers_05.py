"""Chapter 05's exercises: right answers written another way, and typical wrong ones."""

import keras
import numpy as np
from keras import layers, ops
from scipy.optimize import brentq
from scipy.special import expit, log_expit, logsumexp

# Right, written another way


def by_drawing_a_line(ratio, dimensions):
    """Integrate the slope of the gap from the best ratio, 1, to this one."""
    ratios = np.exp(np.linspace(0, np.log(ratio), 4001))
    return dimensions * np.trapezoid(0.5 * (1 - 1 / ratios), ratios)


def terms_of_numpy(binary, logits, mean, log_variance):
    binary, logits = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (binary, logits))
    pixels = np.where(binary > 0.5, log_expit(logits), log_expit(-logits))
    sigma = np.exp(0.5 * log_variance)
    return [pixels.sum(1), np.sum(0.5 * (mean**2 + sigma**2 - 1) - np.log(sigma), axis=1)]


def bound_in_a_loop(log_joint, log_q):
    found = []
    for joint, q in zip(log_joint.T, log_q.T, strict=True):
        total = -np.inf
        for weight in joint - q:
            total = np.logaddexp(total, weight)
        found.append(total - np.log(len(joint)))
    return np.array(found)


class Posterior(keras.Model):
    """The posterior by solving (WᵀW/σ² + I) m = Wᵀx/σ², whatever W's columns are."""

    def __init__(self, weights, noise):
        super().__init__()
        precision = weights.T @ weights / noise + np.eye(weights.shape[1])
        self.matrix = np.float32(np.linalg.solve(precision, weights.T / noise).T)
        self.log_variance = np.float32(np.log(np.diag(np.linalg.inv(precision))))

    def call(self, x):
        mean = ops.matmul(x, self.matrix)
        return mean, ops.zeros_like(mean) + self.log_variance


def level_by_bisection(eigenvalues, nats):
    def excess(log_level):
        return np.maximum(0.5 * (np.log(eigenvalues) - log_level), 0).sum() - nats

    return np.exp(brentq(excess, np.log(eigenvalues.min()) - 2 * nats, np.log(eigenvalues.max())))


OTHERWISE = {
    "05.1": by_drawing_a_line,
    "05.2": terms_of_numpy,
    "05.3": bound_in_a_loop,
    "05.4": Posterior,
    "05.5": level_by_bisection,
}


# Wrong in typical ways, and what the message must say


def terms(likelihood=None, kl=None):
    """Return an answer to 05.2 in which one of the two terms is another."""

    def answer(binary, logits, mean, log_variance):
        right = terms_of_numpy(binary, logits, mean, log_variance)
        first = right[0] if likelihood is None else likelihood(binary, logits)
        return first, right[1] if kl is None else kl(mean, log_variance)

    return answer


def cross_entropy(binary, logits, clip=1e-7):
    p = np.clip(expit(np.float64(logits)), clip, 1 - clip)
    pixels = binary * np.log(p) + (1 - binary) * np.log(1 - p)
    return pixels.reshape(len(binary), -1).sum(1)


def pixel_mean(binary, logits):
    return terms_of_numpy(binary, logits, np.zeros((1, 1)), np.zeros((1, 1)))[0] / 784


def kl_of(mean, log_variance):
    return 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1)


def encoder(mean, log_variance):
    """Return an answer to 05.4 with these functions of (W, W's squared lengths, σ²)."""

    def build(weights, noise):
        squared = np.sum(weights**2, axis=0)
        x = keras.Input((len(weights),))
        outputs = [layers.Dense(len(squared), kernel_initializer="zeros")(x) for _ in range(2)]
        model = keras.Model(x, outputs)
        first, second = model.layers[1:]
        first.kernel.assign(mean(weights, squared, noise))
        second.bias.assign(log_variance(weights, squared, noise))
        return model

    return build


def best_mean(weights, squared, noise):
    return weights / (squared + noise)


def best_log_variance(weights, squared, noise):
    return np.log(noise / (squared + noise))


def in_bits(eigenvalues, nats):
    return level_by_bisection(eigenvalues, nats * np.log(2))


def without_the_half(eigenvalues, nats):
    return level_by_bisection(eigenvalues, nats / 2)


def one_largest_for_all(log_joint, log_q):
    """Take the largest weight of all images out of every image's sum."""
    weights = log_joint - log_q
    return weights.max() + np.log(np.exp(weights - weights.max()).mean(0))


def never_below_the_smallest(eigenvalues, nats):
    """Look for the level between the eigenvalues only: right until all directions are active."""
    return max(level_by_bisection(eigenvalues, nats), eigenvalues.min())


def all_directions(eigenvalues, nats):
    return np.exp(np.mean(np.log(eigenvalues)) - 2 * nats / len(eigenvalues))


WRONG = [
    ("05.1", lambda r, d: 0.5 * d * (1 / r - 1 + np.log(r)), r"other way round"),
    ("05.1", lambda r, d: 0.5 * (r - 1 - np.log(r)), r"independent directions add up"),
    ("05.1", lambda r, d: -0.5 * d * (r - 1 - np.log(r)), r"wrong sign"),
    ("05.1", lambda r, d: 0.5 * d * (r**2 - 1 - 2 * np.log(r)), r"one of variances"),
    ("05.1", lambda r, d: d * (r - 1 - np.log(r)), r"½"),
    ("05.2", terms(likelihood=pixel_mean), r"β became 784"),
    ("05.2", terms(kl=lambda m, v: kl_of(m, np.exp(0.5 * v))), r"you passed σ where"),
    ("05.2", terms(kl=lambda m, v: kl_of(m, np.exp(v))), r"you passed σ² where"),
    ("05.2", terms(kl=lambda m, v: kl_of(m, 2 * v)), r"log σ² for log σ"),
    ("05.2", terms(kl=lambda m, v: kl_of(m, np.log(v**2))), r"for σ itself"),
    ("05.2", terms(kl=lambda m, v: kl_of(m, v).mean()), r"one number an image"),
    ("05.2", terms(kl=lambda m, v: kl_of(m, v) / m.shape[1]), r"independent latents add up"),
    ("05.2", terms(kl=lambda m, v: -kl_of(m, v)), r"never negative"),
    ("05.2", terms(kl=lambda m, v: kl_of(0 * m, v)), r"μ² costs"),
    ("05.2", terms(kl=lambda m, v: kl_of(m, v) + np.abs(v).sum(1)), r"20,000 draws"),
    ("05.2", terms(likelihood=lambda x, a: -cross_entropy(x, a)), r"the sign: log p"),
    ("05.2", terms(likelihood=cross_entropy), r"softplus"),
    ("05.2", lambda x, a, m, v: kl_of(m, v), r"two things"),
    ("05.3", lambda p, q: logsumexp(p + q, axis=0), r"q is in the denominator"),
    ("05.3", lambda p, q: logsumexp(p - q, axis=0), r"too high by exactly log"),
    ("05.3", lambda p, q: (p - q).mean(0), r"the ELBO again"),
    ("05.3", lambda p, q: np.log(np.exp(p - q).mean(0)), r"largest out of the sum"),
    ("05.3", one_largest_for_all, r"each image's largest out of the sum"),
    ("05.3", lambda p, q: logsumexp(p - q, axis=0).mean(), r"one bound an image"),
    ("05.3", lambda p, q: logsumexp(p - q, axis=1), r"averaged over images"),
    ("05.4", encoder(lambda w, s, n: w / s, best_log_variance), r"forgets the prior"),
    ("05.4", encoder(best_mean, lambda w, s, n: n / (s + n)), r"its logarithm is wanted"),
    ("05.4", encoder(best_mean, lambda w, s, n: 0.5 * np.log(n / (s + n))), r"twice that"),
    ("05.4", encoder(best_mean, lambda w, s, n: np.log(n / s)), r"adds its precision"),
    ("05.4", encoder(lambda w, s, n: w, best_log_variance), r"divide by"),
    ("05.4", encoder(lambda w, s, n: w / (s + 1), best_log_variance), r"complete the square"),
    ("05.4", lambda w, n: None, r"NoneType"),
    ("05.5", all_directions, r"spends 0, it earns nothing"),
    ("05.5", in_bits, r"in bits"),
    ("05.5", without_the_half, r"half of what was asked for"),
    ("05.5", never_below_the_smallest, r"falls steadily"),
    ("05.5", lambda e, n: 0.0, r"positive and finite"),
    ("05.5", lambda e, n: np.median(e), r"falls steadily"),
]  # fmt: skip

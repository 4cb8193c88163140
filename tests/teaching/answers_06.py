"""Chapter 06's exercises: right answers written another way, and typical wrong ones."""

import keras
import numpy as np
from answers import found_in_the_wild
from keras import layers
from scipy.special import logsumexp

from gan_keras.networks.patchgan import build_patchgan

# Right, written another way


def by_the_law_of_cosines(share):
    """Two legs at right angles, 1 and t: the error is the hypotenuse."""
    return 20 * np.log10(abs(1 + 1j * share))


def guesses_by_sorting(pictures, known, y, sigma):
    log_weights = np.array([-0.5 * np.sum(((p - y)[known] / sigma) ** 2) for p in pictures])
    weights = np.exp(log_weights - logsumexp(log_weights))
    median = []
    for column in pictures.T:
        total = 0.0
        for value, weight in sorted(zip(column, weights, strict=True)):
            total += weight
            if total >= 0.5:
                median.append(value)
                break
    return [sum(w * p for w, p in zip(weights, pictures, strict=True)), np.array(median)]


def field_backwards(stack):
    """What n outputs see: (n − 1)·stride + kernel, from the last layer to the first."""
    needed = 1
    for kernel, stride in reversed(stack):
        needed = (needed - 1) * stride + kernel
    return needed


def judge(
    patch_of=None, condition=True, activation=None, norm=False, pool=False, channels=1, image=True
):
    """Return a builder of patch judges with something changed."""

    def build(base_filters, patch):
        downsamplings = {16: 1, 34: 2, 70: 3}[patch_of(patch) if patch_of else patch]
        degraded, picture = keras.Input((None, None, 3)), keras.Input((None, None, 3))
        both = [degraded] * condition + [picture] * image
        x = layers.Concatenate()(both) if len(both) == 2 else both[0]
        for index in range(downsamplings + 1):
            x = layers.Conv2D(base_filters, 4, 2 if index < downsamplings else 1, "same")(x)
            if norm and index:
                x = layers.GroupNormalization(groups=-1)(x)
            x = layers.Activation("elu")(x)
        x = layers.Conv2D(channels, 4, padding="same", activation=activation)(x)
        return keras.Model([degraded, picture], layers.GlobalAveragePooling2D()(x) if pool else x)

    return build


def package_judge(base_filters, patch):
    return build_patchgan(base_filters=base_filters, downsamplings={16: 1, 34: 2, 70: 3}[patch])


def doubt_by_pairs(draws):
    """The variance is half of the mean squared difference of two different draws."""
    count = len(draws)
    apart = np.square(draws[:, None] - draws[None]).sum((0, 1)) / (count * (count - 1))
    return np.mean(draws, axis=0), 0.5 * apart * (count + 1) / count, apart


OTHERWISE = {
    "06.1": by_the_law_of_cosines,
    "06.2": guesses_by_sorting,
    "06.3": field_backwards,
    "06.4": package_judge,
    "06.5": doubt_by_pairs,
}


# Wrong in typical ways, and what the message must say


def guesses(weigh=None, median=None, mean=None):
    """Return an answer to 06.2 with other weights, of (differences, known, sigma), or guesses."""

    def answer(pictures, known, y, sigma):
        if weigh is None:
            right = guesses_by_sorting(pictures, known, y, sigma)
        else:
            weights = weigh(pictures - y, known, sigma)
            weights = weights / weights.sum()
            right = weights @ pictures, pictures[0]
        distance = np.square((pictures - y)[:, known]).sum(1)
        best = pictures[distance.argmin()]
        first = right[0] if mean is None else best
        return first, right[1] if median is None else median(pictures, right[0], best)

    return answer


def direct(differences, known, sigma):
    return np.exp(-np.square(differences[:, known]).sum(1) / (2 * sigma**2))


def hidden_too(differences, known, sigma):
    logs = -np.square(differences).sum(1) / (2 * sigma**2)
    return np.exp(logs - logs.max())


def no_half(differences, known, sigma):
    logs = -np.square(differences[:, known]).sum(1) / sigma**2
    return np.exp(logs - logs.max())


def overflowing(pictures, known, y, sigma):
    weights = direct(pictures - y, known, sigma)
    weights = weights / weights.sum()
    order = np.argsort(pictures, axis=0)
    middle = (np.cumsum(weights[order], 0) >= 0.5).argmax(0)
    return weights @ pictures, np.take_along_axis(pictures, order, 0)[middle, range(len(y))]


def own_stride(stack):
    field, jump = 1, 1
    for kernel, stride in stack:
        jump *= stride
        field += (kernel - 1) * jump
    return field


def maps(guess=None, of_guess=None, of_draw=None):
    """Return an answer to 06.5 in which some of the maps are others."""

    def answer(draws):
        right = doubt_by_pairs(draws)
        others = (guess, of_guess, of_draw)
        return [r if o is None else o(draws) for r, o in zip(right, others, strict=True)]

    return answer


WRONG = [
    ("06.1", lambda t: -10 * np.log10(1 + t**2), r"wrong sign"),
    ("06.1", lambda t: 20 * np.log10(1 + t), r"do not add up"),
    ("06.1", lambda t: 10 * np.log10(1 + t), r"t² times the variance"),
    ("06.1", lambda t: 3.0103 * t, r"first steps are nearly free"),
    ("06.1", lambda t: 20 * np.log10(1 + t**2), r"ratio of squared errors"),
    ("06.1", lambda t: 0.0, r"costs \S+ dB, and you said 0\.00"),
    ("06.2", guesses(hidden_too), r"compare known pixels only"),
    ("06.2", guesses(no_half), r"has a ½"),
    ("06.2", guesses(lambda d, known, s: np.ones(len(d))), r"do not depend on y"),
    ("06.2", overflowing, r"not finite with 1500 pixels.*smallest distance"),
    ("06.2", guesses(mean="best"), r"most probable picture: weigh all"),
    ("06.2", guesses(median=lambda p, mean, best: np.median(p, axis=0)), r"half of the \*weight"),
    ("06.2", guesses(median=lambda p, mean, best: mean), r"your median is the mean"),
    ("06.3", lambda stack: 1 + sum(k - 1 for k, _ in stack), r"earlier strides multiply"),
    ("06.3", lambda stack: field_backwards(stack[::-1]), r"a stride acts on later layers"),
    ("06.3", own_stride, r"own stride does not widen"),
    ("06.3", lambda stack: field_backwards(stack) - 1, r"sees 1 pixel"),
    ("06.3", found_in_the_wild("06"), r"reaches \d+ pixels, you say \d+"),
    ("06.4", judge(condition=False), r"unconditional D lets G return any"),
    ("06.4", judge(image=False), r"judges the degraded image alone"),
    ("06.4", judge(activation="sigmoid"), r"logits are wanted"),
    ("06.4", judge(norm=True), r"depends on the whole image"),
    ("06.4", judge(pool=True), r"one logit a patch"),
    ("06.4", judge(channels=2), r"2 numbers a patch"),
    ("06.4", judge(patch_of=lambda patch: 16 if patch == 34 else 34), r"sees \d+ pixels a side"),
    ("06.5", maps(of_guess=lambda d: d.var(0) * (1 + 1 / len(d))), r"divide by K − 1"),
    ("06.5", maps(of_guess=lambda d: d.var(0, ddof=1)), r"error of its own, s²/K"),
    ("06.5", maps(of_draw=lambda d: d.var(0, ddof=1)), r"draw: .*two variances"),
    ("06.5", maps(of_draw=lambda d: np.sqrt(2 * d.var(0, ddof=1))), r"squared errors are wanted"),
    ("06.5", maps(guess=lambda d: np.median(d, axis=0) + 0.1), r"mean of the draws"),
    ("06.5", maps(of_guess=lambda d: d.var(0, ddof=1) / len(d)), r"the truth is elsewhere"),
]

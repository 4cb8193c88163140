"""Chapter 06's exercises: what each check looks at, and what it says."""

import keras
import numpy as np
from keras import ops
from scipy.special import softmax

from gan_keras.teaching.exercises import Exercise, NotYet
from gan_keras.teaching.half_hidden import weighted_median


def _numbers(value):
    return np.asarray(ops.convert_to_numpy(value), np.float64)


def lost_decibels(answer, draw):
    """06.1: predict what a step from the posterior mean to a draw costs; the judge draws."""
    for share in (0.5, *draw.uniform(0.15, 0.9, 2), 1.0):
        truth, other = draw.normal(size=(2, 400_000))  # two draws about one posterior mean, 0
        right = 10 * np.log10(np.mean((truth - share * other) ** 2) / np.mean(truth**2))
        said = float(np.squeeze(answer(float(share))))
        if abs(said - right) < 0.04:
            continue
        for wrong, reason in (
            (-right, "right size, wrong sign: what is lost is positive"),
            (20 * np.log10(1 + share), "errors that know nothing of each other do not add up: "
             "their variances do"),
            (10 * np.log10(1 + share), "a deviation that is t times as long has t² times the "
             "variance"),
            (2 * right, "10 log₁₀ of a ratio of squared errors; 20 log₁₀ is for amplitudes"),
            (share * 10 * np.log10(2), "the whole way costs 3.01 dB, but the price does not rise "
             "evenly: its first steps are nearly free"),
            (right * np.log(10), "decibels are log₁₀: you took the natural logarithm"),
        ):  # fmt: skip
            if abs(said - wrong) < 0.03:
                raise NotYet(reason)
        raise NotYet(
            f"a share of {share:.2f} of the way costs {right:.2f} dB, and you said {said:.2f}: "
            "given y, truth and draw are independent, so put Var = 1 for both"
        )
    return "half of the way to a perfect look costs less than a third of its 3 dB"


def two_guesses(answer, draw):
    """06.2: posterior mean and median of a small world of pictures."""
    for count, pixels, spread in ((5, 8, 1.0), (int(draw.integers(6, 12)), 30, 0.3)):
        pictures = draw.uniform(-1, 1, (count, pixels))
        known = np.arange(pixels) >= pixels // 2
        sigma = spread * float(draw.uniform(0.8, 1.2))
        y = np.where(known, pictures[0] + sigma * draw.normal(size=pixels), 0.0)
        _judge_guesses(answer, pictures, known, y, sigma)
    far = np.repeat([[-1.0], [1.0], [0.9]], 3000, axis=1)
    known = np.arange(3000) >= 1500
    _judge_guesses(answer, far, known, np.where(known, 0.8, 0.0), 0.05)
    return "the ghost and the guess, of every pixel, and no number that is 0/0"


def _posterior(pictures, known, y, sigma, halved=0.5):
    distances = np.square(pictures - y)[:, known].sum(axis=1)
    return softmax(-halved * distances / sigma**2)


def _judge_guesses(answer, pictures, known, y, sigma):
    with np.errstate(all="ignore"):
        got = answer(pictures, known, y, sigma)
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise NotYet("two pictures are wanted: (mean, median)")
    mean, median = map(_numbers, got)
    for name, value in (("mean", mean), ("median", median)):
        if value.shape != y.shape:
            raise NotYet(f"the {name} has shape {value.shape}: one number a pixel, {y.shape}")
        if not np.isfinite(value).all():
            raise NotYet(
                f"the {name} is not finite with {known.sum()} pixels and σ = {sigma:.3g}: "
                "exp(−distance) of every picture is 0 in a computer; subtract the smallest "
                "distance first"
            )
    weights = _posterior(pictures, known, y, sigma)
    everywhere = np.ones_like(known)
    for other, reason in (
        (np.full(len(pictures), 1 / len(pictures)), "your guesses do not depend on y: weigh each "
         "picture by how well it explains what is known"),
        (_posterior(pictures, everywhere, y, sigma), "the hidden pixels of y are 0 because nobody "
         "saw them, not because they are grey: compare known pixels only"),
        (_posterior(pictures, known, y, sigma, 1.0), "the exponent of a Gaussian has a ½: "
         "−distance/2σ²"),
        (_posterior(pictures, known, y, np.sqrt(sigma)), "you divided by σ: the exponent has σ²"),
    ):  # fmt: skip
        if not np.allclose(other @ pictures, weights @ pictures, atol=2e-3) and np.allclose(
            mean, other @ pictures, atol=1e-4
        ):
            raise NotYet(reason)
    best = pictures[weights.argmax()]
    if not np.allclose(mean, weights @ pictures, atol=1e-4):
        if np.allclose(mean, best):
            raise NotYet("your mean is the most probable picture: weigh all of them")
        raise NotYet(
            f"the posterior mean of the first pixel is {(weights @ pictures)[0]:.4f}, and yours "
            f"{mean[0]:.4f}: weights ∝ exp(−distance/2σ²) that add up to 1"
        )
    right = weighted_median(pictures, weights)
    if not np.allclose(median, right, atol=1e-4):
        if np.allclose(median, np.median(pictures, axis=0), atol=1e-4):
            raise NotYet("that is the median of all pictures alike: half of the *weight* is wanted")
        if np.allclose(median, mean):
            raise NotYet("your median is the mean: sort a pixel's values, and add up their weights")
        if np.allclose(median, best):
            raise NotYet(
                "your median is the most probable picture; L1 asks each pixel by itself, and the "
                "answers need not be one picture"
            )
        raise NotYet(
            f"the median of the first pixel is {right[0]:.4f}, and yours {median[0]:.4f}: the "
            "smallest value up to which at least half of the weight lies"
        )


def _seen(stack):
    """Return how many inputs reach one output of a stack of 1-D convolutions, by its gradient."""
    import tensorflow as tf

    side = 4 + 2 * sum(k for k, _ in stack) * int(np.prod([s for _, s in stack]))
    row = tf.ones((1, side, 1))
    with tf.GradientTape() as tape:
        tape.watch(row)
        x = row
        for kernel, stride in stack:
            x = tf.nn.conv1d(x, tf.ones((kernel, 1, 1)), stride, "VALID")
        middle = x[0, x.shape[1] // 2, 0]
    return int(np.count_nonzero(tape.gradient(middle, row)))


def field(answer, draw):
    """06.3: the receptive field of a stack of convolutions, judged by the gradient."""
    patchgan = [(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)]
    random = [
        [(int(draw.integers(1, 6)), int(draw.integers(1, 4))) for _ in range(length)]
        for length in (2, 3, 4)
    ]
    uneven = [(5, 1), (int(draw.integers(2, 4)), 3), (4, 2)]  # its order matters
    for stack in (patchgan, [(7, 3)], uneven, *random):
        if any(k < s for k, s in stack):  # a gap between windows is no field
            stack = [(max(k, s), s) for k, s in stack]
        right, said = _seen(stack), int(np.squeeze(answer(list(stack))))
        if said == right:
            continue
        total = 1 + sum(k - 1 for k, _ in stack)
        forms = {"reversed": 1, "own stride": 1, "kernels": 0}
        jump = 1
        for kernel, stride in reversed(stack):
            forms["reversed"] += (kernel - 1) * jump
            jump *= stride
        jump = 1
        for kernel, stride in stack:
            forms["kernels"] += kernel * jump
            jump *= stride
            forms["own stride"] += (kernel - 1) * jump
        for wrong, reason in (
            (total, "you added the kernels up, but earlier strides multiply: a step of a later "
             "layer is several pixels of the image"),
            (forms["reversed"], "the order: a stride acts on later layers, not on earlier ones"),
            (forms["own stride"], "a layer's own stride does not widen its own window, only those "
             "of later layers"),
            (forms["kernels"], "a window of k inputs reaches k − 1 steps beyond one, and no layer "
             "at all sees 1 pixel"),
            (right - 1, "one too few: without any layer an output sees 1 pixel"),
        ):  # fmt: skip
            if said == wrong:
                raise NotYet(f"{stack}: {said}, and the gradient reaches {right}; {reason}")
        raise NotYet(f"{stack}: the gradient of one output reaches {right} pixels, you say {said}")
    return "as far as the gradient reaches, to the pixel"


def patch_judge(answer, draw):
    """06.4: a conditional patch discriminator that sees 34×34 pixels, or as many as asked."""
    for patch in (34, int(draw.choice([16, 70]))):
        filters = int(draw.integers(2, 5))
        keras.utils.set_random_seed(int(draw.integers(1000)))
        network = answer(filters, patch)
        if not isinstance(network, keras.Model):
            raise NotYet(f"a keras.Model is wanted, not {type(network).__name__}")
        if len(network.inputs) != 2:
            raise NotYet(f"{len(network.inputs)} input(s): [degraded, image], two, are wanted")
        for layer in network.layers:  # small random weights would hide what is seen
            if hasattr(layer, "kernel"):
                fan_in = np.prod(layer.kernel.shape[:-1])
                layer.kernel.assign(draw.normal(size=layer.kernel.shape) * np.sqrt(2 / fan_in))
        _judge_patches(network, patch, draw)
    return "one verdict a patch, on the pair, and no pixel from beyond the patch"


def _judge_patches(network, patch, draw):
    import tensorflow as tf

    side = 2 * patch + 56
    pair = [tf.constant(draw.normal(size=(1, side, side, 3)), tf.float32) for _ in range(2)]
    with tf.GradientTape() as tape:
        tape.watch(pair)
        logits = network(pair, training=False)
        if len(logits.shape) != 4 or logits.shape[1] < 2:
            raise NotYet(
                f"your output has the shape {tuple(logits.shape)}: a map of verdicts is wanted, "
                "one logit a patch, (B, h, w, 1)"
            )
        if logits.shape[-1] != 1:
            raise NotYet(f"{logits.shape[-1]} numbers a patch: one logit is wanted")
        middle = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    loud = network([1000 * x for x in pair], training=False).numpy()
    if loud.min() >= 0 and loud.max() <= 1:
        raise NotYet("your outputs lie in [0, 1]: logits are wanted, the loss has the sigmoid")
    gradients = tape.gradient(middle, pair)
    for gradient, name in zip(gradients, ("degraded", "image"), strict=True):
        if gradient is None or not np.any(gradient):
            raise NotYet(
                f"the verdict does not depend on {name}: "
                + (
                    "an unconditional D lets G return any sharp photograph, whatever it was given"
                    if name == "degraded"
                    else "D judges the degraded image alone"
                )
            )
        rows = np.flatnonzero(np.abs(gradient).sum((0, 2, 3)))
        seen = int(np.ptp(rows)) + 1
        if seen > 1.5 * patch and seen > side - 8:
            raise NotYet(
                "a verdict depends on the whole image: a normalisation over the image (instance, "
                "layer, group), pooling or attention is in the way (3.8)"
            )
        if seen != patch:
            raise NotYet(
                f"a verdict sees {seen} pixels a side, not {patch}: each down-sampling doubles "
                "what all later kernels reach (exercise 06.3)"
            )


def doubt(answer, draw):
    """06.5: what draws from a posterior tell of the error of their mean and of one more draw."""
    for count in (3, 2, int(draw.integers(5, 20))):
        draws = draw.normal(size=(count, 6, 5)) * draw.uniform(0.2, 3, (6, 5)) + 1
        got = answer(draws)
        if not isinstance(got, tuple | list) or len(got) != 3:
            raise NotYet("three maps are wanted: (guess, error_of_guess, error_of_draw)")
        guess, of_guess, of_draw = map(_numbers, got)
        for value in (guess, of_guess, of_draw):
            if value.shape != (6, 5):
                raise NotYet(f"a map has shape {value.shape}: (6, 5), one number a pixel")
        if not np.allclose(guess, draws.mean(axis=0)):
            raise NotYet("the guess with the least squared error is the mean of the draws")
        spread = draws.var(axis=0, ddof=1)
        for name, value, share in (("draw", of_draw, 2.0), ("guess", of_guess, 1 + 1 / count)):
            for wrong, reason in (
                (share * draws.var(axis=0), f"{count} draws lie too near to their own mean: "
                 "divide by K − 1, not by K"),
                (np.sqrt(share * spread), "that is a deviation: squared errors are wanted"),
                (np.sqrt(spread), "that is a deviation: squared errors are wanted"),
                (spread, "the truth varies about the mean, and so does the draw: two variances"
                 if name == "draw" else f"the mean of {count} draws is not yet the posterior's "
                 "mean: it has an error of its own, s²/K"),
                (2 * spread, "twice the variance is the price of a draw, not of the mean"),
                (spread / count, "that is how far the guess is from the posterior's mean; the "
                 "truth is elsewhere"),
            ):  # fmt: skip
                if not np.allclose(value, share * spread) and np.allclose(value, wrong):
                    raise NotYet(f"the error of the {name}: {reason}")
            if not np.allclose(value, share * spread):
                raise NotYet(
                    f"with K = {count} the error of the {name} at the first pixel is "
                    f"{share * spread[0, 0]:.4f}, and yours {value[0, 0]:.4f}"
                )
    return "the truth is one more draw: that is all there is to it"


EXERCISES = (
    Exercise("06.1", "predict", "what a draw costs", 5, 2, "06 §3.4", lost_decibels),
    Exercise("06.2", "derive and code", "the ghost and the guess", 20, 4, "06 §3.3", two_guesses),
    Exercise("06.3", "find the bug", "a receptive field", 15, 4, "06 §3.7", field),
    Exercise("06.4", "build", "a judge of patches", 20, 5, "06 §3.7 and §3.8", patch_judge),
    Exercise("06.5", "show", "a map of doubt", 30, 5, "06 §3.4", doubt),
    Exercise("06.6", "★", "a judge who sees the dice", 60, 0, "06 §3.5"),
)

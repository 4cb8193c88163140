# %% [markdown] role="text"
# # Exercises of chapter 06: conditional GANs and pix2pix
#
# Six steps up a ladder; none needs another's answer. Write into the cells that raise
# `NotImplementedError`, delete the `raise`, and run the cell below: its check says whether you are
# there and, if not, what is wrong and where in [the chapter](../06_pix2pix.ipynb) to look. Points are
# given for inputs that you have not seen, so let formulas, not numbers, do the work.

# %% role="text"
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

import keras
import numpy as np
from keras import layers

from gan_keras.teaching.exercises import ladder

ladder("06")

# %% [markdown] role="text"
# ## 06.1 Predict: what a draw costs (2 points, 5 minutes)
#
# The posterior mean has the best PSNR; a draw from the posterior looks right and costs 3.01 dB. Somebody
# goes only a share $t$ of the way: $\hat x=x^*+t\,(\text{draw}-x^*)$, with $t$ between 0 and 1. How many
# decibels below the mean's PSNR is that? A positive number. (Tolerance: 0.04 dB. Guess first: what does half
# of the way cost?)


# %% role="solution" exercise="06.1"
def lost_decibels(share):
    """Return by how many dB the PSNR falls when a share t of the way to a draw is gone."""
    ### BEGIN SOLUTION
    return 10 * np.log10(1 + share**2)
    ### END SOLUTION


# %% role="check" exercise="06.1" points=2
from gan_keras.teaching.exercises import check

check("06.1", lost_decibels)
### BEGIN HIDDEN TESTS
check("06.1", lost_decibels, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 06.2 Derive and code: the ghost and the guess (4 points, 20 minutes)
#
# The world holds `len(pictures)` pictures, all equally probable, as rows of pixels. One of them was drawn.
# You see its `known` pixels (a boolean mask) with Gaussian noise of standard deviation `sigma` on them; in
# the others $y$ is 0 and means nothing. Return the best guess for squared errors, and the best for absolute
# errors, pixel by pixel. Where half of the weight lies on either side, the smaller value is the median.
# (Tolerance: 0.0001. There may be thousands of known pixels.)


# %% role="solution" exercise="06.2"
def two_guesses(pictures, known, y, sigma):
    """Return (mean, median) of the posterior, (P,) each.

    Args:
        pictures: (N, P).
        known: (P,), true where y was seen.
        y: (P,).
        sigma: σ, in the units of `pictures`.
    """
    ### BEGIN SOLUTION
    distances = np.square(pictures[:, known] - y[known]).sum(axis=1)
    weights = np.exp(-(distances - distances.min()) / (2 * sigma**2))
    weights /= weights.sum()
    order = np.argsort(pictures, axis=0)
    reached = np.cumsum(weights[order], axis=0) >= 0.5
    columns = np.arange(pictures.shape[1])
    return weights @ pictures, pictures[order[reached.argmax(axis=0), columns], columns]
    ### END SOLUTION


# %% role="check" exercise="06.2" points=4
from gan_keras.teaching.exercises import check

check("06.2", two_guesses)
### BEGIN HIDDEN TESTS
check("06.2", two_guesses, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 06.3 Find the bug: a receptive field (4 points, 15 minutes)
#
# The function below was found in the wild. It gets a stack of convolutions, first layer first, as a list of
# (kernel, stride), and should return how many pixels of the input one output sees, along one side. A
# PatchGAN's five layers, `[(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)]`, see 70. Three things are wrong with
# it. Leave it as it is, and write your own `receptive_field`.


# %% role="text"
def found_in_the_wild(stack):
    """Return the side of what one output sees, with three mistakes."""
    field, jump = 0, 1
    for kernel, stride in reversed(stack):
        jump *= stride
        field += kernel * jump
    return field


# %% role="solution" exercise="06.3"
def receptive_field(stack):
    """Return how many input pixels one output sees; stack is [(kernel, stride), …]."""
    ### BEGIN SOLUTION
    field, jump = 1, 1
    for kernel, stride in stack:
        field += (kernel - 1) * jump
        jump *= stride
    return field
    ### END SOLUTION


# %% role="check" exercise="06.3" points=4
from gan_keras.teaching.exercises import check

check("06.3", receptive_field)
### BEGIN HIDDEN TESTS
check("06.3", receptive_field, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 06.4 Build: a judge of patches (5 points, 20 minutes)
#
# Build a conditional discriminator as a `keras.Model` of two inputs, [degraded, image], both (B, H, W, 3) of
# any size, that returns a map of logits, (B, h, w, 1), each of which sees exactly `patch`×`patch` pixels of
# both: 16, 34 or 70. The first convolution has `base_filters` channels; the rest is yours, as long as
# no verdict depends on anything outside its patch. (The check fills in weights of its own, and follows
# the gradient.)


# %% role="solution" exercise="06.4"
def build_patch_judge(base_filters, patch):
    """Return a keras.Model: [degraded, image] → logits (B, h, w, 1), each of a patch."""
    ### BEGIN SOLUTION
    downsamplings = {16: 1, 34: 2, 70: 3}[patch]
    degraded, image = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    x = layers.Concatenate()([degraded, image])
    for index in range(downsamplings + 1):
        stride = 2 if index < downsamplings else 1
        x = layers.Conv2D(base_filters * 2**index, 4, stride, "same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    return keras.Model([degraded, image], layers.Conv2D(1, 4, padding="same")(x))
    ### END SOLUTION


# %% role="check" exercise="06.4" points=5
from gan_keras.teaching.exercises import check

check("06.4", build_patch_judge)
### BEGIN HIDDEN TESTS
check("06.4", build_patch_judge, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 06.5 Show: a map of doubt (5 points, 30 minutes)
#
# An enhancer that draws from the posterior can say where it does not know: ask it $K$ times for the same
# $y$, and look where the answers differ. From $K\ge2$ independent draws, (K, h, w), make three maps, (h, w)
# each, with no knowledge of the truth $x$: the guess with the least squared error; the squared error that
# *this guess* has on average, per pixel; and the squared error that *one more draw* would have. ($x$ is
# itself a draw from the posterior, independent of yours. The two error maps should have the right mean over
# all that could have been drawn, also for $K=2$.)


# %% role="solution" exercise="06.5"
def doubt(draws):
    """Return (guess, error_of_guess, error_of_draw), (h, w) each, of draws (K, h, w)."""
    ### BEGIN SOLUTION
    variance = draws.var(axis=0, ddof=1)
    return draws.mean(axis=0), variance * (1 + 1 / len(draws)), 2 * variance
    ### END SOLUTION


# %% role="check" exercise="06.5" points=5
from gan_keras.teaching.exercises import check

check("06.5", doubt)
### BEGIN HIDDEN TESTS
check("06.5", doubt, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# And now the picture: six threes and eights of which the left part is hidden, in a world of 800 known ones
# (section 4.2 of the chapter). From eight draws of the exact posterior your function says where to trust the
# guess. (This cell is not graded; it runs once your function does.)

# %% role="text"
from gan_keras.teaching.half_hidden import KNOWN, DigitWorld, threes_and_eights
from gan_keras.teaching.show import Picture, image_rows


def show_my_doubt():
    """Draw what is seen, the guess, how much to doubt it, and the truth, of six digits."""
    world = DigitWorld(threes_and_eights("train")[0])
    truths = threes_and_eights("test")[0][8::34][:6]
    rows = [[], [], [], []]
    for index, truth in enumerate(truths):
        seen = world.look(truth, np.random.default_rng(index))
        draws = world.draws(seen, 8, np.random.default_rng(100 + index))
        guess, error, _ = doubt(draws[..., 0])
        for row, image in zip(
            rows,
            (np.where(KNOWN, seen, 0), guess, np.sqrt(error) - 1, truth),  # black: no doubt
            strict=True,
        ):
            row.append(np.clip(np.reshape(image, (28, 28, 1)), -1, 1))
    labels = ["seen", "guess", "doubt", "truth"]
    return Picture(image_rows(rows, labels), "where the posterior's draws differ, doubt is white")


try:
    picture = show_my_doubt()
except NotImplementedError:
    picture = "06.5 is still the stub"
picture

# %% [markdown] role="text"
# ## 06.6 ★ A judge who sees the dice (an hour, ungraded)
#
# In section 5 the painter of half-hidden digits gets dice $z$, and the judge is not shown them. Show them to
# her: give D the channels of $z$ as well. Before you train: what is D* now, and what must G do with $z$ to
# win? (The real pairs have dice, too, but theirs have nothing to do with $x$.) Then train both, with three
# seeds each, and compare the spread of the answers to one $y$, and the shares of threes and eights. Which of
# the two would you expect to need the L1 term more?

# %% [markdown] role="text"
# # Exercises of chapter 01: Seeing quality
#
# Six steps up a ladder; none needs another's answer. Write into the cells that raise
# `NotImplementedError`, delete the `raise`, and run the cell below: its check says whether you are
# there and, if not, what is wrong and where in [the chapter](../01_seeing_quality.ipynb) to look.
# Points are given for inputs that you have not seen, so let formulas, not numbers, do the work.

# %% role="text"
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

import numpy as np

from gan_keras.teaching.exercises import ladder

ladder("01")

# %% [markdown] role="text"
# ## 01.1 Predict: the mean of several exposures (2 points, 5 minutes)
#
# A camera on a tripod takes `count` photographs of one scene, each with independent Gaussian noise of
# `sigma` 8-bit grey levels, and averages them; nothing is clipped. Before you compute anything: four
# exposures, how many decibels more than one? Then write the PSNR of the mean as a function of both.
# (Tolerance: 0.15 dB. The check really takes the photographs.)


# %% role="solution" exercise="01.1"
def psnr_of_mean(sigma, count):
    """Return the PSNR in dB of the mean of `count` noisy exposures."""
    ### BEGIN SOLUTION
    return 20 * np.log10(255 / sigma) + 10 * np.log10(count)
    ### END SOLUTION


# %% role="check" exercise="01.1" points=2
from gan_keras.teaching.exercises import check

check("01.1", psnr_of_mean)
### BEGIN HIDDEN TESTS
check("01.1", psnr_of_mean, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 01.2 Derive and code: Wiener's filter for a blur (4 points, 15 minutes)
#
# At one frequency the photograph is $Y=BX+W$: signal of power $S$, noise of power $N$, and a complex
# factor $B$ of the blur. Derive the $H$ that makes $\mathbb E|X-HY|^2$ as small as it can be, and
# return it for arrays of frequencies. $B$ may be 0. (Tolerance: one part in a million of the smallest
# possible error.)


# %% role="solution" exercise="01.2"
def wiener_gain(signal, noise, blur):
    """Return H, (K,) complex or real, from S > 0, N > 0 and complex B, each (K,)."""
    ### BEGIN SOLUTION
    return np.conj(blur) * signal / (np.abs(blur) ** 2 * signal + noise)
    ### END SOLUTION


# %% role="check" exercise="01.2" points=4
from gan_keras.teaching.exercises import check

check("01.2", wiener_gain)
### BEGIN HIDDEN TESTS
check("01.2", wiener_gain, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 01.3 Find the bug: the PSNR of a batch (4 points, 15 minutes)
#
# The function below was found in the wild. For floats of range 1 and one picture it is right, which is
# how it was tested. Three things are wrong with it. Do not repair it in place: write your own `psnr`,
# for batches of floats or of 8-bit integers, of any range. (Tolerance: 0.02 dB. White noise of σ = 25
# grey levels must give 20.17 ± 0.1.)


# %% role="text"
def found_in_the_wild(a, b, data_range):
    """Return a PSNR, with three mistakes."""
    return -10 * np.log10(np.mean((a - b) ** 2))


# %% role="solution" exercise="01.3"
def psnr(a, b, data_range):
    """Return the mean of the images' PSNRs in dB; a and b are (B, H, W, C), floats or integers."""
    ### BEGIN SOLUTION
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    errors = np.mean(difference**2, axis=(1, 2, 3))
    return float(np.mean(10 * np.log10(data_range**2 / errors)))
    ### END SOLUTION


# %% role="check" exercise="01.3" points=4
from gan_keras.teaching.exercises import check

check("01.3", psnr)
### BEGIN HIDDEN TESTS
check("01.3", psnr, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 01.4 Build: SSIM from its parts (5 points, 20 minutes)
#
# Build SSIM of two grey pictures, (H, W), in $[0,$ `data_range`$]$, as section 3.9 has it: windows of
# 11×11 with the weights of a Gaussian of σ = 1.5, of sum 1; only windows that lie inside; $K_1=0.01$,
# $K_2=0.03$; the mean over all windows. NumPy and SciPy only. (Tolerance: 0.001.)

# %% role="solution" exercise="01.4"
from scipy import signal


def structural_similarity(x, y, data_range):
    """Return SSIM, one number, of (H, W) pictures in [0, data_range]."""
    ### BEGIN SOLUTION
    weights = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(weights, weights) / weights.sum() ** 2

    def mean(image):
        return signal.convolve2d(image, window, "valid")

    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
    return float(np.mean(luminance * (2 * vxy + c2) / (vx + vy + c2)))
    ### END SOLUTION


# %% role="check" exercise="01.4" points=5
from gan_keras.teaching.exercises import check

check("01.4", structural_similarity)
### BEGIN HIDDEN TESTS
check("01.4", structural_similarity, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 01.5 Show: two pictures of one error (5 points, 30 minutes)
#
# From a photograph make two pictures whose mean squared error against it is `mse`, both to 1 %: a *kind* one that
# looks right, and a *cruel* one that does not. Their SSIM (black at 0) must differ by 0.2 or more.
# Both must be pictures: no value outside $[-1,1]$. The photographs of the check have burnt-out
# highlights, and what you clip there is missing from the error, so solve for the strength. Seed your
# random choices.


# %% role="solution" exercise="01.5"
def kind_and_cruel(image, mse):
    """Return two arrays like `image`, (H, W, 3) in [-1, 1], of mean squared error `mse`."""

    ### BEGIN SOLUTION
    def at_error(direction):
        low, high = 0.0, 4.0
        for _ in range(40):
            strength = (low + high) / 2
            spoiled = np.clip(image + strength * direction, -1, 1)
            if np.mean((spoiled - image) ** 2) < mse:
                low = strength
            else:
                high = strength
        return spoiled

    noise = np.random.default_rng(0).standard_normal(image.shape)
    darker_or_lighter = -np.sign(image.mean())
    return at_error(darker_or_lighter), at_error(noise)
    ### END SOLUTION


# %% role="check" exercise="01.5" points=5
from gan_keras.teaching.exercises import check

check("01.5", kind_and_cruel)
### BEGIN HIDDEN TESTS
check("01.5", kind_and_cruel, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# And now the picture to show around: ask somebody which of the two has the better PSNR. (This cell is not graded;
# it runs once your function does.)

# %% role="text"
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import DATA_RANGE, GREY_LEVEL, from_uint8
from gan_keras.metrics.image_quality import psnr as package_psnr
from gan_keras.teaching.show import Picture
from gan_keras.teaching.show_photos import photo_rows


def show_my_pair():
    """Draw the kind and the cruel version of a cat, with their PSNR."""
    cat = next(path for path in photo_paths("photos") if path.stem == "chelsea")
    image = from_uint8(Photographs([cat])[0][60:204, 120:264])
    made = kind_and_cruel(image, (20 * GREY_LEVEL) ** 2)
    values = [float(package_psnr(image[None], np.asarray(x)[None], DATA_RANGE)[0]) for x in made]
    titles = ["original", *[f"{x:.2f} dB" for x in values]]
    figure = photo_rows([[image, *made]], [titles], zoom=2)
    return Picture(figure, "a cat, and two damaged versions of one PSNR", 200)


try:
    picture = show_my_pair()
except NotImplementedError:
    picture = "01.5 is still the stub"
picture

# %% [markdown] role="text"
# ## 01.6 ★ Ask five people (an hour, ungraded)
#
# Take a photograph of your own, make the six pictures of section 6.3 from it, and have five people rank
# them, each alone, best first. Compute the rank correlation of their mean rank with SSIM, and of each
# person with the mean of the other four. Which of the six do people agree on, and which not? Then leave
# out the shifted picture: what happens to SSIM's correlation? Write down what you expect before you ask
# the first.

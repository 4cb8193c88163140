# %% [markdown] role="text"
# # Exercises of chapter 03: DCGAN on MNIST
#
# Six steps up a ladder; none needs another's answer. Write into the cells that raise
# `NotImplementedError`, delete the `raise`, and run the cell below: its check says whether you are
# there and, if not, what is wrong and where in [the chapter](../03_dcgan.ipynb) to look. Points are
# given for inputs that you have not seen, so let formulas, not numbers, do the work.

# %% role="text"
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

import keras
import numpy as np
from keras import layers

from gan_keras.teaching.exercises import ladder

ladder("03")

# %% [markdown] role="text"
# ## 03.1 Predict: Adam's first step (2 points, 5 minutes)
#
# A weight has just been initialised, and so has Adam with $\beta_1=0.5$. The first gradient $g$
# arrives. Before you look anything up: by how much does the weight move, and which way? Write it as a
# function of $g$ and the learning rate: what is *added* to the weight. (Tolerance: 0.1 %; a gradient of
# 0 moves nothing.)


# %% role="solution" exercise="03.1"
def first_step(gradient, learning_rate):
    """Return what Adam's first step adds to the weight."""
    ### BEGIN SOLUTION
    return -learning_rate * np.sign(gradient)
    ### END SOLUTION


# %% role="check" exercise="03.1" points=2
from gan_keras.teaching.exercises import check

check("03.1", first_step)
### BEGIN HIDDEN TESTS
check("03.1", first_step, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 03.2 Derive and code: from 7 to 28 without a checkerboard (4 points, 15 minutes)
#
# A generator has a feature map of side `start` and wants an image of side `end`: `end / start` is a
# product of 2s and 3s, such as 4, 6 or 18. Return the transposed convolutions as a list of
# (kernel, stride), all with padding `same`, such that the side is right and every pixel away from
# the border gets equally many stamps. At least one layer; as many as you like.


# %% role="solution" exercise="03.2"
def design(start, end):
    """Return [(kernel, stride), …] that lead from side `start` to side `end`."""
    ### BEGIN SOLUTION
    factor, stack = end // start, []
    for stride in (2, 3):
        while factor % stride == 0:
            stack.append((2 * stride, stride))  # the stride divides the kernel
            factor //= stride
    return stack
    ### END SOLUTION


# %% role="check" exercise="03.2" points=4
from gan_keras.teaching.exercises import check

check("03.2", design)
### BEGIN HIDDEN TESTS
check("03.2", design, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 03.3 Find the bug: a batch for D (4 points, 15 minutes)
#
# The function below was found in the wild. It should make the batch that a discriminator is trained
# on: the real images (label 1) and as many generated ones (label 0), in training mode as in a
# `train_step`. It runs without a complaint, and three things are wrong with it. Leave it as it is, and
# write your own `batch_for_discriminator`.


# %% role="text"
def found_in_the_wild(real_images, generator, latent_dim):
    """Return (images, labels) with three mistakes."""
    noise = keras.random.normal((256, latent_dim))
    fake_images = generator(noise)
    images = keras.ops.concatenate([real_images, fake_images])
    labels = np.concatenate([np.zeros(len(real_images)), np.ones(256)])
    return images, labels


# %% role="solution" exercise="03.3"
def batch_for_discriminator(real_images, generator, latent_dim):
    """Return (images, labels): twice as many as there are real images; labels 1 and 0."""
    ### BEGIN SOLUTION
    count = len(real_images)
    noise = keras.random.normal((count, latent_dim))
    fake_images = generator(noise, training=True)
    images = keras.ops.concatenate([real_images, fake_images])
    return images, np.repeat([1.0, 0.0], count)
    ### END SOLUTION


# %% role="check" exercise="03.3" points=4
from gan_keras.teaching.exercises import check

check("03.3", batch_for_discriminator)
### BEGIN HIDDEN TESTS
check("03.3", batch_for_discriminator, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 03.4 Build: a generator for 32×32 colour (5 points, 20 minutes)
#
# CIFAR's images are 32×32×3. Build a DCGAN generator for them: latents → `Dense` → 4×4 → three
# doublings → images in $[-1, 1]$, with `base_filters` channels in the last feature map (16×16) and
# twice as many at each stage before. Keep the paper's rules, and this chapter's: transposed
# convolutions only, stride dividing kernel; batch normalisation and ReLU after each layer with weights
# but the last; weights from $\mathcal N(0, 0.02^2)$; no bias where a normalisation would subtract it.


# %% role="solution" exercise="03.4"
def build_colour_generator(latent_dim, base_filters):
    """Return a keras.Model: latents (B, latent_dim) → images (B, 32, 32, 3) in [-1, 1]."""

    ### BEGIN SOLUTION
    def init():
        return keras.initializers.RandomNormal(0.0, 0.02)

    latents = keras.Input((latent_dim,))
    x = layers.Dense(16 * 4 * base_filters, use_bias=False, kernel_initializer=init())(latents)
    x = layers.Reshape((4, 4, 4 * base_filters))(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for filters in (2 * base_filters, base_filters):
        x = layers.Conv2DTranspose(
            filters, 4, 2, "same", use_bias=False, kernel_initializer=init()
        )(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2DTranspose(3, 4, 2, "same", kernel_initializer=init())(x)
    return keras.Model(latents, layers.Activation("tanh")(x))
    ### END SOLUTION


# %% role="check" exercise="03.4" points=5
from gan_keras.teaching.exercises import check

check("03.4", build_colour_generator)
### BEGIN HIDDEN TESTS
check("03.4", build_colour_generator, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 03.5 Show: a Fréchet distance without its bias (5 points, 30 minutes)
#
# Section 6.2 found that the Fréchet distance of $N$ against $N$ samples is too large by something
# proportional to $1/N$. So take random subsets of several sizes $N$ of both sets, measure the distance
# of each (`frechet_distance(a, b)`), put a line through the distances over $1/N$ (`np.polyfit` will do),
# and read it off where $1/N = 0$: infinitely many samples, for free. Return that number. Draw your
# subsets from a seeded generator: two calls, one answer. (Tolerance: at most 40 % of the bias may be
# left. A few seconds of computing are all right.)

# %% role="solution" exercise="03.5"
from gan_keras.metrics.distribution import frechet_distance


def distance_at_infinity(features_a, features_b):
    """Return the Fréchet distance of (N, D) and (N, D) features, extrapolated to infinite N."""
    ### BEGIN SOLUTION
    draw = np.random.default_rng(0)
    sizes = np.linspace(len(features_a) // 8, len(features_a), 8).astype(int)
    means = []
    for size in sizes:
        trials = [
            frechet_distance(
                *(x[draw.permutation(len(x))[:size]] for x in (features_a, features_b))
            )
            for _ in range(8)
        ]
        means.append(np.mean(trials))
    _, at_infinity = np.polyfit(1 / sizes, means, 1, w=np.sqrt(sizes))
    return float(at_infinity)
    ### END SOLUTION


# %% role="check" exercise="03.5" points=5
from gan_keras.teaching.exercises import check

check("03.5", distance_at_infinity)
### BEGIN HIDDEN TESTS
check("03.5", distance_at_infinity, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# And now the picture: the classifier's features of real digits, first half against second half. The
# points climb to the right; the line should meet the axis near 0, though no 2,500 digits are alike.
# (This cell is not graded; it runs once your function does.)

# %% role="text"
import gan_keras
from gan_keras.data.digits import load_digits
from gan_keras.data.ranges import from_uint8
from gan_keras.metrics.distribution import classifier_features
from gan_keras.teaching.show import Picture, panels


def show_my_extrapolation():
    """Draw the distance of real digits from real digits against 1/N, and its extrapolation."""
    images = from_uint8(np.concatenate([load_digits("mnist-5k", s)[0] for s in ("train", "test")]))
    features = classifier_features(gan_keras.load("digit_classifier"), images[::2])
    draw = np.random.default_rng(1)
    features = features[draw.permutation(len(features))]
    half = len(features) // 2
    sizes = np.array([half // 8, half // 4, half // 2, half])
    distances = [frechet_distance(features[:n], features[half : half + n]) for n in sizes]
    figure, axes = panels(1, 1, 5.5, 2.6)
    axes.plot(1 / sizes, distances, "o", label="measured")
    found = distance_at_infinity(features[:half], features[half:])
    axes.plot([0], [found], "*", markersize=12, label=f"yours: {found:.2f}")
    axes.plot([0, 1 / sizes[0]], [found, distances[0]], ":", color="grey")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="1/N", ylabel="classifier-FID", xlim=(-0.0002, None))
    axes.legend(frameon=False)
    return Picture(figure, "the classifier-FID of real digits falls to nearly 0 as 1/N does")


try:
    picture = show_my_extrapolation()
except NotImplementedError:
    picture = "03.5 is still the stub"
picture

# %% [markdown] role="text"
# ## 03.6 ★ Does the digit still change? (an hour, ungraded)
#
# Section 6.4 let the neighbours choose the digit, because batch normalisation sees the whole batch.
# Rebuild the generator with `layers.GroupNormalization(groups=-1)`, which looks at one image alone,
# train it by the same recipe, and repeat the figure. Which of the three rows changes? What does it do
# to the classifier-FID, over three seeds, and to how the training starts? Write down what you expect
# before you begin.

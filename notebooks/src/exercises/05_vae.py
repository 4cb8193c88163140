# %% [markdown] role="text"
# # Exercises of chapter 05: variational autoencoders
#
# Six steps up a ladder; none needs another's answer. Write into the cells that raise
# `NotImplementedError`, delete the `raise`, and run the cell below: its check says whether you are
# there and, if not, what is wrong and where in [the chapter](../05_vae.ipynb) to look. Points are
# given for inputs that you have not seen, so let formulas, not numbers, do the work.

# %% role="text"
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

import keras
import numpy as np
from keras import layers, ops

from gan_keras.teaching.exercises import ladder

ladder("05")

# %% [markdown] role="text"
# ## 05.1 Predict: what a wrong variance costs (2 points, 5 minutes)
#
# The posterior is a Gaussian with independent directions. Your $q$ has its mean exactly, but in
# each of `dimensions` directions `ratio` times its variance. By how many nats is the bound below
# $\log p(x)$? (Tolerance: 0.1 %. Before you write the formula, guess: is it worse to be twice too
# wide, or twice too narrow?)


# %% role="solution" exercise="05.1"
def lost_nats(ratio, dimensions):
    """Return log p(x) − ELBO, in nats."""
    ### BEGIN SOLUTION
    return 0.5 * dimensions * (ratio - 1 - np.log(ratio))
    ### END SOLUTION


# %% role="check" exercise="05.1" points=2
from gan_keras.teaching.exercises import check

check("05.1", lost_nats)
### BEGIN HIDDEN TESTS
check("05.1", lost_nats, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 05.2 Derive and code: the bound's two terms (4 points, 15 minutes)
#
# For a batch of black-and-white images (`binary`, 0 or 1), the decoder's logits for them, and the
# encoder's `mean` and `log_variance`: return $\log p(x\mid z)$ and $\mathrm{KL}(q(z\mid x)\,\|\,
# \mathcal N(0,I))$, both in nats, **one number an image**. Use `keras.ops` or NumPy, not the package's
# own two functions. (Tolerance: 0.1 %. Logits may be as large as ±150.)


# %% role="solution" exercise="05.2"
def elbo_terms(binary, logits, mean, log_variance):
    """Return (log_likelihood, kl), (B,) each.

    Args:
        binary: (B, 28, 28, 1), 0 or 1.
        logits: (B, 28, 28, 1).
        mean: (B, D).
        log_variance: (B, D), log σ².
    """
    ### BEGIN SOLUTION
    pixels = binary * logits - ops.softplus(logits)
    latents = ops.square(mean) + ops.exp(log_variance) - 1 - log_variance
    return ops.sum(pixels, axis=(1, 2, 3)), 0.5 * ops.sum(latents, axis=1)
    ### END SOLUTION


# %% role="check" exercise="05.2" points=4
from gan_keras.teaching.exercises import check

check("05.2", elbo_terms)
### BEGIN HIDDEN TESTS
check("05.2", elbo_terms, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 05.3 Find the bug: an importance-weighted bound (4 points, 15 minutes)
#
# The function below was found in the wild. For $k$ draws an image it gets $\log p(x,z_i)$ and
# $\log q(z_i\mid x)$, both of shape (k, B), and should return the bound $L_k$ of each image, (B,). Three
# things are wrong with it; one of them only shows once images have more than a few pixels. Do not
# repair it in place: write your own `importance_weighted_bound`.


# %% role="text"
def found_in_the_wild(log_joint, log_q):
    """Return (B,), with three mistakes."""
    weights = np.exp(log_joint + log_q)
    return np.log(np.sum(weights, axis=0))


# %% role="solution" exercise="05.3"
def importance_weighted_bound(log_joint, log_q):
    """Return L_k of each image, (B,) nats, of (k, B) log p(x, z_i) and (k, B) log q(z_i|x)."""
    ### BEGIN SOLUTION
    log_weights = log_joint - log_q
    largest = np.max(log_weights, axis=0)
    return largest + np.log(np.mean(np.exp(log_weights - largest), axis=0))
    ### END SOLUTION


# %% role="check" exercise="05.3" points=4
from gan_keras.teaching.exercises import check

check("05.3", importance_weighted_bound)
### BEGIN HIDDEN TESTS
check("05.3", importance_weighted_bound, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 05.4 Build: the encoder that closes the gap (5 points, 20 minutes)
#
# A decoder has been fixed: $z\sim\mathcal N(0,I)$ in $k$ dimensions and $p(x\mid z)=\mathcal N(Wz,\,
# \sigma^2I)$ in $d$, where the columns of $W$ are orthogonal but not of length 1. Build the encoder with
# which the bound *is* $\log p(x)$, for every $x$: a `keras.Model` that maps $x$, (B, d), to
# `[mean, log_variance]`, (B, k) each. Nothing needs training. (Tolerance: 0.001 nats.)


# %% role="solution" exercise="05.4"
def tight_encoder(weights, noise_variance):
    """Return a keras.Model: x (B, d) → [mean, log_variance], (B, k) each.

    Args:
        weights: W, (d, k), with orthogonal columns.
        noise_variance: σ².
    """
    ### BEGIN SOLUTION
    t = np.sum(weights**2, axis=0) + noise_variance  # the log joint is −½ Σ (t/σ²) z² + …
    x = keras.Input((len(weights),))
    to_mean = layers.Dense(len(t), use_bias=False)
    to_log_variance = layers.Dense(len(t), kernel_initializer="zeros")
    encoder = keras.Model(x, [to_mean(x), to_log_variance(x)])
    to_mean.kernel.assign(weights / t)
    to_log_variance.bias.assign(np.log(noise_variance / t))
    return encoder
    ### END SOLUTION


# %% role="check" exercise="05.4" points=5
from gan_keras.teaching.exercises import check

check("05.4", tight_encoder)
### BEGIN HIDDEN TESTS
check("05.4", tight_encoder, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 05.5 Show: a digit for so many nats (5 points, 30 minutes)
#
# Section 3.5: a linear VAE spends $\tfrac12\log(\lambda/c)$ nats on each direction whose eigenvalue
# $\lambda$ exceeds the level $c=\beta\sigma^2$, and none on the others. Turn it round: you have so many
# `nats` for an image; at which level are they spent? The eigenvalues are positive and in any number. (It
# is called filling with water, upside down: the dearest directions stand out of it. Tolerance: 0.2 % of
# the nats.)


# %% role="solution" exercise="05.5"
def water_level(eigenvalues, nats):
    """Return the level c > 0 at which the directions together spend `nats` > 0."""
    ### BEGIN SOLUTION
    logs = np.sort(np.log(eigenvalues))[::-1]
    for active in range(1, len(logs) + 1):  # the largest `active` directions share the nats
        log_level = np.mean(logs[:active]) - 2 * nats / active
        if active == len(logs) or log_level >= logs[active]:
            return float(np.exp(log_level))
    ### END SOLUTION


# %% role="check" exercise="05.5" points=5
from gan_keras.teaching.exercises import check

check("05.5", water_level)
### BEGIN HIDDEN TESTS
check("05.5", water_level, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# And now the picture: held-out digits as the best linear VAE paints them for more and more nats, and how
# many of 784 directions it uses. (This cell is not graded; it runs once your function does.)

# %% role="text"
from gan_keras.data.digits import load_digits
from gan_keras.data.ranges import from_uint8
from gan_keras.teaching.show import Picture, image_rows


def show_my_digits():
    """Draw ten digits, and each as a linear VAE decodes it for 2, 8, 32 and 128 nats."""
    images = from_uint8(load_digits("mnist-5k", "train")[0]).reshape(-1, 784)
    digits = from_uint8(load_digits("mnist-5k", "test")[0])[7::100].reshape(-1, 784)
    middle = images.mean(0)
    eigenvalues, directions = np.linalg.eigh(np.cov(images, rowvar=False))
    rows, labels = [digits.reshape(-1, 28, 28, 1)], ["x"]
    for nats in (2, 8, 32, 128):
        level = water_level(np.maximum(eigenvalues, 1e-9), nats)
        kept = np.maximum(1 - level / np.maximum(eigenvalues, 1e-9), 0)
        painted = middle + (digits - middle) @ directions * kept @ directions.T
        rows.append(painted.reshape(-1, 28, 28, 1))
        labels.append(f"{nats} nats,\n{np.sum(kept > 0)} directions")
    return Picture(image_rows(rows, labels), "ten digits that grow sharper as nats are spent")


try:
    picture = show_my_digits()
except NotImplementedError:
    picture = "05.5 is still the stub"
picture

# %% [markdown] role="text"
# ## 05.6 ★ Does a tighter bound make a better encoder? (an hour, ungraded)
#
# Section 3.6 used $L_k$ to measure. Burda et al. (2016) train by it: write a `train_step` that maximises
# $L_5$ and one for $L_{50}$, train the recipe `vae` with each and with the ELBO, three seeds of each,
# and compare $L_{500}$ on held-out digits, the number of active latents, and how well one draw of
# $q$ reconstructs. Then look at the gradient that reaches the *encoder* in a single batch: its mean over
# many draws, divided by its spread, for $k=1$ and $k=50$. Which of the two falls? (Rainforth et al. 2018
# have an answer; write down yours first.)

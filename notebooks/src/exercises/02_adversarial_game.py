# %% [markdown] role="text"
# # Exercises of chapter 02: The adversarial game
#
# Six steps up a ladder; none needs another's answer. Write into the cells that raise
# `NotImplementedError`, delete the `raise`, and run the cell below: its check says whether you are
# there and, if not, what is wrong and where in [the chapter](../02_adversarial_game.ipynb) to look.
# Points are given for inputs that you have not seen, so let formulas, not numbers, do the work.

# %% role="text"
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

import keras
import numpy as np
from scipy.special import expit  # the sigmoid σ, safe for large arguments

from gan_keras.teaching.exercises import ladder

ladder("02")

# %% [markdown] role="text"
# ## 02.1 Predict: how hungry is a saturating G? (2 points, 5 minutes)
#
# D gives a generated image the logit $a$. Both losses of chapter 02 pull this logit upwards, one with a
# longer gradient than the other. How many times as long is the non-saturating gradient as the
# saturating one? Write it as a function of the logit. (Tolerance: 0.1 %.)


# %% role="solution" exercise="02.1"
def hunger(logit):
    """Return |∂(non-saturating loss)/∂a| ÷ |∂(saturating loss)/∂a| at this logit a."""
    ### BEGIN SOLUTION
    return np.exp(-logit)  # (1 − σ(a))/σ(a)
    ### END SOLUTION


# %% role="check" exercise="02.1" points=2
from gan_keras.teaching.exercises import check

check("02.1", hunger)
### BEGIN HIDDEN TESTS
check("02.1", hunger, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 02.2 Derive and code: the best discriminator (4 points, 15 minutes)
#
# D sees a batch of which the share `prior` is real. `p` and `q` are the densities of real and generated
# points, objects with two methods: `p.density(points)` and `p.log_density(points)`, for points of
# shape (N, 1). Return a *function* that takes points and gives $D^*$ at each, (N,) numbers between 0
# and 1. It has to be finite, and right, even where both densities are too small for a float.
# (Tolerance: 1e-6.)


# %% role="solution" exercise="02.2"
def best_d(p, q, prior):
    """Return D*, a function: points (N, 1) → probabilities of "real", (N,)."""

    ### BEGIN SOLUTION
    def judge(points):
        odds = np.log(prior) - np.log(1 - prior)
        return expit(p.log_density(points) - q.log_density(points) + odds)

    return judge
    ### END SOLUTION


# %% role="check" exercise="02.2" points=4
from gan_keras.teaching.exercises import check

check("02.2", best_d)
### BEGIN HIDDEN TESTS
check("02.2", best_d, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 02.3 Find the bug: two losses (4 points, 15 minutes)
#
# The function below was found in the wild. It should return D's loss and G's non-saturating loss, from
# logits. It runs, and three things are wrong with it. Do not repair it in place: write your own
# `two_losses`. D's loss is the sum of two means, one over real images, one over generated ones, in nats.


# %% role="text"
def found_in_the_wild(real_logits, fake_logits):
    """Return (D's loss, G's loss) with three mistakes."""
    cross_entropy = keras.losses.BinaryCrossentropy()
    ones, zeros = keras.ops.ones_like(real_logits), keras.ops.zeros_like(fake_logits)
    discriminator_loss = cross_entropy(real_logits, ones) + cross_entropy(fake_logits, zeros)
    generator_loss = cross_entropy(zeros, fake_logits)
    return discriminator_loss, generator_loss


# %% role="solution" exercise="02.3"
def two_losses(real_logits, fake_logits):
    """Return (D's loss, G's non-saturating loss) of logits (B, 1): two scalars in nats."""
    ### BEGIN SOLUTION
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    ones, zeros = keras.ops.ones_like(real_logits), keras.ops.zeros_like(fake_logits)
    discriminator_loss = cross_entropy(ones, real_logits) + cross_entropy(zeros, fake_logits)
    generator_loss = cross_entropy(ones, fake_logits)
    return discriminator_loss, generator_loss
    ### END SOLUTION


# %% role="check" exercise="02.3" points=4
from gan_keras.teaching.exercises import check

check("02.3", two_losses)
### BEGIN HIDDEN TESTS
check("02.3", two_losses, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 02.4 Build: a whole GAN, one round of it (5 points, 20 minutes)
#
# Points in $d$ dimensions. The generator adds noise to its one parameter, a place:
# $G(\varepsilon)=\theta+\varepsilon$. The discriminator is linear, with logits $a(x)=\psi\cdot x$. Play
# one round, in turn: D moves first, one step of size `rate` down the gradient of
#
# $$L_D=\text{mean}\operatorname{softplus}(-\psi\cdot x)+\text{mean}\operatorname{softplus}(\psi\cdot
# G(\varepsilon))+\tfrac{\gamma}{2}\,\text{mean}\,\|\nabla_x(\psi\cdot x)\|^2 ;$$
#
# then G, one step down the gradient of the non-saturating loss, against the D that has just moved. Work
# the gradients out by hand; NumPy is enough. (Tolerance: 0.1 %.)


# %% role="solution" exercise="02.4"
def one_round(data, noise, theta, psi, rate, gamma):
    """Return (theta, psi), each (d,), after one round.

    Args:
        data: Real points, (N, d).
        noise: ε, (N, d).
        theta: Where the generator stands, (d,).
        psi: The discriminator's slope, (d,).
        rate: Both players' step.
        gamma: Weight of R₁.
    """
    ### BEGIN SOLUTION
    fake = theta + noise
    wrong_on_real = expit(-data @ psi)[:, None]  # 1 − D(x)
    wrong_on_fake = expit(fake @ psi)[:, None]  # D(G(ε))
    pull = np.mean(wrong_on_real * data, axis=0) - np.mean(wrong_on_fake * fake, axis=0)
    psi = psi + rate * (pull - gamma * psi)
    theta = theta + rate * np.mean(expit(-fake @ psi)) * psi
    return theta, psi
    ### END SOLUTION


# %% role="check" exercise="02.4" points=5
from gan_keras.teaching.exercises import check

check("02.4", one_round)
### BEGIN HIDDEN TESTS
check("02.4", one_round, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# ## 02.5 Show: the map of where a game settles (5 points, 30 minutes)
#
# Near its equilibrium the Dirac-GAN with R₁ is linear: $\dot\theta=\tfrac12\psi$ and
# $\dot\psi=-\tfrac12\theta-\gamma\psi$. Write one round with step $h$ as a 2×2 matrix, once with both
# players moving at once, once in turn (D first, and G sees the new ψ), and find the largest $|\lambda|$ of
# its eigenvalues: below 1 the game settles. Return it for every rate (rows) and every γ (columns).
# (Tolerance: 0.1 %.)


# %% role="solution" exercise="02.5"
def growth_map(rates, gammas, order):
    """Return the largest |λ| of one round, (len(rates), len(gammas)).

    Args:
        rates: h > 0, a sequence.
        gammas: γ ≥ 0, a sequence.
        order: "simultaneous" or "alternating".
    """
    ### BEGIN SOLUTION
    result = np.empty((len(rates), len(gammas)))
    for row, h in enumerate(rates):
        for column, gamma in enumerate(gammas):
            discriminator = np.array([-h / 2, 1 - h * gamma])  # ψ after its move
            if order == "simultaneous":
                generator = np.array([1, h / 2])
            else:
                generator = np.array([1, 0]) + h / 2 * discriminator  # θ sees the new ψ
            eigenvalues = np.linalg.eigvals(np.stack([generator, discriminator]))
            result[row, column] = np.abs(eigenvalues).max()
    return result
    ### END SOLUTION


# %% role="check" exercise="02.5" points=5
from gan_keras.teaching.exercises import check

check("02.5", growth_map)
### BEGIN HIDDEN TESTS
check("02.5", growth_map, hidden=True)
### END HIDDEN TESTS

# %% [markdown] role="text"
# And now the picture to show around: your two maps. Blue settles, red flies apart, the black line is the
# border, and three games are played for real at the places marked with letters, so that you can see
# whether your map tells the truth. (This cell is not graded; it runs once your function does.)

# %% role="text"
from gan_keras.teaching import dirac
from gan_keras.teaching.show import Picture, panels


def show_my_map():
    """Draw the growth of small distances against γ and h, for both orders, and three real games."""
    rates, gammas = np.linspace(0.02, 1.2, 60), np.linspace(0, 2, 81)
    places = {"A": (1.0, 0.1), "B": (1.0, 0.5), "C": (0.3, 1.0)}  # h, γ
    figure, axes = panels(1, 3, 11.0, 3.1, width_ratios=[1, 1, 1.1])
    for one, order in zip(axes, ("simultaneous", "alternating"), strict=False):
        growth = growth_map(rates, gammas, order)
        drawn = one.contourf(
            gammas,
            rates,
            np.log(growth),
            np.linspace(-0.3, 0.3, 25),
            cmap="RdBu_r",
            extend="both",
        )
        one.contour(gammas, rates, growth, [1 + 1e-9], colors="black")
        one.set(title=order, xlabel="γ, weight of R₁", ylabel="h, the rate")
        for name, (h, gamma) in places.items():
            label = one.text(gamma, h, name, ha="center", va="center", fontweight="bold")
            label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})
    figure.colorbar(drawn, ax=axes[:2], label="log |λ| a round", ticks=[-0.3, 0, 0.3])
    for name, (h, gamma) in places.items():
        for order, style in (("simultaneous", "-"), ("alternating", "--")):
            path = dirac.orbit(0.01, 0.0, h, 60, order, gamma=gamma)
            label = f"{name}, {order}"
            axes[2].semilogy(np.linalg.norm(path, axis=1), style, label=label, linewidth=1.2)
    axes[2].set(title="the games themselves", xlabel="round", ylabel="distance", ylim=(1e-6, 1))
    axes[2].legend(frameon=False, fontsize=7, bbox_to_anchor=(1, 1))
    return Picture(figure, "two maps of where the game settles, and six games that were played")


try:
    picture = show_my_map()
except NotImplementedError:
    picture = "02.5 is still the stub"
picture

# %% [markdown] role="text"
# ## 02.6 ★ Look ahead instead of leaning on friction (an hour, ungraded)
#
# Friction changes D's loss. Another cure leaves both losses alone: before it moves, each player takes a
# *trial* step, looks where both would be then, goes back, and moves with the gradient it saw there. (It
# is called extragradient; Gidel et al. 2019 bring it to GANs.) Work out $|\lambda|^2$ of the Dirac-GAN
# near its equilibrium, both players looking ahead at once, and write down for which $h$ it settles.
# Then play it, from far away too, with both of G's losses. What does it cost, per round, compared with
# R₁? And does the limit circle of section 6.1 survive it?

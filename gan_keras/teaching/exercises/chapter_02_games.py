"""Chapter 02's exercises that play: a round of a whole GAN, and where the Dirac-GAN settles."""

import numpy as np
import tensorflow as tf

from gan_keras.algorithms.penalties import zero_centred_penalty
from gan_keras.losses.adversarial import (
    discriminator_cross_entropy,
    generator_non_saturating,
    generator_saturating,
)
from gan_keras.teaching import dirac
from gan_keras.teaching.exercises import NotYet


def _round(data, noise, theta, psi, rate, gamma, loss=generator_non_saturating, order="in turn"):
    """Take one round of the game with points θ + noise and logits ψ·x, by the package's losses."""
    theta, psi = tf.constant(theta), tf.constant(psi)

    def judge(points, slope):
        return tf.linalg.matvec(points, slope)[:, None]

    def step_discriminator(theta, psi):
        with tf.GradientTape() as tape:
            tape.watch(psi)
            value = discriminator_cross_entropy(judge(data, psi), judge(theta + noise, psi))
            value += gamma * zero_centred_penalty(lambda x: judge(x, psi), tf.constant(data))
        return psi - rate * tape.gradient(value, psi)

    def step_generator(theta, psi):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = loss(judge(theta + noise, psi))
        return theta - rate * tape.gradient(value, theta)

    if order == "generator first":
        theta = step_generator(theta, psi)
        return theta.numpy(), step_discriminator(theta, psi).numpy()
    new = step_discriminator(theta, psi)
    return step_generator(theta, new if order == "in turn" else psi).numpy(), new.numpy()


def one_round(answer, draw):
    """02.4: a whole GAN, one round of it; the judge is a tape on the package's own losses."""
    for dimension in (1, int(draw.integers(2, 5))):
        count = int(draw.integers(20, 50))
        data, noise = draw.normal(size=(2, count, dimension)).astype(np.float32)
        theta, psi = draw.normal(1.0, 0.3, (2, dimension)).astype(np.float32)
        rate, gamma = (float(x) for x in draw.uniform(0.3, 0.6, 2))
        made = answer(data.copy(), noise.copy(), theta.copy(), psi.copy(), rate, gamma)
        got = [np.asarray(part, np.float32).reshape(-1) for part in made]
        if len(got) != 2 or any(part.shape != (dimension,) for part in got):
            raise NotYet(f"(theta, psi) are wanted, each of shape ({dimension},)")

        def same(player, got=got, inputs=(data, noise, theta, psi, rate), gamma=gamma, **changed):
            wanted = _round(*inputs, gamma, **changed)[player]
            return np.allclose(got[player], wanted, rtol=1e-3, atol=1e-5)

        wanted = _round(data, noise, theta, psi, rate, gamma)

        if not same(1):
            if same(1, order="generator first"):
                raise NotYet("D moves first, and G answers; yours is the other way round")
            if same(1, gamma=0.0):
                raise NotYet("the penalty is missing: R₁ adds γψ to D's gradient")
            if same(1, gamma=2 * gamma) or same(1, gamma=gamma / 2):
                raise NotYet(
                    "R₁ is ½γ‖∇D‖², the slope of ψ·x is ψ, and so the gradient of R₁ is γψ: "
                    "mind the ½ and the 2"
                )
            if np.allclose(got[1] - psi, psi - wanted[1], rtol=1e-3):
                raise NotYet("D went uphill: it goes against the gradient of its loss")
            raise NotYet(f"D should have gone from {psi} to {wanted[1]}, and yours is at {got[1]}")
        if not same(0):
            if same(0, order="at once"):
                raise NotYet(
                    "G answered the old ψ: in a round played in turn it sees the D that has just "
                    "moved"
                )
            if same(0, loss=generator_saturating):
                raise NotYet("G's weight is σ(a), the saturating one; 1 − σ(a) is asked for")
            if np.allclose(got[0] - theta, theta - wanted[0], rtol=1e-3):
                raise NotYet("G went the wrong way: away from where D's logit rises")
            raise NotYet(f"G should have gone from {theta} to {wanted[0]}, yours is at {got[0]}")
    return "a whole GAN in a few lines, to the last digit what automatic derivatives make of it"


def growth_map(answer, draw):
    """02.5: by how much a round of the Dirac-GAN multiplies small distances."""
    rates = draw.uniform(0.1, 1.5, 3)  # with little friction it swings, with much it crawls
    gammas = np.array([0.0, *draw.uniform(0.05, 0.9, 2), *draw.uniform(1.5, 2.5, 2)])
    identity, flips = np.eye(2), np.array([[0.0, 1.0], [-1.0, 0.0]])

    def largest(matrix):
        return np.abs(np.linalg.eigvals(matrix)).max()

    def flow(gamma, half=0.5):
        return half * flips - np.diag([0.0, gamma])

    wanted = {
        order: np.array([[dirac.growth(h, order, gamma=g) for g in gammas] for h in rates])
        for order in ("simultaneous", "alternating")
    }
    known = (
        (
            lambda h, g, right: largest(flow(g)),
            "those are the eigenvalues of the velocity; one round multiplies by I + hJ",
        ),
        (
            lambda h, g, right: largest(identity + h * flow(g, half=1.0)),
            "the rotation is twice too fast: at the equilibrium both weights are σ(0) = ½",
        ),
        (
            lambda h, g, right: largest(identity + h * flow(g) - h * np.diag([g, 0.0])),
            "R₁ is in D's loss alone: it slows ψ, not θ",
        ),
        (lambda h, g, right: right**2, "that is what a round does to the *square* of a distance"),
    )
    for order, right in wanted.items():
        got = np.asarray(answer(rates, gammas, order), np.float64)
        if got.shape != right.shape:
            raise NotYet(
                f"{len(rates)} rates and {len(gammas)} gammas make a {right.shape} map, yours is "
                f"{got.shape}"
            )
        if np.allclose(got, right, rtol=1e-3):
            continue
        other = wanted["simultaneous" if order == "alternating" else "alternating"]
        if np.allclose(got, other, rtol=1e-3):
            raise NotYet(f"order {order!r} gave the numbers of the other order")
        for made, message in known:
            table = np.array(
                [[made(h, g, right[i, j]) for j, g in enumerate(gammas)]
                 for i, h in enumerate(rates)]
            )  # fmt: skip
            if np.allclose(got, table, rtol=1e-3):
                raise NotYet(f"{order}: {message}")
        matrices = [[dirac.linearised(h, order, gamma=g) for g in gammas] for h in rates]
        areas = np.abs(np.linalg.det(np.array(matrices))) ** 0.5
        if np.allclose(got, areas, rtol=1e-3):
            raise NotYet(
                f"{order}: √det is |λ| only while the eigenvalues are a complex pair; with much "
                "friction they are real, and the larger one counts"
            )
        smallest = np.abs(np.linalg.eigvals(np.array(matrices))).min(axis=-1)
        if np.allclose(got, smallest, rtol=1e-3):
            raise NotYet(f"{order}: that is the smallest |λ|; in the long run the largest wins")
        i, j = np.unravel_index(np.argmax(np.abs(got - right)), right.shape)
        raise NotYet(
            f"{order}, h = {rates[i]:.2f}, γ = {gammas[j]:.2f}: a round multiplies small distances "
            f"by {right[i, j]:.4f} at most, and you said {got[i, j]:.4f}"
        )
    return "in turn, any friction up to about 2/h settles the game; at once, only more than h/4"

r"""The Dirac-GAN: the smallest game in which a GAN can circle, settle or fly apart.

Mescheder et al. 2018, §2: all data lie at one point, 0; the generator puts all that it makes at
one point, θ; the discriminator is a straight line through the origin, with logits a(x) = ψx.

=====  ===============  ============================================================
θ      `theta`          where the generator's point is
ψ      `psi`            the discriminator's slope
h      `rate`           the step of both players, or (generator's, discriminator's)
γ      `gamma`          weight of R₁, which is ½γψ² here
a      `theta * psi`    the logit of the generated point; that of the data is always 0
=====  ===============  ============================================================

Everything is NumPy in float64 and works on any number of games at once: θ and ψ may be arrays.
"""

import numpy as np
from scipy.special import expit

ORDERS = ("continuous", "simultaneous", "alternating")
LOSSES = ("saturating", "non_saturating")


def velocity(theta, psi, loss="non_saturating", gamma=0.0):
    r"""Return what each player wants: minus the gradient of its own loss in its own number.

    L_D = log 2 + softplus(ψθ) + ½γψ²; L_G is −softplus(ψθ) or softplus(−ψθ).

    Args:
        theta: Any shape.
        psi: The same shape.
        loss: The generator's, a name in `LOSSES`.
        gamma: γ ≥ 0.

    Returns:
        (−∂L_G/∂θ, −∂L_D/∂ψ), each of that shape.

    Raises:
        ValueError: No such loss.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss {loss!r}: choose one of {', '.join(LOSSES)}")
    logit = theta * psi
    weight = expit(logit) if loss == "saturating" else expit(-logit)  # σ(a), or 1 − σ(a)
    return weight * psi, -expit(logit) * theta - gamma * psi


def play_round(theta, psi, rate, order="alternating", **game):
    """Return (θ, ψ) after both players have moved once.

    Args:
        theta: Any shape.
        psi: The same shape.
        rate: h of both, or a pair (the generator's, the discriminator's).
        order: "simultaneous": both look, then both move. "alternating": the discriminator
            moves, and the generator looks at the new one, as in a `train_step`. "continuous":
            time h of the flow that both follow with infinitely small steps (Runge and Kutta's
            fourth-order step; its error is of the order of h⁵).
        **game: `loss` and `gamma` of `velocity`.

    Raises:
        ValueError: No such order.
    """
    slow, fast = np.broadcast_to(rate, 2)
    if order == "simultaneous":
        move = velocity(theta, psi, **game)
        return theta + slow * move[0], psi + fast * move[1]
    if order == "alternating":
        psi = psi + fast * velocity(theta, psi, **game)[1]
        return theta + slow * velocity(theta, psi, **game)[0], psi
    if order != "continuous":
        raise ValueError(f"order {order!r}: choose one of {', '.join(ORDERS)}")
    rates, point = np.array([slow, fast]), np.stack([theta, psi])
    scale = rates.reshape(2, *[1] * (point.ndim - 1))

    def slope(at):
        return scale * np.stack(velocity(*at, **game))

    k1 = slope(point)
    k2 = slope(point + k1 / 2)
    k3 = slope(point + k2 / 2)
    return tuple(point + (k1 + 2 * k2 + 2 * k3 + slope(point + k3)) / 6)


def orbit(theta, psi, rate, rounds, order="alternating", **game):
    """Return where the players are after 0, 1, …, `rounds` rounds.

    Args:
        theta: Where the generator starts, any shape.
        psi: Where the discriminator starts, the same shape.
        rate: As `play_round`'s.
        rounds: How many.
        order: As `play_round`'s.
        **game: `loss` and `gamma` of `velocity`.

    Returns:
        (rounds + 1, 2, …): θ, then ψ, of each game.

    Example:
        >>> orbit(1.0, 0.0, rate=0.2, rounds=100).shape
        (101, 2)
    """
    point = np.asarray(theta, np.float64), np.asarray(psi, np.float64)
    path = [np.stack(point)]
    for _ in range(rounds):
        point = play_round(*point, rate, order, **game)
        path.append(np.stack(point))
    return np.stack(path)


def linearised(rate, order="alternating", **game):
    """Return the 2×2 matrix of one round near the equilibrium (0, 0), by central differences."""
    small = 1e-4
    starts = small * np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
    theta, psi = play_round(*starts, rate, order, **game)
    return np.array([[x[0] - x[1], x[2] - x[3]] for x in (theta, psi)]) / (2 * small)


def growth(rate, order="alternating", **game):
    """Return the largest |λ| of `linearised`: what a round multiplies small distances by."""
    return float(np.abs(np.linalg.eigvals(linearised(rate, order, **game))).max())


def verdict(path):
    """Say in two words where one game's path (rounds + 1, 2) goes.

    The distance from (0, 0) over the last tenth is compared with that at the start: "flies apart"
    above 1.15 of it, "circles" above 0.85, "creeps in" above 0.02, "settles" below.
    """
    distance = np.linalg.norm(path, axis=1)
    ratio = distance[-max(1, len(distance) // 10) :].mean() / distance[0]
    steps = ((1.15, "flies apart"), (0.85, "circles"), (0.02, "creeps in"))
    return next((words for least, words in steps if ratio > least), "settles")

"""The Dirac-GAN's phase portrait: predict the orbit, then press play.

An orbit is drawn in the plane of both players: to the right the generator's point θ, upwards the
discriminator's slope ψ, in grey where both want to go. Both should meet at (0, 0).
"""

import os

import numpy as np

from gan_keras.teaching.dirac import LOSSES, ORDERS, orbit, velocity, verdict
from gan_keras.teaching.show import BLUE, GREEN, GREY, ORANGE, STATIC, Picture, panels

COLOURS = {"flies apart": ORANGE, "circles": ORANGE, "creeps in": BLUE, "settles": GREEN}
STARTS = ((1.5, 0.0), (0.3, 0.0))  # far and near: the two are not always told the same
GAMES = {  # what the static figure shows, column by column
    "infinitely small steps": {"order": "continuous"},
    "both at once": {"order": "simultaneous"},
    "in turn": {"order": "alternating"},
    "in turn, R₁ with γ = 0.3": {"order": "alternating", "gamma": 0.3},
}


def draw_portrait(axes, paths, loss="non_saturating", gamma=0.0, extent=2.0, last=None):
    """Draw orbits over the field of what both players want.

    Args:
        axes: Of matplotlib.
        paths: Of `dirac.orbit`, each (rounds + 1, 2).
        loss: The generator's.
        gamma: Weight of R₁.
        extent: Half of the square's side.
        last: The last round that is drawn; None draws all.
    """
    side = np.linspace(-extent, extent, 15)
    theta, psi = np.meshgrid(side, side)
    right, up = velocity(theta, psi, loss, gamma)
    length = np.hypot(right, up)
    length[length == 0] = 1  # at the equilibrium nobody wants anything
    axes.quiver(theta, psi, right / length, up / length, color="#c9ccd0", width=0.004, scale=19)
    for path, colour in zip(paths, (ORANGE, BLUE), strict=False):
        shown = path[: None if last is None else last + 1]
        axes.plot(shown[:, 0], shown[:, 1], color=colour, linewidth=1.1)
        axes.plot(*shown[0], "o", markersize=5, markerfacecolor="white", color=colour)
        axes.plot(*shown[-1], "o", markersize=5, color=colour)
    axes.plot(0, 0, "+", color="black", markersize=9)
    axes.set(xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal")
    axes.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])


def all_portraits(rate=0.2, rounds=400):
    """Draw each loss in each of `GAMES`, every one from a far start and from a near one."""
    figure, axes = panels(len(LOSSES), len(GAMES), 9.6, 5.4, sharex=True, sharey=True)
    for row, loss in zip(axes, LOSSES, strict=True):
        for one, (name, game) in zip(row, GAMES.items(), strict=True):
            paths = [orbit(*start, rate, rounds, loss=loss, **game) for start in STARTS]
            draw_portrait(one, paths, loss, game.get("gamma", 0.0))
            words = [verdict(path) for path in paths]
            one.set_title(f"{name}\n{words[0]}; {words[1]}", fontsize=9)
        row[0].set_ylabel(f"{loss.replace('_', '-')}\nψ, the slope of D", fontsize=9)
    for one in axes[-1]:
        one.set_xlabel("θ, where G is", fontsize=9)
    return figure


def press_play(rate=0.2, rounds=400):
    """Let a reader choose a game, guess where its orbit goes, and press play.

    Args:
        rate: h, where the slider stands at first.
        rounds: How many are played.

    Returns:
        Widgets; or, while the notebook is built (the environment's GAN_KERAS_STATIC) and where
        ipywidgets is not installed, a `Picture` of all portraits.
    """
    try:
        if os.environ.get(STATIC):
            raise ImportError
        import ipywidgets
    except ImportError:
        words = "eight phase portraits: circles, spirals outwards, a limit circle, and settling"
        return Picture(all_portraits(rate, rounds), words)

    guess = ipywidgets.ToggleButtons(options=["?", *COLOURS], description="I predict")
    order = ipywidgets.Dropdown(options=ORDERS, value="simultaneous", description="steps")
    loss = ipywidgets.Dropdown(options=LOSSES, description="G's loss")
    gamma = ipywidgets.FloatSlider(value=0, min=0, max=2, step=0.1, description="γ of R₁")
    step = ipywidgets.FloatSlider(value=rate, min=0.05, max=1, step=0.05, description="rate h")
    start = ipywidgets.FloatSlider(value=1.5, min=0.1, max=1.9, step=0.1, description="start θ")
    clock = ipywidgets.Play(min=0, max=rounds, step=max(1, rounds // 80), interval=250)
    position = ipywidgets.IntSlider(min=0, max=rounds, description="round")
    ipywidgets.jslink((clock, "value"), (position, "value"))

    def drawn(guess, order, loss, gamma, step, start, position):
        from IPython.display import display

        path = orbit(start, 0.0, step, rounds, order, loss=loss, gamma=gamma)
        figure, axes = panels(1, 2, 9.0, 4.2, width_ratios=[1, 1.1])
        draw_portrait(axes[0], [path], loss, gamma, last=position)
        axes[0].set(xlabel="θ, where G is", ylabel="ψ, the slope of D")
        distance = np.linalg.norm(path, axis=1)
        axes[1].plot(distance[: position + 1], color=ORANGE)
        axes[1].axhline(distance[0], color=GREY, linestyle=":", linewidth=1)
        top = 1.1 * min(4.0, distance.max())
        axes[1].set(xlabel="round", ylabel="distance from (0, 0)", xlim=(0, rounds), ylim=(0, top))
        if position >= rounds - clock.step:
            found = verdict(path)
            heard = "" if guess == "?" else f" (you said: {guess})"
            axes[1].set_title(f"it {found}{heard}", color=COLOURS[found])
        display(Picture(figure, f"round {position} of the game"))

    knobs = {"guess": guess, "order": order, "loss": loss, "gamma": gamma, "step": step}
    knobs |= {"start": start, "position": position}
    settings = ipywidgets.VBox([loss, order, step, gamma, start])
    controls = ipywidgets.VBox([settings, guess, ipywidgets.HBox([clock, position])])
    return ipywidgets.VBox([controls, ipywidgets.interactive_output(drawn, knobs)])

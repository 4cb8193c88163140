"""Chapter 02's room: what the two losses say, and to whom; `chapter_02_game` is what it plays."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from gan_keras.losses.adversarial import generator_non_saturating, generator_saturating
from gan_keras.teaching.museum import Damage, unless
from gan_keras.teaching.museum.chapter_02_game import REAL, START, game
from gan_keras.teaching.show import BLUE, GREEN, GREY, ORANGE, panels


def one_tape():
    """Exhibit 4: in L_D + L_G of the min–max, what G wants and what D wants cancel."""

    def check(history):
        reached = float(history[:50, 2].max())
        return unless(
            reached > 1e-6,
            f"the longest gradient of G in 50 steps is {reached:.1g}: look whether its loss "
            "cancels against D's",
        )

    def saturating(real, fake):
        return generator_saturating(fake)

    broken = game(loss_g=saturating, joined=True)
    right = game(loss_g=saturating)
    other = game(joined=True)
    figure, axes = panels(1, 2, 8.4, 2.8)
    axes[0].axhline(REAL, color=GREY, linestyle=":", label="the data")
    for history, colour, label in (
        (right, GREEN, "a loss each (right)"),
        (broken, ORANGE, "one tape, min–max (broken)"),
        (other, BLUE, "one tape, non-saturating"),
    ):
        axes[0].plot(history[:, 0], color=colour, label=label)
        axes[1].plot(history[:, 4], color=colour)
    axes[0].set(xlabel="step", ylabel="θ, where G is")
    axes[0].legend(frameon=False, fontsize="small")
    axes[1].set(xlabel="step", ylabel="D's mean logit of G(z)")
    return Damage(
        float(broken[:50, 2].max()),
        float(right[:50, 2].max()),
        "L_D + L_G = −log D(x) − log(1 − D(G(z))) + log(1 − D(G(z))): the last two are one number "
        "with two signs. Nothing is left for G, and D hears of real points alone: all it can do is "
        f"to say 'real' louder (a mean logit of {broken[-1, 3]:.1f} after {len(broken)} steps). "
        "With −log D(G(z)) the sum does not cancel, and is as wrong: D is then paid for agreeing "
        "with G.",
        check(broken),
        check(right),
        "one *persistent* tape records both losses and each player's gradient is taken of its own: "
        "the right form of this exhibit does just that. What must not be shared is the sum.",
        figure,
    )


def saturating_loss():
    """Exhibit 7: where D says 10⁻⁴, the min–max's gradient for G is 10⁴ times too short."""

    def slope(loss, probability):
        logit = tf.constant([[np.log(probability) - np.log1p(-probability)]], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(logit)
            value = loss(logit)
        return abs(tape.gradient(value, logit).numpy().item())

    def check(loss):
        kept = slope(loss, 1e-4) / slope(loss, 0.5)
        return unless(
            kept > 0.1,
            f"where D is sure that an image is fake, its gradient is {kept:.0e} of what it is "
            "where D is in doubt: G learns least where it is worst; use −log D(G(z))",
        )

    def advance(loss, optimizer, steps=100):
        """Let G run for some steps from where a fixed D, 4.6x, says 10⁻⁴; return how far it got."""
        theta = keras.Variable(START)
        for _ in range(steps):
            with tf.GradientTape() as tape:
                value = loss(4.6 * ops.reshape(theta, (1, 1)))
            optimizer.apply([tape.gradient(value, theta.value)], [theta])
        return float(theta) - START

    losses = {"saturating": generator_saturating, "non-saturating": generator_non_saturating}
    far = {
        (name, kind): advance(loss, optimizer(1e-3))
        for name, loss in losses.items()
        for kind, optimizer in (("SGD", keras.optimizers.SGD), ("Adam", keras.optimizers.Adam))
    }
    figure, axes = panels(1, 2, 8.4, 2.8)
    odds = np.geomspace(1e-5, 0.999, 60)
    for (name, loss), colour in zip(losses.items(), (ORANGE, GREEN), strict=True):
        axes[0].loglog(odds, [slope(loss, p) for p in odds], color=colour, label=name)
        moved = [far[name, kind] for kind in ("SGD", "Adam")]
        at = np.arange(2) + (-0.2 if name == "saturating" else 0.2)
        axes[1].bar(at, moved, 0.36, color=colour)
        for x, value in zip(at, moved, strict=True):
            axes[1].text(x, value, f"{value:.2g}", ha="center", va="bottom", fontsize=8)
    axes[0].axvline(1e-4, color=GREY, linestyle=":")
    axes[0].set(xlabel="D(G(z))", ylabel="|∂L_G/∂a|")
    axes[0].legend(frameon=False, fontsize="small")
    axes[1].set_xticks([0, 1], ["SGD", "Adam"])
    axes[1].set_ylabel("how far G got in 100 steps", fontsize=9)
    starved, kept = (slope(loss, 1e-4) for loss in losses.values())
    return Damage(
        kept / starved,
        1.0,
        "Both losses pull the logit up, with weights σ(a) and 1 − σ(a). At D(G(z)) = 10⁻⁴, which D "
        f"reaches early, they are {starved:.0e} and {kept:.4f}: the saturating loss listens to the "
        "images that convince D already. The ratio is (1 − D)/D = e⁻ᵃ.",
        check(generator_saturating),
        check(generator_non_saturating),
        "every image is starved alike and Adam drives: it divides a gradient by its own size, so "
        f"here both losses moved G by {far['saturating', 'Adam']:.3f} and "
        f"{far['non-saturating', 'Adam']:.3f}, where plain gradient descent moved it by "
        f"{far['saturating', 'SGD']:.0e} and {far['non-saturating', 'SGD']:.2f}. What Adam cannot "
        "mend is which images a batch's gradient listens to.",
        figure,
    )


def wrong_target():
    """Exhibit 24: G trained towards label 0 is paid for being found out."""

    def found_out(real, fake):
        return keras.losses.BinaryCrossentropy(from_logits=True)(ops.zeros_like(fake), fake)

    def check(history):
        late = float(history[-100:, 1].mean())
        return unless(
            late > 0.05,
            f"over the last 100 steps D(G(z)) is {late:.1e} on average, and was "
            f"{history[0, 1]:.2f} at the start: G's loss went down and G got worse; its label is 1",
        )

    broken, right = game(loss_g=found_out), game()
    figure, axes = panels(1, 2, 8.4, 2.8)
    for history, colour, label in (
        (right, GREEN, "BCE(1, D(G(z))) (right)"),
        (broken, ORANGE, "BCE(0, D(G(z))) (broken)"),
    ):
        axes[0].plot(history[:, 0], color=colour, label=label)
        axes[1].plot(history[:, 1], color=colour)
    axes[0].axhline(REAL, color=GREY, linestyle=":", label="the data")
    axes[0].set(xlabel="step", ylabel="θ, where G is")
    axes[0].legend(frameon=False, fontsize="small")
    axes[1].set(xlabel="step", ylabel="D(G(z))", ylim=(0, 1))
    return Damage(
        float(broken[-100:, 1].mean()),
        float(right[-100:, 1].mean()),
        "The label in G's loss is what G *wants* D to say, not what is true. With label 0 both "
        "players want the same: G runs away from the data, its loss falls to 0, and the curves "
        "look like success. (Written on the image itself, BCE(G(z), 0), D is not even asked.)",
        check(broken),
        check(right),
        "",
        figure,
    )


def swapped_arguments():
    """Exhibit 25: Keras' losses take (y_true, y_pred); the other way round D hears of no fake."""
    on_logits = keras.losses.BinaryCrossentropy(from_logits=True)
    on_probabilities = keras.losses.BinaryCrossentropy()

    def swapped(real, fake):
        return on_logits(real, ops.ones_like(real)) + on_logits(fake, ops.zeros_like(fake))

    def in_order(real, fake):
        return on_logits(ops.ones_like(real), real) + on_logits(ops.zeros_like(fake), fake)

    def swapped_on_probabilities(real, fake):
        real, fake = ops.sigmoid(real), ops.sigmoid(fake)
        return on_probabilities(real, ops.ones_like(real)) + on_probabilities(
            fake, ops.zeros_like(fake)
        )

    def reaching(loss, logit=4.0):
        """Return the gradient that a generated image which D takes for real sends to its logit."""
        real, fake = tf.constant([[0.0]]), tf.constant([[logit]])
        with tf.GradientTape() as tape:
            tape.watch(fake)
            value = loss(real, fake)
        gradient = tape.gradient(value, fake)
        return 0.0 if gradient is None else abs(gradient.numpy().item())

    def check(loss):
        return unless(
            reaching(loss) > 0.5,
            f"a fake that D takes for real (logit 4) sends a gradient of {reaching(loss):.2g} to D "
            "instead of 0.98: the label is the first argument, the logit the second",
        )

    broken, right = game(swapped, steps=200), game(in_order, steps=200)
    figure, axes = panels(1, 2, 8.4, 2.8, sharey=True)
    for one, history, title in zip(axes, (broken, right), ("broken", "right"), strict=True):
        one.plot(history[:, 3], color=BLUE, label="real")
        one.plot(history[:, 4], color=ORANGE, label="generated")
        one.set(title=title, xlabel="step")
    axes[0].set_ylabel("D's mean logit")
    axes[0].legend(frameon=False)
    sure, unsure = (reaching(swapped_on_probabilities, a) for a in (4.0, 0.0))
    return Damage(
        reaching(swapped),
        reaching(in_order),
        "Read with the arguments exchanged the label is the logit and D's logit is the label: the "
        "loss of a fake is softplus(0) − 0·a, a constant, and that of a real image 1.31 − a, which "
        "has no end. D calls everything real, louder and louder: after 200 steps real points have "
        f"a mean logit of {broken[-1, 3]:.0f}, generated ones of {broken[-1, 4]:.0f}.",
        check(swapped),
        check(in_order),
        "D ends in a sigmoid and the loss takes probabilities: there the exchange gives 16.1·D, "
        "the logarithm that Keras clips at 10⁻⁷ taken for a weight. It still sorts real from "
        f"fake, but fades where D is most wrong: a gradient of {sure:.2f} at logit 4, of "
        f"{unsure:.2f} at 0.",
        figure,
    )


EXHIBITS = {4: one_tape, 7: saturating_loss, 24: wrong_target, 25: swapped_arguments}

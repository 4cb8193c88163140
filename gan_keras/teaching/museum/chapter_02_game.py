"""The GAN of chapter 02's room, as small as a GAN can be.

Real points are N(2, ½²); the generator adds the same noise to its one number θ, which starts at −2;
the discriminator is wx + b. It is played by plain gradient descent, so that nothing mends a
gradient on its way.
"""

import numpy as np
import tensorflow as tf

from gan_keras.losses.adversarial import discriminator_cross_entropy, generator_non_saturating

REAL, START, SPREAD = 2.0, -2.0, 0.5


def _points(step):
    """Return 64 real points and the noise of 64 generated ones, (64, 1) each."""
    draws = tf.random.stateless_normal((2, 64, 1), [7, step])
    return REAL + SPREAD * draws[0], SPREAD * draws[1]


def _non_saturating(real, fake):
    return generator_non_saturating(fake)


def game(
    loss_d=discriminator_cross_entropy, loss_g=_non_saturating, steps=400, rate=0.1, joined=False
):
    """Play the room's GAN.

    Args:
        loss_d: real logits, fake logits → D's loss.
        loss_g: real logits, fake logits → G's loss.
        steps: Rounds, both players at once; a multiple of 50.
        rate: Of gradient descent.
        joined: Whether both players follow the sum of both losses, from one tape.

    Returns:
        (steps, 5): θ, D(G(z)), the length of G's gradient, and the mean logits of real and
        of generated points, before each step.
    """
    player_d, player_g = tf.Variable([0.0, 0.0]), tf.Variable(START)

    @tf.function
    def play(start):
        seen = tf.TensorArray(tf.float32, 50)
        for step in tf.range(50):
            real, noise = _points(start + step)
            with tf.GradientTape(persistent=True) as tape:
                fake = player_g + noise
                on_real, on_fake = (player_d[0] * x + player_d[1] for x in (real, fake))
                by_d, by_g = loss_d(on_real, on_fake), loss_g(on_real, on_fake)
                total = by_d + by_g
            to_d = tape.gradient(total if joined else by_d, player_d)
            to_g = tape.gradient(total if joined else by_g, player_g)
            probability = tf.reduce_mean(tf.sigmoid(on_fake))
            means = tf.reduce_mean(on_real), tf.reduce_mean(on_fake)
            row = tf.stack([player_g, probability, tf.abs(to_g), *means])
            seen = seen.write(step, row)
            player_d.assign_sub(rate * to_d)
            player_g.assign_sub(rate * to_g)
        return seen.stack()

    return np.concatenate([play(tf.constant(start)) for start in range(0, steps, 50)])

r"""Penalties on a discriminator's gradient in its images.

======  ==========  ======================================================
D       `judge`     a function of images alone: labels, if any, are fixed
x̂       `images`    (B, …): where the slope is measured
∇D(x̂)   –           one gradient an image
======  ==========  ======================================================
"""

import tensorflow as tf


def _squared_slopes(judge, images):
    """Return ‖∇D(x̂)‖², float32 (B,)."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        values = judge(images)
    gradients = tf.cast(tape.gradient(values, images), tf.float32)
    return tf.reduce_sum(tf.square(gradients), axis=list(range(1, gradients.shape.rank)))


def one_centred_penalty(judge, images):
    r"""E (‖∇D(x̂)‖₂ − 1)²: WGAN-GP, Gulrajani et al. 2017, Eq. 3 without λ.

    Args:
        judge: images → (B, …) scores.
        images: (B, …), between real and generated ones.

    Returns:
        A float32 scalar ≥ 0, with a finite gradient even where ∇D is zero.
    """
    norms = tf.sqrt(_squared_slopes(judge, images) + 1e-12)
    return tf.reduce_mean(tf.square(norms - 1))


def zero_centred_penalty(judge, images):
    r"""½·E ‖∇D(x)‖²: R₁, Mescheder et al. 2018, Eq. 9 without γ.

    Args:
        judge: images → (B, …) logits.
        images: (B, …), real.

    Returns:
        A float32 scalar ≥ 0.
    """
    return 0.5 * tf.reduce_mean(_squared_slopes(judge, images))

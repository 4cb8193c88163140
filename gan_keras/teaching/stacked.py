r"""Layers and networks with a leading seed axis: S networks side by side as one.

======  ==================  ====================================================
S       `seeds`             how many networks make one
W       `kernel`            (S, inputs, units)
σ(W)    `norm`              (S, 1, 1), each seed's largest singular value
u       `self.direction`    (S, 1, units), unit length: σ's direction, estimated
v       `other`             (S, 1, inputs), its partner
x̂       `between`           (S, B, d), x + α(G(z) − x)
α       `positions`         (S, B, 1), uniform on [0, 1): one a point
======  ==================  ====================================================
"""

import keras
import tensorflow as tf
from keras import layers, ops

from gan_keras.layers.spectral_norm import unit

CRITIC, GENERATOR = range(2)  # players: each has its own initial weights


class StackedDense(layers.Layer):
    """One dense layer a seed: (S, B, inputs) → (S, B, units).

    Kernels start orthogonal, with gain √2 before a ReLU (Saxe et al. 2014; Metz et al. 2017,
    Appendix A, start so too); biases start at 0.

    Args:
        units: Outputs.
        keys: Integers, one a seed: its initial kernel is a function of its key alone.
        activation: A Keras activation.
        **kwargs: Passed to `keras.layers.Layer`.
    """

    def __init__(self, units, keys, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units, self.keys = units, tuple(keys)
        self.activation = keras.activations.get(activation)

    def _stack(self, initializer, **settings):
        def draw(shape, dtype=None):
            return ops.stack(
                [initializer(seed=key, **settings)(shape[1:], dtype) for key in self.keys]
            )

        return draw

    def build(self, input_shape):
        """Make kernel (S, inputs, units) and bias (S, 1, units)."""
        gain = 2**0.5 if self.activation is keras.activations.relu else 1.0
        self.kernel = self.add_weight(
            shape=(len(self.keys), input_shape[-1], self.units),
            initializer=self._stack(keras.initializers.Orthogonal, gain=gain),
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(len(self.keys), 1, self.units), initializer="zeros", name="bias"
        )

    def call(self, inputs):
        """Multiply, seed by seed."""
        return self.activation(ops.matmul(inputs, self.kernel) + self.bias)


class StackedSpectralDense(StackedDense):
    """The same with W/σ(W) for every seed: Miyato et al. 2018; see `layers.spectral_norm`."""

    def build(self, input_shape):
        """Add u."""
        super().build(input_shape)
        normal = self._stack(keras.initializers.RandomNormal)
        self.direction = self.add_weight(
            shape=(len(self.keys), 1, self.units),
            initializer=lambda *args, **kwargs: unit(normal(*args, **kwargs)),
            trainable=False,
            name="direction",
        )

    def power_iteration(self):
        """Move every seed's u one step towards its largest singular direction (Algorithm 1)."""
        other = unit(ops.einsum("siu,sou->soi", self.kernel, self.direction))  # v
        self.direction.assign(unit(ops.matmul(other, self.kernel)))

    def call(self, inputs):
        """Multiply by W/σ(W), σ(W) = vᵀWu with u and v held fixed."""
        image = ops.einsum("siu,sou->soi", self.kernel, self.direction)  # W u
        norm = ops.sum(ops.stop_gradient(unit(image)) * image, axis=-1, keepdims=True)
        kernel = self.kernel / ops.maximum(norm, 1e-12)
        return self.activation(ops.matmul(inputs, kernel) + self.bias)


def _build(layer, sizes, seeds, player):
    points = signal = keras.Input(batch_shape=(len(seeds), None, sizes[0]))
    for index, units in enumerate(sizes[1:], start=1):
        keys = [(int(seed) * 2 + player) * 16 + index for seed in seeds]
        activation = "relu" if index < len(sizes) - 1 else None
        signal = layer(units, keys, activation)(signal)  # (S, B, units)
    return keras.Model(points, signal)


def build_stacked_generator(seeds, latent_dim=2, hidden=(64, 64), dimension=2):
    """Latents (S, B, latent_dim) → dense + ReLU, … → dense → points (S, B, dimension)."""
    return _build(StackedDense, (latent_dim, *hidden, dimension), seeds, GENERATOR)


def build_stacked_discriminator(seeds, hidden=(64, 64), dimension=2):
    """Points (S, B, dimension) → dense + ReLU, … → dense → logits or scores (S, B, 1)."""
    return _build(StackedDense, (dimension, *hidden, 1), seeds, CRITIC)


def build_stacked_spectral_discriminator(seeds, hidden=(64, 64), dimension=2):
    """`build_stacked_discriminator` with every layer divided by its spectral norm."""
    return _build(StackedSpectralDense, (dimension, *hidden, 1), seeds, CRITIC)


def stacked_gradient_penalty(critic, real_points, fake_points, positions):
    r"""E (‖∇D(x̂)‖ − 1)², one mean a seed (Gulrajani et al. 2017, Eq. 3 without λ).

    Args:
        critic: points (S, B, d) → (S, B, 1).
        real_points: (S, B, d).
        fake_points: (S, B, d).
        positions: α, (S, B, 1).

    Returns:
        (S,) ≥ 0; its gradient is finite even where ∇D is zero.
    """
    between = real_points + positions * (fake_points - real_points)  # x̂
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(between)
        scores = critic(between)
    slopes = ops.sqrt(ops.sum(ops.square(tape.gradient(scores, between)), axis=-1) + 1e-12)
    return ops.mean(ops.square(slopes - 1), axis=-1)

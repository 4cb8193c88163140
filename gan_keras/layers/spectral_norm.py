r"""Spectral normalisation: Miyato et al. 2018, "Spectral Normalization for GANs".

======  ==================  =========================================================
W       `kernel`            a layer's weights, as a matrix (inputs, outputs)
σ(W)    `norm`              its largest singular value
u       `self.direction`    (outputs,), unit length: the layer's estimate of σ's direction
v       `other`             (inputs,), unit length: its partner
======  ==================  =========================================================

A layer computes with W/σ(W), so that it changes no distance by more than the norm of its operator
allows. For a convolution σ is that of the reshaped kernel (§2.2), a bound up to the square root of
the kernel's size.
"""

import keras
from keras import layers, ops


class _SpectralNorm:
    """What both layers share: one step of power iteration, and a kernel divided by its norm.

    `u` is the only state, and only `power_iteration` moves it: a forward pass never does. The
    gradient passes through σ(W) = vᵀWu with u and v held fixed (§2.1, Eq. 12), and is therefore
    orthogonal to W.
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.direction = self.add_weight(
            shape=(self.kernel.shape[-1],),
            dtype="float32",
            initializer=_unit_normal,
            trainable=False,
            autocast=False,  # bfloat16 would change its length
            name="direction",
        )

    def power_iteration(self):
        """Move u one step towards the largest singular direction (Algorithm 1)."""
        matrix = self._matrix(self.kernel)
        self.direction.assign(unit(ops.matmul(unit(ops.matmul(matrix, self.direction)), matrix)))

    def normalised(self, kernel):
        """Return W/σ(W)."""
        matrix = self._matrix(kernel)
        image = ops.matmul(matrix, self.direction)  # W u
        norm = ops.sum(ops.stop_gradient(unit(image)) * image)  # vᵀ W u
        return kernel / ops.cast(ops.maximum(norm, 1e-12), kernel.dtype)

    def save_own_variables(self, store):
        """Save u too: Keras' convolutions and dense layers save what they know by name."""
        super().save_own_variables(store)
        store["direction"] = self.direction

    def load_own_variables(self, store):
        """Load u too."""
        super().load_own_variables(store)
        self.direction.assign(store["direction"])

    @staticmethod
    def _matrix(kernel):
        return ops.reshape(ops.cast(kernel, "float32"), (-1, kernel.shape[-1]))


def unit(vectors):
    """Scale vectors, along their last axis, to length 1; zero stays zero."""
    return vectors / ops.maximum(ops.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _unit_normal(shape, dtype=None):
    return unit(keras.random.normal(shape, dtype=dtype))


@keras.saving.register_keras_serializable(package="gan_keras")
class SpectralConv2D(_SpectralNorm, layers.Conv2D):
    """`keras.layers.Conv2D` with its kernel divided by its spectral norm."""

    def convolution_op(self, inputs, kernel):
        """Convolve with W/σ(W)."""
        return super().convolution_op(inputs, self.normalised(kernel))


@keras.saving.register_keras_serializable(package="gan_keras")
class SpectralDense(_SpectralNorm, layers.Dense):
    """`keras.layers.Dense`, linear, with its kernel divided by its spectral norm."""

    def call(self, inputs, training=None):
        """Multiply by W/σ(W)."""
        outputs = ops.matmul(inputs, ops.cast(self.normalised(self.kernel), inputs.dtype))
        outputs = outputs + self.bias if self.use_bias else outputs
        return self.activation(outputs)


def power_iteration(network):
    """Let each spectrally normalised layer of a network refine its estimate by one step.

    An algorithm calls this once a discriminator update; networks without such layers ignore it.
    """
    for layer in network.layers:
        if hasattr(layer, "power_iteration"):
            layer.power_iteration()

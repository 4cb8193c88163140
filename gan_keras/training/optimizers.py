r"""Adam that reads and writes each weight once.

======  ==================  ===========================
θ       `variable`          a weight
g       `gradient`          of the loss
m, v    `mean`, `square`    running means of g and g²
t       `step`              from 1
======  ==================  ===========================
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="gan_keras")
class FusedAdam(keras.optimizers.Adam):
    r"""Keras' Adam, each weight's update being one operation where the backend is TensorFlow.

    m ← m + (1 − β₁)(g − m), v ← v + (1 − β₂)(g² − v), θ ← θ − α m / (√v + ε) with
    α = rate·√(1 − β₂ᵗ) / (1 − β₁ᵗ): Kingma & Ba 2015, §2, in the order of its last paragraph.
    Keras takes ten passes over memory for it, which small networks pay in calls and large ones
    in bandwidth. Arguments, variables and checkpoints are those of `keras.optimizers.Adam`.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Move one variable."""
        sparse = type(gradient).__name__ == "IndexedSlices"  # of an embedding's rows
        if keras.backend.backend() != "tensorflow" or sparse or self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        mean, square = self._momentums[index].value, self._velocities[index].value
        step = ops.cast(self.iterations + 1, variable.dtype)  # t
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.handle,
            v=square.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=ops.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=ops.cast(gradient, variable.dtype),
        )

"""Algorithms: Keras models with the `train_step` of the paper."""

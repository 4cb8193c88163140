"""What surrounds a training run: hardware, checkpoints, callbacks."""

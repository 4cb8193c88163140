"""Other colours for a photograph: what a small training set lacks."""

import math

import numpy as np


def vary_colours(image, generator):
    """Return the same picture in other colours.

    A network that saw few photographs trusts the relation of their channels: CDnCNN, trained on
    BSD's muted colours, is 0.8 dB behind FFDNet on McMaster's saturated ones, and level with it on
    BSD's own (Zhang et al. 2018, σ = 25). The channels are put in a random order and the distance
    of each to their mean is multiplied by 0.5 to 3, uniformly in its logarithm; 15 of 100 pictures
    become grey.

    Args:
        image: float32 (H, W, 3) in [-1, 1].
        generator: `numpy.random.Generator`.

    Returns:
        float32 (H, W, 3) in [-1, 1], clipped.
    """
    depth = math.exp(generator.uniform(math.log(0.5), math.log(3)))
    depth *= generator.random() >= 0.15
    mixing = np.full((3, 3), (1 - depth) / 3)
    mixing[generator.permutation(3), range(3)] += depth
    return np.clip(image @ mixing.astype(np.float32), -1, 1)

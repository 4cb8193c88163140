"""Other colours for a photograph: what a small training set lacks."""

import math

import numpy as np

from gan_keras.data.ranges import from_unit, to_unit


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


def tint_colours(image, generator):
    """Return the same picture in other colours, half of the time lit in two colours as well.

    Most files have their colours at half the resolution (JPEG's 4:2:0): a network that saw only
    such smooths fine colour away. A coloured light, as a coloured surface, multiplies the channels
    by what lies between 0.05 and 1, here dark and bright parts by two colours, so that what was
    detail of brightness becomes detail of colour.

    Args:
        image: float32 (H, W, 3) in [-1, 1].
        generator: `numpy.random.Generator`.

    Returns:
        float32 (H, W, 3) in [-1, 1], clipped.
    """
    image = vary_colours(image, generator)
    if generator.random() < 0.5:
        return image
    unit = to_unit(image)
    dark, bright = (tint / tint.max() for tint in generator.uniform(0.05, 1, (2, 3)))
    middle = generator.uniform(0.2, 0.8)
    share = 1 / (1 + np.exp((middle - unit.mean(-1, keepdims=True)) / 0.1))  # of the bright tint
    return from_unit(unit * (dark + (bright - dark) * share)).astype(np.float32)


RECOLOUR = {"colours": vary_colours, "tints": tint_colours}

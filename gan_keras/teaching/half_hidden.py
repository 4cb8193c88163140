r"""Half-hidden threes and eights: what is left of them fits both.

======  ============  ==========================================================
x       `target`      a 3 or an 8, (28, 28, 1) in [-1, 1]
y       `seen`        its right part; 0 where it is hidden
z       `dice`        (DICE,) from N(0, I), the same at every pixel
G(y,z)  `painted`     y where it is known, and a guess where not
======  ============  ==========================================================

`DigitWorld` is the exact form, a world of so many known digits, in which everything about the
posterior is a sum; `build_painter` and `build_judge` are the players who have to learn it.
"""

import keras
import numpy as np
from keras import layers
from scipy.special import softmax

from gan_keras.data.digits import load_digits
from gan_keras.data.epochs import EpochDataset
from gan_keras.data.ranges import from_uint8
from gan_keras.layers.spectral_norm import SpectralConv2D, SpectralDense

HIDDEN = 16  # columns, from the left
DICE = 4
KNOWN = np.broadcast_to(np.arange(28)[:, None] >= HIDDEN, (28, 28, 1))


def threes_and_eights(split="train"):
    """Return the threes and eights of mnist-5k.

    Args:
        split: "train" (400 of each) or "test" (100 of each).

    Returns:
        (images, labels): float32 (N, 28, 28, 1) in [-1, 1], threes first, and (N,).
    """
    images, labels = load_digits("mnist-5k", split)
    chosen = np.isin(labels, (3, 8))
    return from_uint8(images[chosen]), labels[chosen]


def _coarse(images):
    """Return the means of the 4×4 blocks of what is known, (N, 7, 3)."""
    known = np.reshape(images, (-1, 28, 28))[:, :, HIDDEN:]
    return known.reshape(-1, 7, 4, (28 - HIDDEN) // 4, 4).mean(axis=(2, 4))


def weighted_median(pictures, weights):
    """Return the median of each pixel: the least value up to which half of the weight lies.

    Args:
        pictures: (N, P).
        weights: (N,), of sum 1.

    Returns:
        (P,).
    """
    order = np.argsort(pictures, axis=0)
    reached = np.cumsum(weights[order], axis=0) >= 0.5
    return np.take_along_axis(pictures, order, 0)[reached.argmax(0), np.arange(pictures.shape[1])]


class DigitWorld:
    """A world in which nothing exists but these pictures, all equally probable.

    What is seen of one is the mean of each 4×4 block of its known part, with noise.

    Args:
        pictures: (N, 28, 28, 1) in [-1, 1].
        sigma: Standard deviation of the noise on a block, in the units of [-1, 1].
    """

    def __init__(self, pictures, sigma=0.3):
        self.pictures, self.sigma = pictures, sigma
        self._blocks = _coarse(pictures)

    def look(self, picture, generator):
        """Return what is seen of a picture, (28, 28, 1): noisy blocks, 0 where it is hidden."""
        blocks = _coarse(picture)[0]
        blocks = blocks + self.sigma * generator.standard_normal(blocks.shape)
        seen = np.zeros((28, 28, 1))
        seen[:, HIDDEN:, 0] = blocks.repeat(4, axis=0).repeat(4, axis=1)
        return seen

    def weights(self, seen):
        """Return the posterior probability of each picture, (N,): Bayes, with a uniform prior."""
        distances = np.square(self._blocks - _coarse(seen)).sum(axis=(1, 2))
        return softmax(-distances / (2 * self.sigma**2))

    def mean(self, seen):
        """Return the posterior mean, (28, 28, 1): the best guess for squared errors."""
        return np.tensordot(self.weights(seen), self.pictures, axes=1)

    def median(self, seen):
        """Return the posterior median of each pixel: the best guess for absolute errors."""
        values = self.pictures.reshape(len(self.pictures), -1)
        return weighted_median(values, self.weights(seen)).reshape(28, 28, 1)

    def draws(self, seen, count, generator):
        """Return draws from the posterior, (count, 28, 28, 1): pictures of the world."""
        return self.pictures[generator.choice(len(self.pictures), count, p=self.weights(seen))]


def with_dice(images, generator):
    """Hide what is hidden, and throw the dice.

    Args:
        images: (B, 28, 28, 1).
        generator: A NumPy generator.

    Returns:
        float32 (B, 28, 28, 1 + DICE): y, then z at every pixel.
    """
    dice = generator.standard_normal((len(images), 1, 1, DICE))
    seen = np.where(KNOWN, images, 0)
    everywhere = np.broadcast_to(dice, (len(images), 28, 28, DICE))
    return np.concatenate([seen, everywhere], axis=-1, dtype=np.float32)


class HalfHidden(EpochDataset):
    """Batches of ([y, z], x), each digit moved by at most a pixel, the dice thrown anew.

    Args:
        images: (N, 28, 28, 1) in [-1, 1].
        batch_size: Digits a batch.
        steps_per_epoch: Batches an epoch.
        seed: A batch is a pure function of (seed, epoch, index).
    """

    def __init__(self, images, batch_size=64, steps_per_epoch=100, seed=0):
        super().__init__()
        self.images, self.batch_size = images, batch_size
        self.steps_per_epoch, self.seed = steps_per_epoch, seed

    def __len__(self):
        return self.steps_per_epoch

    def __getitem__(self, index):
        draw = np.random.default_rng([self.seed, self.epoch, index])
        chosen = self.images[draw.integers(len(self.images), size=self.batch_size)]
        shifts = draw.integers(-1, 2, (self.batch_size, 2))
        target = np.stack([np.roll(x, s, (0, 1)) for x, s in zip(chosen, shifts, strict=True)])
        return with_dice(target, draw), target


def build_painter(filters=16):
    r"""Build a small generator for half-hidden digits; what is known it copies.

    ::

        y, z ─ Conv 4×4 /2 ─ Conv 4×4 /2 ─┬─ Dense ─ Dense ─ concat ─ ConvT 4×4 ×2 ─ ConvT 4×4 ×2
               (14, 14, f)   (7, 7, 2f)   └──────────────────┘        (14, 14, 2f)   (28, 28, 1)

    Args:
        filters: f above.

    Returns:
        A functional model: (B, 28, 28, 1 + DICE) → (B, 28, 28, 1) in [-1, 1].
    """
    inputs = keras.Input((28, 28, 1 + DICE))
    x = layers.Conv2D(filters, 4, 2, "same", activation="leaky_relu")(inputs)
    skip = layers.Conv2D(2 * filters, 4, 2, "same", activation="leaky_relu")(x)
    x = layers.Dense(16 * filters, activation="leaky_relu")(layers.Flatten()(skip))
    x = layers.Dense(49 * 2 * filters, activation="leaky_relu")(x)
    x = layers.Concatenate()([layers.Reshape((7, 7, 2 * filters))(x), skip])
    x = layers.Conv2DTranspose(2 * filters, 4, 2, "same", activation="leaky_relu")(x)
    x = layers.Conv2DTranspose(1, 4, 2, "same", activation="tanh", dtype="float32")(x)
    known = KNOWN[None].astype("float32")
    painted = inputs[..., :1] * known + x * (1 - known)
    return keras.Model(inputs, painted, name="painter")


def build_judge(filters=32):
    r"""Build a discriminator of (y, picture) that is not shown the dice.

    ::

        y, x ─ concat ─ [Conv 4×4 /2, LeakyReLU] × 3 ─ Dense ─ logit

    Its layers are spectrally normalised: without that it wins within a hundred updates, learns the
    800 digits by heart, and its gradient teaches nothing any more.

    Args:
        filters: Channels of the first convolution; the others have twice as many.

    Returns:
        A functional model: [(B, 28, 28, 1 + DICE), (B, 28, 28, 1)] → logits (B, 1).
    """
    inputs, image = keras.Input((28, 28, 1 + DICE)), keras.Input((28, 28, 1))
    x = layers.Concatenate()([inputs[..., :1], image])
    for width in (filters, 2 * filters, 2 * filters):
        x = SpectralConv2D(width, 4, 2, "same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    logits = SpectralDense(1, dtype="float32")(layers.Flatten()(x))
    return keras.Model([inputs, image], logits, name="judge")

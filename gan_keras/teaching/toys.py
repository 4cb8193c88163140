r"""Distributions small enough to plot whole, with exact densities, and what is exact about them.

======  ==========  =====================================================
p       `real`      a `GaussianMixture`, the data's
q       `fake`      another, the generator's
π       `prior`     share of real points among all that D sees
D*(x)   –           `best_discriminator`: πp(x) / (πp(x) + (1 − π)q(x))
σ       `sigma`     standard deviation of each component, in each direction
======  ==========  =====================================================

Everything is NumPy in float64 and works with log densities, so that D* stays finite where both
densities underflow.
"""

import math

import numpy as np
from scipy.special import expit, logsumexp


class GaussianMixture:
    """A mixture of isotropic Gaussians of one width.

    Args:
        means: (K, d) centres; (K,) is taken as d = 1.
        sigma: Standard deviation in each direction, > 0.
        weights: (K,) positive, any sum; equal by default.

    Raises:
        ValueError: `sigma` or a weight is not positive, or there is not one weight a mean.

    Example:
        >>> pair = GaussianMixture([-1.0, 1.0], sigma=0.5)
        >>> pair.sample(1000, seed=0).shape
        (1000, 1)
    """

    def __init__(self, means, sigma, weights=None):
        means = np.asarray(means, np.float64)
        self.means = means[:, None] if means.ndim == 1 else means
        self.sigma = float(sigma)
        weights = np.ones(len(means)) if weights is None else np.asarray(weights, np.float64)
        if not self.sigma > 0:
            raise ValueError(f"sigma is {sigma}: a density needs a positive one")
        if weights.shape != (len(means),) or not np.all(weights > 0):
            raise ValueError(f"weights {weights}: give {len(means)} positive numbers, one a mean")
        self.weights = weights / weights.sum()

    def sample(self, count, seed=0):
        """Draw float32 (count, d); `seed` is an integer or a NumPy `Generator`."""
        generator = np.random.default_rng(seed)
        component = generator.choice(len(self.means), count, p=self.weights)
        noise = generator.standard_normal((count, self.means.shape[1]))
        return (self.means[component] + self.sigma * noise).astype(np.float32)

    def log_density(self, points):
        """Return log p in nats, (…), of points (…, d)."""
        points = np.asarray(points, np.float64)
        dimension = self.means.shape[1]
        if points.shape[-1:] != (dimension,):
            raise ValueError(f"points of shape {points.shape}: the last axis must be {dimension}")
        squared = np.sum((points[..., None, :] - self.means) ** 2, axis=-1) / self.sigma**2
        constant = dimension * math.log(self.sigma * math.sqrt(2 * math.pi))
        return logsumexp(np.log(self.weights) - 0.5 * squared, axis=-1) - constant

    def density(self, points):
        """Return p, (…), of points (…, d)."""
        return np.exp(self.log_density(points))


def ring(modes=8, radius=2.0, sigma=0.02):
    """Set Gaussians evenly on a circle: Metz et al. 2017 (Unrolled GAN), Appendix A."""
    angles = 2 * math.pi * np.arange(modes) / modes
    return GaussianMixture(radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), sigma)


def spiral(turns=1.5, radius=2.0, sigma=0.05):
    """Lay a Gaussian pen's line along r ∝ angle, from the origin out to `radius`.

    The line is a mixture of centres at equal arc length, at most σ apart. The density then differs
    from the unbroken line's by a ripple of 2·exp(−2π²), less than 1e-8 of it, and is exact as the
    mixture that it is.

    Args:
        turns: How often it winds around, > 0.
        radius: Where it ends.
        sigma: Half-width of the line.
    """
    end = 2 * math.pi * turns
    angles = np.linspace(0, end, 10_000)
    speed = radius / end * np.sqrt(1 + angles**2)  # arc length per angle of r = radius · angle/end
    pieces = 0.5 * (speed[1:] + speed[:-1]) * np.diff(angles)
    length = np.concatenate([[0.0], np.cumsum(pieces)])
    evenly = np.linspace(0, length[-1], math.ceil(length[-1] / sigma) + 1)
    angles = np.interp(evenly, length, angles)
    outwards = radius * angles[:, None] / end
    return GaussianMixture(outwards * np.stack([np.cos(angles), np.sin(angles)], axis=1), sigma)


def best_logits(points, real, fake, prior=0.5):
    """Return the logit of D*, log(π p/((1 − π) q)), (…), of points (…, d).

    Args:
        points: (…, d).
        real: The data's `GaussianMixture`.
        fake: The generator's.
        prior: π in (0, 1): the share of real points in what D is trained on.

    Raises:
        ValueError: `prior` is not inside (0, 1).
    """
    if not 0 < prior < 1:
        raise ValueError(f"prior is {prior}: it is a share, inside (0, 1)")
    odds = math.log(prior) - math.log1p(-prior)
    return odds + real.log_density(points) - fake.log_density(points)


def best_discriminator(points, real, fake, prior=0.5):
    """Return D*(x) = πp/(πp + (1 − π)q), (…) in [0, 1], of points (…, d).

    Goodfellow et al. 2014, Proposition 1, has π = ½. The arguments are those of `best_logits`.

    Example:
        >>> float(best_discriminator([0.0], GaussianMixture([-1.0], 1), GaussianMixture([1.0], 1)))
        0.5
    """
    return expit(best_logits(points, real, fake, prior))


def mode_shares(samples, mixture, radius=3.0):
    """Return each mode's share of high-quality samples.

    A sample is of high quality if it lies within `radius` standard deviations of the nearest mean
    (Srivastava et al. 2017, VEEGAN, §5), and counts for that mean alone. The sum over modes is the
    share of high quality; for true samples in two dimensions it is 1 − exp(−9/2) = 0.989.

    Args:
        samples: (…, N, d).
        mixture: A `GaussianMixture` of K means.
        radius: In standard deviations.

    Returns:
        (…, K) in [0, 1], float64.
    """
    samples = np.asarray(samples, np.float64)
    squared = np.sum((samples[..., None, :] - mixture.means) ** 2, axis=-1)  # (…, N, K)
    nearest = np.argmin(squared, axis=-1)[..., None] == np.arange(len(mixture.means))
    return np.mean(nearest & (squared <= (radius * mixture.sigma) ** 2), axis=-2)


def modes_kept(shares, least=0.0125):
    """Count the modes that hold at least a share `least` of the samples: (…, K) → (…) integers.

    The field counts a mode with one high-quality sample among 2,500 (`least=1 / 2500`). That lets
    pass a mode which the generator only crosses on its way; by default a mode needs a tenth of an
    eighth, its fair share on the ring of eight.
    """
    return np.sum(np.asarray(shares) >= least, axis=-1)

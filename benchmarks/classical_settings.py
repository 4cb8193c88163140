"""Which settings of the classical denoisers do best at σ = 25, on the training photographs.

`restoration/classical.py` holds the winners, so that the rows of every table show each method at
its best over these grids; they are chosen without a look at the test photographs. Patch and window
sizes are those of scikit-image's documentation.
"""

import itertools

import numpy as np

from gan_keras.data.degradations import gaussian_noise
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import DATA_RANGE, from_uint8
from gan_keras.metrics.image_quality import psnr
from gan_keras.restoration import classical

SIGMA = 25
GRIDS = {
    "bilateral": tuple(itertools.product((0.2, 0.35, 0.5, 0.75, 1.0), (1.0, 1.5, 2.0, 3.0))),
    "non_local_means": ((0.4,), (0.5,), (0.6,), (0.7,), (0.8,)),
}


def main():
    """Print the mean PSNR of each setting, and mark the best of each method."""
    pairs = []
    for index, photograph in enumerate(Photographs(photo_paths("photos", "train"))):
        target = from_uint8(photograph[:256, :256])
        pairs.append((target, gaussian_noise(target, np.random.default_rng(index), sigma=SIGMA)))
    for name, grid in GRIDS.items():
        results = {}
        for setting in grid:
            scores = [
                psnr(
                    t[None],
                    np.clip(getattr(classical, name)(y, SIGMA, *setting), -1, 1)[None],
                    DATA_RANGE,
                )
                for t, y in pairs
            ]
            results[setting] = float(np.mean(scores))
        best = max(results, key=results.get)
        for setting, value in results.items():
            print(f"{name:16} {setting!s:14} {value:.2f} dB{'  <- best' * (setting == best)}")


if __name__ == "__main__":
    main()

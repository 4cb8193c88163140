"""`enhance` over a folder: what it takes does not grow with the number of photographs."""

import numpy as np
import pytest
from PIL import Image

PHOTOGRAPHS, WARM = 240, 80
ENHANCE = """
import sys
import psutil
from gan_keras.cli import main
from gan_keras.restoration.enhancer import Enhancer

megabytes, enhance_file = [], Enhancer.enhance_file

def watched(*arguments, **options):
    result = enhance_file(*arguments, **options)
    megabytes.append(psutil.Process().memory_info().rss / 2**20)
    return result

Enhancer.enhance_file = watched
status = main(["enhance", *sys.argv[1:]])
print(*megabytes)
sys.exit(status)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_photographs(tmp_path, restorer_file, run_python):
    """Of a camera's four sizes: oneDNN keeps up to 1,024 plans of its own, some for each size.

    A photograph and its restored like take 0.3 MB: kept, all would take 50 MB after the first 80.
    """
    generator, folder = np.random.default_rng(0), tmp_path / "photos"
    folder.mkdir()
    for index in range(PHOTOGRAPHS):
        sides = 200 + index % 4, 240 - index % 4
        pixels = generator.integers(0, 256, (*sides, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03}.bmp")
    arguments = folder, "--model", restorer_file, "--out", tmp_path / "out"
    result = run_python(ENHANCE, *arguments)
    assert result.returncode == 0, result.stderr
    megabytes = [float(word) for word in result.stdout.splitlines()[-1].split()]
    assert len(megabytes) == PHOTOGRAPHS == len(list((tmp_path / "out").iterdir()))
    assert max(megabytes[WARM:]) - max(megabytes[:WARM]) < 15

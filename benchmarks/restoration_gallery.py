"""Contact sheets of restored photographs at 100 % zoom, to judge by eye.

A sheet shows where the network does worst beside the best classic, and where it is as usual: for
each photograph the window with the lowest gain, and the one in the middle.
"""

import dataclasses
import json

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from gan_keras.data.ranges import DATA_RANGE, to_uint8
from gan_keras.plots import repeat_pixels

SIDE, ROWS, GAP, LINE = 160, 3, 8, 16  # pixels; rows of each kind


@dataclasses.dataclass(frozen=True)
class Window:
    """A piece of a photograph.

    Attributes:
        gain: PSNR of the network over that of the best classic, in dB.
        place: Photograph, top and left, in words.
        rival: The best classic's name, on the whole photograph.
        tiles: {method: uint8 (h, w, 3)}.
        quality: {method: PSNR in dB}; the original has none.
    """

    gain: float
    place: str
    rival: str
    tiles: dict
    quality: dict


class Gallery:
    """Collects windows of photographs, and draws them.

    Args:
        classics: Names of the classical methods; without any, doing nothing is the rival.
        ours: Names of the networks to show, fidelity first.
    """

    def __init__(self, classics, ours):
        self.classics, self.ours = list(classics) or ["do nothing"], list(ours)
        self.worst, self.usual = [], []

    def add(self, photograph, pictures):
        """Pick the windows of one photograph.

        Args:
            photograph: Its name.
            pictures: {method: float32 (H, W, 3) in [-1, 1]}, with "do nothing" and "target".
        """
        target = pictures["target"]
        errors = {k: np.square(v - target).mean(axis=2) for k, v in pictures.items()}
        rival = min(self.classics, key=lambda name: errors[name].mean())
        shown = list(dict.fromkeys(["do nothing", rival, *self.ours, "target"]))
        sides = target.shape[:2]
        corners = [
            (top, left)
            for top in range(0, max(sides[0] - SIDE, 0) + 1, SIDE // 2)
            for left in range(0, max(sides[1] - SIDE, 0) + 1, SIDE // 2)
        ]
        gains = []
        for top, left in corners:
            piece = np.s_[top : top + SIDE, left : left + SIDE]
            gains.append(_psnr(errors[self.ours[0]][piece]) - _psnr(errors[rival][piece]))
        order = np.argsort(gains)
        for chosen, index in ((self.worst, order[0]), (self.usual, order[len(order) // 2])):
            top, left = corners[index]
            piece = np.s_[top : top + SIDE, left : left + SIDE]
            tiles = {name: to_uint8(pictures[name][piece]) for name in shown}
            quality = {name: _psnr(errors[name][piece]) for name in shown if name != "target"}
            place = f"{photograph}, {top} down, {left} right"
            chosen.append(Window(float(gains[index]), place, rival, tiles, quality))

    def draw(self, path):
        """Write the sheet, as PNG or JPEG: the worst windows of all, then as many usual ones."""
        usual = sorted(self.usual, key=lambda window: window.gain)
        middle = max(0, (len(usual) - ROWS) // 2)
        rows = [("worst", w) for w in sorted(self.worst, key=lambda window: window.gain)[:ROWS]]
        rows += [("usual", w) for w in usual[middle : middle + ROWS]]
        columns = max(len(window.tiles) for _, window in rows)
        page = _Page(columns, len(rows), SIDE)
        for row, (kind, window) in enumerate(rows):
            ahead = f"{window.gain:+.1f} dB beside {window.rival}"
            page.title(row, f"{kind}: {window.place}; {self.ours[0]} {ahead}")
            for column, (name, tile) in enumerate(window.tiles.items()):
                known = name in window.quality
                lines = [name, f"{window.quality[name]:.1f} dB"] if known else ["original"]
                page.tile(row, column, tile, lines)
        page.save(path)

    def draw_blind(self, path, key_path, seed=0):
        """Write pairs without names, in shuffled order, enlarged twice; and apart, the key.

        A pair is both ends of the dial; where there is one end alone, it and the best classic.
        """
        generator = np.random.default_rng(seed)
        page, key = _Page(2, len(self.usual), 2 * SIDE), {}
        for row, index in enumerate(generator.permutation(len(self.usual))):
            window = self.usual[index]
            names = [self.ours[0], self.ours[-1] if len(self.ours) > 1 else window.rival]
            names = [names[i] for i in generator.permutation(2)]
            page.title(row, f"{row + 1}")
            for column, (letter, name) in enumerate(zip("AB", names, strict=True)):
                page.tile(row, column, repeat_pixels(window.tiles[name], 2), [letter])
            key[row + 1] = dict(zip("AB", names, strict=True)) | {"place": window.place}
        page.save(path)
        key_path.write_text(json.dumps(key, indent=1) + "\n")


class _Page:
    """A white page of rows of equal tiles, each row with a title, each tile with two lines."""

    def __init__(self, columns, rows, side):
        self.side, self.height = side, side + 3 * LINE + GAP
        size = columns * (side + GAP) + GAP, rows * self.height + GAP
        self.image = Image.new("RGB", size, "white")
        self.pen, self.font = ImageDraw.Draw(self.image), _font(11)

    def title(self, row, text):
        self.pen.text((GAP, GAP + row * self.height), text, "black", self.font)

    def tile(self, row, column, pixels, lines):
        left, top = GAP + column * (self.side + GAP), GAP + LINE + row * self.height
        self.image.paste(Image.fromarray(pixels), (left, top))
        for index, line in enumerate(lines):
            place = (left, top + self.side + index * LINE)
            self.pen.text(place, line, "black", self.font)

    def save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.image.save(path, quality=92, subsampling=0)  # of JPEG; PNG has no such settings


def _font(size):
    """Return a font that has σ and dashes."""
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)


def _psnr(errors):
    return 10 * np.log10(DATA_RANGE**2 / max(float(errors.mean()), 1e-10))

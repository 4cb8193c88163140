"""Parameters of degradations: a number within limits, or a pair (low, high) to draw from."""

import difflib
import math
import numbers

from gan_keras.errors import UserError

_LIMITS = {  # parameter -> lowest and highest value
    "sigma": (0, math.inf),
    "noise": (0, math.inf),
    "peak": (1, math.inf),
    "length": (0, math.inf),
    "angle": (-math.inf, math.inf),
    "factor": (1, math.inf),
    "quality": (1, 100),
    "fraction": (0, 1),
    "chance": (0, 1),
    "grey": (0, 1),
    "clipped": (0, 1),
    "undone": (0, 1),
    "count": (0, math.inf),
    "width": (0.25, math.inf),  # scratches are drawn on a grid of quarter pixels
    "exposure": (-20, 20),
}
_WHOLE = {"factor", "quality", "count"}  # take whole numbers
_FIXED = {"factor", "chance", "grey", "clipped", "undone"}  # no pairs: sizes, chances


def check_name(kind, name, valid):
    """Check that `name` is one of `valid`.

    Raises:
        UserError: It is not; the message says what `kind` of name it is, the nearest, and all.
    """
    if name not in valid:
        near = difflib.get_close_matches(str(name), valid, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"no {kind} {name!r}: {hint}valid: {', '.join(valid)}")


def check_value(name, value):
    """Check a parameter's value and return it as (low, high), equal where it is one number.

    Raises:
        UserError: Not a number, not whole where it must be, out of its limits, or low > high.
    """
    low, high = _LIMITS[name]
    pair = isinstance(value, tuple | list) and len(value) == 2 and name not in _FIXED
    ends = value if pair else (value, value)
    valid = all(
        isinstance(end, numbers.Real)
        and math.isfinite(end)
        and low <= end <= high
        and (name not in _WHOLE or end == int(end))
        for end in ends
    )
    if not valid or ends[0] > ends[1]:
        kind = "a whole number" if name in _WHOLE else "a number"
        more = "" if name in _FIXED else " or a pair (low, high)"
        raise UserError(f"{name}={value!r}: give {kind} from {low} to {high}{more}")
    return ends


def draw(generator, name, value):
    """Return a parameter's value, drawn uniformly from `generator` where it is a pair."""
    low, high = check_value(name, value)
    if name in _WHOLE:
        return int(generator.integers(low, high, endpoint=True) if low < high else low)
    return generator.uniform(low, high) if low < high else low

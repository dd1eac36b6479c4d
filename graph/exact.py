"""Integers that a float of 64 bits would round: names and times, mostly, that are no measures."""

from __future__ import annotations

from typing import Final

import numpy as np

from .op import Array

_LARGE: Final = 2**53
"""Up to here every integer is a float."""

ADVICE: Final = (
    "an integer of more than 53 bits, which floats round; leave its column out where it is a "
    "name, and where it is a measure count from the smallest, x - x.min()"
)


def rounded(integers: Array) -> tuple[int, ...] | None:
    """Where the first integer lies that is another number as a float; None where none is."""
    if integers.dtype.kind not in "iu" or integers.dtype.itemsize < 8 or not integers.size:
        return None
    if integers.max() <= _LARGE and integers.min() >= -_LARGE:
        return None
    for place in np.argwhere((integers > _LARGE) | (integers < -_LARGE)).tolist():
        number = int(integers[tuple(place)])
        if int(float(number)) != number:
            return tuple(place)
    return None

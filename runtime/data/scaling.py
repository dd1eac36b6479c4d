"""How features are scaled before the first layer: by what their training part tells."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ...graph import Array

_CHUNK: Final = 1024
"""How many rows are held as f64 at a time."""


class Scaling(NamedTuple):
    """(x - mean) inverse: `mean` f64[features]; `inverse` f64[features], or f64[] for all."""

    mean: Array
    inverse: Array


def standardizing(x: Array, pixels: bool) -> Scaling:
    """The scaling that gives the rows x [n,features] mean 0 and variance 1.

    Each feature has a deviation of its own, but pixels share one, of all of them: that of a
    border pixel, which hardly ever changes, would make the noise in it as large as the image.
    A feature that never changes stays 0.
    """
    mean = x.mean(axis=0, dtype=np.float64)
    variance = np.zeros_like(mean)
    for start in range(0, len(x), _CHUNK):
        variance += np.square(x[start : start + _CHUNK] - mean).sum(axis=0)
    variance /= len(x)
    if pixels:
        variance = variance.mean()
    deviation = np.sqrt(variance)
    return Scaling(mean, 1.0 / np.where(deviation > 0, deviation, 1.0))

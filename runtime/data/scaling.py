"""How features are scaled before the first layer: by what their training part tells."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, Node, constant
from ...ops import cast, multiply, subtract
from .moments import moments
from .rows import Rows, blocks

_ERROR: Final = 1e-3
"""By what part of its deviation a feature may be rounded where it is read."""
_LAST_BITS: Final = 8
"""How many times the last bit a number may be off after a few operations, or a long sum."""


class Scaling(NamedTuple):
    """(x - mean) inverse: `mean` f64[features]; `inverse` f64[features], or f64[] for all.

    `dtype` is the one to read x in: f64 where a feature varies by little beside its size, as
    times do, or is no number of f32; else f32.
    """

    mean: Array
    inverse: Array
    dtype: str

    def of(self, x: Node) -> Node:
        """The features f32[N,features] of an input x that is declared in `dtype`, as a part of the
        graph, so that a program predicts from features as they are."""
        mean = constant(self.mean, self.dtype, name="mean")
        inverse = constant(self.inverse, self.dtype, name="inverse_deviation")
        scaled = multiply(subtract(x, mean, name="centred"), inverse, name="scaled")
        return scaled if self.dtype == "f32" else cast(scaled, "f32")


def standardizing(x: Array | Rows, pixels: bool) -> Scaling:
    """The scaling that gives the rows x [n,features] mean 0 and variance 1.

    Each feature has a deviation of its own, but pixels share one, of all of them: that of a
    border pixel, which hardly ever changes, would make the noise in it as large as the image.
    A feature that never changes stays 0. One that changes by no more than its size is rounded
    by where it was computed, or than the least normal number, is no signal and stays near 0:
    divided by so small a deviation, any other value would be huge. Both are measured by their
    size.
    """
    measured = moments(x)
    deviation = measured.relative * measured.unit
    varies = _exceeds_rounding(x, measured.relative) & (deviation >= np.finfo(np.float64).tiny)
    if pixels:
        deviation = np.sqrt(np.square(deviation).mean())
        inverse = 1.0 / np.where(deviation > 0, deviation, 1.0)
    else:
        inverse = 1.0 / np.where(varies, deviation, np.maximum(measured.size, 1.0))
    return Scaling(measured.mean, inverse, _read_in(measured.size, inverse, varies))


def _exceeds_rounding(x: Array | Rows, relative: Array) -> Array:
    """Whether each feature's deviation, beside its size, is more than rounding makes.

    What is kept in 16 bits or as integers is measured to the last of them, and whole numbers are
    not rounded; of others, the last bits may differ from row to row.
    """
    eps = float(np.finfo(np.float32 if x.dtype == np.float32 else np.float64).eps)
    exceeds = relative > eps
    small = np.flatnonzero(exceeds & (relative <= _LAST_BITS * eps))
    if small.size:
        exceeds[small] = np.all([_whole(block[:, small]) for block in blocks(x)], axis=0)
    return exceeds


def _whole(x: Array) -> Array:
    """Whether all numbers of each column are whole, save those that are missing."""
    found: Array = ((x == np.floor(x)) | np.isnan(x)).all(axis=0)
    return found


def _read_in(size: Array, inverse: Array, varies: Array) -> str:
    """f32 where that holds what varies to a small part of its deviation, and the rest at all."""
    f32 = np.finfo(np.float32)
    error = np.where(varies, size * (f32.eps / 2) * inverse, 0.0)
    fine = (error <= _ERROR) & (size <= f32.max) & (inverse <= 1 / f32.tiny)
    return "f32" if fine.all() else "f64"

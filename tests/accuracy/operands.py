"""Operands on which ops of several are tried, drawn in numbers that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from .points import pairs, points
from .units import DTYPES

Arrays = list[np.ndarray]
Draw = Callable[[str, int, np.random.Generator], Arrays]

CLASSES: Final = 33


def two(dtype: str, count: int, rng: np.random.Generator) -> Arrays:
    """Two numbers of any size."""
    return list(pairs(dtype, count, rng))


def quotients(dtype: str, count: int, rng: np.random.Generator) -> Arrays:
    """The same, of which the second is not 0."""
    a, b = pairs(dtype, count, rng)
    return [a, np.where(b == 0, 1, b).astype(b.dtype)]


def powers(dtype: str, count: int, rng: np.random.Generator) -> Arrays:
    """Positive numbers, half of them near 1, and exponents whose powers are numbers, mostly."""
    kind = DTYPES[dtype]
    a = np.abs(rng.choice(points(dtype, 2), count).astype(float))
    a[a == 0] = 1
    near = 1 + rng.standard_normal(count) * 10.0 ** -rng.integers(1, 6, count)
    a[: count // 2] = np.abs(near[: count // 2])
    a = a.astype(kind)
    most = np.log(float(np.finfo(kind).max)) / np.maximum(abs(np.log(a.astype(float))), 1e-5)
    b = rng.uniform(-1, 1, count) * most
    b[::5] = np.round(b[::5])
    return [a, b.astype(kind)]


def normal(*shapes: tuple[int, ...], scalars: int = 0) -> Draw:
    """Normal numbers of mixed sizes, with `0` for how many are asked for, and positive scalars."""

    def draw(dtype: str, count: int, rng: np.random.Generator) -> Arrays:
        arrays = []
        for shape in shapes:
            size = tuple(count if n == 0 else n for n in shape)
            x = rng.standard_normal(size) * 2.0 ** rng.integers(-6, 7, size)
            arrays.append(x.astype(DTYPES[dtype]))
        more = [np.asarray(rng.uniform(0.01, 2), DTYPES[dtype]) for _ in range(scalars)]
        return [*arrays, *more]

    return draw


def positive(draw: Draw, *which: int) -> Draw:
    """The same operands, some of them positive."""

    def drawn(dtype: str, count: int, rng: np.random.Generator) -> Arrays:
        arrays = draw(dtype, count, rng)
        return [np.abs(a) if i in which else a for i, a in enumerate(arrays)]

    return drawn


def labelled(dtype: str, count: int, rng: np.random.Generator) -> Arrays:
    """Scores of either sign, in some rows far apart, and a label for each row."""
    (scores,) = normal((0, CLASSES))(dtype, count, rng)
    scores[::3] /= 16
    return [scores, rng.integers(0, CLASSES, count)]


def likelihoods(dtype: str, count: int, rng: np.random.Generator) -> Arrays:
    """Logarithms of shares, the flat place of a label in each row, and what flows back to it."""
    scores, labels = labelled("f64", count, rng)
    top = scores.max(axis=1, keepdims=True)
    logs = scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
    flowing = rng.standard_normal(count).astype(DTYPES[dtype])
    return [logs.astype(DTYPES[dtype]), CLASSES * np.arange(count) + labels, flowing]


def logits(dtype: str, count: int, rng: np.random.Generator) -> Arrays:
    """Logits, and probabilities, some of which are 0 and 1."""
    (x,) = normal((0, 9))(dtype, count, rng)
    t = np.clip(rng.uniform(-0.2, 1.2, x.shape), 0, 1)
    return [x, t.astype(x.dtype)]


def rates(dtype: str, count: int, rng: np.random.Generator) -> Arrays:
    """Logarithms of rates, and counts."""
    kind = DTYPES[dtype]
    return [rng.normal(0, 2, (count, 9)).astype(kind), rng.poisson(3, (count, 9)).astype(kind)]

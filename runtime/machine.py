"""What this machine's NumPy takes, measured here and now: the rates behind predicted times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np

from ..graph import Array, Product
from .aligned import aligned_bytes

# Squares, and the shapes of layers: batch by features, few classes, the gradients of weights.
_PRODUCTS: Final = (
    (32, 32, 10), (32, 64, 32), (100, 100, 10), (100, 10, 100), (100, 100, 100), (64, 128, 128),
    (128, 512, 10), (128, 10, 512), (100, 1024, 100), (512, 128, 128), (128, 512, 256),
    (256, 10, 2048), (256, 2048, 10), (512, 512, 512),
)  # fmt: skip
_LAYOUTS: Final = ((False, False), (True, False), (False, True))
_PIECE: Final = 16_384
"""Elements that stay in the cache, of which three arrays are read and written there."""
_ROWS: Final = 128
_AGAIN: Final = 16
_SMALLEST, _LARGEST, _GROWTH = 1 << 18, 1 << 27, 8

Probe = Callable[[], object]


class Machine(NamedTuple):
    """Seconds of a call, of another behind it, of a row that is reduced, of an operation on an
    element in cache, of an element that is squared and summed, and of what products are made of.

    `products` holds for each layout, whether a and b are read transposed, the seconds of a call
    and of one element of rows x inner x columns, rows x inner, inner x columns and rows x columns.
    `bandwidths` are pairs of a footprint and the bytes a second that pass where so many were moved
    since they were last in use.
    """

    call: float
    again: float
    row: float
    element: float
    squared: float
    products: dict[tuple[bool, bool], tuple[float, ...]]
    bandwidths: tuple[tuple[int, float], ...]

    def product(self, p: Product) -> float:
        """The seconds of a matrix product."""
        if p.of_vectors:
            return self.call + p.inner * self.squared
        layout = (p.transpose_a and not p.transpose_b, p.transpose_b)
        return float(np.dot(self.products[layout], _features(*p[:3])))

    def moved(self, nbytes: int, distance: int) -> float:
        """The seconds of bytes that were in use before `distance` others were moved."""
        footprints, rates = zip(*self.bandwidths, strict=True)
        rate = np.interp(np.log(max(distance, 1)), np.log(footprints), np.log(rates))
        return nbytes / float(np.exp(rate))


class Calibration:
    """Probes of the machine, timed one after another in rounds between which others may work."""

    def __init__(self, dtype: np.dtype[np.generic], footprint: int) -> None:
        self._probes = dict(_probes(dtype, footprint))
        self._times: dict[object, list[float]] = {key: [] for key in self._probes}

    def round(self) -> None:
        """Times each probe once, after a run that is not timed."""
        for key, probe in self._probes.items():
            probe()
            start = perf_counter()
            probe()
            self._times[key].append(perf_counter() - start)

    def machine(self) -> Machine:
        """What the rounds have found."""
        found = {key: typical(times) for key, times in self._times.items()}
        products = {}
        for layout in _LAYOUTS:
            measured = [found[layout, shape] for shape in _PRODUCTS]
            products[layout] = _fitted([_features(*shape) for shape in _PRODUCTS], measured)
        bandwidths = [(key, key / t) for key, t in found.items() if isinstance(key, int)]
        call = (found["call"] + found["reduce"]) / 2
        again = min(call, found["calls"] / _AGAIN)
        element = (found["vectors"] + found["scaled"]) / (2 * _PIECE)
        reduced = [found[key] - found["reduce"] for key in ("sums", "maxima", "columns")]
        squared = found["squares"] / (4 * _PIECE)
        row = max(0.0, sum(reduced) / (3 * _ROWS))
        return Machine(call, again, row, element, squared, products, tuple(bandwidths))


def typical(times: Sequence[float]) -> float:
    """The lower quartile: what else the machine does makes times longer, and never shorter."""
    return sorted(times)[(len(times) - 1) // 4]


def _probes(dtype: np.dtype[np.generic], footprint: int) -> Iterable[tuple[object, Probe]]:
    def multiply(n: int, scaled: bool = False) -> Probe:
        a, out = _ones(n, dtype), _ones(n, dtype)
        b: Array = np.ones((), dtype) if scaled else _ones(n, dtype)
        return lambda: np.multiply(a, b, out=out)

    few, rows = np.ones(8, dtype), np.ones((_ROWS, 10), dtype)
    column, columns = np.ones((_ROWS, 1), dtype), np.ones(10, dtype)
    many, once = _ones(4 * _PIECE, dtype), multiply(8)

    def often() -> None:
        for _ in range(_AGAIN):
            once()

    yield "call", once
    yield "calls", often
    yield "reduce", lambda: np.add.reduce(few)
    yield "squares", lambda: np.dot(many, many)
    yield "sums", lambda: np.add.reduce(rows, axis=-1, keepdims=True, out=column)
    yield "maxima", lambda: np.maximum.reduce(rows, axis=-1, keepdims=True, out=column)
    yield "columns", lambda: np.add.reduce(rows, axis=0, out=columns)
    yield "vectors", multiply(_PIECE)
    yield "scaled", multiply(_PIECE, scaled=True)
    size = _SMALLEST
    while True:
        yield size, multiply(size // (3 * dtype.itemsize))
        if size >= min(footprint, _LARGEST):
            break
        size *= _GROWTH
    for layout in _LAYOUTS:
        for shape in _PRODUCTS:
            yield (layout, shape), _multiplied(dtype, *shape, *layout)


def _ones(n: int, dtype: np.dtype[np.generic]) -> Array:
    """Ones that begin where a cache line does, as all buffers of a plan do."""
    array = aligned_bytes(n * dtype.itemsize).view(dtype)
    array.fill(1)
    return array


def _multiplied(
    dtype: np.dtype[np.generic], m: int, k: int, p: int, transpose_a: bool, transpose_b: bool
) -> Probe:
    a: Array = np.ones((k, m), dtype).T if transpose_a else np.ones((m, k), dtype)
    b: Array = np.ones((p, k), dtype).T if transpose_b else np.ones((k, p), dtype)
    out = np.empty((m, p), dtype)
    return lambda: np.dot(a, b, out=out)


def _features(m: int, k: int, p: int) -> tuple[float, ...]:
    return 1.0, m * k * p, m * k, k * p, m * p


def _fitted(features: list[tuple[float, ...]], seconds: list[float]) -> tuple[float, ...]:
    """Coefficients from 0 with the least relative errors in squares; negative ones are left out."""
    a = np.array(features) / np.array(seconds)[:, None]
    kept = list(range(a.shape[1]))
    while True:
        found = np.linalg.lstsq(a[:, kept], np.ones(len(a)), rcond=None)[0]
        if found.min() >= 0:
            break
        kept.pop(int(found.argmin()))
    coefficients = np.zeros(a.shape[1])
    coefficients[kept] = found
    return tuple(map(float, coefficients))

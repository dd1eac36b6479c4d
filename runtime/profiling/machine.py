"""What this machine's NumPy takes, measured here and now: the rates behind predicted times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, Product
from ...ops import Axpy
from ...ops.dropout import DropoutMask
from ..backends.backend import Prepare
from ..backends.tracing import Call
from ..planning.buffers import aligned_bytes

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
_CHAIN: Final = 8
_WARM: Final = 2
"""Runs before one is timed. After one alone, not all is where step after step finds it."""
_NAMES: Final = {"f4": "f32", "f8": "f64"}
_LEAST: Final = 5e-8
"""Seconds that a probe takes at least, when what it takes to start one has been taken off."""
_SMALLEST, _LARGEST, _GROWTH = 1 << 18, 1 << 27, 8


class Machine(NamedTuple):
    """Seconds of a call, of another behind it, of a row that is reduced, of an operation on an
    element in cache, of an element that is squared and summed, of one that is drawn at random, of
    one that is converted to another type, and of what products are made of.

    `products` holds for each layout, whether a and b are read transposed, the seconds of a call
    and of one element of rows x inner x columns, rows x inner, inner x columns and rows x columns.
    `bandwidths` are pairs of a footprint and the bytes a second that pass where so many were moved
    since they were last in use; `added` are the same where a multiple is added by the BLAS.
    """

    call: float
    again: float
    row: float
    element: float
    squared: float
    drawn: float
    cast: float
    products: dict[tuple[bool, bool], tuple[float, ...]]
    bandwidths: tuple[tuple[int, float], ...]
    added: tuple[tuple[int, float], ...]

    def product(self, p: Product) -> float:
        """The seconds of a matrix product."""
        if p.of_vectors:
            return self.call + p.inner * self.squared
        layout = (p.transpose_a and not p.transpose_b, p.transpose_b)
        return float(np.dot(self.products[layout], _features(*p[:3])))

    def moved(self, nbytes: int, distance: int, *, added: bool = False) -> float:
        """The seconds of bytes that were in use before `distance` others were moved."""
        footprints, rates = zip(*(self.added if added else self.bandwidths), strict=True)
        rate = np.interp(np.log(max(distance, 1)), np.log(footprints), np.log(rates))
        return nbytes / float(np.exp(rate))


class Calibration:
    """Probes of the machine, timed one after another in rounds between which others may work.

    `prepare` makes calls of NumPy what a backend makes of them, in a function that runs them.
    """

    def __init__(
        self,
        dtype: np.dtype[np.generic],
        footprint: int,
        prepare: Prepare,
    ) -> None:
        self._probes = {key: prepare(calls) for key, calls in _probes(dtype, footprint)}
        self._times: dict[object, list[float]] = {key: [] for key in self._probes}

    def round(self) -> None:
        """Times each probe once, after runs that are not timed."""
        for key, probe in self._probes.items():
            for _ in range(_WARM):
                probe()
            start = perf_counter()
            probe()
            self._times[key].append(perf_counter() - start)

    def machine(self) -> Machine:
        """What the rounds have found."""
        took = {key: typical(times) for key, times in self._times.items()}
        del took["nothing"]
        nothing = min(self._times["nothing"])
        took = {key: max(_LEAST, t - nothing) for key, t in took.items()}
        products = {}
        for layout in _LAYOUTS:
            measured = [took[layout, shape] for shape in _PRODUCTS]
            products[layout] = _fitted([_features(*shape) for shape in _PRODUCTS], measured)
        # Half as many bytes take half the time, but for what it takes several threads to begin.
        begin = max(0.0, 2 * took["half"] - took[_SMALLEST])
        sizes = [key for key in took if isinstance(key, int)]
        bandwidths = [(size, size / max(_LEAST, took[size] - begin)) for size in sizes]
        # What is added to is read and written.
        added = [(size, 1.5 * size / took["added", size]) for size in sizes]
        call = (took["call"] + took["reduce"]) / 2
        again = min(call, took["calls"] / _AGAIN)
        more = [took["chain", scaled] - took["one", scaled] for scaled in (False, True)]
        element = sum([max(_LEAST, t) for t in more]) / (2 * (_CHAIN - 1) * _PIECE)
        reduced = [took[key] - took["reduce"] for key in ("sums", "maxima", "columns")]
        squared, drawn = took["squares"] / (4 * _PIECE), took["mask"] / _PIECE
        cast = max(0.0, took["cast"] - took["one", False]) / _PIECE
        row = max(0.0, sum(reduced) / (3 * _ROWS))
        rates = call, again, row, element, squared, drawn, cast
        return Machine(*rates, products, tuple(bandwidths), tuple(added))


def typical(times: Sequence[float]) -> float:
    """The lower quartile: what else the machine does makes times longer, and never shorter."""
    return sorted(times)[(len(times) - 1) // 4]


def _probes(dtype: np.dtype[np.generic], footprint: int) -> Iterable[tuple[object, Sequence[Call]]]:
    def multiply(n: int, scaled: bool = False) -> Call:
        a, out = _ones(n, dtype), _ones(n, dtype)
        b: Array = np.ones((), dtype) if scaled else _ones(n, dtype)
        return Call(np.multiply, (a, b), {"out": out})

    def chained(scaled: bool) -> Sequence[Call]:
        """Operations on the same elements, as a group makes them."""
        first = multiply(_PIECE, scaled)
        out, (_, b) = first.keywords["out"], first.arguments
        return [first, *[Call(np.multiply, (out, b), {"out": out})] * (_CHAIN - 1)]

    def reduced(ufunc: np.ufunc, a: Array, axis: int | None, out: Array) -> Sequence[Call]:
        kept = {"keepdims": True} if out.ndim == a.ndim else {}
        return [Call(ufunc.reduce, (a,), {"axis": axis, "out": out, **kept})]

    def multiple(n: int) -> Call:
        y, x, little = _ones(n, dtype), _ones(n, dtype), np.full((), 1e-30, dtype)  # of 0, no work
        return Call(Axpy().run, (y, x, little), {"out": y})

    few, rows = np.ones(8, dtype), np.ones((_ROWS, 10), dtype)
    column, columns, one = np.ones((_ROWS, 1), dtype), np.ones(10, dtype), np.ones((), dtype)
    many, once = _ones(4 * _PIECE, dtype), multiply(8)
    yield "call", [once]
    yield "calls", [once] * _AGAIN
    yield "reduce", reduced(np.add, few, None, one)
    yield "squares", [Call(np.dot, (many, many), {"out": one})]
    yield "sums", reduced(np.add, rows, -1, column)
    yield "maxima", reduced(np.maximum, rows, -1, column)
    yield "columns", reduced(np.add, rows, 0, columns)
    drawing = DropoutMask("probe", 0.5, (_PIECE,), 2.0, dtype=_NAMES[dtype.str[1:]])
    yield "mask", [Call(drawing.run, (np.array(0),), {"out": _ones(_PIECE, dtype)})]
    bits = _ones(_PIECE, dtype).view(f"i{dtype.itemsize}")
    yield "cast", [Call(np.multiply, (bits, np.ones(_PIECE, np.bool_)), {"out": bits})]
    yield "nothing", []
    for scaled in (False, True):
        chain = chained(scaled)
        yield ("one", scaled), chain[:1]
        yield ("chain", scaled), chain
    size = _SMALLEST
    yield "half", [multiply(size // (6 * dtype.itemsize))]
    while True:
        yield size, [multiply(size // (3 * dtype.itemsize))]
        yield ("added", size), [multiple(size // (2 * dtype.itemsize))]
        if size >= min(footprint, _LARGEST):
            break
        size *= _GROWTH
    for layout in _LAYOUTS:
        for shape in _PRODUCTS:
            yield (layout, shape), [_multiplied(dtype, *shape, *layout)]


def _ones(n: int, dtype: np.dtype[np.generic]) -> Array:
    """Ones that begin where a cache line does, as all buffers of a plan do."""
    array = aligned_bytes(n * dtype.itemsize).view(dtype)
    array.fill(1)
    return array


def _multiplied(
    dtype: np.dtype[np.generic], m: int, k: int, p: int, transpose_a: bool, transpose_b: bool
) -> Call:
    a: Array = np.ones((k, m), dtype).T if transpose_a else np.ones((m, k), dtype)
    b: Array = np.ones((p, k), dtype).T if transpose_b else np.ones((k, p), dtype)
    out = np.empty((m, p), dtype)
    return Call(np.dot, (a, b), {"out": out})


def _features(m: int, k: int, p: int) -> tuple[float, ...]:
    return 1.0, m * k * p, m * k, k * p, m * p


def _fitted(features: list[tuple[float, ...]], seconds: list[float]) -> tuple[float, ...]:
    """Coefficients from 0 with the least relative errors in squares; negative ones are left out."""
    a = np.array(features) / np.array(seconds)[:, None]
    kept = list(range(a.shape[1]))
    while True:
        solution = np.linalg.lstsq(a[:, kept], np.ones(len(a)), rcond=None)[0]
        if solution.min() >= 0:
            break
        kept.pop(int(solution.argmin()))
    coefficients = np.zeros(a.shape[1])
    coefficients[kept] = solution
    return tuple(map(float, coefficients))

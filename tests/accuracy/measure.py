"""What the ops are off by: of one operand by their table, of several by their terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
from functions import ROWS, Function, Least, Row

import verigrad as vg

from .cases import CASES, Case
from .points import points
from .units import DTYPES, PRECISION, Worst, off

TYPES = {np.dtype("f4"): "f32", np.dtype("f8"): "f64", np.dtype("i8"): "i64"}


class Measured(NamedTuple):
    """The largest error of an op in one dtype on one backend, and its bound, in units."""

    name: str
    bound: float
    dtype: str
    backend: str
    worst: Worst


# ---- ops of one tensor -----------------------------------------------------------------------


def values_and_slopes(dtype: str, backend: str, x: np.ndarray) -> dict[str, np.ndarray]:
    """Those of every function of one tensor, by one program."""
    given = vg.input("x", ("N",), dtype=dtype)
    outputs = {}
    for k, row in enumerate(ROWS):
        outputs[f"y{k}"] = y = row.build(given)
        if row.slope is not None:
            outputs[f"dy{k}"] = vg.grad(vg.sum(y), [given])[0]
    return _program(outputs, backend).predict(x=x)


class Curve(NamedTuple):
    """A function of one tensor, or its slope: its name, where its values are, what it is."""

    name: str
    key: str
    exact: Function
    least: Least
    row: Row


def curves() -> Iterator[Curve]:
    """Each function of one tensor, and its slope where it has one."""
    for k, row in enumerate(ROWS):
        yield Curve(row.name, f"y{k}", row.value, row.least, row)
        if row.slope is not None:
            yield Curve(f"slope of {row.name}", f"dy{k}", row.slope, row.slope_least, row)


def worst_of(curve: Curve, dtype: str, x: np.ndarray, found: np.ndarray) -> Worst:
    """By how much the results are off at most, where the function is defined."""
    normal = mp.mpf(float(np.finfo(DTYPES[dtype]).tiny))
    worst = Worst()
    with mp.workprec(PRECISION):
        for at, y in zip(x.tolist(), found.tolist(), strict=True):
            if at > 0 or not curve.row.positive:
                real = mp.mpf(at)
                units = off(dtype, y, curve.exact(real), curve.least(real, normal))
                worst = worst.joined(Worst(units, f"x = {at!r} gives {y!r}", 1))
    return worst


def functions(dtype: str, backend: str, dense: int) -> Iterator[Measured]:
    """All functions of one tensor, and their slopes."""
    x = points(dtype, dense)
    found = values_and_slopes(dtype, backend, x)
    for curve in curves():
        worst = worst_of(curve, dtype, x, found[curve.key])
        yield Measured(curve.name, curve.row.units, dtype, backend, worst)


# ---- ops of several --------------------------------------------------------------------------


def measured(case: Case, dtype: str, backend: str, count: int, seed: int = 0) -> Measured:
    """The worst of about so many elements of a case's results."""
    operands = case.draw(dtype, count, np.random.default_rng(seed))
    found = _found(case, dtype, backend, operands)
    reals = [_reals(a) for a in operands]
    places = np.random.default_rng(seed).permutation(found.size)[:count]
    worst = Worst()
    with mp.workprec(PRECISION):
        for place in places.tolist():
            at = tuple(int(i) for i in np.unravel_index(place, found.shape))
            terms = list(case.terms(at, *reals))
            exact, size = case.last(mp.fsum(terms)), mp.fsum(abs(t) for t in terms)
            y = float(found[at])
            worst = worst.joined(Worst(off(dtype, y, exact, size), f"{at} is {y!r}", 1))
    return Measured(case.name, case.units, dtype, backend, worst)


def _found(case: Case, dtype: str, backend: str, operands: list[np.ndarray]) -> np.ndarray:
    shapes = [(1, *a.shape[1:]) if case.by_row else a.shape for a in operands]
    nodes = [
        vg.input(f"x{i}", shape, dtype=TYPES[a.dtype])
        for i, (shape, a) in enumerate(zip(shapes, operands, strict=True))
    ]
    program = _program({"y": case.build(*nodes)}, backend, dtype)

    def result(arrays: list[np.ndarray]) -> np.ndarray:
        return program.predict({f"x{i}": a for i, a in enumerate(arrays)})["y"]

    if not case.by_row:
        return result(operands)
    rows = [result([a[k : k + 1] for a in operands]) for k in range(len(operands[0]))]
    return np.stack(rows)


def _program(outputs: dict[str, vg.Node], backend: str, dtype: str = "f64") -> vg.Program:
    options: dict[str, Any] = {"backend": backend, "certify": False}
    if any(n.type.is_float for n in vg.Graph("ops", outputs).parameters):
        options["dtype"] = dtype
    with np.errstate(all="ignore"):
        return vg.compile(vg.Graph("ops", outputs), **options)


def _reals(a: np.ndarray) -> np.ndarray:
    """The numbers of an array as mpmath's; integers as they are."""
    if a.dtype.kind != "f":
        return a
    real: Callable[[float], mp.mpf] = mp.mpf
    flat = np.empty(a.size, object)
    flat[:] = [real(v) for v in a.reshape(-1).tolist()]
    return flat.reshape(a.shape)


def all_measured(dtype: str, backend: str, dense: int, count: int) -> Iterator[Measured]:
    """All ops; `count` elements of each op of several operands."""
    yield from functions(dtype, backend, dense)
    for case in CASES:
        yield measured(case, dtype, backend, count)

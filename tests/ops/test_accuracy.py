"""Every function of one tensor against mpmath, from the smallest numbers to the largest."""

from __future__ import annotations

from functools import cache

import mpmath as mp
import numpy as np
import pytest
from functions import ROWS, Function, Least, Row

import verigrad as vg
from verigrad.graph import OPS
from verigrad.ops.elementwise import Unary

DTYPES = {"f32": np.float32, "f64": np.float64}
SWITCHES = [
    0.46875,
    0.75179,
    1.27846,
    6.0,
    14.5,
    25.0,
    39.0,
    50.0,
    87.3,
    88.73,
    103.9,
    708.4,
    745.2,
]
"""Where a formula, or the sign of a slope, changes, and where exponentials leave the numbers."""


def points(dtype: str) -> np.ndarray:
    """Numbers of either sign: from all binades, evenly where functions bend, and at switches."""
    kind = DTYPES[dtype]
    info = np.finfo(kind)
    rng = np.random.default_rng(7)
    low = np.log2(info.smallest_subnormal.astype(float) if dtype == "f32" else 5e-324)
    exponents = np.arange(int(low), info.maxexp - 1, 3 if dtype == "f32" else 17)
    spread = np.ldexp(rng.uniform(1, 2, len(exponents)), exponents)
    even = [rng.uniform(0, size, 150) for size in (1, 5, 20, 110, 750)]
    at = [np.nextafter(kind(s), kind(to)) for s in SWITCHES for to in (0, s, np.inf)]
    x = np.concatenate([spread, *even, at]).astype(kind)
    return np.concatenate([x, -x, [info.max, info.min, 0.0]]).astype(kind)


@cache
def computed(dtype: str) -> dict[str, np.ndarray]:
    """All values and slopes, by one program."""
    x = vg.input("x", ("N",), dtype=dtype)
    outputs = {}
    for k, row in enumerate(ROWS):
        outputs[f"y{k}"] = y = row.build(x)
        if row.slope is not None:
            outputs[f"dy{k}"] = vg.grad(vg.sum(y), [x])[0]
    return vg.compile(vg.Graph("functions", outputs)).predict(x=points(dtype))


def off(dtype: str, x: float, found: float, exact: mp.mpf, least: mp.mpf) -> float:
    """By how many units in the last place a result is off."""
    info = np.finfo(DTYPES[dtype])
    if not np.isfinite(found):
        return 0.0 if abs(exact) > mp.mpf(float(info.max)) and found * exact > 0 else np.inf
    lowest = info.minexp - info.nmant
    size = max(abs(exact), least)
    exponent = max(mp.frexp(size)[1] - 1 - info.nmant, lowest) if size else lowest
    return float(abs(mp.mpf(found) - exact) / mp.ldexp(1, exponent))


def worst(dtype: str, row: Row, key: str, f: Function, least: Least) -> tuple[float, float, float]:
    """By how much the worst result is off, and at which x it is what."""
    normal = mp.mpf(float(np.finfo(DTYPES[dtype]).tiny))
    found = []
    with mp.workprec(140):
        for x, y in zip(points(dtype).tolist(), computed(dtype)[key].tolist(), strict=True):
            if x > 0 or not row.positive:
                at = mp.mpf(x)
                found.append((off(dtype, x, y, f(at), least(at, normal)), x, y))
    return max(found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_values_are_exact_to_a_few_units(row: Row, dtype: str) -> None:
    found = worst(dtype, row, f"y{ROWS.index(row)}", row.value, row.least)
    assert found[0] <= row.units, found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", [r for r in ROWS if r.slope], ids=lambda row: row.name)
def test_slopes_are_exact_to_a_few_units(row: Row, dtype: str) -> None:
    assert row.slope is not None
    found = worst(dtype, row, f"dy{ROWS.index(row)}", row.slope, row.slope_least)
    assert found[0] <= row.units, found


def test_every_op_of_one_tensor_has_a_row() -> None:
    x = vg.input("x", ("N",))
    ours = {name for name, kind in OPS.items() if kind.__module__.startswith("verigrad.")}
    unary = {name for name in ours if issubclass(OPS[name], Unary)}
    assert unary <= {row.build(x).op.name for row in ROWS}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spread", [1e-3, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("classes", [1, 2, 10, 300])
def test_log_softmax_is_exact_to_a_few_units_of_one(
    classes: int, spread: float, dtype: str, rng: np.random.Generator
) -> None:
    x = (spread * rng.standard_normal((8, classes))).astype(DTYPES[dtype])
    given = vg.input("x", ("N", classes), dtype=dtype)
    y = vg.log_softmax(given)
    slope = vg.grad(vg.sum(vg.slice(y, 1, 0, 1)), [given])[0]
    net = vg.Graph("net", {"y": y, "p": vg.softmax(given), "slope": slope})
    found = vg.compile(net).predict(x=x)
    with mp.workprec(140):
        for i, row in enumerate(x.tolist()):
            total = mp.log(mp.fsum(mp.exp(mp.mpf(v)) for v in row))
            for j, v in enumerate(row):
                exact = mp.mpf(v) - total
                one = max(mp.mpf(1), abs(exact))
                p = mp.exp(exact)
                wanted = (j == 0) - p
                for key, value, least in (
                    ("y", exact, one),
                    ("p", p, p * one),
                    ("slope", wanted, one),
                ):
                    assert off(dtype, v, float(found[key][i, j]), value, least) <= 4, (key, v)

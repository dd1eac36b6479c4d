"""Intervals hold every element that a kernel makes from elements of the intervals that it reads."""

from __future__ import annotations

import numpy as np
import pytest
from table import TABLE, Row

import verigrad as vg
from verigrad.graph import Input, Node, TensorType, compute
from verigrad.graph.types import parse_type
from verigrad.runtime.execution.intervals import ANY, TRUTH, WHOLE, Interval, IntervalRule, fitted

SIZES = {"N": 40}
SPANS = (0.0, 1e-40, 1e-3, 1.0, 37.0, 1e4, 1e12, 1e30)
PROVED = {
    *("add", "subtract", "multiply", "divide", "negative", "maximum", "minimum", "power"),
    *("exp", "expm1", "log", "sqrt", "square", "absolute", "sign", "floor", "cos", "sin", "tanh"),
    *("where", "cast", "decay_add", "decay_add_square", "descend", "descend_scaled", "axpy"),
    *("relu", "gemm", "greater", "equal", "copy", "stop_gradient"),
}
"""Ops of which something must be known, or every step that they update by is looked at."""


def drawn(rng: np.random.Generator, t: TensorType) -> tuple[np.ndarray, Interval]:
    """Elements of an interval, its ends among them, and the interval."""
    shape = t.bind(SIZES)
    if t.dtype == "bool":
        return rng.random(shape) < 0.5, TRUTH
    low, high = sorted(rng.choice([-1.0, 1.0], 2) * rng.choice(SPANS, 2))
    if rng.random() < 0.4:
        low, high = sorted((abs(low), abs(high)))
    if t.dtype == "i64":
        low, high = np.floor(max(low, -1e6)), np.ceil(max(min(high, 1e6), -1e6))
        low = min(low, high)
    share = np.where(rng.random(shape) < 0.3, rng.random(shape), rng.integers(0, 2, shape))
    values = (low + share * (high - low)).clip(low, high).astype(t.numpy)
    return values, Interval(float(min(low, values.min())), float(max(high, values.max())))


def bounded(row: Row, rng: np.random.Generator) -> int:
    """In how many of some draws the interval is known; the elements lie in it."""
    types = [parse_type(t) for t in row.types]
    n = vg.apply(row.op, *[Node(Input(t), (), t, f"x{k}") for k, t in enumerate(types)])
    rule, known = IntervalRule(n), 0
    for _ in range(60):
        given = [drawn(rng, t) for t in types]
        found = rule(*[r for _, r in given])
        if found.known and found != WHOLE:
            known += 1
            made = compute(n, [a for a, _ in given], SIZES).astype(float)
            assert np.isfinite(made).all(), ([r for _, r in given], found)
            assert found.low <= made.min(), ([r for _, r in given], found)
            assert made.max() <= found.high, ([r for _, r in given], found)
    return known


@pytest.mark.parametrize(
    "row",
    [r for r in TABLE if (r.op.elementwise or r.op.name in PROVED) and "0" not in str(r.types)],
    ids=lambda r: r.label,
)
def test_what_a_kernel_makes_lies_in_its_range(row: Row, rng: np.random.Generator) -> None:
    known = bounded(row, rng)
    assert known or row.op.name not in PROVED


def test_the_table_has_every_op_that_is_proved() -> None:
    assert {r.op.name for r in TABLE} >= PROVED


@pytest.mark.parametrize(
    ("dtype", "least"), [("f4", 1.1754944e-38), ("f8", 2.2250738585072014e-308)]
)
def test_a_range_is_moved_outward_by_what_rounding_may_do(dtype: str, least: float) -> None:
    r = fitted(Interval(1.0, 2.0), np.dtype(dtype))
    assert 0.999 < r.low < 1 and 2 < r.high < 2.001
    small = fitted(Interval(least / 8, least / 4), np.dtype(dtype))
    assert small.low == 0 and least / 4 < small.high <= least
    assert fitted(Interval(0.0, 0.0), np.dtype(dtype)) == Interval(0.0, 0.0)
    assert fitted(Interval(0.0, float(np.finfo(dtype).max)), np.dtype(dtype)) == ANY

"""Each op of several operands keeps to its bound, and a result that does not is seen."""

from __future__ import annotations

from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from effort import tries
from functions import ROWS

import verigrad as vg
from accuracy.cases import CASES, EXACT, Case, each
from accuracy.measure import measured
from accuracy.operands import two
from accuracy.points import pairs, points
from accuracy.report import report
from accuracy.units import DTYPES, Worst, off
from verigrad.graph import OPS

PAGE = Path(__file__).with_name("ACCURACY.md")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_op_keeps_to_its_bound(case: Case, dtype: str, pytestconfig: pytest.Config) -> None:
    found = measured(case, dtype, pytestconfig.getoption("--backend"), tries(60), seed=1)
    assert found.worst.tried >= 60
    assert found.worst.units <= case.units, found.worst


def test_every_op_is_measured_or_rounds_nothing() -> None:
    rng = np.random.default_rng(0)
    graphs = []
    for case in CASES:
        arrays = case.draw("f64", 2, rng)
        kinds = {"f": "f64", "i": "i64"}
        nodes = [vg.input(f"x{i}", a.shape, kinds[a.dtype.kind]) for i, a in enumerate(arrays)]
        graphs.append(vg.Graph("case", {"y": case.build(*nodes)}))
    x = vg.input("x", ("N",), dtype="f64")
    for row in ROWS:
        y = row.build(x)
        outputs = {"y": y} | ({"dy": vg.grad(vg.sum(y), [x])[0]} if row.slope else {})
        graphs.append(vg.Graph("row", outputs))
    names = {n.op.name for g in graphs for n in (*g.order, *vg.compile(g).inference.order)}
    ours = {k for k, kind in OPS.items() if kind.__module__.startswith("verigrad.")}
    assert ours - EXACT <= names
    assert ours >= EXACT


def test_a_result_that_is_off_is_seen() -> None:
    def sum_of(a: vg.Node, b: vg.Node) -> vg.Node:
        return (a + b) * (1 + 2.0**-50)

    case = Case("add", sum_of, two, each(lambda a, b: [a + b]), 0.5)
    assert measured(case, "f64", "numpy", 100).worst.units > 3
    swapped = Case("subtract", lambda a, b: b - a, two, each(lambda a, b: [a - b]), 0.5)
    assert measured(swapped, "f64", "numpy", 100).worst.units > 1e6


@pytest.mark.parametrize("dtype", DTYPES)
def test_units_are_those_of_the_dtype(dtype: str) -> None:
    info = np.finfo(DTYPES[dtype])
    one, eps, tiny = mp.mpf(1), float(info.eps), float(info.smallest_subnormal)
    nothing = mp.mpf(0)
    assert off(dtype, 1 + eps, one, nothing) == 1
    assert off(dtype, 1 - eps / 2, one, nothing) == 0.5
    assert off(dtype, 1 + eps, one, mp.mpf(8)) == 1 / 8
    assert off(dtype, tiny, nothing, nothing) == 1
    assert off(dtype, 3 * tiny, mp.mpf(tiny), nothing) == 2
    assert off(dtype, np.inf, 2 * mp.mpf(float(info.max)), nothing) == 0
    assert off(dtype, -np.inf, 2 * mp.mpf(float(info.max)), nothing) == np.inf
    assert off(dtype, np.inf, mp.mpf(float(info.max)), nothing) == np.inf
    assert off(dtype, np.nan, one, nothing) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_points_are_of_all_kinds(dtype: str) -> None:
    info = np.finfo(DTYPES[dtype])
    x = points(dtype, dense=4)
    assert set(points(dtype)) - set(x[np.isfinite(x)]) or len(x) > 3 * len(points(dtype))
    assert np.isfinite(x).all() and {0.0, float(info.max)} <= set(x.tolist())
    assert (np.abs(x[x != 0]) < info.tiny).sum() > 50
    assert np.nextafter(DTYPES[dtype](1), DTYPES[dtype](2)) in x
    a, b = pairs(dtype, 400, np.random.default_rng(0))
    halfway = slice(200, 300)
    ulps = b[halfway].astype(float) / float(info.eps)
    assert (ulps % 1 == 0.5).all() and (a[halfway] >= 1).all()


def test_the_page_lists_every_op_and_every_bound() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    names = [row.name for row in ROWS] + [f"slope of {row.name}" for row in ROWS if row.slope]
    assert sorted(set(rows) - {"op", "---"}) == sorted([*names, *(case.name for case in CASES)])
    assert "**" not in text, "an op that is beyond its bound"


def test_an_op_beyond_its_bound_stands_out() -> None:
    case = CASES[0]
    kept = measured(case, "f32", "numpy", 20)
    broken = kept._replace(backend="numba", worst=Worst(7.25, "x", 20))
    text = report([kept, broken])
    assert "| add | 0.5 |" in text and "**7.25**" in text and "is beyond its bound" in text

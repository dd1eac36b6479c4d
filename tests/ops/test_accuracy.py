"""Every function of one tensor against mpmath, from the smallest numbers to the largest."""

from __future__ import annotations

from functools import cache

import mpmath as mp
import numpy as np
import pytest
from accuracy.measure import Curve, curves, values_and_slopes, worst_of
from accuracy.points import points
from accuracy.units import DTYPES, off
from functions import ROWS

import verigrad as vg
from verigrad.graph import OPS
from verigrad.ops.elementwise import Unary


@cache
def computed(dtype: str, backend: str) -> dict[str, np.ndarray]:
    """All values and slopes, by one program."""
    return values_and_slopes(dtype, backend, points(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("curve", [*curves()], ids=lambda curve: curve.name)
def test_values_and_slopes_are_exact_to_a_few_units(
    curve: Curve, dtype: str, pytestconfig: pytest.Config
) -> None:
    found = computed(dtype, pytestconfig.getoption("--backend"))[curve.key]
    worst = worst_of(curve, dtype, points(dtype), found)
    assert worst.tried > 500
    assert worst.units <= curve.row.units, worst


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
                    assert off(dtype, float(found[key][i, j]), value, least) <= 4, (key, v)

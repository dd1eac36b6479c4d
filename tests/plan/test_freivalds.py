"""Freivalds' test of products: right ones pass, whatever they multiply; a flipped bit does not."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from conftest import batch, net
from effort import some

import verigrad as vg
from verigrad.runtime.backends.freivalds import Freivalds, Multiplication

BACKENDS = ("numpy", "numba")
SHAPES = [(1, 1, 1), (3, 1, 5), (1, 4, 1), (7, 300, 2), (64, 64, 64), (2, 5_000, 3), (200, 3, 90)]


def drawn(kind: str, shape: tuple[int, int], dtype: str, rng: np.random.Generator) -> np.ndarray:
    x = rng.standard_normal(shape)
    if kind == "positive":
        x = np.abs(x) + 1
    if kind == "rectified":
        x = np.maximum(x, 0)
    if kind == "heavy":
        x = x * 10.0 ** rng.integers(-6, 6, shape)
    if kind == "tiny":
        x = x * float(np.finfo(dtype).tiny) * 4
    if kind == "huge":
        x = x * float(np.finfo(dtype).max) ** 0.49
    if kind == "zero":
        x = x * 0
    return x.astype(dtype)


KINDS = ("normal", "positive", "rectified", "heavy", "tiny", "huge", "zero")
CASES = list(product(SHAPES, KINDS, KINDS, ("float32", "float64")))


def operands(case: Any, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    (rows, inner, columns), left, right, dtype = case
    return drawn(left, (rows, inner), dtype, rng), drawn(right, (inner, columns), dtype, rng)


@pytest.mark.parametrize("case", some(CASES, 200), ids=str)
def test_right_products_pass(case: Any, rng: np.random.Generator) -> None:
    for _ in range(5):
        a, b = operands(case, rng)
        with np.errstate(all="ignore"):
            out = a @ b
            Freivalds(Multiplication(a, b, out)).check(a, b, out)
            added = out.copy()
            alpha, beta = np.asarray(-0.3, a.dtype), np.asarray(0.9, a.dtype)
            check = Freivalds(Multiplication(a, b, added, added, alpha, beta))
            check.begin(added, beta)
            added *= beta
            added += alpha * (a @ b)
            check.check(a, b, added, alpha)


@pytest.mark.parametrize("case", some([c for c in CASES if "zero" not in c], 100), ids=str)
def test_an_element_that_is_far_off_is_found(case: Any, rng: np.random.Generator) -> None:
    a, b = operands(case, rng)
    with np.errstate(all="ignore"):
        out = a @ b
        size = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=0)
        if not np.isfinite(size).all() or not size.any() or size.max() < np.finfo(a.dtype).tiny:
            return  # nothing can be said of what overflows or vanishes
        row, column = np.unravel_index(int(size.argmax()), size.shape)
        out[row, column] += size[row, column] + out.dtype.type(0)
        if np.isfinite(out).all() and np.isfinite(np.linalg.norm(a) * np.linalg.norm(b) * 1e6):
            with pytest.raises(vg.RunError, match="is wrong: the sum of row"):
                Freivalds(Multiplication(a, b, out)).check(a, b, out)


def flip(out: np.ndarray, bit: int) -> None:
    """One bit of the largest element."""
    at = np.unravel_index(int(np.abs(out).argmax()), out.shape)
    out.view(np.uint32)[at] ^= np.uint32(1) << np.uint32(bit)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bit", [14, 18, 22, 23, 26, 30, 31])
@pytest.mark.parametrize("which", range(8))
def test_a_flipped_bit_of_any_product_is_found(
    which: int, bit: int, backend: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory, between the product and its test; every other fault of a product is larger."""
    if backend == "numba":
        pytest.importorskip("numba")
    program = vg.compile(net(12, 8, 6, 4), optimizer=vg.SGD(0.1), backend=backend)
    feeds, check, seen = batch(rng, 9, 12, 4), Freivalds.check, []

    def flipped(self: Freivalds, a: Any, b: Any, out: Any, *rest: Any) -> None:
        if len(seen) == which:
            flip(out, bit)
        seen.append(out)
        check(self, a, b, out, *rest)

    monkeypatch.setattr(Freivalds, "check", flipped)
    before = {k: v.copy() for k, v in program.parameters.items()}
    with pytest.raises(vg.RunError, match=r"a product \[.*is wrong") as e:
        vg.fit(program, (feeds["x"], feeds["y"]), steps=3, verify_products=True)
    assert "fix: the BLAS, the memory or the processor" in str(e.value)
    assert "\n  in %fc" in str(e.value) and len(seen) == which + 1
    for name, value in before.items():
        np.testing.assert_array_equal(program.parameters[name], value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_bit_of_a_run_depends_on_it(backend: str) -> None:
    if backend == "numba":
        pytest.importorskip("numba")
    train, _ = vg.digits()
    ends = []
    for verify in (False, True):
        program = vg.compile(net(64, 40, 10), optimizer=vg.Momentum(0.01), backend=backend)
        vg.fit(program, (train.x / 16, train.y), steps=30, verify_products=verify)
        ends.append({**program.parameters, **program.state})
        source = program.executable.last.source
        assert ("check" in source) == verify
        program.step(x=train.x[:9] / 16, y=train.y[:9])  # a step of its own is not checked
        assert "check" not in program.executable.last.source
    for name, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][name])

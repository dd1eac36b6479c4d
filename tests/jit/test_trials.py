"""Each compiled loop is held to the NumPy calls that it stands for, on its first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import batch

import verigrad as vg

pytest.importorskip("numba")

from verigrad.runtime.backends.numba.lowering import statements, trial
from verigrad.runtime.backends.numba.lowering.kernel_text import Text


@pytest.fixture(autouse=True)
def _untried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_TRIED", set())


def program(activation: Callable[..., Any] = vg.tanh) -> vg.Program:
    x, y = vg.input("x", ("N", 7)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [40, 5], activation=activation)
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    return vg.compile(net, optimizer=vg.Adam(0.01), backend="numba", certify=False)


def test_right_loops_are_tried_once(rng: np.random.Generator) -> None:
    feeds = batch(rng, 9, 7, 5)
    program().step(feeds)
    tried = set(trial._TRIED)
    assert len(tried) > 4
    program().step(feeds)
    assert tried == trial._TRIED


WRONG: dict[str, tuple[Any, str]] = {
    "tanh by a thousandth": (np.tanh, "tanh({0}) * 1.001"),
    "a sum's sign": (np.subtract, "{1} - {0}"),
    "sqrt": (np.sqrt, "sqrt({0} + 0.001)"),
    "a product": (np.multiply, "{0} * ({1} + 0.001)"),
    "a quotient": (np.divide, "{0} / ({1} + 0.001)"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_function_that_is_wrong_is_refused(
    fault: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, expression = WRONG[fault]
    monkeypatch.setitem(statements.EXPRESSIONS, function, expression)  # type: ignore[arg-type]
    wrong = program()
    before = {k: v.copy() for k, v in wrong.parameters.items()}
    with pytest.raises(vg.RefutedError, match="does not give NumPy's numbers: after"):
        wrong.step(batch(rng, 9, 7, 5))
    for name, value in before.items():
        np.testing.assert_array_equal(wrong.parameters[name], value)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (".shape[0]):", ".shape[0] - 1):"),
        (".shape[1]):", ".shape[1] - 1):"),
        ("[j] += ", "[j] -= "),
        ("[i, j] = ", "[i, 0] = "),
    ],
)
def test_a_loop_that_is_wrong_is_refused(
    right: str, wrong: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = Text.__init__

    def changed(self: Text, *given: Any) -> None:
        init(self, *given)
        self.text = self.text.replace(right, wrong)

    monkeypatch.setattr(Text, "__init__", changed)
    with pytest.raises(vg.RefutedError, match=r'fix: backend="numpy"'):
        program().step(batch(rng, 9, 7, 5))


def test_exp_that_is_off_by_a_thousandth_is_refused(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(statements._QUICK, (np.exp, "f4"), "exp_f32({0}) * float32(0.999)")  # type: ignore[arg-type]
    with pytest.raises(vg.RefutedError, match="log_softmax"):
        program().step(batch(rng, 9, 7, 5))


def test_what_cancels_in_a_right_loop_is_no_fault(rng: np.random.Generator) -> None:
    """gelu parts a number into its first bits and the rest, which is all rounding."""
    x, t = vg.input("x", ("N", 9)), vg.input("t", ("N", 2))
    h = vg.gelu(vg.layer_norm(vg.dense(x, 12)))
    y = vg.dense(vg.gelu(vg.layer_norm(vg.dense(h, 12))), 2)
    net = vg.Graph("net", {"y": y}, loss=vg.huber(y, t))
    right = vg.compile(net, optimizer=vg.SGD(0.01), backend="numba", certify=False)
    feeds = {k: rng.standard_normal((33, n)).astype(np.float32) for k, n in (("x", 9), ("t", 2))}
    assert right.step(feeds) > 0


def test_a_bisection_finds_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(statements.EXPRESSIONS, np.tanh, "tanh({0}) * 1.002")  # type: ignore[arg-type]
    found = program().bisect()
    assert found.guilty == "a compiled loop" and found.small is not None
    assert found.found is not None and "compiled for " in found.found.words
    assert "tanh" in {n.op.name for n in found.small.order}

"""Kernels against their ops' meanings over the real numbers: all of ours, and wrong ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from conftest import batch, net
from table import TABLE, Row

import verigrad as vg
from verigrad.graph import NoRuleError, RefutedError
from verigrad.runtime.certificate import kernels
from verigrad.runtime.certificate.kernels import wrong_kernel
from verigrad.runtime.checking.sample import Sample
from verigrad.runtime.interpreter import interpret

UNSAID = {"dropout_mask"}
"""Ops whose meaning is what their kernel draws."""


def of_row(row: Row, size: int) -> tuple[vg.Graph, dict[str, np.ndarray], dict[str, int]]:
    """The sample of a row as a graph in f64, all its values, and the sizes."""
    types = [vg.graph.types.parse_type(t) for t in row.types]
    rng = np.random.default_rng(len(row.label))
    sample = Sample(row.op, types, row.reference, row.values, rng).with_dtype("f64")
    sizes = sample.sizes(size)
    g = sample.graph()
    names = [g.names[n] for n in g.inputs]
    values = interpret(g, dict(zip(names, sample.draw(sizes), strict=True))).values
    return g, values, sizes


@pytest.mark.parametrize("row", TABLE, ids=lambda r: r.label)
def test_every_kernel_gives_what_its_op_means(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    meant = kernels._meant

    def noted(n: vg.Node, *rest: object) -> np.ndarray:
        y = meant(n, *rest)
        asked.append(n.op.name)
        return y

    monkeypatch.setattr(kernels, "_meant", noted)
    g, values, sizes = of_row(row, 5)
    assert wrong_kernel(g, values, sizes) == ""
    assert (row.op.name in asked) == (row.op.name not in UNSAID)


@pytest.mark.parametrize("by", [1 + 1e-7, -1.0])
@pytest.mark.parametrize("row", TABLE, ids=lambda r: r.label)
def test_a_kernel_that_is_a_little_off_is_told(row: Row, by: float) -> None:
    g, values, sizes = of_row(row, 5)
    y = values["y"]
    if row.op.name in UNSAID or y.dtype.kind != "f" or not np.isfinite(y).all() or not y.any():
        pytest.skip("has no number that could be off")
    if row.op.name == "first_max" and len(np.unique(values["x0"])) < values["x0"].size:
        pytest.skip("which of two equal numbers is the first is for rounding to say")
    found = wrong_kernel(g, {**values, "y": y * by}, sizes)
    assert found.startswith(f"the kernel of {row.op.name}, at %y, is off by"), found


@vg.op
class Turned(vg.Op):
    """y = x + x, by a kernel that is off by a millionth."""

    name: ClassVar[str] = "turned"
    elementwise: ClassVar[bool] = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        self.takes(types, 1)
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (dy * 2.0,)

    def exact(self, at: object, x: vg.graph.Residues) -> vg.graph.Residues:
        return x + x

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, 2 + 1e-6, out=out)


@vg.op
class Unknown(Turned):
    """The same, by a function that nobody knows."""

    name: ClassVar[str] = "unknown"

    def exact(self, at: object, x: vg.graph.Residues) -> vg.graph.Residues:
        return x.function("twice and a little", slope=2)


def of(op: vg.Op) -> vg.Graph:
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    scores = vg.apply(op, vg.dense(x, 4, name="fc"))
    return vg.Graph("own", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def test_a_wrong_kernel_is_an_error_before_a_step_and_is_named(rng: np.random.Generator) -> None:
    program = vg.compile(of(Turned()), optimizer=vg.SGD(0.1))
    before = program.parameters["fc.weight"]
    with pytest.raises(RefutedError, match=r"the kernel of turned, at %scores, .* it gives"):
        program.step(batch(rng, 6, 5, 4))
    assert np.array_equal(program.parameters["fc.weight"], before)


def test_what_no_function_says_is_skipped(rng: np.random.Generator) -> None:
    program = vg.compile(of(Unknown()), optimizer=vg.SGD(0.1))
    assert program.step(batch(rng, 6, 5, 4)) > 0


def test_the_functions_that_are_not_known_say_so() -> None:
    x = vg.graph.modular.reals.Reals.of(np.ones(3), "f64")
    for asked in (lambda: x.function("cube"), lambda: x.function_of_rows("cube")):
        with pytest.raises(NoRuleError, match="the function cube is not known"):
            asked()


@pytest.mark.filterwarnings("ignore:input 'x' has a standard deviation")
def test_numbers_that_cancel_or_are_large_are_no_fault(rng: np.random.Generator) -> None:
    program = vg.compile(net(50, 8, 4), optimizer=vg.SGD(0.1))
    feeds = batch(rng, 400, 50, 4)
    feeds["x"] = (feeds["x"] * 1e6 - 1e7).astype(np.float32)
    program.step(feeds)
    (found,) = program.certificate.floats
    assert found.verdict != "refuted"

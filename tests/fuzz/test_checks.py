"""The checks are checked: planted faults are found, and made small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import verigrad as vg
from verigrad.passes import Rewrite
from verigrad.passes.differentiate import Differentiate
from verigrad.passes.fuse_linear_relu import FuseLinearRelu
from verigrad.passes.simplify import Simplify
from verigrad.runtime.execution.executor import Executor

from .case import Case, case
from .checks import check
from .coverage import Coverage
from .outcome import Failure
from .shrink import shrunk
from .work import How, worked

Plant = Callable[[pytest.MonkeyPatch], None]


def dropped_tanh(patch: pytest.MonkeyPatch) -> None:
    """Simplification takes a tanh for its argument."""
    rewrites = Simplify.rewrites

    def wrong(self: Simplify, g: vg.Graph) -> Iterator[Any]:
        yield from rewrites(self, g)
        for n in g.order:
            if n.op.name == "tanh":
                yield Rewrite(n, n.inputs[0], "wrong")

    patch.setattr(Simplify, "rewrites", wrong)


def wrong_slope(patch: pytest.MonkeyPatch) -> None:
    """The gradient of tanh is a little too large."""
    kind = type(vg.tanh(vg.input("x", ("N",))).op)
    vjp = kind.vjp
    patch.setattr(kind, "vjp", lambda self, n, dy: (vjp(self, n, dy)[0] * 1.0005,))


def wrong_number(patch: pytest.MonkeyPatch) -> None:
    """What is given out is off by a thousandth."""
    output = Executor.output

    def wrong(self: Executor, key: str) -> np.ndarray:
        a = output(self, key)
        return a * 1.001 if a.dtype.kind == "f" and key != "loss" else a

    patch.setattr(Executor, "output", wrong)


def overlapping(patch: pytest.MonkeyPatch) -> None:
    """The planner puts every result at the same place, and its verifier sees nothing."""
    patch.setattr("verigrad.runtime.planning.plan._offsets", lambda lives, packs: [0] * len(lives))
    patch.setattr("verigrad.runtime.planning.plan.verify", lambda g: None)


def endless_copies(patch: pytest.MonkeyPatch) -> None:
    """A fusion that copies its result, each time that it runs."""
    apply = FuseLinearRelu.apply

    def wrong(self: FuseLinearRelu, g: vg.Graph) -> vg.Graph:
        after = apply(self, g)
        found = [n for n in after.order if n.op.name == "linear_relu"][:1]
        return after.replace({n: vg.copy(n) for n in found})

    patch.setattr(FuseLinearRelu, "apply", wrong)


def another_error(patch: pytest.MonkeyPatch) -> None:
    """A pass that fails on some graphs."""
    apply = Differentiate.apply

    def wrong(self: Differentiate, g: vg.Graph) -> vg.Graph:
        if any(n.op.name == "matmul" for n in g.order):
            raise IndexError("planted")
        return apply(self, g)

    patch.setattr(Differentiate, "apply", wrong)


FAULTS: dict[str, tuple[Plant, str, int]] = {
    "a wrong simplification": (dropped_tanh, "exact", 0),
    "a wrong gradient": (wrong_slope, "exact", 10),
    "a wrong number": (wrong_number, "evaluate", 0),
    "an overlapping plan": (overlapping, "plan", 0),
    "a pass that is never done": (endless_copies, "idempotent", 8),
    "an error of a pass": (another_error, "compile", 0),
}
"""What is planted, which check finds it, and from which seed on it is looked for."""


def found_by(layer: str, first: int) -> tuple[Case, Failure]:
    """The first case that fails a check, and how."""
    for seed in range(first, first + 40):
        for failure in check(case(seed), exact_only=layer in ("compile", "exact")).failures:
            if failure.layer == layer:
                return case(seed), failure
    pytest.fail(f"no case from {first} on fails the check {layer!r}")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, layer, first = FAULTS[fault]
    plant(monkeypatch)
    _, failure = found_by(layer, first)
    assert failure.kind.startswith(f"{layer}: ")


def test_a_failing_case_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped_tanh(monkeypatch)
    before, failure = found_by("exact", 0)
    small = shrunk(before, failure, exact_only=True)
    assert len(small.graph.order) < len(before.graph.order)
    assert "tanh" in {n.op.name for n in small.graph.order} and len(small.graph.order) <= 4
    assert failure.kind in {f.kind for f in check(small, exact_only=True).failures}
    assert "%" in small.told() and f"seed {before.seed}" in small.told()


def test_a_failure_is_told_with_its_seed_and_a_small_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    another_error(monkeypatch)
    tally = worked(range(6), How(exact_only=True))
    assert tally.found
    for found in tally.found:
        assert str(found).startswith(f"seed {found.seed}: compile: ") and "planted" in str(found)
    assert "matmul" in tally.found[0].small
    assert any("planted" in line for line in tally.lines(1.0))


def test_coverage_says_which_op_read_which_and_which_passes_acted() -> None:
    x, w = vg.input("x", ("N", 3)), vg.parameter("w", (3, 2))
    g = vg.Graph("g", loss=vg.mean(vg.relu(vg.square(x) @ w)))
    covered = Coverage.of(vg.compile(g, optimizer=vg.SGD(0.1)))
    assert set(covered.ops) == {("square", "matmul"), ("matmul", "relu"), ("relu", "mean")}
    assert ("training: attach_optimizer", "differentiate") in covered.passes
    assert ("training: differentiate", "fuse_linear_relu") not in covered.passes
    assert ("square", "relu") in covered.possible_ops()  # both are matrices
    assert ("mean", "matmul") not in covered.possible_ops()
    told = list(covered.lines())
    assert any(line.startswith("op pairs: 3 of ") for line in told)
    assert any(
        "never together" in line and "differentiate + fuse_linear_relu" in line for line in told
    )

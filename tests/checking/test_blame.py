"""Whose fault a wrong gradient is: the node with its entry, or the pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from kinked import Skewed, batch, lines, net

import verigrad as vg
from verigrad.graph import OPS
from verigrad.passes import reverse


@pytest.mark.parametrize("at", [(0, 0), (3, 4), (2, 1)])
def test_the_guilty_node_is_named_with_its_entry(
    at: tuple[int, int], rng: np.random.Generator
) -> None:
    g = net(lambda h: vg.apply(Skewed(wrong=0.0005, at=at), h), rows=4)
    report = vg.gradcheck(g, batch(rng))
    assert report.verdict == "FAIL"
    (fault,) = report.faults
    assert fault.startswith(f"%fc1.checking_skewed at [{at[0]},{at[1]}]: the vector-Jacobian ")
    assert "of checking_skewed gives" in fault and "for %fc1, by differences" in fault


def test_a_kinked_op_next_to_the_guilty_one_is_innocent(rng: np.random.Generator) -> None:
    feeds = batch(rng)
    feeds["x"][1] = 0
    g = net(lambda h: vg.relu(vg.apply(Skewed(wrong=0.1), vg.absolute(h))))
    report = vg.gradcheck(g, feeds, parameters={"fc1.bias": np.zeros(5)})
    assert [fault.split(" at ")[0] for fault in report.faults] == ["%fc1.checking_skewed"]


def test_a_wrong_gradient_of_a_matrix_product(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    linear = OPS["linear"]
    right = linear.vjp

    def wrong(self: vg.Op, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        dx, dw, db = right(self, node, dy)
        assert dw is not None
        return dx, dw * 1.0005, db

    monkeypatch.setattr(linear, "vjp", wrong)
    report = vg.gradcheck(net(vg.relu), batch(rng))
    assert [f.split(":")[0].split(" at ")[0] for f in report.faults] == ["%fc1", "%fc2"]
    assert "for %fc1.weight, by differences" in report.faults[0]


def test_a_gradient_that_is_left_out(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(OPS["multiply"], "vjp", lambda _, node, dy: (dy * node.inputs[1], None))
    report = vg.gradcheck(net(lambda h: vg.multiply(h, vg.tanh(h))), batch(rng))
    assert len(report.faults) == 1
    assert report.faults[0].startswith("%fc1.multiply at [")
    assert "gives 0.000000e+00 for %fc1.tanh, by differences" in report.faults[0]


def test_a_fault_in_accumulation(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    monkeypatch.setattr(reverse, "_accumulate", lambda parts: parts[0])
    report = vg.gradcheck(net(lambda h: vg.tanh(h) * h), batch(rng))
    assert report.verdict == "FAIL"
    (fault,) = report.faults
    assert fault.startswith("the pass differentiate, in how it accumulates: every node's own ")
    assert "but after it %fc1." in fault


@dataclass(frozen=True)
class HalveOne(vg.Pass):
    """Halves the gradient of fc1.bias."""

    def apply(self, g: vg.Graph) -> vg.Graph:
        key = "fc1.bias.grad"
        return g.but(outputs={**g.outputs, key: g.outputs[key] * 0.5})


def test_a_pass_that_spoils_a_gradient_is_named(rng: np.random.Generator) -> None:
    pipeline = vg.TRAINING.insert(HalveOne(), after="simplify")
    report = vg.gradcheck(net(vg.relu), batch(rng), pipeline=pipeline)
    assert [r.name for r in report.rows if r.verdict == "FAIL"] == ["fc1.bias"]
    assert report.faults[0].startswith("the pass halve_one, in what it does: every node's own ")


def test_a_fault_of_the_kernels_is_neither(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    right = vg.Program.gradients

    def wrong(self: vg.Program, feeds: object) -> tuple[float, dict[str, np.ndarray]]:
        loss, found = right(self, feeds)
        return loss, {name: a * 1.0005 for name, a in found.items()}

    monkeypatch.setattr(vg.Program, "gradients", wrong)
    report = vg.gradcheck(net(vg.relu), batch(rng))
    assert report.verdict == "FAIL"
    assert report.faults[0].startswith("the plan or its kernels: every node's own ")


def test_the_first_value_that_is_not_finite_is_named(rng: np.random.Generator) -> None:
    feeds = batch(rng)
    feeds["x"][1, 2] = np.inf
    report = vg.gradcheck(net(vg.relu), feeds)
    assert lines(report, "guilty:") == ["guilty: %x at [1,2] is inf, the first that is not finite"]


def test_many_faults_are_not_all_listed(rng: np.random.Generator) -> None:
    def many(h: vg.Node) -> vg.Node:
        for _ in range(7):
            h = vg.tanh(vg.apply(Skewed(wrong=0.1), h))
        return h

    report = vg.gradcheck(net(many), batch(rng))
    assert len(report.faults) == 6
    assert report.faults[-1] == "and 2 more"

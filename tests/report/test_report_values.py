"""What a report tells of gradients, memory and the values of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from reading import FEEDS, Page, two_layer

import verigrad as vg


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    program = vg.compile(
        two_layer(), optimizer=vg.Momentum(0.1), regularizer=vg.L2(1e-3), certify=True
    )
    return Page(program, tmp_path_factory.mktemp("report"), feeds=FEEDS)


def test_a_gradient_belongs_to_its_node(page: Page) -> None:
    pairs = {
        (page.name(n), page.name(dn)): stage for n, dn, stage, _ in reversed(page.data["gradients"])
    }
    for name in ("fc1.weight", "fc1.bias", "fc2.weight", "fc1", "fc1.relu", "fc2", "loss"):
        assert pairs[name, f"{name}.grad"] == "differentiate"
    number = page.stages.index(page.stage("fuse_linear_relu"))
    fused, relu_grad = (page.id(k, "fuse_linear_relu") for k in ("fc1", "fc1.relu.grad"))
    assert [fused, relu_grad, "fuse_linear_relu", number] in page.data["gradients"]


def test_a_sums_terms_share_the_gradient_of_the_sum(tmp_path: Path) -> None:
    x = vg.input("x", ("N", 3))
    h = vg.dense(x, 3, name="fc1")
    net = vg.Graph("net", loss=vg.sum(vg.square(vg.tanh(h) + h)))
    page = Page(vg.compile(net, optimizer=vg.SGD(0.1)), tmp_path)
    tanh, total = page.id("fc1.tanh", "declared"), page.id("fc1.add", "declared")
    grads = {n: dn for n, dn, stage, _ in page.data["gradients"] if stage == "differentiate"}
    assert grads[tanh] == grads[total] == page.id("fc1.add.grad", "differentiate")
    assert grads[page.id("fc1", "declared")] == page.id("fc1.grad", "differentiate")


@dataclass(frozen=True)
class OnesAsGradients(vg.Pass):
    """What a pass of one's own returns as gradients."""

    name = "ones_as_gradients"
    numbers = "meaning"
    needs = ("forward", "differentiable")
    gives = ("gradients",)
    breaks = ("forward",)

    def apply(self, g: vg.Graph) -> vg.Graph:
        grads = {f"{g.names[p]}.grad": p * 0.0 + 1.0 for p in g.parameters}
        return g.but(outputs={**g.outputs, **grads})


def test_gradients_of_a_pass_of_ones_own_are_what_it_returns(tmp_path: Path) -> None:
    passes = [OnesAsGradients() if p.name == "differentiate" else p for p in vg.TRAINING]
    pipeline = vg.Pipeline(passes)
    page = Page(vg.compile(two_layer(), optimizer=vg.SGD(0.1), pipeline=pipeline), tmp_path)
    first = {n: dn for n, dn, stage, _ in page.data["gradients"] if stage == "ones_as_gradients"}
    names = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
    assert [*first] == [page.id(name, "declared") for name in names]
    stage = page.stage("ones_as_gradients")
    assert [*first.values()] == [stage["outputs"][f"{name}.grad"] for name in names]


def test_what_is_alive_at_the_peak_sums_to_the_peak(page: Page) -> None:
    plan, peak = page.data["plan"], page.data["plan"]["peak"]
    alive = [b["size"] for b in plan["buffers"] if b["first"] <= peak["call"] <= b["last"]]
    program = vg.compile(two_layer(), optimizer=vg.Momentum(0.1), regularizer=vg.L2(1e-3))
    assert sum(alive) == peak["bytes"] == program.plan(N=20).lower_bound
    assert plan["bytes"] == program.plan(N=20).nbytes
    for call in plan["calls"]:
        live = [b["size"] for b in plan["buffers"] if b["first"] <= call["number"] <= b["last"]]
        assert sum(live) <= peak["bytes"]


def test_values_are_those_of_the_interpreter(page: Page) -> None:
    program = vg.compile(two_layer(), optimizer=vg.Momentum(0.1), regularizer=vg.L2(1e-3))
    held = {**program.parameters, **program.state, **FEEDS}
    computed = vg.interpret(program.stages["differentiate"], held).values
    for name, array in computed.items():
        value = page.data["values"][str(page.id(name, "differentiate"))]
        assert value["least"] == pytest.approx(array.min(), rel=1e-5)
        assert value["mean"] == pytest.approx(array.mean(), rel=1e-4, abs=1e-7)
        assert value["zeros"] == pytest.approx(np.mean(array == 0), rel=1e-5)
        assert sum(value["histogram"]) == array.size and len(value["histogram"]) == 16
    last = [s for s in page.stages if s["pipeline"] == "training"][-1]
    assert {str(n["id"]) for n in last["nodes"]} <= page.data["values"].keys()


def test_where_gradients_vanish_is_seen_layer_by_layer(tmp_path: Path) -> None:
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    h = x
    for k in range(5):
        h = vg.sigmoid(vg.dense(h, 8, name=f"fc{k}"))
    net = vg.Graph("deep", loss=vg.softmax_cross_entropy(vg.dense(h, 3, name="top"), y))
    page = Page(vg.compile(net, optimizer=vg.SGD(0.1)), tmp_path, feeds=FEEDS)
    sizes = [
        page.data["values"][str(page.id(f"fc{k}.weight.grad", "differentiate"))]["deviation"]
        for k in range(5)
    ]
    assert sizes == sorted(sizes) and sizes[0] < 0.1 * sizes[-1]


def test_numbers_that_are_not_finite_are_told(tmp_path: Path) -> None:
    x = vg.input("x", ("N",))
    program = vg.compile(vg.Graph("net", {"y": vg.log(x)}))
    page = Page(program, tmp_path, feeds={"x": np.array([0.0, 1.0, 2.0])})
    value = page.data["values"][str(page.id("y", "declared", "inference"))]
    assert not value["finite"] and (value["least"], sum(value["histogram"])) == (0.0, 2)
    page = Page(program, tmp_path, feeds={"x": np.zeros(3)})
    value = page.data["values"][str(page.id("y", "declared", "inference"))]
    assert value["least"] is value["mean"] is None and value["histogram"] == [0] * 16


def test_the_largest_numbers_have_a_histogram() -> None:
    from verigrad.runtime.report.values import summary

    most = np.finfo(np.float64).max
    assert summary(np.array([-most, 0.0, most]))["histogram"] == [1, *[0] * 7, 1, *[0] * 6, 1]
    assert summary(np.array([], np.float32))["least"] is None
    assert summary(np.array(True))["histogram"] == [1, *[0] * 15]

"""What a report tells of stages and nodes: which became which, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

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


# ---- stages and lineage ----------------------------------------------------------------------


def test_the_stages_are_those_of_the_program(page: Page) -> None:
    program = vg.compile(two_layer(), optimizer=vg.Momentum(0.1), regularizer=vg.L2(1e-3))
    named = [s["name"] for s in page.stages if s["pipeline"] == "training"]
    assert [name for name in named if name.rpartition(".")[0] == ""] == list(program.stages)
    last = [s for s in page.stages if s["pipeline"] == "training"][-1]
    whole = [last["header"], *[f"  {n['statement']}" for n in last["nodes"]], *last["footer"]]
    assert "\n".join(whole) == str(program.training)


def test_of_a_fused_relu_the_lineage_leads_to_its_kernel_call(page: Page) -> None:
    steps = page.lineage(page.id("fc1.relu", "declared"))
    fused = next(step for step in steps if step[0] == "fuse_linear_relu")
    assert page.node(fused[1])["op"] == "linear_relu" and page.node(fused[1])["fused"]
    assert fused[2] == "%fc1 is read by %fc1.relu alone"
    call = [c for c in page.data["plan"]["calls"] if steps[-1][1] in c["nodes"]]
    assert len(call) == 1 and call[0]["text"] == "linear_relu fc1"
    held = [b for b in page.data["plan"]["buffers"] if steps[-1][1] in b["nodes"]]
    assert len(held) == 1 and held[0]["size"] == 20 * 5 * 4


def test_what_fell_away_with_a_fusion_is_part_of_it(page: Page) -> None:
    stage, number, why = page.lineage(page.id("fc1", "declared"))[-1]
    assert (stage, page.node(number)["op"]) == ("fuse_linear_relu", "linear_relu")
    assert why == "part of it: %fc1 is read by %fc1.relu alone"


def test_what_only_reads_something_else_now_is_neither_added_nor_removed(page: Page) -> None:
    stage = page.stage("fuse_linear_relu")
    assert [page.name(n) for n in stage["added"]] == ["fc1"]
    assert [page.name(n) for n in stage["removed"]] == ["fc1", "fc1.relu"]
    before, after = page.id("fc2", "eliminate_common"), page.id("fc2", "fuse_linear_relu")
    assert before != after
    assert ["fuse_linear_relu", after, "", page.stages.index(stage)] in page.data["lineage"][
        str(before)
    ]


def test_why_a_relu_was_not_fused_is_told_at_the_relu(tmp_path: Path) -> None:
    page = Page(vg.compile(two_layer(read_twice=True), optimizer=vg.SGD(0.1)), tmp_path)
    refused = page.stage("fuse_linear_relu")["refused"]
    relu = page.id("fc1.relu", "fuse_linear_relu")
    assert {"id": relu, "reason": "not fused: %fc1 is also read by %before"} in refused
    assert "- %fc1.relu: not fused: %fc1 is also read by %before" in page.text


def test_dropout_is_read_in_place_of_what_it_masks(tmp_path: Path) -> None:
    page = Page(
        vg.compile(two_layer(), optimizer=vg.SGD(0.1), dropout=vg.Dropout(keep=0.5)), tmp_path
    )
    relu = page.id("fc1.relu", "declared")
    (rewrite,) = page.stage("insert_dropout")["rewrites"]
    assert rewrite["old"] == relu == page.id("fc1.relu", "insert_dropout")
    assert rewrite["new"] == page.id("fc1.dropout", "insert_dropout")
    assert relu not in page.stage("insert_dropout")["removed"]


def test_every_id_of_a_stage_has_its_inputs_in_it(page: Page) -> None:
    for stage in page.stages:
        there = {n["id"] for n in stage["nodes"]}
        assert all(i in there for n in there for i in page.node(n)["inputs"])
        assert {*stage["outputs"].values()} <= there


def test_lineage_leads_from_a_stage_to_the_next(page: Page) -> None:
    for old, steps in page.data["lineage"].items():
        for name, new, _, number in steps:
            stage, before = page.stages[number], page.stages[number - 1]
            assert stage["name"] == name
            assert int(old) in {n["id"] for n in before["nodes"]}
            assert new in {n["id"] for n in stage["nodes"]}


def test_what_a_stage_did_sums_to_what_is_there(page: Page) -> None:
    training = [s for s in page.stages if s["pipeline"] == "training"]
    nodes = [n["id"] for n in training[-1]["nodes"] if not page.node(n["id"])["source"]]
    for key, count in (
        ("nodes", len(nodes)),
        ("bytes", sum(page.node(n)["bytes"] for n in nodes)),
        ("flops", sum(page.node(n)["flops"] for n in nodes)),
    ):
        assert sum(s["did"][key] for s in training) == count


@dataclass(frozen=True)
class AbsoluteAsIs(vg.Pass):
    """What is absolute is multiplied by 1, which a sweep later is nothing."""

    name = "absolute_as_is"
    numbers = "meaning"
    repeated = True

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if n.op.name == "absolute":
                yield vg.Rewrite(n, n.inputs[0] * 1.0, "taken for positive </script>")


def test_a_later_sweep_is_a_stage_of_its_own(tmp_path: Path) -> None:
    x = vg.input("x", ("N", 3))
    net = vg.Graph("net", {"y": vg.exp(vg.absolute(x))})
    pipeline = vg.INFERENCE.insert(AbsoluteAsIs(), after="eliminate_common")
    page = Page(vg.compile(net, inference_pipeline=pipeline), tmp_path)
    names = [s["name"] for s in page.stages if s["changed"]]
    assert names == ["declared", "absolute_as_is", "simplify.2", "schedule"]
    absolute = page.id("absolute", "declared", "inference")
    steps = page.lineage(absolute, "inference")
    assert [(stage, page.name(n)) for stage, n, _ in steps] == [
        ("absolute_as_is", "absolute"),
        ("simplify.2", "x"),
    ]


def test_what_reads_parameters_that_are_looked_ahead_at_is_still_there(tmp_path: Path) -> None:
    page = Page(vg.compile(two_layer(), optimizer=vg.Nesterov(0.1)), tmp_path)
    linear = page.id("fc1", "declared")
    assert [step[0] for step in page.lineage(linear)] == ["attach_optimizer", "fuse_linear_relu"]
    assert linear not in page.stage("attach_optimizer")["removed"]
    grads = {dn for _, dn, stage, _ in page.data["gradients"] if stage == "attach_optimizer"}
    assert page.id("fc1.weight.grad", "attach_optimizer") in grads


def test_a_declared_gradient_becomes_its_nodes(tmp_path: Path) -> None:
    x = vg.input("x", ("N", 3))
    h = vg.tanh(vg.dense(x, 3, name="fc1"))
    (dx,) = vg.grad(vg.sum(h), [x])
    net = vg.Graph("net", {"h": h}, loss=vg.sum(vg.square(dx)))
    page = Page(vg.compile(net, optimizer=vg.SGD(0.1)), tmp_path, feeds={"x": np.ones((2, 3))})
    (stage, number, why), *_ = page.lineage(page.id("x.grad", "declared"))
    assert stage == "expand_gradients" and page.node(number)["op"] == "matmul"
    assert why == "Each gradient that `vg.grad` declared becomes the nodes that compute it."


# ---- nodes -------------------------------------------------------------------------------------


def test_a_node_tells_line_formula_gradient_bytes_and_flops(page: Page) -> None:
    relu = page.node(page.id("fc1.relu", "declared"))
    assert relu["where"]["file"] == "reading.py"
    assert relu["where"]["code"] == 'scores = vg.dense(activation(fc1), 3, name="fc2")'
    assert relu["formula"] == "y = max(x, 0); the derivative at 0 is 0."
    assert relu["gradient"] == "d%fc1 = relu_grad(%fc1.relu, dy)"
    assert (relu["type"], relu["bytes"], relu["flops"]) == ("f32[N,5]", 400, 100)
    weight = page.node(page.id("fc1.weight", "declared"))
    assert weight["source"] and weight["gradient"] == "" and weight["bytes"] == 6 * 5 * 4


@vg.op
class TwiceOnThePage(vg.Op):
    """y = 2 x </script>."""

    name: ClassVar[str] = "twice_on_the_page"
    elementwise: ClassVar[bool] = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (dy * 2.0,)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, 2.0, out=out)


def test_an_op_of_the_users_own_tells_its_docstring_and_its_rule(tmp_path: Path) -> None:
    net = two_layer(activation=lambda x: vg.apply(TwiceOnThePage(), x))
    page = Page(vg.compile(net, optimizer=vg.SGD(0.1)), tmp_path, feeds=FEEDS)
    node = page.node(page.id("fc1.twice_on_the_page", "declared"))
    assert node["formula"] == "y = 2 x </script>."
    assert node["gradient"] == "d%fc1 = multiply(dy, 2)"

"""Reports of programs of every kind: without a loss, limited, large, of other backends."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import FEEDS, Page, two_layer

import verigrad as vg


def test_a_program_without_a_loss_has_stages_of_inference_alone(tmp_path: Path) -> None:
    x = vg.input("x", ("N", 6))
    net = vg.Graph("net", {"y": vg.relu(vg.dense(x, 5, name="fc1"))})
    page = Page(vg.compile(net), tmp_path, feeds={"x": FEEDS["x"]})
    assert {s["pipeline"] for s in page.stages} == {"inference"}
    assert page.data["gradients"] == []
    fused = page.lineage(page.id("y", "declared", "inference"), "inference")[-1][1]
    assert any(fused in c["nodes"] for c in page.data["plan"]["calls"])


def test_a_graph_of_one_node(tmp_path: Path) -> None:
    page = Page(vg.compile(vg.Graph("net", {"y": vg.input("x", (3,))})), tmp_path)
    assert [n["name"] for n in page.stages[-1]["nodes"]][:1] == ["x"]
    assert page.data["sizes"] == {}


def test_a_loss_without_an_optimizer(tmp_path: Path) -> None:
    page = Page(vg.compile(two_layer()), tmp_path, feeds=FEEDS)
    assert "fc1.weight.grad" in page.stage("schedule")["outputs"]
    assert page.stage("schedule")["updates"] == []


def test_a_net_with_normalization(tmp_path: Path) -> None:
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.batch_norm(vg.dense(x, 5, name="fc1", bias=False)))
    net = vg.Graph("net", loss=vg.softmax_cross_entropy(vg.dense(h, 3, name="fc2"), y))
    page = Page(vg.compile(net, optimizer=vg.Adam(0.01)), tmp_path, feeds=FEEDS)
    norm = next(n["id"] for n in page.stage("declared")["nodes"] if "batch_norm" in n["statement"])
    steps = [step for step in page.data["lineage"][str(norm)] if step[0] == "expand_batch_norm"]
    assert [step[2] for step in steps] == ["normalized by the batch's mean and variance"]


def deep(width: int = 16, layers: int = 6) -> vg.Graph:
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    h = x
    for _ in range(layers):
        h = vg.tanh(vg.dense(h, width))
    return vg.Graph("deep", loss=vg.softmax_cross_entropy(vg.dense(h, 3), y))


def test_what_is_computed_again_is_a_stage_of_its_own(tmp_path: Path) -> None:
    sizes = {"N": 512}
    most = vg.compile(deep(), optimizer=vg.SGD(0.1)).plan(**sizes).nbytes
    limited = vg.compile(
        deep(), optimizer=vg.SGD(0.1), memory_limit=int(0.9 * most), recompute=True
    )
    page = Page(limited, tmp_path, sizes=sizes)
    stage = page.stage("recompute")
    again = [page.name(n) for n in stage["added"] if page.name(n).endswith(".again")]
    assert again and page.data["plan"]["recomputed"]
    placed = {n for c in page.data["plan"]["calls"] for n in c["nodes"]}
    assert placed <= {n["id"] for n in stage["nodes"]}
    plan, peak = page.data["plan"], page.data["plan"]["peak"]
    alive = [b["size"] for b in plan["buffers"] if b["first"] <= peak["call"] <= b["last"]]
    assert sum(alive) == peak["bytes"] <= plan["limit"]


def test_a_plan_over_the_limit_is_told_and_leaves_no_plan(tmp_path: Path) -> None:
    program = vg.compile(deep(), optimizer=vg.SGD(0.1), memory_limit=1000)
    page = Page(program, tmp_path)
    assert page.data["plan"] is None and page.data["cost"] is None
    assert any("memory_limit is 1,000" in note for note in page.data["notes"])
    assert "memory_limit is 1,000" in page.text


def test_a_step_of_another_backend(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    program = vg.compile(two_layer(), optimizer=vg.SGD(0.1), backend="numba")
    page = Page(program, tmp_path, feeds=FEEDS)
    assert ["backend", "'numba'"] in page.data["options"]
    assert page.data["plan"]["bytes"] == program.plan(N=20).nbytes


def test_three_hundred_nodes_take_less_than_two_megabytes(tmp_path: Path) -> None:
    program = vg.compile(deep(layers=24), optimizer=vg.Adam(0.01))
    assert len(program.training.order) > 250
    page = Page(program, tmp_path, feeds=FEEDS)
    assert page.path.stat().st_size < 2_200_000

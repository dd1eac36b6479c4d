"""Ours to ONNX and back: an equivalent graph, by the exact layer of the certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given
from random_graphs import chains, graphs, nets

import verigrad as vg
from verigrad.runtime.certificate.exact import compare

pytestmark = [pytest.mark.oracle, pytest.mark.numpy_bits]


def back(g: vg.Graph, folder: Path, **options: Any) -> vg.Graph:
    """The graph of the file of a graph."""
    vg.compile(g, seed=3).to_onnx(folder / "net.onnx")
    return vg.from_onnx(folder / "net.onnx", **options)


def proved(before: vg.Graph, after: vg.Graph) -> bool:
    """Whether the exact layer finds both graphs to be one, with nothing skipped."""
    exact = compare(before, after)
    return not exact.differences and not exact.skipped


@pytest.mark.parametrize(
    "activation",
    ["relu", "tanh", "sigmoid", "gelu", "silu", "elu", "selu", "softplus", "leaky_relu"],
)
def test_a_net_comes_back(onnx: Any, activation: str, tmp_path: Path) -> None:
    x = vg.input("pixels", ("rows", 12))
    h = vg.layer_norm(vg.batch_norm(vg.mlp(x, [8, 6], activation=activation)))
    g = vg.Graph("net", {"probabilities": vg.softmax(h), "raw": h})
    found = back(g, tmp_path)
    assert proved(g, found)
    vg.check_same(g, found)
    one, other = (
        [(side.names[n], n.type) for n in (*side.inputs, *side.parameters, *side.state)]
        for side in (g, found)
    )
    assert one == other
    ops = [n.op.name for n in found.order]
    assert [op for op in ops if op in ("linear", "batch_norm", activation)] == [
        "linear", activation, "linear", "batch_norm",
    ]  # fmt: skip


def test_a_net_comes_back_as_its_text(onnx: Any, tmp_path: Path, three_layer: vg.Graph) -> None:
    g = three_layer.but(outputs={"scores": three_layer.outputs["scores"]})
    told = [line.partition("{init")[0] for line in str(g).splitlines()]
    found = back(g, tmp_path)
    assert [line.partition("{init")[0] for line in str(found).splitlines()] == told


def test_it_begins_where_the_program_was(
    onnx: Any, tmp_path: Path, three_layer: vg.Graph, rng: np.random.Generator
) -> None:
    program = vg.compile(three_layer, optimizer=vg.SGD(0.1), seed=1)
    feeds = {"x": rng.standard_normal((9, 12)).astype(np.float32), "y": rng.integers(0, 4, 9)}
    for _ in range(3):
        program.step(feeds)
    program.to_onnx(tmp_path / "net.onnx")
    g = vg.from_onnx(tmp_path / "net.onnx", loss="softmax_cross_entropy")
    again = vg.compile(g, optimizer=vg.SGD(0.1), seed=7)
    assert dict(again.parameters).keys() == dict(program.parameters).keys()
    for _ in range(3):
        assert again.step(feeds) == program.step(feeds)


@given(graph=st.one_of(graphs(), chains(), nets()))
def test_random_graphs_come_back(tmp_path_factory: pytest.TempPathFactory, graph: vg.Graph) -> None:
    pytest.importorskip("onnx")
    g = graph.but(outputs={k: n for k, n in graph.outputs.items() if k != "loss"}, updates={})
    # Running values alone are state in a file of inference; other state is fixed in it.
    readers = {r.op.name for n in g.state for r in g.users[n]}
    assume(readers <= {"batch_norm"} and not {*g.state} & {*g.outputs.values()})
    found = back(g, tmp_path_factory.mktemp("back"))
    found = found.but(outputs=dict(zip(g.outputs, found.outputs.values(), strict=True)))
    exact = compare(g, found)
    assert not exact.differences, f"{g}\n{found}\n{exact.differences}"


OPTIMIZERS = {
    "sgd": vg.SGD(vg.schedules.exponential(0.1, 0.9)),
    "momentum": vg.Momentum(0.1, weight_decay=0.01, dialect="torch"),
    "nesterov": vg.Nesterov(0.1, lookahead=False),
    "look-ahead": vg.Nesterov(0.1),
    "adagrad": vg.AdaGrad(0.1),
    "rmsprop": vg.RMSProp(0.01),
    "adam": vg.Adam(0.01),
    "adamw": vg.AdamW(vg.schedules.warmup(0.01, 5)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_whole_training_step_comes_back(onnx: Any, name: str, tmp_path: Path) -> None:
    """Forward, backward and update of a file are the program's compiled step, as proved."""
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(vg.batch_norm(vg.relu(vg.dense(x, 4))), 3)
    g = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    options = {"regularizer": vg.L2(1e-3), "clip": vg.ClipValue(0.1)}
    program = vg.compile(g, optimizer=OPTIMIZERS[name], seed=2, **options)
    program.to_onnx(tmp_path / "step.onnx", training=True)
    found = vg.from_onnx(tmp_path / "step.onnx")
    assert proved(program.training, found)
    updated = [{g.names[w] for w in g.updates} for g in (program.training, found)]
    assert updated[0] == updated[1]
    assert {found.names[n] for n in found.state} == set(program.state)


def test_a_step_that_is_not_the_programs_is_told(onnx: Any, tmp_path: Path) -> None:
    """The proof is one that can fail: another rate, in the file alone, is found."""
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N", 2))
    scores = vg.dense(x, 2)
    g = vg.Graph("net", {"scores": scores}, loss=vg.mean_squared_error(scores, y))
    one, other = (vg.compile(g, optimizer=vg.SGD(rate)) for rate in (0.1, 0.1001))
    one.to_onnx(tmp_path / "step.onnx", training=True)
    found = vg.from_onnx(tmp_path / "step.onnx")
    vg.check_same(one.training, found)
    with pytest.raises(vg.RefutedError, match="the new fc1"):
        vg.check_same(other.training, found)


def test_a_net_of_a_step_is_trained_on_by_a_loss(
    onnx: Any, tmp_path: Path, three_layer: vg.Graph, rng: np.random.Generator
) -> None:
    program = vg.compile(three_layer, optimizer=vg.Adam(0.01), seed=1)
    program.to_onnx(tmp_path / "step.onnx", training=True)
    g = vg.from_onnx(
        tmp_path / "step.onnx", output="scores", loss="softmax_cross_entropy", target="labels"
    )
    again = vg.compile(g, optimizer=vg.Adam(0.01), seed=7)
    x, y = rng.standard_normal((9, 12)).astype(np.float32), rng.integers(0, 4, 9)
    for _ in range(3):
        assert again.step(x=x, labels=y) == program.step(x=x, y=y)

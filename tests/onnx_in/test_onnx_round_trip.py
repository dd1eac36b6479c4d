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

"""Graphs whose sizes are told by an input that nothing reads, or reads no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import verigrad as vg


def row(*columns: int) -> vg.Node:
    return vg.parameter("w", columns, "ones")


def spread(rows: str = "N") -> vg.Node:
    return vg.broadcast_to(row(3) * 2.0, (rows, 3), name="score")


def net() -> vg.Graph:
    """A score that reads no input, and a loss that reads the labels."""
    score = spread()
    y = vg.input("y", ("N",), dtype="i64")
    return vg.Graph("prior", {"score": score}, loss=vg.softmax_cross_entropy(score, y))


def test_a_score_that_reads_no_input_has_the_rows_of_the_labels(tmp_path: Path) -> None:
    program = vg.compile(net(), optimizer=vg.SGD(0.1))
    y = np.array([0, 1, 2, 2])
    for _ in range(2):
        assert program.predict(y=y)["score"].tolist() == [[2.0] * 3] * 4
        assert program.predict(y=y[:1])["score"].shape == (1, 3)
    first, last = program.step(y=y), program.step(y=y)
    assert last < first
    assert vg.gradcheck(net(), {"y": y}).ok
    program.save(tmp_path / "p.safetensors")
    again = vg.load(tmp_path / "p.safetensors")
    assert np.array_equal(again.predict(y=y)["score"], program.predict(y=y)["score"])
    with pytest.raises(vg.RunError, match="input 'y' is not fed"):
        program.predict({})


def test_the_first_input_that_has_the_size_is_kept_floats_before_labels() -> None:
    x, t = vg.input("x", ("M", 2)), vg.input("t", ("N", "M"))
    y, z = vg.input("y", ("N",)), vg.input("z", ("N",))
    loss = vg.mean(y) + vg.mean(z) + vg.mean(vg.matmul(t, x))
    g = vg.Graph("g", {"score": spread()}, loss=loss)
    only = g.but(outputs={"score": g.outputs["score"]})
    assert [only.names[n] for n in only.inputs] == ["y"]
    vg.verify(only)
    labels = vg.input("labels", ("N",), dtype="i64")
    told = vg.Graph("g", {"score": spread()}, inputs=[labels, z, y])
    assert [told.names[n] for n in told.inputs] == ["z"]
    both = vg.Graph("g", {"a": spread("M"), "n": vg.dim("N")}, inputs=[x, y, t])
    assert [both.names[n] for n in both.inputs] == ["x", "y"]
    assert str(vg.parse(str(both))) == str(both)


def test_what_a_rewrite_drops_still_tells_the_size(rng: np.random.Generator) -> None:
    c, x = vg.input("c", ("N", 3), dtype="bool"), vg.input("x", ("N", 3))
    a = spread()
    slope = vg.grad(vg.sum(x * a), [x])[0]
    counted = vg.dim("N") * vg.cast(vg.sum(a), "f64")
    for y, feeds in (
        (vg.where(c, a, a), {"c": np.ones((4, 3), bool)}),
        (slope, {"x": rng.standard_normal((4, 3))}),
        (vg.where(c, counted, counted), {"c": np.zeros((4, 3), bool)}),
    ):
        g = vg.Graph("g", {"y": y})
        program = vg.compile(g)
        values = {k: v.astype(g[k].type.numpy) for k, v in feeds.items()}
        expected = vg.interpret(g, {**values, **program.parameters}).outputs["y"]
        assert np.array_equal(program.predict(feeds)["y"], expected)
        assert np.array_equal(vg.compile(vg.parse(str(g))).predict(feeds)["y"], expected)


def test_inputs_of_a_graph_are_inputs_and_a_size_that_none_tells_is_refused() -> None:
    with pytest.raises(vg.GraphError, match=r"inputs holds .*where nodes of vg\.input"):
        vg.Graph("g", {"y": spread()}, inputs=[row(3)])
    with pytest.raises(vg.GraphError, match=r"no input binds the symbol N; keep one, Graph"):
        vg.compile(vg.Graph("g", {"y": spread()}))
    x = vg.input("x", ("N",))
    program = vg.compile(vg.Graph("g", {"y": spread()}, inputs=[x]))
    assert program.predict(x=np.zeros(5))["y"].shape == (5, 3)
    assert vg.Graph("g", {"y": row(3)}, inputs=[x]).inputs == ()


def gradient_of_sign() -> vg.Node:
    w = row(8, 3)
    (dw,) = vg.grad(vg.mean(vg.sign(vg.matmul(vg.input("x", ("N", 8)), w))), [w])
    return dw


def chosen_of_one() -> vg.Node:
    x, w = vg.input("x", ("N", 8)), row(3)
    return vg.where(vg.sum(vg.matmul(x, vg.parameter("v", (8, 1)))) > 0, w, w)


@pytest.mark.parametrize("made", [gradient_of_sign, chosen_of_one])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_what_no_result_needs_any_more_may_have_any_size(
    made: Callable[[], vg.Node], backend: Literal["numpy", "numba"], tmp_path: Path
) -> None:
    program = vg.compile(vg.Graph("g", {"y": made()}), backend=backend)
    x = np.ones((4, 8))
    y = program.predict(x=x)["y"]
    assert np.array_equal(y, np.zeros((8, 3)) if made is gradient_of_sign else np.ones(3))
    for name in program.parameters:
        program.parameters[name] = np.full(program.parameters[name].shape, 2.0)
    program.save(tmp_path / "p.safetensors")
    again = vg.load(tmp_path / "p.safetensors")
    assert set(again.parameters) == {n.name for n in program.declared.parameters}
    assert all((again.parameters[name] == 2.0).all() for name in again.parameters)
    assert np.array_equal(again.predict(x=x)["y"], program.predict(x=x)["y"])


def test_a_state_that_only_an_update_without_a_loss_reads_is_saved(tmp_path: Path) -> None:
    count = vg.state("count")
    net = vg.Graph("g", {"y": vg.input("x", ("N",)) * 2.0}, updates={count: count + 1.0})
    program = vg.compile(net)
    program.state["count"] = 5.0
    program.save(tmp_path / "p.safetensors")
    assert vg.load(tmp_path / "p.safetensors").state["count"] == 5.0

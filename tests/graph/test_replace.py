"""Graph.replace, the one edit: simultaneous, typed, and without recursion."""

from __future__ import annotations

import numpy as np
import pytest

import verigrad as vg


def vector(name: str) -> vg.Node:
    return vg.input(name, (2,), dtype="f64")


def value(g: vg.Graph, **feeds: float) -> float:
    """The first element of the output y."""
    return float(vg.interpret(g, {k: np.full(2, v) for k, v in feeds.items()}).outputs["y"][0])


def test_a_node_is_replaced_everywhere() -> None:
    x = vector("x")
    a = vg.exp(x)
    g = vg.Graph("g", {"y": a + vg.tanh(a)}).replace({a: vg.negative(x)})
    assert value(g, x=0.5) == -0.5 + np.tanh(-0.5)


def test_a_replacement_may_wrap_what_it_replaces() -> None:
    x, mask = vector("x"), vector("mask")
    h = vg.relu(x, name="h")
    g = vg.Graph("g", {"y": vg.tanh(h), "h": h}).replace({h: h * mask})
    assert value(g, x=2.0, mask=0.5) == np.tanh(1.0)
    assert [n.op.name for n in g.order] == ["relu", "multiply", "tanh"]


def test_two_wraps_meet_each_other_but_not_themselves() -> None:
    x = vector("x")
    a = x * 2.0
    b = a + 3.0
    g = vg.Graph("g", {"y": b}).replace({a: a * 10.0, b: b * 100.0})
    assert value(g, x=1.0) == (1.0 * 2 * 10 + 3) * 100


def test_replacements_are_simultaneous() -> None:
    x = vector("x")
    a, b = x * 2.0, x * 3.0
    g = vg.Graph("g", {"y": a - b}).replace({a: x * 5.0, b: x * 7.0})
    assert value(g, x=1.0) == 5.0 - 7.0


def test_replacements_that_lead_back_end_where_they_began() -> None:
    x = vector("x")
    a, b = x * 2.0, x * 3.0
    g = vg.Graph("g", {"y": a - b}).replace({a: b, b: a})
    assert value(g, x=1.0) == 2.0 - 3.0


def test_a_chain_of_replacements_is_followed() -> None:
    x = vector("x")
    a, b, c = x + 1.0, x + 2.0, x + 3.0
    g = vg.Graph("g", {"y": a, "b": b}).replace({a: b, b: c})
    assert value(g, x=0.0) == 3.0
    assert g.outputs["y"] is g.outputs["b"] is c


def test_each_replacement_may_read_the_other() -> None:
    x = vector("x")
    a, b = x * 2.0, x * 3.0
    g = vg.Graph("g", {"y": a, "b": b}).replace({a: b + 1.0, b: a + 10.0})
    # Inside the replacement of a, b is replaced, but a is not replaced again; and so for b.
    assert value(g, x=1.0) == 2.0 + 10.0 + 1.0
    assert vg.interpret(g, {"x": np.ones(2)}).outputs["b"][0] == 3.0 + 1.0 + 10.0


def test_a_new_node_may_stand_in_two_replacements() -> None:
    x = vector("x")
    a, b = vg.exp(x), vg.tanh(x)
    shared = vg.sigmoid(x, name="shared")
    g = vg.Graph("g", {"y": a - b}).replace({a: shared * 2.0, b: shared})
    assert [n.op.name for n in g.order].count("sigmoid") == 1
    assert value(g, x=0.0) == 0.5


def test_a_replacement_may_read_what_comes_later() -> None:
    x = vector("x")
    a = x + 1.0
    z = vg.tanh(x)
    y = vg.exp(z) * a
    g = vg.Graph("g", {"y": y}).replace({a: z})
    assert value(g, x=0.0) == 0.0


def test_a_replacement_that_reads_its_own_reader_is_unrolled_once() -> None:
    x = vector("x")
    a = x + 1.0
    y = a * 2.0
    g = vg.Graph("g", {"y": y}).replace({a: y - 1.0})
    vg.verify(g)
    assert value(g, x=3.0) == (8.0 - 1.0) * 2.0


def test_inputs_are_replaced_too() -> None:
    x, z = vector("x"), vector("z")
    g = vg.Graph("g", {"y": vg.exp(x)}).replace({x: z})
    assert [g.names[n] for n in g.inputs] == ["z"]


def test_updates_are_replaced_but_not_what_they_update() -> None:
    w = vg.parameter("w", (2,))
    new = w * 2.0
    g = vg.Graph("g", {}, updates={w: new}).replace({new: w * 3.0})
    ((target, by),) = g.updates.items()
    assert target is w and by.op.name == "multiply" and by is not new


def test_another_type_is_an_error_that_names_both() -> None:
    x = vector("x")
    a = vg.exp(x, name="a")
    with pytest.raises(vg.GraphError, match=r"%a: f64\[2\] cannot be replaced by sum: f64\[\]"):
        vg.Graph("g", {"y": a}).replace({a: vg.sum(x)})


def test_what_no_root_reaches_falls_away() -> None:
    x, z = vector("x"), vector("z")
    a = vg.exp(vg.tanh(x), name="a")
    g = vg.Graph("g", {"y": vg.relu(a)}).replace({a: z})
    assert [n.op.name for n in g.nodes] == ["input", "relu"]


def test_nothing_to_replace_gives_the_same_nodes() -> None:
    x = vector("x")
    g = vg.Graph("g", {"y": vg.exp(x)})
    assert g.replace({}).outputs == g.outputs


def test_a_node_of_another_graph_is_an_error() -> None:
    x = vector("x")
    g = vg.Graph("g", {"y": vg.exp(x)})
    with pytest.raises(vg.GraphError, match="is not part of graph g, so it is not replaced"):
        g.replace({vg.tanh(x): vg.relu(x)})


def test_a_graph_of_ten_thousand_nodes_is_rebuilt_without_recursion() -> None:
    x = vector("x")
    nodes = [x]
    for _ in range(10_000):
        nodes.append(vg.negative(nodes[-1]))
    g = vg.Graph("g", {"y": nodes[-1]})
    again = g.replace({n: vg.negative(n.inputs[0]) for n in g.order})
    assert len(again.order) == 10_000 and value(again, x=2.0) == 2.0
    assert str(vg.parse(str(again))) == str(again)
    vg.verify(again)


def test_wrapping_every_node_of_a_chain_takes_each_once() -> None:
    x = vector("x")
    n = x
    for _ in range(1000):
        n = vg.negative(n)
    g = vg.Graph("g", {"y": n})
    wrapped = g.replace({n: n + 0.0 for n in g.order})
    assert len(wrapped.order) == 2000

"""What a graph shows: its parts, its users, networkx's view, lines of the user's code."""

from __future__ import annotations

import networkx as nx
from conftest import net
from hypothesis import given
from random_graphs import graphs

import verigrad as vg
from verigrad.graph import created_at


@given(graphs())
def test_the_networkx_view_has_every_node_and_every_operand(g: vg.Graph) -> None:
    view = g.to_networkx()
    assert set(view) == set(g.names.values()) and view.name == "random"
    for n in g.nodes:
        name = g.names[n]
        edges = sorted((slot, i) for i, _, slot in view.in_edges(name, data="slot"))
        assert edges == [(slot, g.names[i]) for slot, i in enumerate(n.inputs)]
        assert view.nodes[name]["node"] is n and view.nodes[name]["type"] == str(n.type)
    assert nx.is_directed_acyclic_graph(view)


@given(graphs())
def test_the_order_is_a_topological_order_of_that_view(g: vg.Graph) -> None:
    place = {name: i for i, name in enumerate(g.names.values())}
    assert all(place[a] < place[b] for a, b in g.to_networkx().edges())


@given(graphs())
def test_users_are_the_readers_each_once(g: vg.Graph) -> None:
    expected = {n: tuple(m for m in g.order if n in m.inputs) for n in g.nodes}
    assert dict(g.users) == expected


def test_questions_about_a_graph_are_networkx_s() -> None:
    view = net(4, 3, 2).to_networkx()
    assert nx.shortest_path(view, "x", "loss")[:3] == ["x", "fc1", "fc1.relu"]
    assert "fc1.weight" in nx.ancestors(view, "loss")


def test_sources_come_by_kind_and_the_rest_in_order() -> None:
    g = net(4, 3, 2)
    assert [n.op.name for n in g.sources] == ["input"] * 2 + ["parameter"] * 4
    assert g.nodes == (*g.sources, *g.order)
    assert g.loss is g.outputs["loss"] and g.symbols == ("N",)
    assert repr(g) == f"<Graph net: 6 sources, {len(g.order)} nodes>"


def test_a_node_knows_the_line_of_the_user_that_made_it() -> None:
    h = vg.relu(vg.input("x", (2,)))
    assert h.where.described.startswith(f"test_views.py:{h.where.line}: h = vg.relu")
    with created_at(h.where):
        assert vg.exp(h).where is h.where


def test_a_gradient_was_made_by_the_line_of_its_op() -> None:
    x = vg.input("x", (2,))
    h = vg.square(x)
    y = vg.sum(h)
    (dx,) = vg.grad(y, [x])
    assert dx.where is not None and dx.where.line > y.where.line  # where it is declared
    made = vg.compile(vg.Graph("g", {"dx": dx})).inference_stages["expand_gradients"]
    assert made.outputs["dx"].where == h.where


def test_a_graph_needs_no_outputs() -> None:
    assert str(vg.Graph("empty")) == "graph empty {\n  return\n}"
    assert str(vg.parse("graph empty {\n  return\n}")) == str(vg.Graph("empty"))


def test_a_graph_of_thousands_of_nodes_needs_no_recursion() -> None:
    n = vg.input("x", (2,))
    for _ in range(5000):
        n = vg.negative(n)
    g = vg.Graph("deep", {"y": n})
    assert len(g.order) == 5000 and len(g.to_networkx()) == 5001
    assert len(vg.grad(vg.sum(n), [g.inputs[0]])) == 1

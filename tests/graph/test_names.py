"""Names: the user's where there are any, and otherwise numbered in order, graph by graph."""

from __future__ import annotations

import pytest
from conftest import net

import verigrad as vg


def test_unnamed_layers_are_numbered_in_the_order_of_the_graph() -> None:
    g = net(4, 3, 3, 2)
    assert list(g.layers) == ["fc1", "fc2", "fc3"]
    assert [g.names[p] for p in g.parameters[:2]] == ["fc1.weight", "fc1.bias"]


def test_there_is_no_global_counter() -> None:
    assert str(net(4, 3, 2)) == str(net(4, 3, 2))


def test_the_order_of_declaration_does_not_count() -> None:
    x = vg.input("x", ("N", 2))
    late = vg.dense(x, 2)
    first = vg.dense(x, 2)
    g = vg.Graph("g", {"y": vg.dense(first, 2) + vg.relu(late)})
    assert g.names[first] == "fc1" and g.names[late] == "fc3"


def test_names_that_are_taken_are_passed_over() -> None:
    x = vg.input("x", ("N", 2))
    h = vg.dense(x, 2, name="fc2")
    g = vg.Graph("g", {"y": vg.dense(vg.dense(h, 2), 2)})
    assert list(g.layers) == ["fc2", "fc1", "fc3"]


def test_a_layer_keeps_its_number_in_other_graphs() -> None:
    x = vg.input("x", ("N", 2))
    a = vg.dense(x, 2)
    b = vg.dense(a, 2)
    g = vg.Graph("g", {"y": b})
    assert g.names[b] == "fc2"
    assert vg.Graph("h", {"y": b, "a": a}).names[b] == "fc2"


def test_nodes_are_named_after_their_layer_and_op() -> None:
    g = net(4, 3, 2)
    assert [g.names[n] for n in g.order[:3]] == ["fc1", "fc1.relu", "fc2"]
    assert {g.layer(n) for n in g.order[:2]} == {"fc1"}


def test_a_node_takes_the_name_of_its_output() -> None:
    x = vg.input("x", (2,))
    g = vg.Graph("g", {"shifted": x + 1.0})
    assert g["shifted"] is g.outputs["shifted"]


def test_equal_names_of_results_are_numbered() -> None:
    x = vg.input("x", (2,))
    g = vg.Graph("g", {"y": vg.exp(vg.exp(x, name="h"), name="h")})
    assert [g.names[n] for n in g.order] == ["h", "h.1"]


def test_a_layer_is_the_longest_that_a_name_begins_with() -> None:
    x = vg.input("x", ("N", 2))
    inner = vg.dense(x, 2, name="block.fc1")
    outer = vg.dense(inner, 2, name="block")
    g = vg.Graph("g", {"y": vg.relu(outer)})
    assert g.layer(inner) == "block.fc1" and g.layer(outer) == "block"
    assert g.layer(g["block.fc1.weight"]) == "block.fc1"
    assert g.layer(x) is None


def test_two_sources_of_one_name_are_an_error_with_both_lines() -> None:
    a, b = vg.input("x", (2,)), vg.input("x", (2,))
    with pytest.raises(vg.GraphError, match="the name 'x' is used twice") as e:
        vg.Graph("g", {"y": a + b})
    assert str(e.value).count("test_names.py:") == 2 and "fix: give one" in str(e.value)


def test_an_unknown_name_is_an_error_with_a_suggestion() -> None:
    g = net(4, 3, 2)
    with pytest.raises(
        vg.GraphError, match=r"no node named 'fc1.wieght'; did you mean 'fc1.weight'"
    ):
        g["fc1.wieght"]


@pytest.mark.parametrize("name", ["", "1a", "a b", "%a", "a/b", 3, None])
def test_a_name_that_text_could_not_hold_is_an_error(name: object) -> None:
    x = vg.input("x", (2,))
    for declare in (
        lambda: vg.input(name, (2,)),
        lambda: vg.Graph(name, {"y": x}),
        lambda: vg.Graph("g", {name: x}),
    ):
        with pytest.raises(vg.GraphError):
            declare()


def test_arguments_of_a_graph_that_are_no_nodes_are_errors() -> None:
    x = vg.input("x", (2,))
    with pytest.raises(vg.GraphError, match="output 'y' is int, where a node is expected"):
        vg.Graph("g", {"y": 3})
    with pytest.raises(vg.GraphError, match="the loss is given twice"):
        vg.Graph("g", {"loss": vg.sum(x)}, loss=vg.mean(x))
    with pytest.raises(vg.GraphError, match=r"the loss is f32\[2\], where a float scalar") as e:
        vg.Graph("g", loss=x * 2.0)
    assert "test_names.py:" in str(e.value) and "take its mean, e.g. vg.mean(loss)" in str(e.value)
    with pytest.raises(vg.GraphError, match="the loss is i64"):
        vg.Graph("g", loss=vg.constant(1))

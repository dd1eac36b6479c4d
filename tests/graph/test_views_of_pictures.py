"""What a picture shows: by nodes, layers or kernel calls, of which parts, and in which rows."""

from __future__ import annotations

import pytest

import verigrad as vg
from verigrad.graph.pictures.dot import dot_of
from verigrad.graph.pictures.drawing import view
from verigrad.graph.pictures.options import Detail, Options
from verigrad.graph.pictures.rows import rows
from verigrad.graph.pictures.view import Edge, Item, View


def net(depth: int, residual: bool = False) -> vg.Graph:
    x, y = vg.input("x", ("N", 20)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, 8))
    for _ in range(depth - 2):
        d = vg.dense(h, 8)
        h = vg.relu(h + d if residual else d)
    scores = vg.dense(h, 3)
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def training(depth: int, residual: bool = False) -> vg.Graph:
    return vg.compile(net(depth, residual), optimizer=vg.Adam(lr=0.1)).training


def items(shown: View) -> dict[str, Item]:
    return {item.key: item for item in shown.items}


@pytest.fixture(scope="module")
def ten() -> vg.Graph:
    return training(10)


# ---- detail --------------------------------------------------------------------------------------


def test_few_nodes_are_shown_one_by_one() -> None:
    g = vg.compile(net(2), optimizer=vg.SGD(lr=0.1)).training
    drawn = {item.key for item in view(g, Options({})).items}
    assert {g.names[n] for n in (*g.parameters, *g.roots)} <= drawn


def test_many_nodes_are_shown_by_layers_and_the_picture_says_so(ten: vg.Graph) -> None:
    shown = len(view(ten, Options({}, "nodes")).items)
    assert shown > 40
    assert f"layers; detail='nodes' shows {shown} nodes" in ten.to_dot()


def test_a_high_picture_is_shown_by_layers() -> None:
    assert "layers; detail=" in net(9).to_dot() and "layers; detail=" not in net(3).to_dot()


def test_equal_layers_are_one_box(ten: vg.Graph) -> None:
    boxes = items(view(ten, Options({"N": 50}, "layers")))
    assert boxes["layer fc2 … fc9 forward"].text.splitlines() == [
        "fc2 … fc9  x 8", "linear_relu", f"parameters: {8 * (8 * 8 + 8)}", "results: 12.8 kB",
    ]  # fmt: skip
    of_fc1 = {f"layer fc1 {column}" for column in ("forward", "backward", "update")}
    assert {*of_fc1, "layer loss forward", "x", "y"} <= set(boxes)


def test_layers_beside_each_other_are_boxes_of_their_own() -> None:
    x = vg.input("x", ("N", 4))
    g = vg.Graph("heads", {name: vg.dense(x, 4, name=name) for name in ("left", "right")})
    boxes = items(view(g, Options({}, "layers")))
    assert {"layer left forward", "layer right forward"} <= set(boxes)


@pytest.mark.parametrize(("slopes", "run"), [((0.1, 0.1), "a … b"), ((0.1, 0.3), "a")])
def test_layers_that_differ_in_a_number_are_not_equal(slopes: list[float], run: str) -> None:
    h = vg.input("x", ("N", 4))
    for name, slope in zip("ab", slopes, strict=True):
        h = vg.leaky_relu(vg.dense(h, 4, name=name), slope=slope)
    g = vg.Graph("chain", {"y": h})
    assert f"layer {run} forward" in items(view(g, Options({}, "layers")))


def test_equal_layers_with_dropout_are_one_box() -> None:
    g = vg.compile(net(5), optimizer=vg.SGD(0.1), dropout=vg.Dropout(keep=0.5)).training
    boxes = items(view(g, Options({}, "layers", parts=("update",))))
    assert "layer fc2 … fc4 update" in boxes


def test_a_layers_bytes_are_those_of_its_results() -> None:
    boxes = items(view(net(2), Options({}, "layers")))
    assert "results: 64·N B" in boxes["layer fc1 forward"].text  # before and behind the relu


def test_kernel_calls_are_boxes(ten: vg.Graph) -> None:
    assert ten.schedule is not None
    boxes = items(view(ten, Options({}, "kernels")))
    calls = {key for key in boxes if key.startswith("kernel call ")}
    assert calls <= {f"kernel call {k}" for k in ten.schedule.groups.values()}
    shared = max(set(ten.schedule.groups.values()), key=[*ten.schedule.groups.values()].count)
    assert f"kernel call {shared}" in calls


def test_kernel_calls_of_a_graph_without_a_schedule_are_an_error() -> None:
    with pytest.raises(vg.GraphError, match="graph net has no schedule; draw a compiled graph"):
        net(2).to_dot(detail="kernels")


# ---- what is left out ----------------------------------------------------------------------------


def test_bookkeeping_is_shown_where_it_is_asked_for() -> None:
    g = vg.compile(net(2), optimizer=vg.SGD(lr=0.1)).stages["differentiate"]
    folded = items(view(g, Options({}, "nodes")))
    whole = items(view(g, Options({}, "nodes", bookkeeping=True)))
    assert {"dim", "cast", "divide"} & set(whole) and not {"dim", "cast", "divide"} & set(folded)


def test_an_edge_leads_through_what_is_folded() -> None:
    x, w = vg.input("x", ("N", 2)), vg.parameter("fc1.weight", (2,))
    scale = vg.multiply(vg.sum(w, name="total"), 2.0, name="double")
    g = vg.Graph("g", {"y": x * scale})
    edges = {(e.tail, e.head) for e in view(g, Options({}, "nodes")).edges}
    assert edges == {("fc1.weight", "total"), ("total", "y"), ("x", "y")}


def test_parts_are_chosen(ten: vg.Graph) -> None:
    shown = view(ten, Options({}, "nodes", parts=("forward",)))
    assert {item.column for item in shown.items} == {"forward"}
    assert not any(e.writes for e in shown.edges)
    both = view(ten, Options({}, "layers", parts=("forward", "backward")))
    assert both.columns == ["forward", "backward"]


@pytest.mark.parametrize("detail", [None, "layers", "nodes"])
def test_a_picture_of_parts_that_there_are_not_says_so(detail: Detail | None) -> None:
    shown = view(net(2), Options({}, detail, parts=("backward", "update")))
    assert shown.notes == ["nothing of backward, update is in this graph"]
    assert shown.notes[0] in net(2).to_dot(detail=detail, parts=("backward", "update"))


def test_types_and_bytes_are_left_out() -> None:
    g = net(2)
    for types in (True, False):
        shown = view(g, Options({}, "nodes", types=types)).items
        assert any("f32[N,8] · 32·N B" in item.text for item in shown) == types
        assert any("f32" in item.text for item in shown) == types


def test_a_direction_is_graphvizs() -> None:
    assert "rankdir=LR" in net(2).to_dot(direction="LR")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"detail": "node"}, "detail is 'node', where one of layers, nodes, kernels is expected"),
        ({"direction": "up"}, "direction is 'up', where one of TB, LR is expected"),
        ({"parts": "forward"}, r"parts is 'forward', where some of .* e.g. parts=\('forward',\)"),
        ({"parts": ["back"]}, "parts has 'back', where some of 'forward', 'backward', 'update'"),
        ({"parts": ()}, "parts is empty"),
        ({"parts": 3}, "parts is 3"),
        ({"types": 1}, "types is 1, where True or False is expected"),
        ({"bookkeeping": None}, "bookkeeping is None, where True or False is expected"),
    ],
)
def test_what_is_no_option_is_an_error(options: dict[str, object], words: str) -> None:
    with pytest.raises(vg.GraphError, match=words):
        net(2).to_dot(**options)  # type: ignore[arg-type]


# ---- where it stands -----------------------------------------------------------------------------


@pytest.mark.parametrize("residual", [False, True])
def test_forward_runs_down_and_backward_up_and_layers_stand_below_each_other(
    residual: bool,
) -> None:
    shown = view(training(4, residual), Options({}, "nodes"))
    placed, boxes = rows(shown), items(shown)
    for e in shown.edges:
        tail, head = boxes[e.tail], boxes[e.head]
        if e.writes or (tail.part, tail.column) != (head.part, head.column):
            continue
        upward = head.column == "backward"
        assert (placed.of[e.tail] > placed.of[e.head]) == upward
    for upper, lower in zip(shown.parts, shown.parts[1:], strict=False):
        high = [placed.of[i.key] for i in shown.items if i.part == upper]
        low = [row for (part, _), row in placed.titles.items() if part == lower]
        assert max(high) < min(low)


def test_a_cycle_of_what_is_shown_has_rows_too() -> None:
    a, b = (Item(key, "forward", key, "", "forward") for key in "ab")
    shown = View("g", [a, b], [Edge("a", "b", ""), Edge("b", "a", "")])
    assert sorted(rows(shown).of) == ["a", "b"]


@pytest.mark.parametrize("detail", ["layers", "nodes"])
@pytest.mark.parametrize("name", ["head", "row", "legend", "title", "layer", "cluster", "loss1"])
def test_a_layer_may_be_called_as_what_holds_the_picture_together(detail: str, name: str) -> None:
    def drawn(second: str) -> set[str]:
        x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
        scores = vg.dense(vg.relu(vg.dense(x, 4, name="stem")), 3, name=second)
        g = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
        dot = vg.compile(g, optimizer=vg.SGD(0.1)).training.to_dot(detail=detail)
        return {line.split(" [")[0].strip() for line in dot.splitlines() if "->" not in line}

    assert len(drawn(name)) == len(drawn("tail"))


@pytest.mark.parametrize("detail", ["layers", "nodes"])
def test_heads_point_to_where_their_columns_run(ten: vg.Graph, detail: Detail) -> None:
    down = ten.to_dot(detail=detail)
    right = ten.to_dot(detail=detail, direction="LR")
    assert "forward ↓" in down and "backward ↑" in down
    assert "forward →" in right and "backward ←" in right
    assert "↓" not in right and "↑" not in right


@pytest.mark.parametrize("in_columns", [True, False])
def test_a_layer_called_legend_has_a_box_beside_the_legend(in_columns: bool) -> None:
    x = vg.input("x", ("N", 4))
    g = vg.Graph("net", {"scores": vg.dense(x, 3, name="legend")})
    dot = dot_of(view(g, Options({}, "nodes")), in_columns=in_columns)
    assert dot.count('subgraph "cluster legend"') == 1
    assert dot.count('subgraph "cluster ') == 2

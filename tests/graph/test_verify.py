"""The verifier: everything about a graph derived again, and every violation reported."""

from __future__ import annotations

from typing import ClassVar

import pytest
from conftest import net
from hypothesis import given
from random_graphs import graphs, nets

import verigrad as vg
from verigrad.graph import OPS, Graph, Input, Node, Schedule, TensorType, violations
from verigrad.graph.types import parse_type
from verigrad.passes.schedule import ScheduleBuffers


def raw(op: str, type: str, *inputs: Node, name: str = "raw", **attributes: object) -> Node:
    """A node as `apply` would never make it."""
    return Node(OPS[op](**attributes), inputs, parse_type(type), name)


def smuggle(g: Graph, **held: dict) -> Graph:
    """Adds outputs or updates behind the back of a graph, which is immutable."""
    for field, pairs in held.items():
        vars(g)[field] = {**getattr(g, field), **pairs}
    return g


def found(g: Graph) -> list[str]:
    return list(violations(g))


@given(graphs())
def test_random_graphs_are_sound(g: Graph) -> None:
    assert found(g) == [] and found(ScheduleBuffers().apply(g)) == []


@given(nets())
def test_every_stage_of_a_compilation_is_sound(net: Graph) -> None:
    program = vg.compile(net, optimizer=vg.Momentum(0.1), dropout=vg.Dropout(keep=0.5))
    assert all(found(g) == [] for g in program.stages.values())


def test_every_violation_is_reported_at_once() -> None:
    x = vg.input("x", ("N", 4))
    lying = raw("exp", "f32[N,5]", x, name="lying")
    unfit = raw("add", "f32[N,5]", x, lying, name="unfit")
    loose = raw("broadcast_to", "f32[M]", vg.constant(1.0), name="loose", shape=("M",))
    g = smuggle(Graph("broken", {"a": unfit, "b": loose}), updates={x: lying})
    text = "\n".join(found(g))
    assert "%lying: f32[N,5] = exp: the op gives f32[N,4]" in text
    assert "%unfit: f32[N,5] = add: shapes [N,4] and [N,5] do not broadcast" in text
    assert "%loose: f32[M] = broadcast_to: no input binds the symbol M" in text
    assert "update of %x, which is neither parameter nor state" in text
    assert "update of %x: f32[N,4] by %lying: f32[N,5]" in text
    assert len(found(g)) == 5
    with pytest.raises(vg.GraphError, match=r"graph broken has 5 violation\(s\):\n  - "):
        vg.verify(g)


def test_a_node_that_was_smuggled_in_is_reported() -> None:
    x = vg.input("x", ("N", 4))
    g = smuggle(Graph("g", {"y": vg.exp(x)}), outputs={"z": vg.tanh(x, name="late")})
    assert found(g) == ["<%late: f32[N,4] = tanh> is reached, but not among the graph's nodes"]


def test_a_cycle_is_reported() -> None:
    x = vg.input("x", (2,))
    a = raw("add", "f32[2]", x, x, name="a")
    b = raw("exp", "f32[2]", a, name="b")
    g = Graph("g", {"y": b})
    object.__setattr__(a, "inputs", (x, b))
    assert found(g) == ["cycle: <%a: f32[2] = add> reads <%b: f32[2] = exp>, which is made from it"]


def test_an_op_that_is_not_registered_is_reported() -> None:
    class Stray(vg.Op):
        name: ClassVar[str] = "stray"

        def infer(self, *types: TensorType) -> TensorType:
            return types[0]

    g = Graph("g", {"y": vg.apply(Stray(), vg.input("x", (2,)))})
    (violation,) = found(g)
    assert violation.endswith("the op is not the registered one; put @vg.op before its class")


def test_an_infer_that_gives_no_type_is_reported() -> None:
    @vg.op
    class Typeless(vg.Op):
        name: ClassVar[str] = "typeless"

        def infer(self, *types: TensorType) -> TensorType:
            return None

    x = vg.input("x", (2,))
    g = Graph("g", {"y": raw("typeless", "f32[2]", x)})
    assert "infer gave None, which is no TensorType" in found(g)[0]


def test_a_source_with_inputs_is_reported() -> None:
    x = vg.input("x", (2,))
    t = TensorType("f32", (2,))
    g = Graph("g", {"y": vg.exp(Node(Input(t), (x,), t, "z"))})
    assert any("a source has no inputs" in v for v in found(g))


def test_a_loss_that_is_no_float_scalar_is_reported() -> None:
    g = net(4, 3, 2)
    smuggle(g, outputs={"loss": g.outputs["scores"]})
    assert any("is f32[N,2], not a float scalar" in v for v in found(g))


# ---- schedules ------------------------------------------------------------------------------


def scheduled() -> Graph:
    return ScheduleBuffers().apply(
        vg.parse(
            """graph g {
              %x: f32[4] = input
              %w: f32[4] = parameter{init=ones}
              %rate: f32[] = constant{0.1}
              %a: f32[4] = exp(%x)
              %b: f32[4] = tanh(%a)
              %c: f32[4] = multiply(%b, %x)
              %w.1: f32[4] = descend(%w, %c, %rate)
              update %w = %w.1
              return a=%a, c=%c
            }"""
        )
    )


def changed(**fields: object) -> list[str]:
    g = scheduled()
    named = {
        k: {g[a]: g[b] if isinstance(b, str) else b for a, b in v.items()}
        if isinstance(v, dict)
        else tuple(g[n] for n in v)
        for k, v in fields.items()
    }
    return found(g.but(schedule=g.schedule.but(**named)))


def test_a_schedule_is_sound() -> None:
    s = scheduled().schedule
    g = scheduled()
    assert found(g) == [] and [g.names[n] for n in g.order] == ["a", "b", "c", "w.1"]
    assert {n.op.name: o.op.name for n, o in s.takeovers.items()} == {
        "multiply": "tanh",
        "descend": "parameter",
    }


@pytest.mark.parametrize(
    ("fields", "violation"),
    [
        ({"order": ["b", "a", "c", "w.1"]}, "%b runs before its input %a"),
        ({"order": ["a", "b", "b", "c", "w.1"]}, "is scheduled twice"),
        ({"groups": {"a": 1, "b": 0, "c": 2, "w.1": 3}}, "the groups are not numbered from 0"),
        ({"groups": {"a": 0, "b": 2, "c": 3, "w.1": 4}}, "the groups are not numbered from 0"),
        ({"takeovers": {"b": "a"}}, "%b takes over %a, which the graph returns"),
        ({"takeovers": {"c": "x"}}, "%c takes over %x, a source that it is not the update of"),
        ({"takeovers": {"w.1": "c"}}, "which descend does not declare as inplace"),
        ({"takeovers": {"c": "b", "b": "a"}}, "%b takes over %a, which the graph returns"),
        ({"places": {"a": (0, 64)}}, "%b has no place in the arena"),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_is_reported(fields: dict, violation: str) -> None:
    assert any(violation in v for v in changed(**fields)), changed(**fields)


def test_a_node_that_is_not_scheduled_is_reported() -> None:
    g = scheduled()
    order = tuple(n for n in g.order if n is not g["b"])
    s = Schedule(order, {n: i for i, n in enumerate(order)}, {})
    assert any(
        "reached, but not among" in v or "not scheduled" in v for v in found(g.but(schedule=s))
    )


def test_two_take_overs_of_one_buffer_are_reported() -> None:
    x = vg.input("x", (2,))
    a = vg.exp(x, name="a")
    b, c = vg.tanh(a, name="b"), vg.relu(a, name="c")
    g = ScheduleBuffers().apply(Graph("g", {"y": b + c}))
    g = g.but(schedule=g.schedule.but(takeovers={b: a, c: a}))
    assert sum("and so does another node" in v for v in found(g)) == 2

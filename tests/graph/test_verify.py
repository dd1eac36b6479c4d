"""The verifier: everything about a graph derived again, and every violation reported."""

from __future__ import annotations

from typing import ClassVar

import pytest
from conftest import net
from hypothesis import given
from random_graphs import graphs, nets

import verigrad as vg
from verigrad.graph import OPS, Graph, Input, Node, Schedule, TensorType, Verifier, violations
from verigrad.graph.types import parse_type
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.planning.plan import Plan


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


def test_a_symbol_that_a_later_graph_does_not_bind_is_reported_of_a_node_that_was_sound() -> None:
    x = vg.input("x", ("N",))
    rows = raw("broadcast_to", "f32[N]", vg.constant(1.0), name="rows", shape=("N",))
    verifier = Verifier()
    verifier.verify(Graph("g", {"y": rows}, inputs=[x]))
    (violation,) = verifier.violations(Graph("g", {"y": rows}))
    assert violation.startswith("%rows: f32[N] = broadcast_to: no input binds the symbol N")


def test_a_node_that_is_no_sound_one_is_reported_beside_sound_ones_and_again() -> None:
    x = vg.input("x", ("N", 4))
    verifier = Verifier()
    verifier.verify(Graph("g", {"y": vg.exp(x)}))
    broken = Graph("g", {"y": raw("exp", "f32[N,5]", x, name="lying")})
    for _ in range(2):
        (violation,) = verifier.violations(broken)
        assert violation == "%lying: f32[N,5] = exp: the op gives f32[N,4]"


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
              %a: f32[4] = log_softmax(%x)
              %b: f32[4] = log_softmax(%a)
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
        "multiply": "log_softmax",
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
        ({"places": {"a": (8, 64)}}, "%a begins at byte 8, which is no multiple of 64"),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_is_reported(fields: dict, violation: str) -> None:
    assert any(violation in v for v in changed(**fields)), changed(**fields)


def many() -> Graph:
    """A graph with packs, an inner result and results that are computed once."""
    return ScheduleBuffers().apply(
        vg.parse(
            """graph g {
              %x: f32[N,4] = input
              %w: f32[4,4] = parameter{init=ones}
              %v: f32[4] = parameter{init=ones}
              %u: f64[4] = state{init=ones}
              %dim: f64[] = dim{N}()
              %rate: f32[] = cast{f32}(%dim)
              %k: f32[4] = broadcast_to{[4]}(%rate)
              %dw: f32[4,4] = matmul{transpose_a=true}(%x, %x)
              %dv: f32[4] = sum{axes=[0]}(%x)
              %e: f32[4] = multiply(%dv, %k)
              %f: f32[4] = log_softmax(%e)
              %w.1: f32[4,4] = descend(%w, %dw, %rate)
              %v.1: f32[4] = descend(%v, %dv, %rate)
              update %w = %w.1
              update %v = %v.1
              return f=%f, u=%u
            }"""
        )
    )


def test_a_schedule_with_packs_and_what_is_computed_once_is_sound() -> None:
    g = many()
    s = g.schedule
    assert found(g) == []
    assert [[g.names[n] for n in pack] for pack in s.packs] == [["w", "v"], ["dw", "dv"]]
    assert {g.names[n] for n in s.once} == {"dim", "rate", "k"}


@pytest.mark.parametrize(
    ("packs", "violation"),
    [
        (["w v", "v"], "%v is packed twice"),
        (["w w"], "%w is packed twice"),
        (["v u"], "%u: f64[4] is packed with %v: f32[4]"),
        (["x"], "%x is packed, but has no memory that the plan could choose"),
        (["x"], "%x: f32[N,4] is packed, but has no fixed size"),
        (["dw v.1"], "%v.1 is packed, but has no memory that the plan could choose"),
    ],
)
def test_a_pack_that_cannot_be_is_reported(packs: list[str], violation: str) -> None:
    g = many()
    listed = tuple(tuple(g[n] for n in pack.split()) for pack in packs)
    said = found(g.but(schedule=g.schedule.but(packs=listed)))
    assert any(violation in v for v in said), said


@pytest.mark.parametrize(
    ("once", "violation"),
    [
        ("dim rate k dw", "%dw is computed once, but reads %x, which changes"),
        ("dim k", "%k is computed once, but reads %rate, which changes"),
        ("dim k", "%k is computed once, but runs with or after %rate"),
        ("dim rate k v.1", "%v.1 is computed once, but reads %v, which changes"),
        ("dim rate k f", "%f is computed once, but runs with or after "),
    ],
)
def test_what_cannot_be_computed_once_is_reported(once: str, violation: str) -> None:
    g = many()
    said = found(g.but(schedule=g.schedule.but(once=frozenset(g[n] for n in once.split()))))
    assert any(violation in v for v in said), said


def test_a_take_over_of_what_is_computed_once_is_reported() -> None:
    g = many()
    s = g.schedule.but(takeovers={**g.schedule.takeovers, g["e"]: g["k"]})
    assert found(g.but(schedule=s)) == ["%e takes over %k, which is computed once and must stay"]


def test_packed_results_that_lie_apart_are_reported() -> None:
    g = Plan(many(), {"N": 3}, many()).graph
    start, size = g.schedule.places[g["dv"]]
    places = {**g.schedule.places, g["dv"]: (start + 8192, size)}
    said = found(g.but(schedule=g.schedule.but(places=places)))
    assert said == ["%dv does not lie behind %dw, of the same pack"]


def test_only_inner_results_need_no_place() -> None:
    g = ScheduleBuffers().apply(
        vg.parse(
            """graph g {
              %x: f32[4] = input
              %a: f32[4] = exp(%x)
              %b: f32[4] = tanh(%a)
              return b=%b
            }"""
        )
    )
    a, b = g["a"], g["b"]
    whole = Plan(g, {}, g).graph
    assert set(whole.schedule.places) == {b} and found(whole) == []
    parted = g.schedule.but(groups={a: 0, b: 1}, places=whole.schedule.places)
    assert found(g.but(schedule=parted)) == ["%a has no place in the arena"]


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

"""Memory plans of random graphs keep every value whole; and the two checkers catch each fault."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given, settings
from oracle import unsound
from random_graphs import graphs, nets

import verigrad as vg
from verigrad.graph import Schedule
from verigrad.graph.verify import violations
from verigrad.passes.schedule import ScheduleBuffers
from verigrad.runtime.plan import Plan

Change = Callable[[vg.Graph], vg.Graph]


def plan_of(g: vg.Graph, size: int = 3) -> Plan:
    return Plan(ScheduleBuffers().apply(g), {"N": size}, g)


def rescheduled(g: vg.Graph, **fields: object) -> vg.Graph:
    """The graph with another order, other take-overs, places or scratch."""
    return g.but(schedule=g.schedule.but(**fields))


@settings(max_examples=300)
@given(graphs(), st.sampled_from([0, 1, 3, 20]))
def test_a_plan_keeps_every_value_whole(g: vg.Graph, size: int) -> None:
    plan = plan_of(g, size)
    assert not unsound(plan.graph, plan.sizes, plan.nbytes)


@given(nets(), st.sampled_from([1, 5]))
def test_a_plan_of_a_training_step_keeps_every_value_whole(net: vg.Graph, size: int) -> None:
    program = vg.compile(net, optimizer=vg.Adam(0.1), regularizer=vg.L2(0.1))
    plan = program.plan(N=size)
    assert not unsound(plan.graph, plan.sizes, plan.nbytes)


@given(graphs(), st.sampled_from([1, 3]))
def test_a_plan_takes_no_less_than_what_is_alive_and_no_more_than_all(
    g: vg.Graph, size: int
) -> None:
    plan = plan_of(g, size)
    results = [plan.graph.schedule.places[n][1] for n in plan.graph.schedule.places]
    scratch = [p[1] for each in plan.graph.schedule.scratch.values() for p in each]
    assert plan.lower_bound <= plan.nbytes <= sum(-(-b // 64) * 64 for b in results + scratch)


@given(graphs(), st.data())
def test_verifier_and_oracle_agree_on_buffers_that_were_moved(
    g: vg.Graph, data: st.DataObject
) -> None:
    plan = plan_of(g)
    placed = plan.graph
    starts = sorted({start for start, _ in placed.schedule.places.values()})
    assume(len(starts) > 1)
    moved = data.draw(st.sampled_from(list(placed.schedule.places)))
    start = data.draw(st.sampled_from(starts))
    size = placed.schedule.places[moved][1]
    assume(start + size <= plan.nbytes)
    g = rescheduled(placed, places={**placed.schedule.places, moved: (start, size)})
    assert bool(list(violations(g))) == bool(unsound(g, plan.sizes, plan.nbytes))


@given(graphs(), st.data())
def test_verifier_and_oracle_agree_on_other_orders(g: vg.Graph, data: st.DataObject) -> None:
    plan = plan_of(g)
    s = plan.graph.schedule
    order = tuple(data.draw(st.permutations(s.order)))
    g = rescheduled(plan.graph, order=order, groups={n: k for k, n in enumerate(order)})
    assert bool(list(violations(g))) == bool(unsound(g, plan.sizes, plan.nbytes))


# ---- planted faults -------------------------------------------------------------------------

TEXT = """\
graph faults {
  %x: f32[N,16] = input
  %w: f32[16] = parameter{init=ones}
  %g: f32[16] = sum{axes=[0]}(%x)
  %rate: f32[] = constant{0.1}
  %a: f32[N,16] = exp(%x)
  %b: f32[N,16] = tanh(%x)
  %c: f32[N,16] = multiply(%a, %b)
  %d: f32[N,16] = add(%c, %a)
  %e: f32[N,16] = log_softmax(%d)
  %w.1: f32[16] = descend(%w, %g, %rate)
  update %w = %w.1
  return d=%d, e=%e
}"""


def move(name: str, to: str, by: int = 0) -> Change:
    """A result is put where another lies, or so many bytes behind it."""

    def change(g: vg.Graph) -> vg.Graph:
        places = g.schedule.places
        place = places[g[to]][0] + by, places[g[name]][1]
        return rescheduled(g, places={**places, g[name]: place})

    return change


def move_scratch(of: str, to: str) -> Change:
    def change(g: vg.Graph) -> vg.Graph:
        first, *rest = g.schedule.scratch[g[of]]
        moved = (g.schedule.places[g[to]][0], first[1])
        return rescheduled(g, scratch={**g.schedule.scratch, g[of]: (moved, *rest)})

    return change


def take_over(name: str, old: str) -> Change:
    """A result takes over another, which is declared `inplace` but still needed."""

    def change(g: vg.Graph) -> vg.Graph:
        s = g.schedule
        places = {**s.places, g[name]: s.places[g[old]]} if g[old] in s.places else s.places
        takeovers = {**s.takeovers, g[name]: g[old]}
        return rescheduled(g, takeovers=takeovers, places=places)

    return change


def run_first(name: str) -> Change:
    def change(g: vg.Graph) -> vg.Graph:
        order = tuple(sorted(g.schedule.order, key=lambda n: n is not g[name]))
        return rescheduled(g, order=order, groups={n: k for k, n in enumerate(order)})

    return change


def together(*names: str) -> Change:
    """Some nodes run as one call, which reads and writes at once."""

    def change(g: vg.Graph) -> vg.Graph:
        s, k, groups = g.schedule, -1, {}
        for n in s.order:
            k += not (g.names[n] in names and any(g.names[m] in names for m in groups))
            groups[n] = k
        return rescheduled(g, groups=groups)

    return change


FAULTS: dict[str, Change] = {
    "two results at one place": move("b", to="a"),
    "two results that share some bytes": move("b", to="a", by=64),
    "reuse while a later reader waits": move("c", to="a"),
    "reuse of what is returned": move("e", to="d"),
    "a take-over that lies beside": move("c", to="b", by=64),
    "scratch on an operand": move_scratch("e", to="d"),
    "scratch on the result": move_scratch("e", to="e"),
    "a take-over of what is read later": take_over("c", "a"),
    "a take-over of what is returned": take_over("e", "d"),
    "a reader before its operand": run_first("d"),
}


def sound() -> Plan:
    """Every value at a place of its own: nothing in the plan is forced but by the fault."""
    return plan_of(vg.parse(TEXT), 8)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_oracle_and_verifier(fault: str) -> None:
    plan = sound()
    roomy = plan.nbytes + 64
    assert not unsound(plan.graph, plan.sizes, roomy) and not list(violations(plan.graph))
    broken = FAULTS[fault](plan.graph)
    assert unsound(broken, plan.sizes, roomy), "the oracle"
    assert list(violations(broken)), "the verifier"


@pytest.mark.parametrize("fault", ["c", "d"])
def test_nodes_of_one_call_share_nothing(fault: str) -> None:
    plan = sound()
    assert plan.graph.schedule.takeovers[plan.graph["c"]] is plan.graph["b"]
    broken = together("b", "c", fault)(plan.graph)
    assert "%b is written over by its own call" in unsound(broken, plan.sizes, plan.nbytes)
    assert "%c and %b share bytes while both must be intact" in list(violations(broken))


def test_state_that_is_written_before_its_last_reader_is_caught() -> None:
    g = vg.parse(
        """graph late {
          %x: f32[2] = input
          %w: f32[2] = parameter{init=ones}
          %rate: f32[] = constant{0.1}
          %y: f32[2] = multiply(%w, %x)
          %w.1: f32[2] = descend(%w, %x, %rate)
          update %w = %w.1
          return y=%y
        }"""
    )
    plan = Plan(ScheduleBuffers().apply(g), {}, g)
    assert not unsound(plan.graph, {}, plan.nbytes)
    broken = run_first("w.1")(plan.graph)
    assert "%y reads %w, which is not whole" in unsound(broken, {}, plan.nbytes)
    assert list(violations(broken)) == ["%w.1 takes over %w, which %y reads later"]


def test_a_swap_without_copies_is_caught() -> None:
    g = vg.parse(
        """graph swap {
          %a: f32[2] = state{init=zeros}
          %b: f32[2] = state{init=ones}
          update %a = %b
          update %b = %a
          return
        }"""
    )
    unplanned = g.but(schedule=Schedule((), {}, {}))
    assert unsound(unplanned, {}, 0) == ["the update of %b by %a comes too late"]
    assert set(violations(unplanned)) == {
        f"%{n} changes, but is returned, or updates another: it must be copied" for n in "ab"
    }
    plan = Plan(ScheduleBuffers().apply(g), {}, g)
    assert not unsound(plan.graph, {}, plan.nbytes)

"""Memory plans of random graphs keep every value whole; and the three checkers catch each fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import hypothesis.strategies as st
import pytest
from effort import tries
from hypothesis import assume, given, settings
from oracle import unsound
from random_graphs import graphs, laned, nets

import verigrad as vg
from verigrad.graph import RefutedError, Schedule
from verigrad.graph.verify import violations
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.planning.interference import check_placement
from verigrad.runtime.planning.plan import Plan

Change = Callable[[vg.Graph], vg.Graph]


def plan_of(g: vg.Graph, size: int = 3, *, grouped: bool = True) -> Plan:
    scheduled = ScheduleBuffers().apply(g)
    return Plan(scheduled if grouped else apart(scheduled), {"N": size}, g)


def apart(g: vg.Graph) -> vg.Graph:
    """The scheduled graph with every node in a group of its own, so that all have a place."""
    return rescheduled(g, groups={n: k for k, n in enumerate(g.schedule.order)}, packs=())


def rescheduled(g: vg.Graph, **fields: object) -> vg.Graph:
    """The graph with another order, other take-overs, places or scratch."""
    return g.but(schedule=g.schedule.but(**fields))


def shares(g: vg.Graph, sizes: dict[str, int], nbytes: int) -> bool:
    """Whether the interference graph has two values that share a byte, or is none at all."""
    try:
        check_placement(g, sizes, nbytes)
    except RefutedError:
        return True
    return False


HARMLESS = ("of the same pack", "but lies elsewhere", "which is no multiple of 64")
"""What no value is lost by: a step looks where results lie before it runs them as one."""


def agree(g: vg.Graph, sizes: dict[str, int], nbytes: int) -> bool:
    """Whether verifier, oracle and interference graph say the same of a plan."""
    found = list(violations(g))
    harmful = any(not v.endswith(HARMLESS) for v in found)
    return bool(found) == bool(unsound(g, sizes, nbytes)) and harmful == shares(g, sizes, nbytes)


@settings(max_examples=tries(100))
@given(graphs(), st.sampled_from([0, 1, 3, 20]))
def test_a_plan_keeps_every_value_whole(g: vg.Graph, size: int) -> None:
    plan = plan_of(g, size)
    assert not unsound(plan.graph, plan.sizes, plan.nbytes)
    assert not shares(plan.graph, plan.sizes, plan.nbytes)


@pytest.fixture(params=[16_384, 8, 3], ids="tiles of {}".format)
def tile(request: pytest.FixtureRequest) -> Iterator[int]:
    """So many elements run at a time: few enough that small graphs have several tiles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verigrad.runtime.planning.tiling.TILE", request.param)
        yield request.param


@settings(max_examples=tries(33))
@given(st.one_of(graphs(), laned()), st.sampled_from([1, 3, 20]))
@pytest.mark.usefixtures("tile")
def test_a_plan_in_tiles_keeps_every_value_whole(g: vg.Graph, size: int) -> None:
    plan = plan_of(g, size)
    assert not unsound(plan.graph, plan.sizes, plan.nbytes)
    assert not shares(plan.graph, plan.sizes, plan.nbytes)


@settings(max_examples=tries(6))
@given(nets(), st.sampled_from([1, 5]), st.sampled_from([vg.SGD, vg.Momentum, vg.Adam]))
@pytest.mark.usefixtures("tile")
def test_a_plan_of_a_training_step_keeps_every_value_whole(
    net: vg.Graph, size: int, optimizer: type[vg.Optimizer]
) -> None:
    program = vg.compile(net, optimizer=optimizer(0.1), regularizer=vg.L2(0.1))
    plan = program.plan(N=size)
    assert not unsound(plan.graph, plan.sizes, plan.nbytes)
    inference = Plan(program.inference, {"N": size}, program.declared)
    assert not unsound(inference.graph, inference.sizes, inference.nbytes)
    assert not shares(inference.graph, inference.sizes, inference.nbytes)


@given(graphs(), st.sampled_from([1, 3]))
def test_a_plan_takes_no_less_than_what_is_alive_and_no_more_than_all(
    g: vg.Graph, size: int
) -> None:
    plan = plan_of(g, size)
    results = [plan.graph.schedule.places[n][1] for n in plan.graph.schedule.places]
    scratch = [p[1] for each in plan.graph.schedule.scratch.values() for p in each]
    assert plan.lower_bound <= plan.nbytes <= sum(-(-b // 64) * 64 for b in results + scratch)


@given(st.one_of(graphs(), laned()), st.booleans(), st.data())
def test_the_checkers_agree_on_buffers_that_were_moved(
    g: vg.Graph, grouped: bool, data: st.DataObject
) -> None:
    plan = plan_of(g, grouped=grouped)
    placed = plan.graph
    starts = sorted({start for start, _ in placed.schedule.places.values()})
    assume(len(starts) > 1)
    moved = data.draw(st.sampled_from(list(placed.schedule.places)))
    start = data.draw(st.sampled_from(starts))
    size = placed.schedule.places[moved][1]
    assume(start + size <= plan.nbytes)
    g = rescheduled(placed, places={**placed.schedule.places, moved: (start, size)})
    assert agree(g, plan.sizes, plan.nbytes)


@given(st.one_of(graphs(), laned()), st.data())
def test_the_checkers_agree_on_temporaries_that_were_moved(
    g: vg.Graph, data: st.DataObject
) -> None:
    plan = plan_of(g)
    s = plan.graph.schedule
    assume(s.scratch)
    starts = sorted({start for start, _ in s.places.values()})
    assume(starts)
    of = data.draw(st.sampled_from(list(s.scratch)))
    k = data.draw(st.integers(0, len(s.scratch[of]) - 1))
    place = data.draw(st.sampled_from(starts)), s.scratch[of][k][1]
    assume(sum(place) <= plan.nbytes)
    moved = (*s.scratch[of][:k], place, *s.scratch[of][k + 1 :])
    g = rescheduled(plan.graph, scratch={**s.scratch, of: moved})
    assert agree(g, plan.sizes, plan.nbytes)


@given(graphs(), st.data())
def test_the_checkers_agree_on_what_is_computed_once(g: vg.Graph, data: st.DataObject) -> None:
    """Of a graph whose plan takes them for once: other results would have to be kept, too."""
    plan = plan_of(g, grouped=False)
    s = plan.graph.schedule
    count = data.draw(st.integers(0, len(s.order)))
    g = rescheduled(plan.graph, once=frozenset(s.order[:count]))
    assert agree(g, plan.sizes, plan.nbytes)


@given(graphs(), st.data())
def test_the_checkers_agree_on_other_orders(g: vg.Graph, data: st.DataObject) -> None:
    plan = plan_of(g, grouped=False)
    s = plan.graph.schedule
    order = tuple(data.draw(st.permutations(s.order)))
    g = rescheduled(plan.graph, order=order, groups={n: k for k, n in enumerate(order)})
    assert agree(g, plan.sizes, plan.nbytes)


# ---- planted faults -------------------------------------------------------------------------

TEXT = """\
graph faults {
  %x: f32[N,16] = input
  %u: f32[16,16] = parameter{init=ones}
  %v: f32[16,16] = parameter{init=ones}
  %w: f32[16] = parameter{init=ones}
  %g: f32[16] = sum{axes=[0]}(%x)
  %rate: f32[] = constant{0.1}
  %a: f32[N,16] = matmul(%x, %u)
  %b: f32[N,16] = matmul(%x, %v)
  %c: f32[N,16] = multiply(%a, %b)
  %f: f32[N,16] = log_softmax(%c)
  %d: f32[N,16] = add(%f, %a)
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


UNSHARED = {
    "a result in two packs",
    "a feed in a pack",
}
"""Faults by which no two values share a byte."""


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
    assert shares(broken, plan.sizes, roomy) != (fault in UNSHARED), "the interference graph"


@pytest.mark.parametrize("fault", ["c", "f"])
def test_nodes_of_one_call_share_nothing(fault: str) -> None:
    plan = sound()
    assert plan.graph.schedule.takeovers[plan.graph["c"]] is plan.graph["b"]
    broken = together("b", "c", fault)(plan.graph)
    assert "%b is written over by its own call" in unsound(broken, plan.sizes, plan.nbytes)
    assert "%c and %b share bytes while both must be intact" in list(violations(broken))
    assert shares(broken, plan.sizes, plan.nbytes)


# ---- faults of groups, packs and what is computed once --------------------------------------

TILED = """\
graph tiled {
  %x: f32[N,16] = input
  %u: f32[16,16] = parameter{init=ones}
  %g: f32[N,16] = matmul(%x, %u)
  %a: f32[N,16] = exp(%g)
  %b: f32[N,16] = tanh(%a)
  %c: f32[N,16] = multiply(%b, %a)
  %d: f32[N,16] = log_softmax(%c)
  return d=%d
}"""

LANES = """\
graph lanes {
  %x: f32[N,64] = input
  %h: f32[N,16] = input
  %w1: f32[64,16] = parameter{init=ones}
  %w2: f32[64] = parameter{init=ones}
  %rate: f32[] = constant{0.1}
  %g1: f32[64,16] = matmul{transpose_a=true}(%x, %h)
  %g2: f32[64] = sum{axes=[0]}(%x)
  %n1: f32[64,16] = negative(%w1)
  %d1: f32[64,16] = subtract(%n1, %g1)
  %n2: f32[64] = negative(%w2)
  %d2: f32[64] = subtract(%n2, %g2)
  %w1.1: f32[64,16] = descend(%w1, %d1, %rate)
  %w2.1: f32[64] = descend(%w2, %d2, %rate)
  update %w1 = %w1.1
  update %w2 = %w2.1
  return
}"""

ONCE = """\
graph once {
  %x: f32[N,16] = input
  %u: f32[16,16] = parameter{init=ones}
  %c: f32[] = constant{0.5}
  %k: f32[N,16] = broadcast_to{[N,16]}(%c)
  %a: f32[N,16] = matmul(%x, %u)
  %b: f32[N,16] = log_softmax(%a)
  %d: f32[N,16] = matmul(%b, %u)
  %e: f32[N,16] = multiply(%k, %d)
  %f: f32[N,16] = log_softmax(%e)
  return f=%f
}"""


def scratch_on(of: str, to: str, k: int = 0) -> Change:
    """A temporary of a tiled group is put where a result lies."""

    def change(g: vg.Graph) -> vg.Graph:
        places = list(g.schedule.scratch[g[of]])
        places[k] = g.schedule.places[g[to]][0], places[k][1]
        return rescheduled(g, scratch={**g.schedule.scratch, g[of]: tuple(places)})

    return change


def temporaries_at_one_place(of: str) -> Change:
    def change(g: vg.Graph) -> vg.Graph:
        places = g.schedule.scratch[g[of]]
        assert len(places) > 1
        return rescheduled(g, scratch={**g.schedule.scratch, g[of]: places[:1] * len(places)})

    return change


def alone(name: str) -> Change:
    """A node of a tiled group gets a call of its own, and reads what stays inside of the other."""

    def change(g: vg.Graph) -> vg.Graph:
        s = g.schedule
        at = s.order.index(g[name])
        groups = {n: s.groups[n] + (k >= at) for k, n in enumerate(s.order)}
        places = {**s.places, g[name]: s.places.get(g[name], (0, 512))}
        return rescheduled(g, groups=groups, places=places)

    return change


def without_scratch(change: Change) -> Change:
    return lambda g: rescheduled(change(g), scratch={})


def swapped(name: str) -> Change:
    """A lane computes something else: the node reads its inputs the other way round."""

    def change(g: vg.Graph) -> vg.Graph:
        text = str(g)
        (line,) = [x for x in text.splitlines() if x.startswith(f"  %{name}:")]
        first, second = line[line.index("(") + 1 : line.index(")")].split(", ")
        turned = line.replace(f"{first}, {second}", f"{second}, {first}")
        return vg.parse(text.replace(line, turned))

    return change


def returned(name: str) -> Change:
    """An inner result is returned as well."""
    return lambda g: g.but(outputs={**g.outputs, "more": g[name]}, schedule=g.schedule)


def packed(*packs: tuple[str, ...]) -> Change:
    return lambda g: rescheduled(g, packs=tuple(tuple(g[n] for n in pack) for pack in packs))


def computed_once(*names: str) -> Change:
    def change(g: vg.Graph) -> vg.Graph:
        return rescheduled(g, once=g.schedule.once | {g[n] for n in names})

    return change


GROUPED: dict[str, tuple[str, Change]] = {
    "a temporary on an operand": (TILED, scratch_on("a", "g")),
    "a temporary on the result": (TILED, scratch_on("a", "c")),
    "two temporaries at one place": (TILED, temporaries_at_one_place("a")),
    "an inner result read from outside": (TILED, alone("c")),
    "an inner result read from outside, no temporaries": (TILED, without_scratch(alone("c"))),
    "an inner result that is returned": (TILED, returned("b")),
    "a temporary on a packed operand": (LANES, scratch_on("n1", "g2")),
    "a packed result moved": (LANES, move("g2", to="g2", by=64)),
    "two packed results at one place": (LANES, move("g2", to="g1")),
    "two packed results that share some bytes": (LANES, move("g2", to="g2", by=-64)),
    "a result in two packs": (LANES, packed(("w1", "w2"), ("g1", "g2"), ("g2",))),
    "a feed in a pack": (LANES, packed(("h",), ("g1", "g2"))),
    "a lane that computes something else": (LANES, swapped("d2")),
    "a lane with an inner result that is returned": (LANES, returned("n2")),
    "once, but written over by a later buffer": (ONCE, move("b", to="k")),
    "once, but written over by the temporaries of another": (ONCE, scratch_on("b", "k")),
    "once, but taken over": (ONCE, take_over("e", "k")),
    "once, but made of a feed": (ONCE, computed_once("a")),
    "once, but behind what is not": (ONCE, computed_once("f")),
}  # fmt: skip


@pytest.mark.parametrize("fault", GROUPED)
def test_a_fault_in_groups_packs_or_once_is_caught(fault: str) -> None:
    text, change = GROUPED[fault]
    g = vg.parse(text)
    plan = plan_of(g, 8)
    roomy = plan.nbytes + 1024
    assert not unsound(plan.graph, plan.sizes, roomy) and not list(violations(plan.graph))
    broken = change(plan.graph)
    assert unsound(broken, plan.sizes, roomy), "the oracle"
    assert list(violations(broken)), "the verifier"
    assert shares(broken, plan.sizes, roomy) != (fault in UNSHARED), "the interference graph"


def test_what_is_computed_once_of_parameters_must_not_change() -> None:
    text = """graph once {
      %w: f32[2,2] = parameter{init=ones}
      %x: f32[2,2] = input
      %a: f32[2,2] = transpose{[1,0]}(%w)
      %b: f32[2,2] = matmul(%x, %a)
      return b=%b
    }"""
    g = ScheduleBuffers(parameters_change=False).apply(vg.parse(text))
    plan = Plan(g, {}, g)
    assert plan.graph.schedule.once == {plan.graph["a"]}
    changing = plan.graph.but(
        updates={plan.graph["w"]: plan.graph["b"]}, schedule=plan.graph.schedule
    )
    said = "%a is computed once, of %w, which changes"
    assert said in unsound(changing, plan.sizes, plan.nbytes)
    assert "%a is computed once, but reads %w, which changes" in list(violations(changing))
    assert shares(changing, plan.sizes, plan.nbytes)


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
    assert shares(broken, {}, plan.nbytes)


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
    assert shares(unplanned, {}, 0)
    assert set(violations(unplanned)) == {
        f"%{n} changes, but is returned, or updates another: it must be copied" for n in "ab"
    }
    plan = Plan(ScheduleBuffers().apply(g), {}, g)
    assert not unsound(plan.graph, {}, plan.nbytes)

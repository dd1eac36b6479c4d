"""Updates: the only way that state changes, all of them at once."""

from __future__ import annotations

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph import Graph
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.execution.executor import Executor
from verigrad.runtime.planning.plan import Plan


def stepped(g: Graph, **values: float) -> dict[str, float]:
    """The state after one step of the plan, which must be what the interpreter says."""
    arrays = {k: np.full(2, v, np.float32) for k, v in values.items()}
    expected = vg.interpret(g, arrays).updates
    state = {k: a.copy() for k, a in arrays.items()}
    scheduled = ScheduleBuffers().apply(g)
    executor = Executor(Plan(scheduled, {}, g), state)
    executor.step([arrays[g.names[n]] for n in scheduled.inputs])
    assert {k: a[0] for k, a in expected.items()} == {k: state[k][0] for k in expected}
    return {k: float(state[k][0]) for k in expected}


def test_a_swap_reads_old_values() -> None:
    a, b = vg.state("a", (2,)), vg.state("b", (2,))
    assert stepped(Graph("g", updates={a: b, b: a}), a=1.0, b=2.0) == {"a": 2.0, "b": 1.0}


def test_a_ring_of_three_reads_old_values() -> None:
    a, b, c = (vg.state(n, (2,)) for n in "abc")
    g = Graph("g", updates={a: b, b: c, c: a})
    assert stepped(g, a=1.0, b=2.0, c=3.0) == {"a": 2.0, "b": 3.0, "c": 1.0}


def test_every_right_side_reads_old_values() -> None:
    a, b = vg.state("a", (2,)), vg.state("b", (2,))
    g = Graph("g", updates={a: a + b, b: a * 10.0})
    assert stepped(g, a=1.0, b=2.0) == {"a": 3.0, "b": 10.0}


def test_one_value_may_update_two() -> None:
    a, b = vg.state("a", (2,)), vg.state("b", (2,))
    new = a + b
    assert stepped(Graph("g", updates={a: new, b: new}), a=1.0, b=2.0) == {"a": 3.0, "b": 3.0}


def test_an_input_may_be_kept() -> None:
    x, a = vg.input("x", (2,)), vg.state("a", (2,))
    assert stepped(Graph("g", {"y": x + a}, updates={a: x}), x=5.0, a=1.0) == {"a": 5.0}


def test_an_update_by_itself_changes_nothing() -> None:
    a = vg.state("a", (2,))
    assert stepped(Graph("g", {"y": a + 1.0}, updates={a: a}), a=7.0) == {"a": 7.0}


def test_only_parameters_and_state_are_updated() -> None:
    x = vg.input("x", (2,))
    with pytest.raises(vg.GraphError, match="only parameters and state are updated"):
        Graph("g", updates={x: x + 1.0})


def test_an_update_keeps_the_type() -> None:
    a = vg.state("a", (2,))
    with pytest.raises(vg.GraphError, match=r"update of %a: f32\[2\] by a value of type f32\[\]"):
        Graph("g", updates={a: vg.sum(a)})

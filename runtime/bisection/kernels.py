"""The first kernel call of a plan whose results are not those of the interpreter."""

from __future__ import annotations

from typing import NamedTuple

from ...graph import RefutedError
from ..certificate.floats import check_floats, first_off
from ..certificate.same import Disagreement
from ..execution.twin import Twin
from ..planning.interference import check_placement


class GuiltyKernel(NamedTuple):
    """A plan, or a kernel call of it, that gives other numbers than its graph says."""

    found: Disagreement
    node: str = ""
    """The first whose result is off, by its name and op; "" where no single one was found."""
    words: str = ""


def guilty_kernel(twin: Twin) -> GuiltyKernel | None:
    """What is wrong with a step of a plan; None where nothing can be found."""
    plan = twin.plan
    try:
        check_placement(plan.graph, plan.sizes, plan.nbytes)
    except RefutedError as e:
        return GuiltyKernel(Disagreement("plan", "the plan", str(e).splitlines()[1].strip()))
    try:
        twin.check()
    except RefutedError as e:
        words = str(e).splitlines()[0]
        return GuiltyKernel(Disagreement("loops", "a compiled loop", words))
    floats = check_floats(plan.graph, twin.state, twin.feeds, plan.sizes, twin.run)
    if floats.verdict != "refuted":
        return None
    node, words = first_off(plan.graph, twin.state, twin.feeds, twin.results)
    label = f"%{plan.graph.names[node]}, {node.op.name}" if node is not None else ""
    return GuiltyKernel(Disagreement("floats", floats.tensor, floats.reason), label, words)

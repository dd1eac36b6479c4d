"""The first kernel call of a plan whose results are not those of the interpreter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...graph import SETTINGS, Node, RefutedError, VerigradError
from ..certificate.floats import check_floats, off, probe
from ..certificate.same import Disagreement
from ..execution.twin import Twin
from ..planning.interference import check_placement


class GuiltyKernel(NamedTuple):
    """A plan, or a kernel call of it, that gives other numbers than its graph says."""

    found: Disagreement
    node: Node | None = None
    """The first whose result is off; None where no single one was found."""
    words: str = ""


def guilty_kernel(twin: Twin) -> GuiltyKernel | None:
    """What is wrong with a step of a plan; None where nothing can be found."""
    plan = twin.plan
    try:
        check_placement(plan.graph, plan.sizes, plan.nbytes)
    except RefutedError as e:
        return GuiltyKernel(Disagreement("plan", "the plan", str(e).splitlines()[1].strip()))
    floats = check_floats(plan.graph, twin.state, twin.feeds, plan.sizes, twin.run)
    if floats.verdict != "refuted":
        return None
    node, words = _first_off(twin)
    return GuiltyKernel(Disagreement("floats", floats.tensor, floats.reason), node, words)


def _first_off(twin: Twin) -> tuple[Node | None, str]:
    """The first result, in the order of the calls, that is off by more than rounding allows."""
    g = twin.plan.graph
    try:
        with SETTINGS, np.errstate(all="ignore"):
            point = probe(g, twin.state, twin.feeds)
            results = twin.results(point.state)
    except VerigradError:
        return None, ""
    for n, value in results.items():
        due, rounded = (i.values[g.names[n]] for i in (point.exactly, point.rounded))
        with np.errstate(all="ignore"):
            far, words = off(value, due, rounded)
        if np.isfinite(due).all() and not far <= 1:
            return n, f"%{g.names[n]} {words}"
    return None, ""

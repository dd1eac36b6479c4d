"""The first pass that does not keep what is computed, and its one rewrite.

Every pass that does not define a meaning must leave a graph that gives what it was given. So each
is held to the graph before it, exactly and then in numbers; within the first that fails, the first
rewrite with which it does; and the graph around that is made as small as it goes while *the same
tensor* still differs in *the same way*. Of a pass that gives gradients, these are held to
derivatives along a direction.

Source: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...graph import Array, Graph
from ...passes import Pass, Pipeline, bisect, unrolled
from ..certificate.derivatives import check_gradients, gradients_of
from ..certificate.same import Disagreement, disagreement, values_of
from .shrinking import shrunk


class GuiltyPass(NamedTuple):
    """A pass, its rewrite, and the smallest graph that shows that something is lost by it: `before`
    it, with the `values` of its sources."""

    guilty: Pass
    rewrite: str
    """What it does to which node, and why; nothing where it is one change as a whole."""
    found: Disagreement
    before: Graph
    values: Mapping[str, Array]


def guilty_pass(
    declared: Graph, pipeline: Pipeline, feeds: Mapping[str, Array] | None = None
) -> GuiltyPass | None:
    """The first pass of a pipeline that changes what is computed; None where each keeps it."""
    for p, before, after in pipeline.steps(declared):
        if "gradients" in p.gives:
            wrong = wrong_gradients(before, after)
            if wrong is not None:
                return _smallest_gradients(p, before, wrong)
        elif not p.defines:
            found = disagreement(before, after, values_of(before, feeds))
            if found is not None:
                return _narrowed(p, before, found, feeds)
    return None


def wrong_gradients(before: Graph, after: Graph) -> Disagreement | None:
    """What is wrong with the gradients that a pass has given, if anything is."""
    after = unrolled(after)
    gradients = gradients_of(after)
    if before.loss is None or not gradients:
        return None
    found = check_gradients(after, gradients)
    words = found.reason.split(", at %")[0]
    refuted = found.verdict == "refuted"
    return Disagreement("derivatives", "the gradients", words) if refuted else None


def _smallest_gradients(p: Pass, before: Graph, wrong: Disagreement) -> GuiltyPass:
    small = shrunk(before, lambda g: wrong_gradients(g, p.apply(g)) == wrong)
    return GuiltyPass(p, "", wrong, small, values_of(small))


def _narrowed(
    p: Pass, before: Graph, found: Disagreement, feeds: Mapping[str, Array] | None
) -> GuiltyPass:
    """The rewrite of the pass, and the smallest graph on which the same tensor differs."""

    def differs(g: Graph, after: Graph) -> Disagreement | None:
        now = disagreement(g, after, values_of(g, feeds))
        return now if now is not None and now[:2] == found[:2] else None

    rewrite = ""
    if type(p).apply is Pass.apply:
        first = bisect(p, before, lambda g: differs(before, g) is None)
        if first is not None:
            rewrite = f"%{before.names[first.old]}: {first.reason}"
    small = shrunk(before, lambda g: differs(g, p.apply(g)) is not None)
    last = differs(small, p.apply(small))
    assert last is not None
    return GuiltyPass(p, rewrite, last, small, values_of(small, feeds))

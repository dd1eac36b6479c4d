"""Making certificates: of a graph before it first runs, of a plan on its first batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from ...graph import Array, Graph, Node, PassError, RefutedError, cached_property
from ...passes import Pipeline, unrolled
from ..planning.interference import Placement, check_placement
from ..planning.plan import Plan
from .bounds import Values
from .certificate import Certificate
from .derivatives import Derivatives, check_gradients, gradients_of
from .exact import Exact, compare
from .floats import Floats, check_floats, first_off
from .points import At, points

_NOTED: Final = 20
"""So many plans a certificate tells of."""
_SHARED: Final = "run node by node it gives the same: a kernel of a fused op is wrong"
_FIX: Final = (
    "program.bisect() names the pass or the kernel at fault and writes a test of it; try another "
    "backend; certify=False runs it as it is"
)


class Step(Protocol):
    """A step of a plan on a batch of the user's and values of its own, see `execution.twin`."""

    @property
    def plan(self) -> Plan: ...

    @property
    def state(self) -> Values: ...

    @property
    def feeds(self) -> Values: ...

    def run(self, state: Values, /) -> dict[str, Array]: ...

    def results(self, state: Values, /) -> Mapping[Node, Array]: ...


class Certifier:
    """Checks a compiled graph, or a part of it that gives some outputs, against what was declared.

    `pipeline` made `stages` of `declared`, the last of which `compiled` is or is a part of. What
    cannot be checked is skipped.
    """

    def __init__(
        self, declared: Graph, pipeline: Pipeline, stages: Mapping[str, Graph], compiled: Graph
    ) -> None:
        self._declared = declared
        self._pipeline = pipeline
        self._stages = stages
        self._compiled = compiled
        self._placements: list[Placement] = []
        self._floats: list[Floats] = []

    @property
    def certificate(self) -> Certificate:
        """What was found so far; of the graph it is found now, if it is not yet."""
        placements, floats = tuple(self._placements), tuple(self._floats)
        return self._of_the_graph._replace(placements=placements, floats=floats)

    def check_graph(self) -> None:
        """Raises RefutedError where the graph is not what was declared."""
        self._of_the_graph.check()

    def check_placement(self, plan: Plan) -> None:
        """Raises RefutedError where values that a plan must keep share a byte, or where what it
        computes again is not what it was."""
        if plan.recomputed:
            self._of_the_graph._replace(exact=self._exact(plan.graph)).check()
        placement = check_placement(plan.graph, plan.sizes, plan.nbytes)
        if len(self._placements) < _NOTED:
            self._placements.append(placement)

    def check_plan(self, step: Step) -> None:
        """Raises RefutedError where the step of a plan does not give the numbers that it should."""
        reference, sizes = self._reference, step.plan.sizes
        if reference is None:
            return
        floats = check_floats(reference, step.state, step.feeds, sizes, step.run)
        if floats.verdict == "refuted":
            _, words = first_off(step.plan.graph, step.state, step.feeds, step.results)
            first = f"the first that is off: {words}" if words else _SHARED
            raise RefutedError(
                f"graph {self._declared.name}: a compiled step does not compute what its graph says"
                f"\n  {floats.reason}\n  {first}\n  fix: {_FIX}"
            )
        self._floats.append(floats)

    def skip_plan(self, sizes: Mapping[str, int], reason: str) -> None:
        """Notes why a plan is not checked, but of many plans only the first few."""
        if len(self._floats) < _NOTED:
            self._floats.append(Floats("skipped", sizes, reason=reason))

    @cached_property
    def _of_the_graph(self) -> Certificate:
        # What is drawn at the points is large, and is kept for no longer than both take.
        at = points(self._reference, self._compiled) if self._reference is not None else []
        exact = self._exact(self._compiled, at)
        return Certificate(self._declared.name, exact, self._derivatives(at))

    def _exact(self, compiled: Graph, at: Sequence[At] | None = None) -> Exact:
        """What is found of a compiled graph that gives these outputs."""
        reference, meant = self._reference, self._meant
        if reference is None or isinstance(meant, str):
            return Exact(0, (str(meant),))
        return compare(reference, compiled, meant, self._stages, at)

    @cached_property
    def _meant(self) -> Mapping[str, Graph] | str:
        """The graph as declared, and after each pass that defines what is computed, and no other;
        or why there is none."""
        defining = [p for p in self._pipeline if p.defines]
        names = tuple([p.name for p in defining])
        if self._pipeline.names[: len(names)] == names:
            return {name: unrolled(self._stages[name]) for name in ("declared", *names)}
        try:
            stages = Pipeline(defining).run(self._declared).stages
            return {name: unrolled(g) for name, g in stages.items()}
        except PassError as e:
            return (
                "the passes that define a meaning do not run without the others: "
                f"{str(e).splitlines()[0]}"
            )

    @cached_property
    def _reference(self) -> Graph | None:
        """What is compared with: the graph as it is meant, with the outputs that are compiled."""
        if isinstance(self._meant, str):
            return None
        *_, whole = self._meant.values()
        outputs = {k: n for k, n in whole.outputs.items() if k in self._compiled.outputs}
        return whole.but(outputs=outputs, updates=whole.updates if self._compiled.updates else {})

    def _derivatives(self, at: Sequence[At]) -> Derivatives | None:
        """What is found of the gradients as they are meant; None where a graph has no use for
        them."""
        for g in self._meant.values() if not isinstance(self._meant, str) else ():
            if gradients := gradients_of(g):
                asked = not {f"{name}.grad" for name in gradients}.isdisjoint(
                    self._compiled.outputs
                )
                used = self._compiled.updates or asked
                return check_gradients(g, gradients, at) if used else None
        return None

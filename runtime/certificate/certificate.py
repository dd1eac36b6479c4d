"""What was found of a compiled graph, and the error where it is not what was declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ...graph import Graph, PassError, RefutedError
from ...passes import Pipeline
from .derivatives import Derivatives, check_gradients
from .exact import Exact, compare
from .points import At, points

_SHOWN: Final = 6
"""So many skipped tensors are listed."""


class Certificate(NamedTuple):
    """That a compiled graph computes what was declared, as far as it could be checked.

    `exact` compares it with the declared graph under the passes that define a meaning, and
    `derivatives` its gradients with derivatives along a direction: None where it has none.
    """

    graph_name: str
    exact: Exact
    derivatives: Derivatives | None = None

    @property
    def verdict(self) -> str:
        """proved, partly skipped or refuted."""
        verdicts = {self.exact.verdict, self.derivatives.verdict if self.derivatives else "proved"}
        if "refuted" in verdicts:
            return "refuted"
        return "proved" if verdicts == {"proved"} else "partly skipped"

    @property
    def seconds(self) -> float:
        """How long it took to make."""
        return self.exact.seconds + (self.derivatives.seconds if self.derivatives else 0.0)

    def check(self) -> None:
        """Raises RefutedError where anything was refuted."""
        if self.verdict != "refuted":
            return
        faults = [str(d) for d in self.exact.differences]
        if self.derivatives is not None and self.derivatives.verdict == "refuted":
            faults.append(f"the gradients are not those of the loss: {self.derivatives.reason}")
        stages = [d.stage for d in self.exact.differences if d.stage]
        fix = (
            f"leave the pass out, pipeline.without({stages[0]!r}), or mend it; one that is to "
            'change what is computed says so, as numbers = "meaning"'
            if stages
            else "mend the op or the pass that is named"
        )
        listed = "\n  ".join(faults[:_SHOWN])
        raise RefutedError(
            f"graph {self.graph_name}: what was compiled is not what was declared\n  {listed}"
            f"\n  fix: {fix}; certify=False runs it as it is"
        )

    def __str__(self) -> str:
        e, d = self.exact, self.derivatives
        lines = [
            f"certificate of {self.graph_name}: {self.verdict}, in {1e3 * self.seconds:.0f} ms",
            f"  exact        {e.verdict}: {e.compared} tensors equal those declared, modulo two "
            f"primes; one that differs is missed with a chance of {e.chance:.0e}",
        ]
        lines += [f"    skipped: {why}" for why in e.skipped[:_SHOWN]]
        if len(e.skipped) > _SHOWN:
            lines.append(f"    and {len(e.skipped) - _SHOWN} more")
        lines += [f"    {difference}" for difference in e.differences[:_SHOWN]]
        if d is not None:
            reason = f": {d.reason}" if d.reason else ""
            lines.append(f"  derivatives  {d.verdict}{reason}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def certify(
    declared: Graph, pipeline: Pipeline, stages: Mapping[str, Graph], compiled: Graph
) -> Certificate:
    """Checks a compiled graph, or a part of it that gives some outputs, against what was declared.

    `pipeline` made `stages` of `declared`, the last of which `compiled` is or is a part of.
    Nothing is raised: what cannot be checked is skipped.
    """
    try:
        meant = meaning(declared, pipeline, stages)
    except PassError as e:
        why = f"the passes that define a meaning do not run without the others: {e}"
        return Certificate(declared.name, Exact(0, (why.splitlines()[0],)))
    *_, whole = meant.values()
    outputs = {k: n for k, n in whole.outputs.items() if k in compiled.outputs}
    updates = whole.updates if compiled.updates else {}
    at = points(whole)
    exact = compare(whole.but(outputs=outputs, updates=updates), compiled, meant, stages, at)
    return Certificate(declared.name, exact, _derivatives(meant, compiled, at))


def _derivatives(
    meant: Mapping[str, Graph], compiled: Graph, at: Sequence[At]
) -> Derivatives | None:
    """What is found of the gradients as they are meant; None where a graph has no use for them."""
    for g in meant.values():
        names = {g.names[n]: f"{g.names[n]}.grad" for n in g.parameters}
        if names and g.loss is not None and all(key in g.outputs for key in names.values()):
            if not compiled.updates and not set(names.values()) & set(compiled.outputs):
                return None
            return check_gradients(g, {name: g.outputs[key] for name, key in names.items()}, at)
    return None


def meaning(
    declared: Graph, pipeline: Pipeline, stages: Mapping[str, Graph]
) -> Mapping[str, Graph]:
    """The graph as declared, and after each pass that defines what is computed, and no other."""
    defining = [p for p in pipeline if p.defines]
    names = tuple([p.name for p in defining])
    if pipeline.names[: len(names)] == names:
        return {name: stages[name] for name in ("declared", *names)}
    return Pipeline(defining).run(declared).stages

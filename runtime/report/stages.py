"""The graph after each pass: its nodes in order, and what the pass did to it, with reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ...graph import Graph, Node, Source, roles, shortened
from ...graph.pictures.folding import is_bookkeeping, is_folded
from ...graph.pictures.nodes import columns
from ...passes import Compilation, Refused, Rewrite
from ...passes.pipeline import Step
from .lineage import Passage, passage, purpose
from .nodes import LONGEST

DECLARED: Final = "declared"
_DECLARED: Final = "The graph as it was declared."


class Stage(NamedTuple):
    """A graph as a pass left it: which pass that was, of which pipeline, and what it did."""

    name: str
    pipeline: str
    graph: Graph
    purpose: str
    seconds: float
    """0 of a sweep that is not the first: it stands with that one."""
    step: Step | None
    passage: Passage

    @property
    def changed(self) -> bool:
        """Whether the graph is another than before; of the first it is."""
        return self.step is None or self.step.before is not self.step.after

    @property
    def rewrites(self) -> list[Rewrite]:
        """What the pass replaced, and why."""
        return [r for r in self.step.outcomes if isinstance(r, Rewrite)] if self.step else []

    @property
    def refused(self) -> list[Refused]:
        """What the pass left, and why."""
        return [r for r in self.step.outcomes if isinstance(r, Refused)] if self.step else []

    @property
    def defines(self) -> bool:
        """Whether the pass is part of what the program means, as no certificate compares."""
        return self.step is None or self.step.stage.defines

    def difference(self) -> tuple[set[Node], set[Node]]:
        """The nodes that are new, and those that are gone. What only reads something else now is
        neither."""
        if self.step is None:
            return {*self.graph.nodes}, set()
        kept = self.passage.carried
        return {*self.graph.nodes}.difference(kept.values()), {*self.step.before.nodes} - {*kept}

    def summary(self) -> str:
        """What the pass did, in a few words."""
        if self.step is None:
            return _counted(len(self.graph.order), "node")
        words = [_counted(len(self.rewrites), "rewrite")] if self.rewrites else []
        more = len(self.graph.order) - len(self.step.before.order)
        if more:
            words.append(f"{_counted(abs(more), 'node')} {'more' if more > 0 else 'fewer'}")
        if self.changed and not words:
            words = ["an order and kernel calls" if self.graph.schedule else "another graph"]
        if self.refused:
            words.append(f"{len({*self.refused})} left as they are")
        return ", ".join(words) or "nothing"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def stages_of(pipeline: str, compilation: Compilation) -> Iterator[Stage]:
    """What was declared, then the graph after each pass as it was run."""
    g = compilation.stages[DECLARED]
    yield Stage(DECLARED, pipeline, g, _DECLARED, 0.0, None, Passage({}, {}, {}))
    for step in compilation.steps:
        name, first = step.stage.name, not step.sweep
        yield Stage(
            name if first else f"{name}.{step.sweep + 1}",
            pipeline,
            step.after,
            purpose(step.stage),
            compilation.seconds.get(name, 0.0) if first else 0.0,
            step,
            passage(step),
        )


def stage_rows(g: Graph, ids: Mapping[Node, int]) -> dict[str, Any]:
    """A graph's nodes in the order of its text, and what is around them."""
    header, *statements = str(g).splitlines()
    role = roles(g)
    part = columns(g, role)
    nodes = [
        {
            "id": ids[n],
            "name": g.names[n],
            "role": role[n],
            "layer": g.layer(n),
            "part": part[n],
            "statement": shortened(text.strip(), LONGEST),
            **({"scalar": True} if is_folded(g, n) else {}),
            **({"bookkeeping": True} if is_bookkeeping(g, n) else {}),
        }
        for n, text in zip(g.nodes, statements, strict=False)
    ]
    return {
        "nodes": nodes,
        "outputs": {key: ids[n] for key, n in g.outputs.items()},
        "updates": [[ids[w], ids[n]] for w, n in g.updates.items()],
        "layers": [*g.layers],
        "header": header,
        "footer": statements[len(g.nodes) :],
    }


def totals(nodes: Iterable[Node], sizes: Mapping[str, int]) -> tuple[int, int, int]:
    """How many results these nodes make, their bytes, and the operations that they take."""
    made = [n for n in nodes if not isinstance(n.op, Source)]
    return len(made), sum(n.type.nbytes(sizes) for n in made), sum(n.flops(sizes) for n in made)

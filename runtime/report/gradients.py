"""Which node holds the gradient of which: found where it was derived, and followed from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from ...graph import Node, VerigradError, depth_first
from ...passes.pipeline import Step
from ...passes.reverse import all_cotangents
from .lineage import counterparts
from .stages import Stage

Pair = tuple[Node, Node]


def gradient_pairs(stages: Sequence[Stage]) -> Iterator[tuple[Node, Node, int]]:
    """A node, the node of its gradient, and the number of the stage where they first stand so."""
    pairs: list[Pair] = []
    for number, stage in enumerate(stages):
        if stage.step is None:
            continue
        followed = [(stage.passage.following(n), stage.passage.following(dn)) for n, dn in pairs]
        now = [(n, dn) for n, dn in followed if n is not None and dn is not None]
        if "gradients" in stage.step.stage.gives:
            now = list(_derived(stage.step))
        yield from ((n, dn, number) for n, dn in now if (n, dn) not in set(pairs))
        pairs = now


def _derived(step: Step) -> Iterator[Pair]:
    """The pairs that a differentiation has made: what it returns, and what is made once more and
    found in its result."""
    g, after = step.before, step.after
    grads: dict[Node, Node] = {}
    if g.loss is not None:
        with suppress(VerigradError):  # where the pass has rules of its own
            grads = all_cotangents(g.loss, g.trained, g.names)
    found = counterparts(depth_first(grads.values()), after)
    pairs = {n: found[dn] for n, dn in grads.items() if dn in found}
    keys = {n: f"{g.names[n]}.grad" for n in g.trained}
    pairs |= {n: after.outputs[key] for n, key in keys.items() if key in after.outputs}
    there = set(after.nodes)
    yield from ((n, pairs[n]) for n in g.nodes if n in pairs and n in there)

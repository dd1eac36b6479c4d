"""Whose fault a wrong gradient is: a node's own vector-Jacobian product, or a pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import numpy as np

from ...graph import Array, Graph, Node
from ...passes import Pass, bisect
from .entries import Entry, place, relative_error
from .node_alone import NodeAlone
from .perturbation import Forward, Place
from .stages import Stages

_NAMED: Final = 5
"""So many guilty nodes are named."""


def faults(
    stages: Stages,
    forward: Forward,
    gradients: Mapping[str, Array],
    wrong: Mapping[str, Entry],
    tolerance: float,
) -> tuple[str, ...]:
    """In words, what makes these entries wrong: nodes, by their place, or else passes."""
    if any(math.isinf(e.error) for e in wrong.values()):
        lost = _not_finite(forward)
        if lost:
            return (lost,)
    violations = wrong_products(forward, gradients)
    return violations or tuple(_passes_at_fault(stages, gradients, wrong, tolerance))


def wrong_products(forward: Forward, gradients: Iterable[str]) -> tuple[str, ...]:
    """The nodes whose own vector-Jacobian product is wrong, in words.

    Each node between a parameter and the loss is asked for it at the values that it has in this
    net, along random directions; one that has no finite slope there is not asked.
    """
    start = {forward.source(name) for name in gradients}
    leads = start | set(forward.reached(start))
    violations: list[str] = []
    for n in forward.reached(start):
        if n.type.is_float and all(np.isfinite(forward.at[i]).all() for i in (*n.inputs, n)):
            places = [k for k, i in enumerate(n.inputs) if i in leads and i.type.is_float]
            product = NodeAlone(forward, n)
            if not product.singular():
                violations += product.violations(places)
    if len(violations) > _NAMED:
        violations = [*violations[:_NAMED], f"and {len(violations) - _NAMED} more"]
    return tuple(violations)


def singular_points(forward: Forward, names: Iterable[str]) -> dict[str, str]:
    """For each parameter whose loss goes through a node that has no finite slope at its values,
    the first such node, in words."""
    words: dict[Node, str] = {}
    points: dict[str, str] = {}
    for name in names:
        for n in forward.reached({forward.source(name)}):
            if n not in words:
                words[n] = NodeAlone(forward, n).singular() if n.type.is_float else ""
            if words[n]:
                points[name] = words[n]
                break
    return points


def _not_finite(forward: Forward) -> str:
    names = forward.graph.names
    for n in (*forward.graph.sources, *forward.graph.order):
        bad = ~np.isfinite(forward.at[n])
        if bad.any():
            at = place(tuple(int(i) for i in np.argwhere(bad)[0]))
            return f"%{names[n]} at {at} is {forward.at[n][bad][0]}, the first that is not finite"
    return ""


def _passes_at_fault(
    stages: Stages, gradients: Mapping[str, Array], wrong: Mapping[str, Entry], tolerance: float
) -> Iterator[str]:
    """The passes that make a right gradient wrong, where every node's own product is right."""
    right = "every node's own vector-Jacobian product is right"
    steps = list(stages.steps())
    named: set[str] = set()
    for name, entry in sorted(wrong.items(), key=lambda item: -item[1].error):
        numeric, where = entry.numeric.value, entry.where
        largest = float(np.abs(gradients[name]).max())

        def at(g: Graph, name: str = name, where: Place = where) -> float:
            return float(stages.gradient(g, name)[where])

        def good(
            g: Graph, at: Callable[[Graph], float] = at, n: float = numeric, size: float = largest
        ) -> bool:
            return relative_error(at(g), n, size) <= tolerance

        for p, before, after in steps:
            if good(after):
                continue
            if p.name not in named:
                named.add(p.name)
                yield (
                    f"the pass {p.name}, {_how(p, before, good, stages)}: {right}, but after it "
                    f"%{name}.grad at {place(where)} is {at(after):.6e}, by differences "
                    f"{numeric:.6e}"
                )
            break
    if not named:
        yield f"the plan or its kernels: {right}, and so is every stage, run node by node"


def _how(p: Pass, before: Graph, good: Callable[[Graph], bool], stages: Stages) -> str:
    """Where a pass makes a gradient wrong: by which of its rewrites, if it is made of these."""
    if p.name == stages.differentiation:
        return "in how it accumulates"
    rewrite = None if type(p).apply is not Pass.apply else bisect(p, before, good)
    if rewrite is None:
        return "in what it does"
    return f"in what it does to %{before.names[rewrite.old]} ({rewrite.reason})"

"""Whose fault a wrong gradient is: a node's own vector-Jacobian product, or a pass."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from ...graph import Array, Graph, Input, Node, TensorType
from ...ops import words
from ...passes import cotangents
from ..interpreter import interpret
from .branches import follow
from .entries import Entry, place, relative_error
from .numeric import Derivative, derivative
from .perturbation import Forward
from .stages import Stages

_TOLERANCE: Final = 1e-6
_CLEARLY: Final = 10.0
_NAMED: Final = 5
"""So many guilty nodes are named."""


def faults(
    stages: Stages,
    forward: Forward,
    gradients: Mapping[str, Array],
    wrong: Mapping[str, Entry],
    tolerance: float,
) -> tuple[str, ...]:
    """In words, what makes these entries wrong: nodes, by their place, or else a pass.

    Each node between a parameter and the loss is asked for its own vector-Jacobian product at
    the values that it has in this net, along random directions.
    """
    if any(math.isinf(e.error) for e in wrong.values()):
        lost = _not_finite(forward)
        if lost:
            return (lost,)
    start = {forward.source(name) for name in gradients}
    leads = start | set(forward.reached(start))
    found: list[str] = []
    for n in forward.reached(start):
        if n.type.is_float:
            places = [k for k, i in enumerate(n.inputs) if i in leads and i.type.is_float]
            found += _Product(forward, n).violations(places)
    if len(found) > _NAMED:
        found = [*found[:_NAMED], f"and {len(found) - _NAMED} more"]
    return tuple(found) or (_pass_at_fault(stages, gradients, wrong, tolerance),)


def _not_finite(forward: Forward) -> str:
    names = forward.graph.names
    for n in (*forward.graph.sources, *forward.graph.order):
        bad = ~np.isfinite(forward.at[n])
        if bad.any():
            at = place(tuple(int(i) for i in np.argwhere(bad)[0]))
            return f"%{names[n]} at {at} is {forward.at[n][bad][0]}, the first that is not finite"
    return ""


def _pass_at_fault(
    stages: Stages, gradients: Mapping[str, Array], wrong: Mapping[str, Entry], tolerance: float
) -> str:
    """The first stage whose gradient is wrong, where every node's own product is right."""
    right = "every node's own vector-Jacobian product is right"
    name, entry = max(wrong.items(), key=lambda item: item[1].error)
    largest = float(np.abs(gradients[name]).max())
    for stage, gradient in stages.gradients(name):
        a = float(gradient[entry.where])
        if relative_error(a, entry.numeric.value, largest) > tolerance:
            how = "in how it accumulates" if stage == stages.differentiation else "in what it does"
            return (
                f"the pass {stage}, {how}: {right}, but after it %{name}.grad at "
                f"{place(entry.where)} is {a:.6e}, by differences {entry.numeric.value:.6e}"
            )
    return f"the plan or its kernels: {right}, and so is every stage, run node by node"


class _Product:
    """One node alone, on the arrays that it has in the net, under a random cotangent."""

    def __init__(self, forward: Forward, n: Node) -> None:
        self.forward, self.node = forward, n
        self.name = forward.graph.names[n]
        self.arrays = [forward.at[i] for i in n.inputs]
        self.u = _random(f"{self.name}.dy", forward.at[n].shape)
        inputs = [Node(Input(i.type), (), i.type, f"x{k}") for k, i in enumerate(n.inputs)]
        y = Node(n.op, tuple(inputs), n.type, "y")
        dy = Node(Input(n.type), (), n.type, "dy")
        parts = enumerate(cotangents(y, dy))
        outputs = {f"dx{k}": part for k, part in parts if part is not None}
        feeds = {**{f"x{k}": a for k, a in enumerate(self.arrays)}, "dy": self.u}
        self.given = {} if not outputs else self._run(outputs, feeds)

    def _run(self, outputs: Mapping[str, Node], feeds: Mapping[str, Array]) -> dict[str, Array]:
        # An input of each symbol's size binds it, also where none of the node's has it.
        sizes = {
            f"size.{s}": Node(Input(t), (), t, f"size.{s}")
            for s in self.forward.sizes
            for t in [TensorType("f64", (s,))]
        }
        values = {f"size.{s}": np.zeros(size) for s, size in self.forward.sizes.items()}
        held = Graph("vjp", {**outputs, **sizes})
        return interpret(held, {**feeds, **values}).outputs

    def violations(self, places: list[int]) -> Iterator[str]:
        """What is wrong for each of these inputs, in words, with the entry that shows it."""
        for k in places:
            shape = self.arrays[k].shape
            v = _random(f"{self.name}.x{k}", shape)
            if v.size == 0 or not self._off(k, v):
                continue
            where = self._narrowed(k, v)
            one = np.zeros(shape)
            one[where] = 1.0
            name = self.forward.graph.names[self.node.inputs[k]]
            yield (
                f"%{self.name} at {place(where)}: the vector-Jacobian product of "
                f"{self.node.op.name} gives {self._symbolic(k, one):.6e} for %{name}, "
                f"by differences {self._numeric(k, one).value:.6e}"
            )

    def _narrowed(self, k: int, v: Array) -> tuple[int, ...]:
        """The entry that is wrong, by halves: each time the one that is more so."""
        chosen = np.arange(v.size)
        while len(chosen) > 1:
            halves = np.array_split(chosen, 2)
            chosen = max(halves, key=lambda half: self._gap(k, _only(v, half)))
        return tuple(int(i) for i in np.unravel_index(chosen[0], v.shape))

    def _gap(self, k: int, v: Array) -> float:
        return abs(self._symbolic(k, v) - self._numeric(k, v).value)

    def _off(self, k: int, v: Array) -> bool:
        a, n = self._symbolic(k, v), self._numeric(k, v)
        gap = abs(a - n.value)
        terms = float(np.abs(self.given.get(f"dx{k}", np.zeros(())) * v).max(initial=0.0))
        return gap > _TOLERANCE * max(abs(a) + abs(n.value), 1e-3 * terms) and gap > (
            _CLEARLY * n.error
        )

    def _symbolic(self, k: int, v: Array) -> float:
        return float((self.given[f"dx{k}"] * v).sum()) if f"dx{k}" in self.given else 0.0

    def _numeric(self, k: int, v: Array) -> Derivative:
        """The derivative of <u, f(x + h v)>, no kink crossed."""
        at, sizes = self.forward.at[self.node], self.forward.sizes

        def phi(h: float) -> float:
            moved = [a + h * v if j == k else a for j, a in enumerate(self.arrays)]
            y, _ = follow(self.node, self.arrays, moved, at, sizes)
            return float(((y - at) * self.u).sum())

        return derivative(phi)


def _only(v: Array, chosen: Array) -> Array:
    """The direction with all but the chosen elements 0."""
    kept = np.zeros(v.size)
    kept[chosen] = v.reshape(-1)[chosen]
    return kept.reshape(v.shape)


def _random(name: str, shape: tuple[int, ...]) -> Array:
    """Numbers of either sign, of size 0.5 to 1, the same every time for a name."""
    drawn = words(0, name, int(np.prod(shape, dtype=int)))
    size = 0.5 + 0.5 * (drawn >> np.uint64(11)).astype(np.float64) / 2.0**53
    signed = np.where(drawn & np.uint64(1), size, -size)
    return signed.reshape(shape)

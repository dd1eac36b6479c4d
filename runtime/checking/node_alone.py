"""One node alone: its own vector-Jacobian product against differences, and where it has none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from ...graph import Array, Graph, Input, Node, TensorType
from ...ops import words
from ...passes import cotangents
from ..interpreter import interpret
from .branches import follow
from .entries import place
from .numeric import CLEARLY, FIRST, Derivative, derivative, elsewhere, one_sided
from .perturbation import Forward

_TOLERANCE: Final = 1e-6
_UNSETTLED: Final = 0.01
"""A derivative whose error is a larger share of it is none."""
_ELSEWHERE: Final = "check at other feeds or parameters=, or keep the op away from there"


class NodeAlone:
    """One node alone, on the arrays that it has in the net, under a random cotangent."""

    def __init__(self, forward: Forward, n: Node) -> None:
        self.forward, self.node = forward, n
        self.name = forward.graph.names[n]
        self.arrays = [forward.at[i] for i in n.inputs]
        self.u = _random(f"{self.name}.dy", forward.at[n].shape)
        self.noise = float(np.finfo(float).eps * np.abs(forward.at[n] * self.u).sum())
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
        graph = Graph("vjp", {**outputs, **sizes})
        return interpret(graph, {**feeds, **values}).outputs

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
        gap = abs(self._symbolic(k, v) - self._numeric(k, v).value)
        return gap if math.isfinite(gap) else math.inf

    def _off(self, k: int, v: Array) -> bool:
        a, n = self._symbolic(k, v), self._numeric(k, v)
        terms = float(np.abs(self.given.get(f"dx{k}", np.zeros(())) * v).max(initial=0.0))

        def off(n: Derivative) -> bool:
            return n.contradicts(a, max(abs(a) + abs(n.value), 1e-3 * terms), _TOLERANCE)

        moved = np.abs(self.arrays[k][v != 0.0])
        least, most = float(moved.min()), float(moved.max())
        others = elsewhere(self._along(k, v), least, most, _TOLERANCE, self.noise)
        return off(n) and all(map(off, others))

    def _symbolic(self, k: int, v: Array) -> float:
        return float((self.given[f"dx{k}"] * v).sum()) if f"dx{k}" in self.given else 0.0

    def _numeric(self, k: int, v: Array) -> Derivative:
        """The derivative of <u, f(x + h v)>, no kink crossed; to one side, where f begins."""
        phi = self._along(k, v)
        n = derivative(phi, noise=self.noise)
        sides = () if math.isfinite(n.value) else (one_sided(phi, 1), one_sided(phi, -1))
        return next((side for side in sides if math.isfinite(side.value)), n)

    def _along(self, k: int, v: Array) -> Callable[[float], float]:
        at, sizes = self.forward.at[self.node], self.forward.sizes

        def phi(h: float) -> float:
            moved = [a + h * v if j == k else a for j, a in enumerate(self.arrays)]
            y, _ = follow(self.node, self.arrays, moved, at, sizes)
            return float(((y - at) * self.u).sum())

        return phi

    def singular(self) -> str:
        """Where the node has no finite slope, or value, at finite inputs, in words."""
        if not all(np.isfinite(a).all() for a in self.arrays):
            return ""
        y = self.forward.at[self.node]
        bad = np.argwhere(~np.isfinite(y))
        if len(bad):
            at = tuple(int(i) for i in bad[0])
            return f"%{self.name} at {place(at)} is {y[at]}: {self._given(at)}; {_ELSEWHERE}"
        for k, a in enumerate(self.arrays):
            for where in np.argwhere(~np.isfinite(self.given.get(f"dx{k}", np.zeros(())))):
                at = tuple(int(i) for i in where)
                one = np.zeros(a.shape)
                one[at] = 1.0
                if not _smooth(self._along(k, one)):
                    i = self.forward.graph.names[self.node.inputs[k]]
                    return (
                        f"%{self.name}: {self.node.op.name} has no finite slope where %{i} at "
                        f"{place(at)} is {a[at]:g}; {_ELSEWHERE}"
                    )
        return ""

    def _given(self, at: tuple[int, ...]) -> str:
        """What an element of the result is computed from."""
        op = self.node.op
        if not op.elementwise:
            return f"{op.name} of what it is given"
        y = self.forward.at[self.node]
        listed = [f"{np.broadcast_to(a, y.shape)[at]:g}" for a in self.arrays]
        return f"{op.name} of {' and '.join(listed)}"


def _smooth(phi: Callable[[float], float]) -> bool:
    """Whether a function has a derivative at 0: whether those to its sides are there and agree."""
    right, left = one_sided(phi, 1), one_sided(phi, -1)
    for side, n in ((1, right), (-1, left)):
        # Of what has none the differences grow as the step falls, and never settle.
        if not n.error <= _UNSETTLED * max(abs(n.value), abs(phi(side * FIRST)) / FIRST):
            return False
    own = _UNSETTLED * max(abs(right.value), abs(left.value))
    return abs(right.value - left.value) <= own + CLEARLY * (right.error + left.error)


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

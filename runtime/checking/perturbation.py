"""The loss as a function of one entry of one parameter: only what this reaches is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Final

import numpy as np

from ...graph import Array, Graph, Node, kernel_call
from ...ops.pointwise import StopGradient
from ..certificate.bounds import nudged
from ..interpreter import interpret, sizes_of
from .branches import Crossing, follow, has_kinks

Place = tuple[int, ...]

_RUNS: Final = 8


class Forward:
    """A graph that computes a loss, and its values at one point."""

    def __init__(self, g: Graph, values: Mapping[str, Array]) -> None:
        assert g.loss is not None
        self.loss = g.loss
        self.graph = g.but(outputs={"loss": g.loss}, updates={})
        computed = interpret(self.graph, values).values
        self.at: dict[Node, Array] = {n: computed[name] for n, name in self.graph.names.items()}
        self.sizes = sizes_of(self.graph, computed)

    def source(self, name: str) -> Node:
        """The parameter of that name."""
        return next(n for n in self.graph.parameters if self.graph.names[n] == name)

    def reached(self, start: set[Node]) -> list[Node]:
        """The nodes that depend on one of `start`, in order; stop_gradient stands still."""
        reached = set(start)
        order = []
        for n in self.graph.order:
            if any(i in reached for i in n.inputs) and not isinstance(n.op, StopGradient):
                reached.add(n)
                order.append(n)
        return order


class Line:
    """The loss along each entry of one parameter, all else as it is.

    `loss` runs a straight line of kernels on arrays made once; `followed` goes node by node, and
    past each kink on the piece where it started.
    """

    def __init__(self, forward: Forward, name: str) -> None:
        self.forward = forward
        self.parameter = forward.source(name)
        self.value = forward.at[self.parameter].copy()
        self.nodes = forward.reached({self.parameter})
        moved = {self.parameter: self.value}
        self._calls: list[Callable[[], None]] = []
        self._kinks: list[tuple[Array, Callable[[], Array | None]]] = []
        for n in self.nodes:
            inputs = [moved[i] if i in moved else forward.at[i] for i in n.inputs]
            moved[n] = np.empty(forward.at[n].shape, n.type.numpy)
            types = [i.type for i in n.inputs]
            self._calls.append(kernel_call(n.op, types, inputs, moved[n], forward.sizes))
            if has_kinks(n):
                own = n.op.kinks(*(forward.at[i] for i in n.inputs))
                if own is not None:
                    self._kinks.append((own, partial(n.op.kinks, *inputs)))
        self._loss = moved[forward.loss]

    def loss(self, where: Place, h: float) -> float:
        """The loss with one entry moved by h."""
        with self._moved(where, h):
            return float(self._loss)

    def crossing(self, where: Place, h: float) -> tuple[float, bool]:
        """The same, and whether an element comes onto another smooth piece."""
        with self._moved(where, h):
            crossed = any(
                there is not None and (own != there).any()
                for own, there in [(own, kinks()) for own, kinks in self._kinks]
            )
            return float(self._loss), crossed

    @contextmanager
    def _moved(self, where: Place, h: float) -> Iterator[None]:
        at = self.value[where]
        self.value[where] = at + h
        try:
            with np.errstate(all="ignore"):
                for call in self._calls:
                    call()
                yield
        finally:
            self.value[where] = at

    @cached_property
    def noise(self) -> float:
        """How far rounding moves the loss: how widely it scatters where all operands on the way
        are moved at random by a last place (Parker, Monte Carlo Arithmetic, 1997).

        Where something large cancels on the way, that is far more than the loss's own last place.
        """
        rng = np.random.default_rng(0)
        return float(np.std([self._scattered(rng) for _ in range(_RUNS)]))

    def _scattered(self, rng: np.random.Generator) -> float:
        forward = self.forward
        eps = float(np.finfo(float).eps)
        moved = {self.parameter: self.value}
        for n in self.nodes:
            start = [forward.at[i] for i in n.inputs]
            there = [nudged(moved.get(i, forward.at[i]), eps, rng) for i in n.inputs]
            moved[n], _ = follow(n, start, there, forward.at[n], forward.sizes)
        return float(nudged(moved[forward.loss], eps, rng))

    def followed(self, where: Place, h: float) -> tuple[float, list[Crossing]]:
        """The loss with one entry moved by h and no kink crossed, and what would have been."""
        forward = self.forward
        value = self.value.copy()
        value[where] += h
        moved = {self.parameter: value}
        crossings = []
        for n in self.nodes:
            start = [forward.at[i] for i in n.inputs]
            there = [moved.get(i, forward.at[i]) for i in n.inputs]
            moved[n], crossing = follow(n, start, there, forward.at[n], forward.sizes)
            if crossing is not None:
                crossings.append(crossing)
        return float(moved[forward.loss]), crossings

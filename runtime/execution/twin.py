"""A step of a plan on values of its own: what it gives from any state, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...graph import Array, Node, NonFiniteError, inside, kernel_groups
from ...passes.tensor_names import named_gradients, new_name, output_name
from ..backends.registry import Backend
from ..planning.plan import Plan
from ..state import StateArrays
from .executor import Executor, Watch


class Twin:
    """One plan on a batch and on a state that is a copy of a program's."""

    def __init__(
        self,
        plan: Plan,
        values: StateArrays,
        feeds: Sequence[Array],
        backend: Backend,
        threads: int | None,
    ) -> None:
        self.plan = plan
        self.state = values.twin()
        self._feeds = feeds
        self._how: tuple[Backend, int | None] = backend, threads

    @property
    def feeds(self) -> dict[str, Array]:
        """The batch, by the names of the inputs."""
        g = self.plan.graph
        return {g.names[n]: a for n, a in zip(g.inputs, self._feeds, strict=True)}

    def check(self) -> None:
        """Raises RefutedError where what a backend compiles for the step is wrong by itself."""
        self._made(self.state)

    def run(self, state: Mapping[str, Array], /) -> dict[str, Array]:
        """All tensors that a step from this state gives: gradients that are there before it writes,
        outputs, and new parameters and state."""
        executor, g = self._made(state), self.plan.graph
        executor.compute(self._feeds, 1)
        there = {n: executor.array(n).copy() for n in executor.watched}
        gradients = {k: there[n] for k, n in named_gradients(g).items() if n in there}
        if g.updates:
            executor.step(self._feeds, 1)
            self._check_finite()
        outputs = {output_name(k): executor.output(k) for k in g.outputs}
        updates = {new_name(name): self.state[name] for name in self._updated()}
        return {**gradients, **outputs, **updates}

    def results(self, state: Mapping[str, Array], /) -> dict[Node, Array]:
        """What each kernel call of such a step has written, as it was behind that call."""
        g, seen = self.plan.graph, dict[Node, Array]()
        assert g.schedule is not None
        groups = kernel_groups(g.schedule)

        def note(executor: Executor, number: int) -> None:
            group = groups[number - 1] if number else ()
            for n in group:
                if n not in inside(g, group):
                    seen[n] = executor.array(n).copy()

        note(self._step(state, note), len(groups))
        return seen

    def _made(self, state: Mapping[str, Array], watch: Watch | None = None) -> Executor:
        self.state.fill(state.items())
        backend, threads = self._how
        return Executor(self.plan, self.state, backend, threads=threads, watch=watch)

    def _step(self, state: Mapping[str, Array], watch: Watch) -> Executor:
        executor = self._made(state, watch)
        (executor.step if self.plan.graph.updates else executor.compute)(self._feeds, 1)
        return executor

    def _check_finite(self) -> None:
        bad = [name for name in self._updated() if not np.isfinite(self.state[name]).all()]
        if bad:
            raise NonFiniteError(f"not finite: the new {', '.join(bad)}")

    def _updated(self) -> list[str]:
        g = self.plan.graph
        return [g.names[w] for w in g.updates]

"""From an estimator's settings to a program: compiled anew, or as the last one was."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ...graph import unplaced
from ...passes import Optimizer
from ..backends.registry import Backend
from ..program import Program, compile
from .net import Form, declared
from .starting import optimizer_state, put_values, values_of


class Settings(NamedTuple):
    """All that the program of an estimator is compiled with; without an optimizer for lbfgs."""

    form: Form
    optimizer: Optimizer | None
    backend: Backend
    memory_limit: int | None
    seed: int

    def compiled(self) -> Program:
        """A program of its own; its weights are all 0 until they are set."""
        program = _template(self).again()
        if self.optimizer is not None:
            # scikit-learn's own say nothing of inputs that nobody has scaled.
            program._stepping.look = None
        return program

    def copied(self, program: Program) -> Program:
        """A program of its own in the state of one that is compiled with these settings."""
        copy = self.compiled()
        copy.parameters.update(program.parameters)
        copy.state.update(program.state)
        return copy


@lru_cache(maxsize=16)
def _template(settings: Settings) -> Program:
    """A program that never runs: fits of the same net share what it was compiled to."""
    with unplaced():  # no line of the fit that happens to be the first made a node
        net = declared(settings.form)
    return compile(
        net,
        optimizer=settings.optimizer,
        seed=settings.seed,
        dtype=settings.form.dtype,
        memory_limit=settings.memory_limit,
        backend=settings.backend,
    )


def going_on(program: Program, before: Settings, now: Settings, rests: bool) -> Program:
    """A program with the weights of one that was compiled with the settings before.

    With `rests` the optimizer begins anew; else its moments and its steps are taken over.
    """
    if now == before:
        if rests:
            program.state.update(optimizer_state(program))
        return program
    made = now.compiled()
    put_values(made, values_of(program))
    if not rests:
        made.state.update({k: program.state[k] for k in optimizer_state(program)})
    return made

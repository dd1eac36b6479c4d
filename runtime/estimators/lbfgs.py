"""Solver lbfgs: SciPy's optimizer on the loss and the gradients that a program computes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning

from ...graph import Array
from ..program import Program
from .batches import Rows
from .errors import DivergedError
from .hooks import Hooks

_STOPPED: Final = 99
"""SciPy's status of a run that a callback ended."""


def minimize(e: Any, rows: Rows, hooks: Hooks) -> None:
    """Descends to a minimum of the loss over all rows, and leaves the estimator's program there.

    ConvergenceWarning where SciPy says that it did not converge.
    """
    program: Program = e.program_
    form = e._settings.form
    objective = Objective(program, rows.feeds(slice(None)), [*form.coefs, *form.intercepts])

    def rebuilt() -> Mapping[str, Any]:
        return {"program_": e._settings.copied(program), "_held": None}

    task = hooks.begin_iteration(rebuilt)

    def iterated(packed: Array) -> None:
        nonlocal task
        objective.put(packed)
        ended, task = hooks.end_iteration(task, rebuilt), hooks.begin_iteration(rebuilt)
        if ended:
            raise StopIteration

    result: Any = scipy.optimize.minimize(
        objective.loss_and_gradient,
        objective.packed(program.parameters),
        method="L-BFGS-B",
        jac=True,
        options={"maxfun": e.max_fun, "maxiter": e.max_iter, "gtol": e.tol},
        callback=iterated if hooks.heard else None,
    )
    hooks.end_iteration(task, None)
    objective.put(result.x)
    e.n_iter_ = min(int(result.nit), e.max_iter)
    e.loss_ = float(result.fun)
    if e.verbose:
        print(f"lbfgs: {result.message} after {e.n_iter_} iterations, loss = {e.loss_:.8f}")
    if not np.isfinite(result.x).all():
        raise DivergedError(
            "lbfgs ended at weights that are not finite\n  fix: scale the inputs, e.g. by a "
            "StandardScaler"
        )
    if result.status not in (0, _STOPPED):
        _warn(result, e.n_iter_, e.max_iter)


class Objective:
    """The loss of all rows as a function of one vector of weights, with its gradient.

    `names` are the parameters in the order in which they lie in it.
    """

    def __init__(self, program: Program, feeds: Mapping[str, Array], names: list[str]) -> None:
        self._program = program
        self._feeds = feeds
        self._shapes = {name: program.parameters[name].shape for name in names}
        sizes = [int(np.prod(shape)) for shape in self._shapes.values()]
        self._ends = np.cumsum(sizes)[:-1]

    def packed(self, values: Mapping[str, Array]) -> Array:
        """These values as one vector, f64."""
        pieces = [np.ravel(values[name]) for name in self._shapes]
        return np.concatenate(pieces, dtype=np.float64)

    def put(self, packed: Array) -> None:
        """Gives the program the weights of a vector."""
        pieces = np.split(packed, self._ends)
        shapes = self._shapes.items()
        values = {k: p.reshape(s) for (k, s), p in zip(shapes, pieces, strict=True)}
        self._program.parameters.update(values)

    def loss_and_gradient(self, packed: Array) -> tuple[float, Array]:
        """The loss at these weights, and its gradient as a vector of the same form."""
        self.put(packed)
        loss, gradients = self._program.gradients(self._feeds)
        return loss, self.packed(gradients)


def _warn(result: Any, iterations: int, most: int) -> None:
    advice = f"; give max_iter more than {most}" if iterations == most else ""
    warnings.warn(
        f"lbfgs did not converge in {iterations} iterations (status {result.status}: "
        f"{result.message}){advice}, or scale the data, e.g. by a StandardScaler",
        ConvergenceWarning,
        stacklevel=6,
    )

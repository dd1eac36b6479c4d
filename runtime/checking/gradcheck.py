"""The gradient check: symbolic gradients against numeric ones, in f64."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import Array, Graph, RunError, suggest
from ...ops import Normal, first_value, words
from ...passes import TRAINING, Dropout, Pipeline, Regularizer
from ..program import Program, compile
from .numeric import derivative

TOLERANCE: Final = 1e-6
"""The largest relative error that passes; a right gradient in f64 is far below."""


class Row(NamedTuple):
    """One parameter's result: the largest error, where it is, and the step that was used there."""

    name: str
    error: float
    where: tuple[int, ...]
    symbolic: float
    numeric: float
    step: float
    checked: int
    size: int


class GradcheckReport:
    """The rows of a gradient check, and the verdict; true where every parameter passed."""

    def __init__(self, graph_name: str, rows: tuple[Row, ...], tolerance: float) -> None:
        self.graph_name = graph_name
        self.rows = rows
        self.tolerance = tolerance

    @property
    def max_relative_error(self) -> float:
        """The largest error of all parameters."""
        return max((r.error for r in self.rows), default=0.0)

    @property
    def ok(self) -> bool:
        return self.max_relative_error <= self.tolerance

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        width = max([len(r.name) for r in self.rows] + [9])
        lines = [
            f"gradient check of {self.graph_name}, in f64",
            f"  {'parameter':<{width}} {'max error':>10}  {'at':<12} {'symbolic':>13} "
            f"{'numeric':>13} {'step':>9}  checked",
        ]
        for r in self.rows:
            at = f"[{','.join(map(str, r.where))}]"
            mark = "" if r.error <= self.tolerance else "  <- FAIL"
            lines.append(
                f"  {r.name:<{width}} {r.error:>10.2e}  {at:<12} {r.symbolic:>13.6e} "
                f"{r.numeric:>13.6e} {r.step:>9.2e}  {r.checked} of {r.size}{mark}"
            )
        verdict = "PASS" if self.ok else "FAIL"
        worst = f"largest error {self.max_relative_error:.2e}, allowed {self.tolerance:.0e}"
        return "\n".join([*lines, f"  {verdict}: {worst}"])

    __repr__ = __str__


def gradcheck(
    net: Graph,
    feeds: Mapping[str, Any],
    *,
    regularizer: Regularizer | None = None,
    dropout: Dropout | None = None,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    entries: int = 400,
    tolerance: float = TOLERANCE,
    pipeline: Pipeline = TRAINING,
) -> GradcheckReport:
    """Compares the compiled gradient a of the loss with a numeric one n, for every parameter.

    The error of an entry is |a - n| / max(|a| + |n|, 1e-3 max|a| of its parameter, 1e-8).
    Parameters that are not given are drawn from the seed, biases not zero, so that no
    pre-activation is exactly 0. Of a parameter with more than `entries` entries, so many are
    drawn; the report says how many were checked. In a test: `assert vg.gradcheck(net, feeds)`.
    Raises RunError for feeds or parameters that do not fit.
    """
    program = compile(
        net, regularizer=regularizer, dropout=dropout, seed=seed, dtype="f64", pipeline=pipeline
    )
    if not program.parameters:
        raise RunError(f"graph {net.name} has no parameter whose gradient could be checked")
    _draw(program, parameters or {}, seed)
    feeds = {k: _widened(v) for k, v in feeds.items()}
    _, gradients = program.gradients(feeds)
    rows = [
        _check(program, feeds, name, gradients[name], seed, entries) for name in program.parameters
    ]
    return GradcheckReport(net.name, tuple(rows), tolerance)


def _draw(program: Program, given: Mapping[str, Any], seed: int) -> None:
    for name in given:
        if name not in program.parameters:
            raise RunError(f"there is no parameter {name!r}{suggest(name, program.parameters)}")
    for name in program.parameters:
        value = given.get(name)
        if value is None:
            value = program.parameters[name]
            if not value.any():
                n = program.declared[name]
                value = first_value(Normal(0.1), n.type, seed, name)
        program.parameters[name] = value


def _widened(value: Any) -> Array:
    array = np.asarray(value)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _check(
    program: Program, feeds: Mapping[str, Any], name: str, symbolic: Array, seed: int, entries: int
) -> Row:
    """The worst entry of one parameter."""
    value = np.array(program.parameters[name])
    largest = float(np.abs(symbolic).max(initial=0.0))
    worst = Row(name, 0.0, (), 0.0, 0.0, 0.0, 0, value.size)
    checked = _entries(value.size, entries, seed, name)
    for flat in checked:
        where = tuple(int(i) for i in np.unravel_index(flat, value.shape))
        at = value[where]

        def loss(h: float, where: tuple[int, ...] = where, at: float = at) -> float:
            value[where] = at + h
            program.parameters[name] = value
            return program.loss(feeds)

        numeric = derivative(loss)
        value[where] = at
        a, n = float(symbolic[where]), numeric.value
        error = abs(a - n) / max(abs(a) + abs(n), 1e-3 * largest, 1e-8)
        error = error if math.isfinite(error) else math.inf
        if error >= worst.error:
            worst = Row(name, error, where, a, n, numeric.step, len(checked), value.size)
    program.parameters[name] = value
    return worst


def _entries(size: int, entries: int, seed: int, name: str) -> list[int]:
    """All places of a parameter, or so many of them, drawn."""
    if size <= entries:
        return list(range(size))
    drawn = np.argsort(words(seed, f"{name}.entries", size), kind="stable")[:entries]
    return sorted(int(i) for i in drawn)

"""The gradient check: symbolic gradients against numeric ones, in f64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ...graph import SETTINGS, Array, Graph, Node, RunError, is_number, shown, suggest
from ...ops import Normal, first_value, words
from ...ops.blas import at_most
from ...passes import TRAINING, Dropout, Pipeline, Regularizer
from ..arguments import count_of
from ..backends.registry import Backend
from ..certificate.derivatives import check_gradients
from ..inputs import fed
from ..program import Program, compile
from .blame import faults, singular_points, wrong_products
from .entries import FAIL, INCONCLUSIVE, ORDER, Entry, Scale, check_entry, largest
from .perturbation import Forward, Line
from .report import GradcheckReport, ParameterRow
from .stages import Stages

__all__ = ["TOLERANCE", "GradcheckReport", "ParameterRow", "gradcheck"]

TOLERANCE: Final = 1e-6
"""The largest relative error that passes; a right gradient in f64 is far below."""


def gradcheck(
    net: Graph | Program,
    feeds: Mapping[str, Any],
    *,
    regularizer: Regularizer | None = None,
    dropout: Dropout | None = None,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    entries: int = 400,
    tolerance: float = TOLERANCE,
    pipeline: Pipeline = TRAINING,
    memory_limit: int | None = None,
    recompute: bool = False,
    backend: Backend = "numpy",
) -> GradcheckReport:
    """Compares the compiled gradient a of the loss with a numeric one n, for every parameter.

    The error of an entry is |a - n| / max(|a| + |n|, 1e-3 max|a| of its parameter); an entry that
    differs by no more than n may itself be off, where that is next to nothing beside the largest
    gradient of the net, is measured against this one: the report says which it was. n is the best
    estimate that differences give, whatever the tolerance. It is of the graph before it was
    differentiated, run by the interpreter. Where a relu, an absolute value or a maximum would come
    onto another side between evaluations, n is taken on the side of the values; exactly on a
    kink, the documented derivative or one of the one-sided ones is right.

    Parameters that are not given are drawn from the seed, biases not zero, so that no
    pre-activation is exactly 0. Of a parameter with more than `entries` entries, so many are
    drawn; the report says how many were checked. In a test: `assert vg.gradcheck(net, feeds)`.
    The report says besides what is found without any rounding: whether the gradients are those of
    the loss as rational functions, by derivatives along a direction in numbers modulo two primes
    ("exact: proved"), or which op's `vjp` is wrong.
    A program is checked as it was compiled, but in f64, at its own parameters and state, which
    stay as they are. Raises RunError for feeds or parameters that do not fit.
    """
    entries = count_of("entries", entries)
    if not is_number(tolerance) or tolerance <= 0:
        raise RunError(
            f"tolerance is {shown(tolerance)}, where a finite number above 0 is expected"
        )
    current: Mapping[str, Any] = {}
    if isinstance(net, Program):
        options = (regularizer, dropout, seed, pipeline, memory_limit, recompute, backend)
        if options != (None, None, 0, TRAINING, None, False, "numpy"):
            raise RunError(
                "gradcheck of a program takes what this was compiled with; to check with other "
                "options, give it the graph"
            )
        program, current = _in_f64(net), net.parameters
    else:
        program = compile(
            net,
            regularizer=regularizer,
            dropout=dropout,
            seed=seed,
            dtype="f64",
            pipeline=pipeline,
            memory_limit=memory_limit,
            recompute=recompute,
            backend=backend,
            certify=False,
        )
    if not program.declared.trained:
        frozen = "; all are frozen" if program.parameters else ""
        raise RunError(f"graph {net.name} has no parameter whose gradient could be checked{frozen}")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise RunError(
            f"parameters are {type(parameters).__name__}, where a dict of arrays by name is "
            "expected"
        )
    _draw(program, {**current, **(parameters or {})}, program.options.seed)
    if isinstance(feeds, Mapping):
        inputs = {program.declared.names[n]: n for n in program.declared.inputs}
        feeds = {k: _widened(k, v, inputs[k]) if k in inputs else v for k, v in feeds.items()}
    _, gradients = program.gradients(feeds)
    # The matrices are small. Between entries, other threads have their turn.
    with SETTINGS, at_most(1):
        stages = Stages(program, feeds)
        forward = Forward(stages.forward, stages.values)
        finite = all(np.isfinite(a).all() for a in (forward.at[forward.loss], *gradients.values()))
        lost = {} if finite else singular_points(forward, gradients)
    net_largest = max(largest(a) for a in gradients.values())
    rows, worst = [], {}
    for name, a in gradients.items():
        scale = Scale(tolerance, largest(a), net_largest)
        line, point = Line(forward, name), lost.get(name, "")
        row, worst[name] = _check(line, name, a, scale, program.options.seed, entries, point)
        rows.append(row)
    wrong = {name: e for name, e in worst.items() if e is not None and e.verdict == FAIL}
    with SETTINGS, at_most(1):
        if wrong:
            violations = faults(stages, forward, gradients, wrong, tolerance)
        else:
            # What is not finite, or 0 throughout, hides what is wrong before it: each node is
            # asked by itself.
            violations = wrong_products(forward, gradients) if lost or not net_largest else ()
    g = stages.differentiated
    exact = check_gradients(g, {name: g.outputs[f"{name}.grad"] for name in gradients})
    return GradcheckReport(net.name, tuple(rows), tolerance, violations, exact)


def _in_f64(program: Program) -> Program:
    """A program without an optimizer like this one, in f64, at its parameters and its state."""
    options = program.options
    limit = options.memory_limit
    if limit is not None and options.dtype == "f32":
        limit *= 2  # as much as the same numbers take
    plain = options._replace(
        optimizer=None, clip=None, dtype="f64", memory_limit=limit, certify=False
    )
    twin = Program(program.declared, plain)
    twin.state.update({name: program.state[name] for name in twin.state})
    return twin


def _draw(program: Program, values: Mapping[str, Any], seed: int) -> None:
    for name in values:
        if name not in program.parameters:
            raise RunError(
                f"there is no parameter {shown(name)}{suggest(name, program.parameters)}"
            )
    for name in program.parameters:
        value = values.get(name)
        if value is None:
            value = program.parameters[name]
            if not value.any():
                n = program.declared[name]
                value = first_value(Normal(0.1), n.type, seed, name)
        program.parameters[name] = value
        drawn = program.parameters[name]
        lost = np.argwhere(~np.isfinite(drawn))
        if len(lost):
            at = tuple(int(i) for i in lost[0])
            raise RunError(
                f"parameter {name!r} holds {drawn[at]} at [{','.join(map(str, at))}], where "
                f"nothing has a derivative; give others, gradcheck(..., parameters={{{name!r}: "
                "array})"
            )


def _widened(name: str, value: Any, n: Node) -> Array:
    array = fed(name, value, n)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _check(
    line: Line,
    name: str,
    symbolic: Array,
    scale: Scale,
    seed: int,
    entries: int,
    singular: str,
) -> tuple[ParameterRow, Entry | None]:
    """A parameter's row, and its worst entry; None where it has no entries."""
    worst: Entry | None = None
    kinked: Entry | None = None
    counts = dict.fromkeys(ORDER, 0)
    kinks = 0
    checked = _entries(symbolic.size, entries, seed, name)
    for flat in checked:
        where = tuple(int(i) for i in np.unravel_index(flat, symbolic.shape))
        with SETTINGS, at_most(1):
            entry = check_entry(line, where, float(symbolic[where]), scale)
        if singular and not np.isfinite(entry.error):
            entry = entry._replace(verdict=INCONCLUSIVE, singular=singular)
        counts[entry.verdict] += 1
        if worst is None or _badness(entry) >= _badness(worst):
            worst = entry
        if entry.kink:
            kinks += 1
            if kinked is None or _badness(entry) >= _badness(kinked):
                kinked = entry
    if worst is None:
        return ParameterRow(name, 0.0, "", (), 0.0, 0.0, 0.0, 0, symbolic.size), None
    numeric = worst.numeric
    row = ParameterRow(
        name, worst.error, worst.relative_to, worst.where, worst.symbolic, numeric.value,
        numeric.step, len(checked), symbolic.size, worst.verdict, numeric.error, counts[FAIL],
        counts[INCONCLUSIVE], kinks, kinked.kink if kinked else "", bool(worst.kink),
        worst.singular,
    )  # fmt: skip
    return row, worst


def _badness(e: Entry) -> tuple[int, float]:
    return ORDER.index(e.verdict), e.error


def _entries(size: int, entries: int, seed: int, name: str) -> list[int]:
    """All places of a parameter, or so many of them, drawn."""
    if size <= entries:
        return list(range(size))
    drawn = np.argsort(words(seed, f"{name}.entries", size), kind="stable")[:entries]
    return sorted(int(i) for i in drawn)

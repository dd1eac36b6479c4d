"""How good a program is on a data set: its data loss and, of a classifier, its accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, RunError
from ..program import Program, check_program
from ..totals import Totals
from .dataset import Data, DataSet, labelled
from .scoring import Metrics, Scorer

_AT_A_TIME: Final = 1024
"""How many rows are evaluated in one go: fewer where the program's memory limit says so."""


class Measurement(NamedTuple):
    """The data loss of all rows together, and the share of rows whose largest score is the label's.

    The accuracy is None unless the program has scores [N,C] and labels i64[N]. `metrics` are those
    that were asked for, by name.
    """

    loss: float
    accuracy: float | None
    metrics: Mapping[str, float] = {}


def measure(program: Program, data: Data, *, metrics: Metrics = ()) -> Measurement:
    """The program's loss and accuracy on `data`, in inference: no dropout, no penalties.

    `data` is a tuple in the order of the graph's inputs, or a dict by their names. The loss is
    that of all rows in one call, within rounding: they are evaluated some at a time, and what the
    loss sums over rows is summed over all. Where a row's loss depends on other rows, or an op of
    the graph does not say what it makes of rows, it is one call.

    `metrics` are names such as "f1" or "rmse", or functions (true, predicted) that give a number;
    a dict calls them otherwise. They compare a classifier's scores with its labels, and else the
    only output of floats with the only input of its shape that it is not made from; all rows of
    both are kept for them. Raises RunError for data that does not fit.
    """
    check_program("measure", program)
    scorer = scorer_of(program, metrics)
    return measure_set(program, DataSet(program.declared, data, program.metadata), scorer)


def scorer_of(program: Program, metrics: Metrics) -> Scorer | None:
    """What measures what was asked for; None where that is nothing."""
    nothing = isinstance(metrics, Sized) and not len(metrics) and not isinstance(metrics, str)
    return None if nothing else Scorer(program.declared, metrics)


def measure_set(
    program: Program,
    data: DataSet,
    scorer: Scorer | None = None,
    between: Callable[[], None] = lambda: None,
) -> Measurement:
    """The same for data that was checked; `between` is called after each part of it."""
    classifier = labelled(program.declared)
    output = classifier.scores if classifier is not None else None
    if scorer is not None:
        output = scorer.scored.output
    if program.declared.loss is None:
        raise RunError(f"graph {program.name} has no loss; declare it as vg.Graph(..., loss=...)")
    how = program.blockwise(output)
    totals, right = Totals(how), 0
    true: list[Array] = []
    predicted: list[Array] = []
    for batch in data.slices(how.rows(_AT_A_TIME, data.count)):
        results = totals.add(batch, len(next(iter(batch.values()))))
        if classifier is not None:
            chosen = results[classifier.scores].argmax(axis=1)
            right += int(np.count_nonzero(chosen == batch[classifier.labels]))
        if scorer is not None:
            true.append(batch[scorer.scored.target].copy())
            predicted.append(results[scorer.scored.output].copy())
        between()
    accuracy = right / data.count if classifier is not None else None
    if scorer is None:
        return Measurement(totals.loss(), accuracy)
    values = scorer.values(np.concatenate(true), np.concatenate(predicted))
    return Measurement(totals.loss(), accuracy, values)

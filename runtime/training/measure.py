"""How good a program is on a data set: its data loss and, of a classifier, its accuracy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from ...graph import RunError
from ..program import Program, check_program
from ..totals import Totals
from .dataset import Data, DataSet, labelled

_AT_A_TIME: Final = 1024
"""How many rows are evaluated in one go: fewer where the program's memory limit says so."""


class Measurement(NamedTuple):
    """The data loss of all rows together, and the share of rows whose largest score is the label's.

    The accuracy is None unless the program has scores [N,C] and labels i64[N].
    """

    loss: float
    accuracy: float | None


def measure(program: Program, data: Data) -> Measurement:
    """The program's loss and accuracy on `data`, in inference: no dropout, no penalties.

    `data` is a tuple in the order of the graph's inputs, or a dict by their names. The loss is
    that of all rows in one call, within rounding: they are evaluated some at a time, and what the
    loss sums over rows is summed over all. Where a row's loss depends on other rows, or an op of
    the graph does not say what it makes of rows, it is one call. Raises RunError for data that
    does not fit.
    """
    check_program("measure", program)
    return measure_set(program, DataSet(program.declared, data, program.metadata))


def measure_set(
    program: Program, data: DataSet, between: Callable[[], None] = lambda: None
) -> Measurement:
    """The same for data that was checked; `between` is called after each part of it."""
    classifier = labelled(program.declared)
    if program.declared.loss is None:
        raise RunError(f"graph {program.name} has no loss; declare it as vg.Graph(..., loss=...)")
    how = program.blockwise(classifier.scores if classifier is not None else None)
    totals, right = Totals(how), 0
    for batch in data.slices(how.rows(_AT_A_TIME, data.count)):
        results = totals.add(batch, len(next(iter(batch.values()))))
        if classifier is not None:
            chosen = results[classifier.scores].argmax(axis=1)
            right += int(np.count_nonzero(chosen == batch[classifier.labels]))
        between()
    return Measurement(totals.loss(), right / data.count if classifier is not None else None)

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
from .team import Team

_AT_A_TIME: Final = 1024
"""How many rows are evaluated in one go: fewer where the program's memory limit says so."""
_TOTAL: Final = "total."
_RIGHT: Final = "right"
_TRUE: Final = "true"
_PREDICTED: Final = "predicted"


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
    team: Team | None = None,
) -> Measurement:
    """The same for data that was checked; `between` is called after each part of it. Ranks of a
    team evaluate some parts each, and have the bits of one."""
    classifier = labelled(program.declared)
    output = classifier.scores if classifier is not None else None
    if scorer is not None:
        output = scorer.scored.output
    if program.declared.loss is None:
        raise RunError(f"graph {program.name} has no loss; declare it as vg.Graph(..., loss=...)")
    how = program.blockwise(output)
    size = how.rows(_AT_A_TIME, data.count)
    starts = range(0, data.count, size)
    own = starts if team is None else team.dealt(starts)

    def evaluated(start: int) -> dict[str, Array]:
        batch = data.part(start, start + size)
        results = how.outputs(batch)
        block = {_TOTAL + k: results[k] for k in how.added}
        if classifier is not None:
            chosen = results[classifier.scores].argmax(axis=1)
            block[_RIGHT] = np.array(np.count_nonzero(chosen == batch[classifier.labels]))
        if scorer is not None:
            block[_TRUE] = batch[scorer.scored.target].copy()
            block[_PREDICTED] = results[scorer.scored.output].copy()
        between()
        return block

    blocks = [evaluated(start) for start in own]
    if team is not None:
        blocks = team.collected(blocks)
    totals = Totals(how)
    for start, block in zip(starts, blocks, strict=True):
        added = {k: block[_TOTAL + k] for k in how.added}
        totals.add(added, min(size, data.count - start))
    accuracy = None
    if classifier is not None:
        accuracy = sum([int(block[_RIGHT]) for block in blocks]) / data.count
    if scorer is None:
        return Measurement(totals.loss(), accuracy)
    true, predicted = (np.concatenate([b[key] for b in blocks]) for key in (_TRUE, _PREDICTED))
    return Measurement(totals.loss(), accuracy, scorer.values(true, predicted))

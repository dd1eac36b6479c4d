"""Tables made ready for a net: parts drawn, columns encoded by the training part, gaps filled."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...graph import RunError
from .categories import AS_NUMBERS, AS_THEY_ARE, Columns, learned, plan
from .cells import says_missing
from .encoding import Encoding, check_numbers, encoded, features
from .missing import fill_parts, fill_rows
from .moments import Measured
from .parts import Part, Samples, TaskData, classification, regression
from .rows import only
from .schema import Schema
from .table import Table, named
from .target import AskedTask, numbers_of, target_of

HELD: Final = 512 << 20
"""So many bytes of features are held in memory, unless asked otherwise."""


def prepared(
    table: Table,
    target: str,
    split_seed: int = 0,
    task: AskedTask = "classification",
    asked: Columns = AS_THEY_ARE,
    na_is_a_class: bool = False,
    in_memory: bool | None = None,
) -> TaskData:
    """The data set of a table whose column `target` is to be predicted from the others.

    Of a table that stays in its file, features are held `in_memory`; unsaid, up to 512 MB of them.

    What depends on rows, such as categories and means, is that of the training part alone: those
    to validate and to test on are read as new rows will be. Raises RunError for a table that
    cannot be learned.
    """
    aim = target_of(table, target, task, na_is_a_class)
    planned = plan(table, target, asked)
    # What is wrong in a cell is told before what is wrong with the rows as a whole.
    check_numbers(table, planned.encodings, AS_NUMBERS)
    # The parts are drawn first, as parts of row numbers: what they hold is read by one of them.
    numbered = Samples(np.arange(table.rows)[:, None], aim.labels)
    make = classification if aim.task == "classification" else regression
    drawn = make(table.name, numbered, target=target, split_seed=split_seed)
    encodings, notes = learned(table, planned, drawn.train.x[:, 0])
    made = encoded(table, encodings, checked=True)
    held = in_memory if in_memory is not None else made.x.nbytes <= HELD
    x = np.asarray(made.x) if held else made.x
    parts = [Part(only(x, numbers[:, 0]), y) for numbers, y in drawn.parts]
    data = drawn._replace(
        train=parts[0], validation=parts[1], test=parts[2], columns=features(encodings),
        encodings=encodings, notes=(*aim.notes, *notes, *made.notes),
    )  # fmt: skip
    measured = Measured(data.train.x)
    filled = fill_parts(data, measured)
    return filled._replace(notes=(*filled.notes, *_constant(data.columns, measured)))


def rows_of(table: Table, known: Schema, target: str | None) -> Samples:
    """The rows of a table as a model reads them, with the labels in the column `target`, if any."""
    read = known.read or tuple([Encoding(k) for k in table.columns if k != target])
    missing = [e.name for e in read if e.name not in table.columns]
    names = [e.name for e in read]
    others = [k for k in table.columns if k != target and k not in set(names)]
    if missing:
        beside = f"; it does not know {named(others)} of the file" if others else ""
        raise RunError(
            f"{table.name} has no {named(missing)}, which the model was trained on{beside}"
        )
    made = encoded(table, read)
    labels = None
    if target is not None:
        column = table.column(target)
        if known.task == "regression":
            labels = numbers_of(column, "leave such rows out, or the column")
        else:
            labels = column.labels(any(map(says_missing, known.classes)))
    notes = tuple(_passed_over(table, names, others))
    rows = Samples(made.x, labels, columns=features(read), notes=(*notes, *made.notes))
    return fill_rows(table.name, rows, known.fill)


def _passed_over(table: Table, read: list[str], others: list[str]) -> list[str]:
    """What to tell of columns that stand elsewhere, and of those that are not read."""
    notes = []
    if [k for k in table.columns if k in set(read)] != read:
        notes.append("its columns stand in another order than in training: they are read by name")
    if others:
        listed = ", ".join([repr(name) for name in others])
        notes.append(f"not read, since the model was not trained on it: {listed}")
    return notes


def _constant(names: tuple[str, ...], measured: Measured) -> list[str]:
    """What to tell of features that are the same in all rows to train on."""
    changes = measured.most > measured.least
    same = [name for name, varies in zip(names, changes, strict=True) if not varies]
    if not same:
        return []
    return [f"{named(same)} never change{'s' if len(same) == 1 else ''}: nothing is learned of it"]

"""Missing values: NaN where a file has none, and then the mean of the training part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from ...graph import Array, RunError, shown
from .moments import Measured
from .parts import Part, Samples, TaskData
from .rows import Rows, blocks


def fill_parts(data: TaskData, measured: Measured) -> TaskData:
    """The data set with a column's missing values as its mean in the training part, which is kept.

    `measured` are the columns of that part. Raises RunError for one of which it has no value.
    """
    fill = _means(data, measured)
    others = [_missing(part.x) for part in (data.validation, data.test)]
    count = int(measured.missing.sum()) + sum(others)
    train, validation, test = (Part(_filled(x, fill), y) for x, y in data.parts)
    notes = (*data.notes, *_note(count))
    means = tuple([float(v) for v in fill])
    return data._replace(train=train, validation=validation, test=test, fill=means, notes=notes)


def fill_rows(name: str, rows: Samples, fill: Sequence[float]) -> Samples:
    """Rows to predict for, their missing values as the means that the model keeps."""
    count = _missing(rows.x)
    if not count:
        return rows
    if not fill:
        raise RunError(
            f"{name} lacks {_values(count)}, and the model keeps no means to put in their place; "
            "train it again, or leave such rows out"
        )
    return rows._replace(x=_filled(rows.x, np.array(fill)), notes=(*rows.notes, *_note(count)))


def _missing(x: Array | Rows) -> int:
    """How many values are missing."""
    return sum([int(np.isnan(block).sum()) for block in blocks(x)])


def _means(data: TaskData, measured: Measured) -> Array:
    """The mean of what each column has in the training part."""
    for i in np.flatnonzero(measured.count == 0):
        column = shown(data.columns[i])
        raise RunError(
            f"{data.name}: column {column} has no value in any of the {len(data.train.y)} rows to "
            "train on; leave it out of the file"
        )
    means: Array = measured.mean() * measured.unit
    return means


class _Filled:
    """Rows of a file, with what stands for their missing values where they are read."""

    def __init__(self, x: Rows, fill: Array) -> None:
        self._x = x
        self._fill = fill
        self.shape, self.dtype = x.shape, x.dtype

    def __getitem__(self, rows: Any) -> Array:
        return _filled(self._x[rows], self._fill)


@overload
def _filled(x: Array, fill: Array) -> Array: ...
@overload
def _filled(x: Rows, fill: Array) -> Rows: ...
def _filled(x: Array | Rows, fill: Array) -> Array | Rows:
    return Rows(_Filled(x, fill)) if isinstance(x, Rows) else np.where(np.isnan(x), fill, x)


def _note(count: int) -> tuple[str, ...]:
    note = f"{_values(count)} missing: the column's mean in the training part stands for each"
    return (note,) if count else ()


def _values(count: int) -> str:
    return f"{count:,} value{'s' if count > 1 else ''}"

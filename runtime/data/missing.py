"""Missing values: NaN where a file has none, and then the mean of the training part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...graph import Array, RunError, shown
from .moments import moments
from .parts import Part, Samples, TaskData
from .rows import Rows


def fill_parts(data: TaskData) -> TaskData:
    """The data set with a column's missing values as its mean in the training part, which is kept.

    Raises RunError for a column of which the training part has no value.
    """
    fill = _means(data)
    parts = [data.train, data.validation, data.test]
    count = sum(int(np.isnan(part.x).sum()) for part in parts)
    train, validation, test = (Part(_filled(x, fill), y) for x, y in parts)
    notes = (*data.notes, *_note(count))
    means = tuple([float(v) for v in fill])
    return data._replace(train=train, validation=validation, test=test, fill=means, notes=notes)


def fill_rows(name: str, rows: Samples, fill: Sequence[float]) -> Samples:
    """Rows to predict for, their missing values as the means that the model keeps."""
    count = int(np.isnan(rows.x).sum())
    if not count:
        return rows
    if not fill:
        raise RunError(
            f"{name} lacks {_values(count)}, and the model keeps no means to put in their place; "
            "train it again, or leave such rows out"
        )
    return rows._replace(x=_filled(rows.x, np.array(fill)), notes=(*rows.notes, *_note(count)))


def _means(data: TaskData) -> Array:
    """The mean of what each column has in the training part."""
    x = data.train.x
    present = ~np.isnan(x)
    for i in np.flatnonzero(~present.any(axis=0)):
        column = shown(data.columns[i])
        raise RunError(
            f"{data.name}: column {column} has no value in any of the {len(x)} rows to train on; "
            "leave it out of the file"
        )
    return moments(x).mean


def _filled(x: Array | Rows, fill: Array) -> Array:
    return np.where(np.isnan(x), fill, x)


def _note(count: int) -> tuple[str, ...]:
    note = f"{_values(count)} missing: the column's mean in the training part stands for each"
    return (note,) if count else ()


def _values(count: int) -> str:
    return f"{count:,} value{'s' if count > 1 else ''}"

"""How a column of a table becomes features: what a model keeps, and what it makes of other rows.

A number is itself. A truth value is 1 or 0. A text is one-hot: a feature for each category that
the training part has, which is 1 in its rows and else 0; a missing text is a category of its own,
where the training part has any. An ordinal category is its place in an order.

A category that the training part has not is, one-hot, 0 in every feature, with a note: a row with
one new town can be predicted for, and the note says how far to trust that. Among ordinal ones it
has no place, and neither has a truth value: there it is an error.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from ...graph import Array, RunError, shown
from .rows import Rows
from .table import Column, Table, named

Encoded = Literal["number", "boolean", "one-hot", "ordinal"]

_GONE: Final = "leave such rows out or empty the cell"


class Encoding(NamedTuple):
    """How one column is read; `categories`, in their order, where it has some.

    None is the category of what is missing.
    """

    name: str
    kind: Encoded = "number"
    categories: tuple[str | None, ...] = ()

    @property
    def is_indicator(self) -> bool:
        """Whether its features are 0 or 1, which stay as they are."""
        return self.kind in ("boolean", "one-hot")

    @property
    def features(self) -> tuple[str, ...]:
        """What its features are called, such as rooms, or town=Rome and town=Oslo."""
        if self.kind != "one-hot":
            return (self.name,)
        shown = ("(missing)" if c is None else c for c in self.categories)
        return tuple([f"{self.name}={category}" for category in shown])


class Features(NamedTuple):
    """f64[rows,features], NaN where a value is missing, and by columns the categories that are
    not known, of each row one."""

    x: Array | Rows
    unknown: Mapping[str, Sequence[str | None]] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What to tell of them."""
        return tuple([_told(name, texts) for name, texts in self.unknown.items() if texts])


class _EncodedRows:
    """The features of a table that is not held in memory, encoded where rows are asked for."""

    dtype: Final = np.dtype(np.float64)

    def __init__(self, table: Table, encodings: Sequence[Encoding]) -> None:
        assert table.part is not None
        self._part = table.part
        self._encodings = encodings
        self.shape = (table.rows, len(features(encodings)))

    def __getitem__(self, rows: Any) -> Array:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(self.shape[0]))
        return _read(self._part(rows), self._encodings).x


def features(encodings: Iterable[Encoding]) -> tuple[str, ...]:
    """The names of all features, in order."""
    return tuple([name for encoding in encodings for name in encoding.features])


def encoded(table: Table, encodings: Sequence[Encoding], checked: bool = False) -> Features:
    """The features of every row. Raises RunError, with the place, for a row that does not fit.

    Those of a table that is not in memory are `Rows`, after one look at all of them; numbers that
    were `checked` are not looked at again.
    """
    if table.part is None:
        return Features(*_read(table, encodings))
    unknown: dict[str, list[str | None]] = {}
    seen = [e for e in encodings if not checked or e.kind != "number"]
    for block in table.blocks() if seen else ():
        for name, texts in _read(block, seen).unknown.items():
            unknown.setdefault(name, []).extend(texts)
    return Features(Rows(_EncodedRows(table, encodings)), unknown)


def check_numbers(table: Table, encodings: Sequence[Encoding], mend: str) -> None:
    """Raises RunError for the first row that has no number where one is due; `mend` says what to do
    where that is a text."""
    numbers = [encoding for encoding in encodings if encoding.kind == "number"]
    for block in table.blocks():
        _read(block, numbers, mend)


class _Read(NamedTuple):
    """Features in memory, and the categories that are not known."""

    x: Array
    unknown: Mapping[str, Sequence[str | None]] = {}


def _read(table: Table, encodings: Sequence[Encoding], mend: str = _GONE) -> _Read:
    """The features of a table in memory."""
    parts: list[Array] = []
    unknown: dict[str, Sequence[str | None]] = {}
    problems: list[tuple[str, RunError]] = []
    for encoding in encodings:
        try:
            made = _encoded(table.columns[encoding.name], encoding, mend)
        except RunError as e:
            problems.append((encoding.name, e))
            continue
        parts.append(made.x)
        unknown.update(made.unknown)
    if problems:
        (_, first), *others = problems
        also = f"; {named([k for k, _ in others])} cannot be read, either" if others else ""
        raise RunError(f"{first}{also}")
    x = np.concatenate(parts, axis=1) if parts else np.zeros((table.rows, 0))
    return _Read(x, unknown)


def _encoded(column: Column, encoding: Encoding, mend: str) -> _Read:
    if encoding.kind == "number":
        return _Read(column.numbers(mend.format(shlex.quote(column.name)))[:, None])
    if encoding.kind == "boolean":
        return _Read(column.booleans()[:, None])
    texts = column.texts()
    number = {category: i for i, category in enumerate(encoding.categories)}
    places = np.array([number.get(text, -1) for text in texts], np.int64)
    unknown = np.flatnonzero(places < 0)
    if encoding.kind == "ordinal":
        return _Read(_ordinal(column, encoding, texts, places, unknown)[:, None])
    x = np.zeros((len(texts), len(number)))
    known = np.flatnonzero(places >= 0)
    x[known, places[known]] = 1.0
    return _Read(x, {column.name: [texts[i] for i in unknown]})


def _ordinal(
    column: Column, encoding: Encoding, texts: Sequence[str | None], places: Array, unknown: Array
) -> Array:
    """The places in the order, NaN for what is missing."""
    for row in unknown.tolist():
        if texts[row] is not None:
            order = " < ".join([str(c) for c in encoding.categories[:8]])
            raise RunError(
                f"{column.where(row)}: found {shown(texts[row])}, which has no place in the order "
                f"{order}{' < ...' if len(encoding.categories) > 8 else ''}"
            )
    return np.where(places < 0, np.nan, places)


def _told(name: str, texts: Sequence[str | None]) -> str:
    """What to tell of categories that are not known."""
    rows = "1 row has" if len(texts) == 1 else f"{len(texts):,} rows have"
    kinds = list(dict.fromkeys(texts))
    known = next((shown(text) for text in kinds if text is not None), None)
    what = f"a category, such as {known}," if known else "a missing value,"
    return f"{name}: {rows} {what} that no row to train on has: all features of {name} are 0 there"

"""Which encoding each column of a table gets: by what it holds, or as a user says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, RunError, shown
from .cells import is_number
from .encoding import Encoding, features
from .table import Column, Table, named, options

_MOST: Final = 100
"""More categories than that are asked for, or refused."""
_FEW: Final = 10
"""So many are never too many for a table; above them, no more than half of its rows."""

AS_NUMBERS: Final = (
    "leave the column out with --drop {0}, or take its values for categories with --one-hot {0}"
)


class Columns(NamedTuple):
    """What a user says of columns: those to leave out, those to take for categories, and those to
    take for ordinal ones, each NAME or NAME=a,b,c with the order of its categories."""

    drop: tuple[str, ...] = ()
    one_hot: tuple[str, ...] = ()
    ordinal: tuple[str, ...] = ()


AS_THEY_ARE: Final = Columns()
"""Each column by what it holds."""


class Plan(NamedTuple):
    """Every column that is read and how, before its categories are known, save those in an order
    that was given; `forced` are those that a user takes for categories, however many there are."""

    encodings: tuple[Encoding, ...]
    forced: frozenset[str]


class Learned(NamedTuple):
    """The encoding of every column that is read, and what to tell of them."""

    encodings: tuple[Encoding, ...]
    notes: tuple[str, ...]


def plan(table: Table, target: str, asked: Columns) -> Plan:
    """How all columns but the target are to be read.

    Raises RunError for columns of dates and of what is no feature, and for columns that are asked
    for and are not there.
    """
    orders = dict(_order(table, text) for text in asked.ordinal)
    _check_asked(table, target, asked, orders)
    read = [c for k, c in table.columns.items() if k != target and k not in asked.drop]
    if "" in [column.name for column in read]:
        place = [*table.columns].index("") + 1
        raise RunError(
            f"{table.name}: column {place} has no name in the header; name it, or leave "
            "it out of the file (a row's number is no feature)"
        )
    if not read:
        raise RunError(f"{table.name} has no column beside {shown(target)}; features are expected")
    categories = {*asked.one_hot, *orders}
    _check_readable(table, [column for column in read if column.name not in categories])
    encodings = [_planned(column, asked, orders) for column in read]
    return Plan(tuple(encodings), frozenset(asked.one_hot))


def learned(table: Table, planned: Plan, rows: Array) -> Learned:
    """The encodings with the categories of these rows, which are those to train on. Raises
    RunError where a column has too many."""
    encodings: list[Encoding] = []
    notes: list[str] = []
    for encoding in planned.encodings:
        given = bool(encoding.categories)
        if encoding.kind in ("one-hot", "ordinal") and not given:
            column, ordinal = table.columns[encoding.name], encoding.kind == "ordinal"
            # An order is no secret of the rows to test on: they have their places in it, too.
            found = _categories(column, np.arange(table.rows) if ordinal else rows)
            if ordinal:
                found = tuple([category for category in found if category is not None])
            elif encoding.name not in planned.forced:
                _check_count(table, encoding.name, found, len(rows))
            encoding = encoding._replace(categories=found)
        encodings.append(encoding)
        notes += _told(encoding, given)
    _check_names(table, encodings)
    return Learned(tuple(encodings), tuple(notes))


def _planned(column: Column, asked: Columns, orders: dict[str, tuple[str, ...]]) -> Encoding:
    if column.name in orders:
        return Encoding(column.name, "ordinal", orders[column.name])
    if column.name in asked.one_hot or column.kind == "text":
        return Encoding(column.name, "one-hot")
    return Encoding(column.name, "boolean" if column.kind == "boolean" else "number")


def _order(table: Table, text: str) -> tuple[str, tuple[str, ...]]:
    """The column of NAME=a,b,c, and the order; none where it is the name of a column."""
    if text in table.columns or "=" not in text:
        return text, ()
    cuts = [i for i, character in enumerate(text) if character == "="]
    at = max([i for i in cuts if text[:i] in table.columns], default=cuts[0])
    name, order = text[:at], text[at + 1 :]
    places = tuple([category.strip() for category in order.split(",")])
    if "" in places or len(set(places)) < len(places):
        raise RunError(
            f"--ordinal {text}: the order holds a category twice or an empty one; write e.g. "
            f"{name}=low,middle,high"
        )
    return name, places


def _check_asked(
    table: Table, target: str, asked: Columns, orders: dict[str, tuple[str, ...]]
) -> None:
    """Raises RunError for a column that is not there, is the target, or is asked for twice."""
    lists = {"--drop": asked.drop, "--one-hot": asked.one_hot, "--ordinal": tuple(orders)}
    seen: dict[str, str] = {}
    for option, names in lists.items():
        for name in names:
            table.column(name)
            if name == target:
                raise RunError(f"{option} {name}: that is the target, and no feature")
            if seen.setdefault(name, option) != option:
                raise RunError(f"{seen[name]} and {option} both name {shown(name)}; give one")


def _check_readable(table: Table, read: Iterable[Column]) -> None:
    """Raises RunError for all columns of dates, or of what is no number and no text."""
    wrong = [column for column in read if column.kind in ("date", "other")]
    if not wrong:
        return
    dates = [column.name for column in wrong if column.kind == "date"]
    first = wrong[0]
    holds = f"hold{'s' if len(wrong) == 1 else ''} {first.found}"
    advice = (
        "put what matters of them, such as the year, the month or the days since the first, into "
        "columns of numbers"
        if len(dates) == len(wrong)
        else "put what matters of them into columns of numbers or texts"
    )
    raise RunError(
        f"{table.name}: {named([column.name for column in wrong])} {holds}, such as "
        f"{first.example!r}, which are no features; {advice}, or leave them out with "
        f"{options('--drop', [column.name for column in wrong])}"
    )


def _check_count(table: Table, name: str, categories: tuple[str | None, ...], rows: int) -> None:
    """Raises RunError for more categories than are taken for some without a word."""
    many = len(categories)
    if many <= _FEW or (many <= _MOST and 2 * many <= rows):
        return
    examples = " and ".join([shown(c) for c in categories if c is not None][:2])
    raise RunError(
        f"{table.name}: column {shown(name)} has {many:,} different texts in the {rows:,} rows to "
        f"train on, such as {examples}, of which each would be a feature; leave it out with "
        f"{options('--drop', [name])}, or, where they are categories indeed, give "
        f"{options('--one-hot', [name])}"
    )


def _categories(column: Column, rows: Array) -> tuple[str | None, ...]:
    """The categories of the rows, in the order of numbers or of the alphabet; None at the end."""
    texts = column.texts()
    found = {texts[row] for row in rows.tolist()}
    present = sorted([text for text in found if text is not None], key=_sortable)
    return (*present, *([None] if None in found else []))


def _sortable(text: str) -> tuple[bool, float, str]:
    """Numbers before other texts; nan, which has no place among them, is no number."""
    number = float(text) if is_number(text) else math.nan
    return math.isnan(number), 0.0 if math.isnan(number) else number, text


def _told(encoding: Encoding, given: bool) -> Iterator[str]:
    """What became of a column whose categories are not seen in the file at once."""
    count = len(encoding.categories)
    if encoding.kind == "one-hot":
        missing = ", one of them for what is missing" if None in encoding.categories else ""
        yield f"{encoding.name}: {count:,} categories, one-hot{missing}"
    elif encoding.kind == "ordinal":
        listed = " < ".join([str(c) for c in encoding.categories[:8]])
        more = " < ..." if count > 8 else ""
        other = "" if given else f"; --ordinal {encoding.name}=a,b,c gives another order"
        yield f"{encoding.name}: {count:,} categories, ordinal: {listed}{more}{other}"


def _check_names(table: Table, encodings: Sequence[Encoding]) -> None:
    """Raises RunError where a category makes a feature of another column's name."""
    names = features(encodings)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RunError(f"{table.name}: two features are called {shown(twice)}; rename a column")

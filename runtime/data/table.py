"""A table as a file holds it: named columns, each read as numbers, truth values or texts."""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from ...graph import Array, RunError, shown, suggest
from .rows import BLOCK

Kind = Literal["number", "boolean", "text", "date", "other"]
"""What a column holds; `other` is what a net cannot read, such as lists."""

_MOST_NAMED: Final = 10


class Column(ABC):
    """A column of a table: what it appears to hold, and its rows as what is asked for.

    `kind` is decided by all rows; `found` is a word or two for it, and `example` one of its values.
    Each reading raises RunError, with the place, for a row that is no such thing.
    """

    name: str
    kind: Kind
    found: str
    example: str

    @abstractmethod
    def numbers(self, mend: str) -> Array:
        """Finite numbers f64[rows], NaN where one is missing; `mend` says what to do about a row
        that holds none."""

    @abstractmethod
    def booleans(self) -> Array:
        """1, 0 or, where it is missing, NaN: f64[rows]."""

    @abstractmethod
    def texts(self) -> list[str | None]:
        """What each row holds, as a text; None where it is missing."""

    @abstractmethod
    def labels(self, na_is_a_class: bool = False) -> Array:
        """The class of each row: whole numbers where all are, else texts. RunError where one is
        missing."""

    @abstractmethod
    def where(self, row: int) -> str:
        """How errors name a row: the file, the line or the row, and the column."""


class Table(NamedTuple):
    """A file's columns by their names, and how many rows each has.

    Of a table that is not held in memory, `part` reads the rows of some numbers, i64[k].
    """

    name: str
    columns: Mapping[str, Column]
    rows: int
    part: Callable[[Array], Table] | None = None

    def blocks(self) -> Iterator[Table]:
        """Tables in memory, which have all rows in their order."""
        if self.part is None:
            yield self
            return
        for start in range(0, self.rows, BLOCK):
            yield self.part(np.arange(start, min(start + BLOCK, self.rows)))

    def column(self, name: str) -> Column:
        """The column of that name; RunError where there is none."""
        if name not in self.columns:
            raise RunError(f"{self.name} has no column {shown(name)}{suggest(name, self.columns)}")
        return self.columns[name]


def named(names: Iterable[str]) -> str:
    """Such as: columns 'a' and 'b'; at most ten of them."""
    names = list(names)
    listed = [shown(name) for name in names[:_MOST_NAMED]]
    if len(names) > len(listed):
        listed.append(f"{len(names) - len(listed)} more")
    *most, last = listed
    return f"columns {', '.join(most)} and {last}" if most else f"column {last}"


def options(option: str, names: Sequence[str]) -> str:
    """Such as `--drop 'sale date' --drop id`, as a shell takes it; at most ten of them."""
    given = [f"{option} {shlex.quote(name)}" for name in names[:_MOST_NAMED]]
    return " ".join([*given, *(["..."] if len(names) > len(given) else [])])


def as_labels(texts: Sequence[str]) -> Array:
    """The labels as whole numbers where all are, so that 10 comes after 9; else as texts.

    A number that is not written as Python writes it, such as 007, is a text: it is printed again.
    """
    try:
        numbers = [int(label) for label in texts]
        if [str(n) for n in numbers] == list(texts):
            return np.array(numbers, np.int64)
    except (ValueError, OverflowError):
        pass
    return np.array(texts)

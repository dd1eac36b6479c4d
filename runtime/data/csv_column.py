"""A column of a CSV file: its cells, and what is wrong in which line where one does not fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from ...graph import Array, RunError, shown
from ...graph.exact import ADVICE
from .cells import (
    is_missing,
    kind_of_cells,
    mended,
    plain,
    plain_numbers,
    says_missing,
    truth,
)
from .table import Column, Kind, as_labels

_WORDS: Final[dict[Kind, str]] = {
    "number": "numbers", "boolean": "truth values", "text": "texts", "date": "dates",
}  # fmt: skip
_INTEGER: Final = re.compile(r"([+-]?\d+)(?:\.0*)?")


class Lines(Protocol):
    """The line that each row begins in."""

    def __getitem__(self, row: int, /) -> int: ...


class CsvColumn(Column):
    """The cells of a column, as they are written, and the line of each; what they hold is that of
    the whole column, where these are some of its cells."""

    def __init__(
        self,
        path: Path,
        name: str,
        cells: Sequence[str],
        lines: Lines,
        holds: tuple[Kind, str] | None = None,
    ) -> None:
        self.name = name
        self.kind, self.example = holds or kind_of_cells(cells)
        self.found = _WORDS[self.kind]
        self._path = path
        self._cells = cells
        self._lines = lines
        self._read: Array | None = None

    def where(self, row: int) -> str:
        """The file, the line and the column."""
        return f"{self._path}, line {self._lines[row]}, column {shown(self.name)}"

    def numbers(self, mend: str) -> Array:
        """The number in each cell."""
        if self._read is None and isinstance(self._cells, list):
            self._read = plain_numbers(self._cells)
        if self._read is None:
            found = (self._number(row, cell, mend) for row, cell in enumerate(self._cells))
            self._read = np.fromiter(found, np.float64, len(self._cells))
        return self._read

    def booleans(self) -> Array:
        """The truth value in each cell: true or false, yes or no, 1 or 0."""
        found = (self._truth(row, cell) for row, cell in enumerate(self._cells))
        return np.fromiter(found, np.float64, len(self._cells))

    def texts(self) -> list[str | None]:
        """The cells, without the spaces around them."""
        return [None if says_missing(cell) else cell for cell in map(str.strip, self._cells)]

    def labels(self, na_is_a_class: bool = False) -> Array:
        """The class in each cell; with `na_is_a_class`, NA and its like are some."""
        cells = [*map(str.strip, self._cells)]
        for row, cell in enumerate(cells):
            if not cell or (says_missing(cell) and not na_is_a_class):
                keep = f"; where {shown(cell)} is the name of a class, give --na-is-a-class"
                raise RunError(
                    f"{self._path}, line {self._lines[row]}: the class in column "
                    f"{shown(self.name)} is missing{keep if cell else ''}"
                )
        return as_labels(cells)

    def _number(self, row: int, cell: str, mend: str) -> float:
        cell = cell.strip()
        if is_missing(cell):
            return np.nan
        try:
            value = float(plain(cell))
        except ValueError:
            raise RunError(
                f"{self._found(row)}, where a number is expected; {mended(cell, mend)}"
            ) from None
        if not np.isfinite(value):
            raise RunError(
                f"{self._found(row)}, where a finite number is expected; leave such rows out or "
                "empty the cell"
            )
        whole = _INTEGER.fullmatch(cell) if abs(value) >= 2**53 else None
        if whole is not None and int(whole[1]) != value:
            raise RunError(f"{self._found(row)}, {ADVICE}")
        return value

    def _truth(self, row: int, cell: str) -> float:
        cell = cell.strip()
        if is_missing(cell):
            return np.nan
        value = truth(cell)
        if value is None:
            raise RunError(
                f"{self._found(row)}, where true or false, or yes or no, is expected; leave such "
                "rows out or empty the cell"
            )
        return value

    def _found(self, row: int) -> str:
        cell = self._cells[row]
        return f"{self.where(row)}: found {cell if len(cell) <= 40 else f'{cell[:40]}...'!r}"

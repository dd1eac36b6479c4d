"""Tables in CSV files: a header, and a row a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from ...graph import Array, RunError, shown
from ...graph.exact import ADVICE
from .cells import is_missing, is_number, kind_of_cells, mended, plain, says_missing, truth
from .csv_lines import CsvRecord, records
from .table import Column, Kind, Table, as_labels

ENDINGS: Final = (".csv", ".tsv")

_WORDS: Final[dict[Kind, str]] = {
    "number": "numbers", "boolean": "truth values", "text": "texts", "date": "dates",
}  # fmt: skip
_INTEGER: Final = re.compile(r"([+-]?\d+)(?:\.0*)?")


class CsvColumn(Column):
    """The cells of a column, as they are written, and the line of each."""

    def __init__(self, path: Path, name: str, cells: Sequence[str], lines: Sequence[int]) -> None:
        self.name = name
        self.kind, self.example = kind_of_cells(cells)
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
        if self._read is None:
            self._read = np.array([self._number(row, mend) for row in range(len(self._cells))])
        return self._read

    def booleans(self) -> Array:
        """The truth value in each cell: true or false, yes or no, 1 or 0."""
        return np.array([self._truth(row) for row in range(len(self._cells))])

    def texts(self) -> list[str | None]:
        """The cells, without the spaces around them."""
        return [None if says_missing(cell) else cell for cell in map(str.strip, self._cells)]

    def labels(self, na_is_a_class: bool = False) -> Array:
        """The class in each cell; with `na_is_a_class`, NA and its like are some."""
        for row, cell in enumerate(map(str.strip, self._cells)):
            if not cell or (says_missing(cell) and not na_is_a_class):
                keep = f"; where {shown(cell)} is the name of a class, give --na-is-a-class"
                raise RunError(
                    f"{self._path}, line {self._lines[row]}: the class in column "
                    f"{shown(self.name)} is missing{keep if cell else ''}"
                )
        return as_labels([cell.strip() for cell in self._cells])

    def _number(self, row: int, mend: str) -> float:
        cell = self._cells[row].strip()
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

    def _truth(self, row: int) -> float:
        cell = self._cells[row].strip()
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


def read_csv(path: Path) -> Table:
    """The table in a CSV file in UTF-8: commas, semicolons or tabs stand between values, what
    parts the header into most names.

    Raises RunError, with the line, for text that is no such table.
    """
    rows = records(path)
    first = next(rows, None)
    if first is None:
        raise RunError(f"{path} is empty: a header and a row a sample are expected")
    header = [name.strip() for name in first.cells]
    double = sorted({name for name in header if name and header.count(name) > 1})
    if double:
        raise RunError(f"{path}: the header names {shown(double[0])} twice")
    lines: list[int] = []
    cells: list[list[str]] = [[] for _ in header]
    for row in rows:
        if len(row.cells) != len(header):
            raise RunError(
                f"{path}, line {row.line}: found {len(row.cells)} values, where the header has "
                f"{len(header)}"
            )
        if row.further:
            _check_quotes(path, row)
        lines.append(row.line)
        for column, cell in zip(cells, row.cells, strict=True):
            column.append(cell)
    if not lines:
        raise RunError(f"{path} is empty: it has a header, but no rows")
    # One column without a name is kept under none; of two, no one is asked for by its name.
    columns = {k: CsvColumn(path, k, v, lines) for k, v in zip(header, cells, strict=True)}
    return Table(str(path), columns, len(lines))


def _check_quotes(path: Path, row: CsvRecord) -> None:
    """Raises RunError where a quoted value goes on over what looks like a row of its own: as many
    values, and numbers where this row has numbers."""
    places = [i for i, cell in enumerate(row.cells) if is_number(cell)]
    for number, line in enumerate(row.further, row.line + 1):
        alike = len(line) == len(row.cells) and bool(places)
        if alike and all(is_number(line[i]) or is_missing(line[i]) for i in places):
            raise RunError(
                f"{path}, line {row.line}: a quoted value goes on in line {number}, which "
                "looks like a row of its own; close the quote"
            )


def read_header(path: Path) -> list[str]:
    """The names of the columns; none where the file is empty."""
    header = next(records(path), None)
    return [name.strip() for name in header.cells] if header is not None else []

"""Tables in CSV files that are too large for memory: each row is read from its own bytes."""

from __future__ import annotations

import csv
import io
import mmap
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, overload

import numpy as np

from ...graph import Array, RunError
from .cells import is_missing, is_number, kind_of_cells, plain_numbers
from .csv_column import CsvColumn
from .csv_lines import LINE_ENDS, delimiter, reading, records, table_rows
from .rows import BLOCK
from .table import Kind, Table

_FEW: Final = 100
"""So many different cells of a column are kept: for a column of numbers, no more are needed."""


def read_ranges(path: Path) -> Table:
    """The table in a CSV file, whose rows are read where they are asked for.

    One pass over the file finds where they begin, and what each column holds: that of a table that
    is read whole. Raises RunError, with the line, for text that is no table.
    """
    header, rows = table_rows(path)
    starts = array("q")
    surveys = [_Survey() for _ in header]
    while block := list(islice(rows, BLOCK)):
        starts.extend([row.at for row in block])
        cells = zip(*[row.cells for row in block], strict=True)
        for survey, column in zip(surveys, cells, strict=True):
            survey.look(column)
    file = _RangedFile(path, header, np.array(starts))
    holds = [s.holds or kind_of_cells(file.column(k)) for k, s in enumerate(surveys)]
    return _RangedTable(file, holds).whole()


class _Survey:
    """What a column holds, as far as it was seen; None where that takes another look at all."""

    def __init__(self) -> None:
        self._seen: dict[str, None] | None = {}
        self._holds: tuple[Kind, str] | None = None

    def look(self, cells: Sequence[str]) -> None:
        """Takes more cells into account."""
        if self._seen is not None:
            self._seen.update(dict.fromkeys(map(str.strip, cells)))
            if len(self._seen) > _FEW and all(map(_is_no_text, self._seen)):
                self._holds = kind_of_cells(self._seen)
                self._seen = None
        elif plain_numbers(cells) is None and not all(map(_is_no_text, cells)):
            self._holds = None

    @property
    def holds(self) -> tuple[Kind, str] | None:
        """Its kind, and a cell that says so."""
        return kind_of_cells(self._seen) if self._seen is not None else self._holds


def _is_no_text(cell: str) -> bool:
    return is_missing(cell) or is_number(cell)


class _RangedFile:
    """A file that is mapped, the names of its columns, and the byte that each row begins with."""

    def __init__(self, path: Path, header: Sequence[str], starts: Array) -> None:
        self.path = path
        self.header = header
        self.rows = len(starts)
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as e:
            raise RunError(f"{path} cannot be read: {e}") from None
        self._starts = np.append(starts, len(self._bytes))
        self._parts = delimiter(self._bytes[: int(starts[0])].decode("utf-8-sig"))

    def cells(self, rows: Array) -> list[list[str]]:
        """The values of rows, of each in the order of the columns; RunError where the file has
        changed since its rows were found."""
        bounds = zip(self._starts[rows].tolist(), self._starts[rows + 1].tolist(), strict=True)
        data = b"\n".join([self._bytes[start:end].rstrip(b"\r\n") for start, end in bounds])
        try:
            text = io.StringIO(data.decode(), newline="")
            found = [*reading(text, self._parts)]
        except (csv.Error, UnicodeDecodeError):
            found = []
        if len(found) != len(rows) or any(len(row) != len(self.header) for row in found):
            raise RunError(f"{self.path} has changed since it was first read; read it again")
        return found

    def column(self, place: int) -> Iterator[str]:
        """The cells of a column, in one pass; equal ones are one text, where they are few."""
        known: dict[str, str] = {}
        for row in islice(records(self.path), 1, None):
            cell = row.cells[place]
            if len(known) < _FEW:
                known[cell] = cell
            yield known.get(cell, cell)

    def line(self, row: int) -> int:
        """The number of the line that a row begins in."""
        return 1 + sum(1 for _ in LINE_ENDS.finditer(self._bytes, 0, int(self._starts[row])))


class _Cells(Sequence[str]):
    """The cells of a column in a file, of which none is kept."""

    def __init__(self, file: _RangedFile, place: int) -> None:
        self._file = file
        self._place = place

    def __len__(self) -> int:
        return self._file.rows

    def __iter__(self) -> Iterator[str]:
        return self._file.column(self._place)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[str]: ...
    def __getitem__(self, row: int | slice) -> str | Sequence[str]:
        rows = np.arange(len(self))[row]
        cells = [found[self._place] for found in self._file.cells(np.atleast_1d(rows))]
        return cells if isinstance(row, slice) else cells[0]


class _Lines:
    """The lines that some rows begin in, which are counted where an error tells of one."""

    def __init__(self, file: _RangedFile, rows: Array) -> None:
        self._file = file
        self._rows = rows

    def __getitem__(self, row: int) -> int:
        return self._file.line(int(self._rows[row]))


class _RangedTable(NamedTuple):
    """A file, and what each of its columns holds."""

    file: _RangedFile
    holds: Sequence[tuple[Kind, str]]

    def whole(self) -> Table:
        """All rows, of which none is read yet."""
        lines = _Lines(self.file, np.arange(self.file.rows))
        cells = [_Cells(self.file, place) for place in range(len(self.holds))]
        return self._table(cells, lines, self.file.rows)._replace(part=self.part)

    def part(self, rows: Array) -> Table:
        """The rows of these numbers, i64[k], in memory."""
        found = self.file.cells(rows)
        cells = [[*column] for column in zip(*found, strict=True)] or [[] for _ in self.holds]
        return self._table(cells, _Lines(self.file, rows), len(rows))

    def _table(self, cells: Sequence[Sequence[str]], lines: _Lines, rows: int) -> Table:
        path = self.file.path
        columns = {
            name: CsvColumn(path, name, column, lines, holds)
            for name, column, holds in zip(self.file.header, cells, self.holds, strict=True)
        }
        return Table(str(path), columns, rows)

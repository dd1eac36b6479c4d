"""Tables in CSV files: a header, and a row a line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ...graph.writing import reaching
from .csv_column import CsvColumn
from .csv_lines import records, table_rows
from .csv_ranges import read_ranges
from .table import Table

ENDINGS: Final = (".csv", ".tsv")

WHOLE: Final = 64 << 20
"""The cells of a file of more bytes are not held in memory: they take 16 times as many there."""


def read_csv(path: Path, whole: bool = True) -> Table:
    """The table in a CSV file in UTF-8: commas, semicolons or tabs stand between values, what
    parts the header into most names.

    A table of more than 64 MB, and one that is not to be held `whole`, reads rows from the file
    where they are asked for. Raises RunError, with the line, for text that is no such table.
    """
    with reaching(path):
        large = path.is_file() and path.stat().st_size > WHOLE
    return _read_whole(path) if whole and not large else read_ranges(path)


def _read_whole(path: Path) -> Table:
    header, rows = table_rows(path)
    lines: list[int] = []
    cells: list[list[str]] = [[] for _ in header]
    for row in rows:
        lines.append(row.line)
        for column, cell in zip(cells, row.cells, strict=True):
            column.append(cell)
    # One column without a name is kept under none; of two, no one is asked for by its name.
    columns = {k: CsvColumn(path, k, v, lines) for k, v in zip(header, cells, strict=True)}
    return Table(str(path), columns, len(lines))


def read_header(path: Path) -> list[str]:
    """The names of the columns; none where the file is empty."""
    header = next(records(path), None)
    return [name.strip() for name in header.cells] if header is not None else []

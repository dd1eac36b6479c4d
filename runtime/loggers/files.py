"""Loggers that write plain files: a line for each epoch."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...graph.writing import append_line, given_path, write_whole
from .logger import Logger, Settings, Values


class JSONLinesLogger(Logger):
    """Writes a JSON object for each epoch, a line each; the file is begun anew by every run.

    Numbers that are not finite are NaN and Infinity, as Python and pandas read them.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = given_path(path)

    def begin(self, settings: Settings, past: Sequence[Values]) -> None:
        """Writes the lines of the past, and no others. Raises WriteError."""
        write_whole(self.path, "".join([f"{json.dumps(dict(values))}\n" for values in past]))

    def log(self, values: Values) -> None:
        """Adds a line, whole or not at all. Raises WriteError."""
        append_line(self.path, json.dumps(dict(values)))


class CSVLogger(Logger):
    """Writes a table with a row for each epoch; the file is begun anew by every run.

    What an epoch has no value for is an empty cell.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = given_path(path)
        self._rows: list[Values] = []
        self._columns: list[str] = []

    def begin(self, settings: Settings, past: Sequence[Values]) -> None:
        """Writes the rows of the past, and no others. Raises WriteError."""
        self._rows = [*past]
        self._write()

    def log(self, values: Values) -> None:
        """Adds a row; the whole table is written again where it has a new column. Raises
        WriteError."""
        self._rows.append(dict(values))
        if set(values) <= set(self._columns):
            append_line(self.path, _line([values.get(name) for name in self._columns]))
        else:
            self._write()

    def _write(self) -> None:
        self._columns = [*dict.fromkeys(name for row in self._rows for name in row)]
        cells = [[row.get(name) for name in self._columns] for row in self._rows]
        table: list[Sequence[object]] = [self._columns, *cells] if self._columns else []
        write_whole(self.path, "".join([f"{_line(row)}\n" for row in table]))


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()

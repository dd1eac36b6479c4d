"""Tables in Parquet and Arrow (Feather) files, and other libraries' tables, read by pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from ...graph import Array, RunError, cut, shortened, shown
from ...graph.exact import ADVICE, rounded
from ..optional import require
from .cells import truth
from .kinds import kind_of
from .table import Column, Kind, Table, as_labels

PARQUET: Final = (".parquet", ".pq")
ENDINGS: Final = (*PARQUET, ".feather", ".arrow", ".ipc")

_EXTRA: Final = "tables"


class ArrowColumn(Column):
    """A column of typed values, whose type says what it holds; null is what is missing."""

    def __init__(self, table: str, name: str, values: Any) -> None:
        self.name = name
        self._table = table
        self._values = _decoded(values)
        self.kind, self.found = _kind(values.type)
        present = self._values.drop_null()
        self.example = shortened(str(present[0].as_py()), 40) if len(present) else ""

    def where(self, row: int) -> str:
        """The file, the row, counted from 0, and the column."""
        return f"{self._table}, row {row}, column {shown(self.name)}"

    def numbers(self, mend: str) -> Array:
        """The numbers; of truth values, 1 and 0."""
        if self.kind not in ("number", "boolean"):
            row = int(np.argmax(self._values.is_valid().to_numpy(zero_copy_only=False)))
            raise RunError(
                f"{self.where(row)}: found {self.example!r}, where a number is expected; {mend}"
            )
        pa = require("pyarrow", _EXTRA)
        if pa.types.is_integer(self._values.type):
            whole = self._values.fill_null(0).to_numpy(zero_copy_only=False)
            wrong = rounded(whole)
            if wrong is not None:
                raise RunError(f"{self.where(wrong[0])}: found {whole[wrong]}, {ADVICE}")
        floats = self._values.cast(pa.float64(), safe=False)
        numbers: Array = floats.fill_null(float("nan")).to_numpy(zero_copy_only=False)
        infinite = np.flatnonzero(np.isinf(numbers))
        if infinite.size:
            raise RunError(
                f"{self.where(infinite[0])}: found {numbers[infinite[0]]}, where a finite number "
                "is expected; leave such rows out or empty the cell"
            )
        return numbers

    def booleans(self) -> Array:
        """The truth values, also where they are texts that read as some."""
        if self.kind in ("number", "boolean"):
            numbers = self.numbers("")
            self._check_truth(np.isnan(numbers) | (numbers == 0) | (numbers == 1))
            return numbers
        texts = self.texts()
        values = [np.nan if text is None else truth(text.strip()) for text in texts]
        self._check_truth(np.array([value is not None for value in values]))
        return np.array(values, np.float64)

    def texts(self) -> list[str | None]:
        """The texts, numbers as CSV files have them, without the spaces around them."""
        return [_text(value) for value in self._values.to_pylist()]

    def labels(self, na_is_a_class: bool = False) -> Array:
        """The classes: texts, whole numbers or truth values."""
        texts = self.texts()
        named: list[str] = []
        for row, text in enumerate(texts):
            if text is None:
                raise RunError(
                    f"{self._table}, row {row}: the class in column {shown(self.name)} is missing"
                )
            named.append(text)
        return as_labels(named)

    def _check_truth(self, fits: Array) -> None:
        if not fits.all():
            row = int(fits.argmin())
            raise RunError(
                f"{self.where(row)}: found {shown(self._values[row].as_py())}, where true or "
                "false is expected"
            )


def read_arrow(path: Path) -> Table:
    """The table in a Parquet file, or in an Arrow file or stream, as Feather files are.

    Raises RunError for what is none, and without the package pyarrow.
    """
    parquet, feather = (require(f"pyarrow.{k}", _EXTRA) for k in ("parquet", "feather"))
    try:
        with path.open("rb") as file:
            start = file.read(400)
        if not start.startswith((b"PAR1", b"ARROW1")):
            raise RunError(f"{path} is no Parquet or Arrow file: it is {kind_of(start)}")
        if start.startswith(b"PAR1"):
            table = parquet.ParquetFile(path).read()
        else:
            table = feather.read_table(path, memory_map=False)
        table.validate(full=True)  # what is damaged might be read outside of its memory
    except RunError:
        raise
    except OSError as e:
        raise RunError(f"{path} cannot be read: {cut(e.strerror or str(e), 500)}") from None
    except Exception as e:  # in a damaged file pyarrow meets almost any
        raise RunError(f"{path} is damaged: {cut(str(e), 500)}") from None
    return from_arrow(str(path), table)


def from_arrow(name: str, table: Any) -> Table:
    """A table of pyarrow, by the names of its columns; a frame's index is none of them."""
    names = [str(column) for column in table.column_names]
    index = _index(table)
    double = [column for column in names if names.count(column) > 1]
    if double:
        raise RunError(f"{name}: two columns are called {shown(double[0])}; rename one")
    if not table.num_rows:
        raise RunError(f"{name} is empty: it has columns, but no rows")
    columns = {
        column: ArrowColumn(name, column, values)
        for column, values in zip(names, table.columns, strict=True)
        if column not in index
    }
    return Table(name, columns, table.num_rows)


def _index(table: Any) -> frozenset[str]:
    """The columns that pandas has written its index to, which number the rows."""
    import json

    kept = (table.schema.metadata or {}).get(b"pandas")
    try:
        index = json.loads(kept)["index_columns"] if kept else []
    except (ValueError, KeyError, TypeError, RecursionError):
        return frozenset()
    unnamed = "__index_level_"
    return frozenset(n for n in index if isinstance(n, str) and n.startswith(unnamed))


def _decoded(values: Any) -> Any:
    """One array of the values; of a dictionary, of what its numbers stand for."""
    pa = require("pyarrow", _EXTRA)
    if pa.types.is_dictionary(values.type):
        chunks = values.chunks if hasattr(values, "chunks") else [values]
        values = pa.chunked_array([_looked_up(chunk) for chunk in chunks])
    return values.combine_chunks() if hasattr(values, "combine_chunks") else values


def _looked_up(chunk: Any) -> Any:
    """What the numbers of a dictionary stand for; pyarrow looks nothing up in views of texts, which
    polars has."""
    pa = require("pyarrow", _EXTRA)
    words = chunk.dictionary
    if pa.types.is_string_view(words.type):
        words = words.cast(pa.string())
    return pa.DictionaryArray.from_arrays(chunk.indices, words).dictionary_decode()


def _kind(t: Any) -> tuple[Kind, str]:
    """What values of a type are to a net, and words for them."""
    types = require("pyarrow", _EXTRA).types
    text = types.is_string(t) or types.is_large_string(t) or types.is_string_view(t)
    if types.is_dictionary(t):
        kind, found = _kind(t.value_type)
        return ("text" if kind == "number" else kind), found
    if types.is_null(t) or types.is_integer(t) or types.is_floating(t) or types.is_decimal(t):
        return "number", "numbers"
    if types.is_boolean(t):
        return "boolean", "truth values"
    if text:
        return "text", "texts"
    if types.is_date(t) or types.is_timestamp(t) or types.is_time(t):
        return "date", "dates" if not types.is_time(t) else "times"
    return "other", f"values of the type {cut(str(t), 60)}"


def _text(value: object) -> str | None:
    """A value as a CSV file has it: 3 and not 3.0; None where it is missing."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if value != value:
            return None
        if value.is_integer():
            return str(int(value))
    return None if value is None else str(value).strip() or None

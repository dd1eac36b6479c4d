"""Data sets in CSV files: a header, a row a sample, and a column with the class."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from ...graph import Array, RunError, suggest
from .parts import Samples

ENDINGS: Final = (".csv", ".tsv")

_MISSING: Final = frozenset(("", "na", "n/a", "#n/a", "nan", "?"))
"""What stands in a cell whose value is missing, in any case."""

_NO_NUMBER: Final = _MISSING | {"null", "none"}
"""The same where a number is due; a class may be called none."""

_DELIMITERS: Final = (",", ";", "\t")


def read_csv(path: Path, target: str | None, columns: Sequence[str] = ()) -> Samples:
    """The features f64[n,features] and the labels of a CSV file in UTF-8.

    Commas, semicolons or tabs stand between values: what parts the header into most names.
    Every column but `target` is a feature, or those that `columns` names, in that order; a
    missing value is NaN. Without a target there are no labels. Raises RunError for missing
    columns, and with line and column for a missing label, text and infinite numbers.
    """
    lines = _lines(path)
    header = _header(path, lines)
    features = _features(path, header, target, columns)
    places = [header.index(name) for name in features]
    aim = header.index(target) if target is not None else None
    values: list[list[float]] = []
    labels: list[str] = []
    for line, cells in lines:
        if len(cells) != len(header):
            raise RunError(
                f"{path}, line {line}: found {len(cells)} values, where the header has "
                f"{len(header)}"
            )
        values.append([_number(path, line, header[i], cells[i]) for i in places])
        if aim is not None:
            if cells[aim].strip().lower() in _MISSING:
                raise RunError(f"{path}, line {line}: the class in column {target!r} is missing")
            labels.append(cells[aim].strip())
    if not values:
        raise RunError(f"{path} is empty: it has a header, but no rows")
    named = _labels(labels) if aim is not None else None
    return Samples(np.array(values), named, columns=features)


def read_header(path: Path) -> list[str]:
    """The names of the columns; none where the file is empty."""
    _, cells = next(_lines(path), (0, []))
    return [name.strip() for name in cells]


def _header(path: Path, lines: Iterator[tuple[int, list[str]]]) -> list[str]:
    header = [name.strip() for name in next(lines, (0, []))[1]]
    if not header:
        raise RunError(f"{path} is empty: a header and a row a sample are expected")
    double = sorted({name for name in header if name and header.count(name) > 1})
    if double:
        raise RunError(f"{path}: the header names {double[0]!r} twice")
    return header


def _features(
    path: Path, header: list[str], target: str | None, columns: Sequence[str]
) -> tuple[str, ...]:
    """The names of the columns that features are read from."""
    if target is not None and target not in header:
        raise RunError(f"{path} has no column {target!r}{suggest(target, header)}")
    missing = [name for name in columns if name not in header]
    if missing:
        others = [name for name in header if name not in columns and name != target]
        beside = f"; it does not know {_listed(others)} of the file" if others else ""
        raise RunError(f"{path} has no {_listed(missing)}, which the model was trained on{beside}")
    if columns:
        return tuple(columns)
    if "" in header:
        raise RunError(
            f"{path}: column {header.index('') + 1} has no name in the header; name it, or leave "
            "it out of the file (a row's number is no feature)"
        )
    features = tuple([name for name in header if name != target])
    if not features:
        raise RunError(f"{path} has no column beside {target!r}; features are expected")
    return features


def _listed(names: Sequence[str]) -> str:
    """Such as: columns 'a' and 'b'; at most ten of them."""
    shown = [repr(name) for name in names[:10]]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    *most, last = shown
    return f"columns {', '.join(most)} and {last}" if most else f"column {last}"


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number and the values of each line that has any."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = next((line for line in file if line.strip()), "")
            file.seek(0)
            reader = csv.reader(file, delimiter=_delimiter(first), skipinitialspace=True)
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None
    except (UnicodeDecodeError, csv.Error) as e:
        raise RunError(f"{path} is no CSV file in UTF-8: {e}") from None


def _delimiter(header: str) -> str:
    """What parts the header into most names; the comma where that is a tie."""
    return max(_DELIMITERS, key=lambda d: len(next(csv.reader([header], delimiter=d), [])))


def _number(path: Path, line: int, column: str, cell: str) -> float:
    """The number in a cell; NaN where it is missing."""
    if cell.strip().lower() in _NO_NUMBER:
        return np.nan
    place = f"{path}, line {line}, column {column!r}: found {_shortened(cell)}"
    try:
        value = float(cell.replace("_", "no digit"))  # Python reads 1_000 as a number
    except ValueError:
        comma = "; write the decimal comma as a point" if _has_decimal_comma(cell) else ""
        raise RunError(
            f"{place}, where a number is expected{comma or '; leave columns of text out'}"
        ) from None
    if not np.isfinite(value):
        raise RunError(
            f"{place}, where a finite number is expected; leave such rows out or empty the cell"
        )
    return value


def _has_decimal_comma(cell: str) -> bool:
    whole, comma, fraction = cell.strip().lstrip("+-").partition(",")
    return bool(comma) and whole.isdigit() and fraction.isdigit()


def _shortened(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else f"{cell[:40]}...")


def _labels(found: list[str]) -> Array:
    """The labels as whole numbers where all are, so that 10 comes after 9; else as texts.

    A number that is not written as Python writes it, such as 007, is a text: it is printed again.
    """
    try:
        numbers = [int(label) for label in found]
        if [str(n) for n in numbers] == found:
            return np.array(numbers, np.int64)
    except (ValueError, OverflowError):
        pass
    return np.array(found)

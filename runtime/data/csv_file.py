"""Data sets in CSV files: a header, a row a sample, and a column with the class."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from ...graph import Array, RunError, shown, suggest
from ...graph.exact import ADVICE
from .csv_lines import CsvRecord, records
from .parts import Samples

ENDINGS: Final = (".csv", ".tsv")

_MISSING: Final = frozenset(("", "na", "n/a", "#n/a", "nan", "?"))
"""What stands in a cell whose value is missing, in any case."""

_NO_NUMBER: Final = _MISSING | {"null", "none"}
"""The same where a number is due; a class may be called none."""

_NO_TEXT: Final = "leave columns of text out"
_DECIMAL: Final = re.compile(r"[+-]*\d+,\d+")
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_INTEGER: Final = re.compile(r"([+-]?\d+)(?:\.0*)?")


def read_csv(
    path: Path, target: str | None, columns: Sequence[str] = (), na_is_a_class: bool = False
) -> Samples:
    """The features f64[n,features] and the labels of a CSV file in UTF-8.

    Commas, semicolons or tabs stand between values: what parts the header into most names.
    Every column but `target` is a feature, or those that `columns` names, in that order; a
    missing value is NaN. Without a target there are no labels; among them, NA and its like are
    missing ones too, or classes where `na_is_a_class`. Raises RunError for missing columns, with
    the line for text that is no such table, and with line and column for a missing label, text,
    infinite numbers and integers that f64 rounds.
    """
    rows = records(path)
    header = _header(path, rows)
    features = _features(path, header, target, columns)
    places = [header.index(name) for name in features]
    aim = header.index(target) if target is not None else None
    values: list[list[float]] = []
    labels: list[str] = []
    for row in rows:
        if len(row.cells) != len(header):
            raise RunError(
                f"{path}, line {row.line}: found {len(row.cells)} values, where the header has "
                f"{len(header)}"
            )
        values.append([_number(path, row, header[i], i) for i in places])
        if aim is not None:
            labels.append(_label(path, row, header[aim], aim, na_is_a_class))
        for number, line in enumerate(row.further, row.line + 1):
            if len(line) == len(header) and all(_is_number(line[i]) for i in places):
                raise RunError(
                    f"{path}, line {row.line}: a quoted value goes on in line {number}, which "
                    "looks like a row of its own; close the quote"
                )
    if not values:
        raise RunError(f"{path} is empty: it has a header, but no rows")
    named = _labels(labels) if aim is not None else None
    return Samples(np.array(values), named, columns=features)


def read_header(path: Path) -> list[str]:
    """The names of the columns; none where the file is empty."""
    header = next(records(path), None)
    return [name.strip() for name in header.cells] if header is not None else []


def _header(path: Path, rows: Iterator[CsvRecord]) -> list[str]:
    first = next(rows, None)
    if first is None:
        raise RunError(f"{path} is empty: a header and a row a sample are expected")
    header = [name.strip() for name in first.cells]
    double = sorted({name for name in header if name and header.count(name) > 1})
    if double:
        raise RunError(f"{path}: the header names {shown(double[0])} twice")
    return header


def _features(
    path: Path, header: list[str], target: str | None, columns: Sequence[str]
) -> tuple[str, ...]:
    """The names of the columns that features are read from."""
    if target is not None and target not in header:
        raise RunError(f"{path} has no column {shown(target)}{suggest(target, header)}")
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
        raise RunError(f"{path} has no column beside {shown(target)}; features are expected")
    return features


def _listed(names: Sequence[str]) -> str:
    """Such as: columns 'a' and 'b'; at most ten of them."""
    listed = [shown(name) for name in names[:10]]
    if len(names) > len(listed):
        listed.append(f"{len(names) - len(listed)} more")
    *most, last = listed
    return f"columns {', '.join(most)} and {last}" if most else f"column {last}"


def _number(path: Path, row: CsvRecord, column: str, place: int) -> float:
    """The number in a cell; NaN where it is missing."""
    cell = row.cells[place].strip()
    if cell.lower() in _NO_NUMBER:
        return np.nan
    problem = (
        f"{path}, line {row.line}, column {shown(column)}: found {_shortened(row.cells[place])}"
    )
    try:
        value = float(cell.replace("_", "no digit"))  # Python reads 1_000 as a number
    except ValueError:
        raise RunError(f"{problem}, where a number is expected; {_mend(cell)}") from None
    if not np.isfinite(value):
        raise RunError(
            f"{problem}, where a finite number is expected; leave such rows out or empty the cell"
        )
    whole = _INTEGER.fullmatch(cell) if abs(value) >= 2**53 else None
    if whole is not None and int(whole[1]) != value:
        raise RunError(f"{problem}, {ADVICE}")
    return value


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return cell.strip().lower() in _NO_NUMBER


def _label(path: Path, row: CsvRecord, column: str, place: int, na_is_a_class: bool) -> str:
    """The class in a cell."""
    label = row.cells[place].strip()
    if label and (na_is_a_class or not says_missing(label)):
        return label
    keep = f"; where {shown(label)} is the name of a class, give --na-is-a-class" if label else ""
    raise RunError(f"{path}, line {row.line}: the class in column {shown(column)} is missing{keep}")


def says_missing(label: str) -> bool:
    """Whether a label reads as if there were none, such as NA."""
    return label.lower() in _MISSING


def _mend(cell: str) -> str:
    """What to do about a cell that is no number."""
    if _THOUSANDS.fullmatch(cell):
        return "write it without commas, or, where they are decimal, with a point"
    return "write the decimal comma as a point" if _DECIMAL.fullmatch(cell) else _NO_TEXT


def _shortened(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else f"{cell[:40]}...")


def _labels(texts: list[str]) -> Array:
    """The labels as whole numbers where all are, so that 10 comes after 9; else as texts.

    A number that is not written as Python writes it, such as 007, is a text: it is printed again.
    """
    try:
        numbers = [int(label) for label in texts]
        if [str(n) for n in numbers] == texts:
            return np.array(numbers, np.int64)
    except (ValueError, OverflowError):
        pass
    return np.array(texts)

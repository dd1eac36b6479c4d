"""Data sets in CSV files: a header, a row a sample, and a column with the class."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...graph import Array, RunError, suggest
from .parts import Samples


def read_csv(path: Path, target: str | None, columns: Sequence[str] = ()) -> Samples:
    """The features f64[n,features] and the labels of a CSV file in UTF-8, comma separated.

    Every column but `target` is a feature, or those that `columns` names, in that order. Without
    a target there are no labels. Raises RunError for a missing column, and with line and column
    for a value that is missing, no number or not finite.
    """
    lines = _lines(path)
    _, header = next(lines, (0, []))
    if not header:
        raise RunError(f"{path} is empty: a header and a row a sample are expected")
    double = sorted({name for name in header if header.count(name) > 1})
    if double:
        raise RunError(f"{path}: the header names {double[0]!r} twice")
    for name in (*columns, *([target] if target is not None else [])):
        if name not in header:
            raise RunError(f"{path} has no column {name!r}{suggest(name, header)}")
    features = tuple(columns) or tuple([name for name in header if name != target])
    if not features:
        raise RunError(f"{path} has no column beside {target!r}; features are expected")
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
            if not cells[aim].strip():
                raise RunError(f"{path}, line {line}: the class in column {target!r} is missing")
            labels.append(cells[aim].strip())
    if not values:
        raise RunError(f"{path} is empty: it has a header, but no rows")
    named = _labels(labels) if aim is not None else None
    return Samples(np.array(values), named, columns=features)


def read_header(path: Path) -> list[str]:
    """The names of the columns; none where the file is empty."""
    return next(_lines(path), (0, []))[1]


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number and the values of each line that has any."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None
    except (UnicodeDecodeError, csv.Error) as e:
        raise RunError(f"{path} is no CSV file in UTF-8: {e}") from None


def _number(path: Path, line: int, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        found = f"{cell!r}" if cell.strip() else "nothing"
        raise RunError(
            f"{path}, line {line}, column {column!r}: found {found}, where a number is expected"
        ) from None
    if not np.isfinite(value):
        raise RunError(
            f"{path}, line {line}, column {column!r}: found {cell!r}, where a finite number is "
            "expected; leave such rows out or fill them in"
        )
    return value


def _labels(found: list[str]) -> Array:
    """The labels as whole numbers where all are, so that 10 comes after 9; else as texts."""
    try:
        return np.array([int(label) for label in found], np.int64)
    except (ValueError, OverflowError):
        return np.array(found)

"""What stands in a cell of a CSV file: a number, a truth value, a date, a text or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ...graph import Array
from .table import Kind

_MISSING: Final = frozenset(("", "na", "n/a", "#n/a", "nan", "?"))
"""What stands in a cell whose value is missing, in any case."""

_NO_NUMBER: Final = _MISSING | {"null", "none"}
"""The same where a number is due; a class or a category may be called none."""

_BOOLEANS: Final = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_AS_NUMBERS: Final = {"1": 1.0, "0": 0.0}

_DECIMAL: Final = re.compile(r"[+-]*\d+,\d+")
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_MEANT: Final = re.compile(r"[$€£]?[\s.,+-]*\d[\s\d.,_+'eE-]*[%$€£]?")
"""What was meant for a number: digits, what stands between them, a unit of money or a per cent."""

_MONTH: Final = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_TIME: Final = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?"
_ZONE: Final = r"\s*(z|utc|[+-]\d{2}:?\d{2}|[ap]m)?"
_DATE: Final = re.compile(
    rf"((\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.](\d{{4}}|\d{{2}})"
    rf"|\d{{1,2}}[.]?[- ]?{_MONTH}[.,]?[- ]?\d{{2,4}}|{_MONTH}[.]?[- ]\d{{1,2}},?[- ]\d{{4}})"
    rf"([t ]\s*{_TIME})?|{_TIME}){_ZONE}",
    re.IGNORECASE,
)
"""A day, written from the largest part or from the smallest, or with a month's name; a time."""


def kind_of_cells(cells: Iterable[str]) -> tuple[Kind, str]:
    """What a column of such cells holds, and the first of them that says so.

    Numbers, where any cell is one or was meant for one: text among numbers is a slip of the pen
    before it is a category. Dates, where most are; truth values, where all are true or false, or
    yes or no; else texts. A column without values is one of numbers.
    """
    present = [c for c in dict.fromkeys(c.strip() for c in cells) if not is_missing(c)]
    if not present:
        return "number", ""
    numbers = [c for c in present if is_number(c)]
    if 2 * len(numbers) >= len(present):
        return "number", numbers[0]
    dates = [c for c in present if _DATE.fullmatch(c)]
    if 2 * len(dates) > len(present):
        return "date", dates[0]
    numbers += [c for c in present if _MEANT.fullmatch(c)]
    if numbers:
        return "number", numbers[0]
    words = {c.lower() for c in present}
    kind: Kind = "boolean" if words <= {"true", "false"} or words <= {"yes", "no"} else "text"
    return kind, present[0]


def is_number(cell: str) -> bool:
    """Whether a cell is a number, also one that is not finite."""
    try:
        float(plain(cell))
    except ValueError:
        return False
    return True


def plain_numbers(cells: Sequence[str]) -> Array | None:
    """The numbers in cells, f64, where each is one that Python reads at once and that is not
    rounded; else None."""
    try:
        numbers = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    return numbers if (abs(numbers) < 2.0**53).all() and "_" not in "".join(cells) else None


def is_missing(cell: str) -> bool:
    """Whether there is no value in a cell where a number or a truth value is due."""
    return cell.strip().lower() in _NO_NUMBER


def plain(cell: str) -> str:
    """The cell as `float` should read it: Python takes 1_000 for a number."""
    return cell.replace("_", "no digit")


def says_missing(label: str) -> bool:
    """Whether a label reads as if there were none, such as NA."""
    return label.lower() in _MISSING


def truth(cell: str) -> float | None:
    """1 for true, 0 for false; None for what is neither."""
    word = cell.lower()
    return _BOOLEANS.get(word, _AS_NUMBERS.get(word))


def mended(cell: str, otherwise: str) -> str:
    """What to do about a cell that is no number."""
    if _THOUSANDS.fullmatch(cell):
        return "write it without commas, or, where they are decimal, with a point"
    if _DECIMAL.fullmatch(cell):
        return "write the decimal comma as a point"
    if cell[:1] in ("$", "€", "£") or cell[-1:] in ("%", "$", "€", "£"):
        return "write it without its unit"
    return otherwise

"""Tables of pandas as arrays of numbers: by place, and what is no number by column and row."""

from __future__ import annotations

import sys
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Final

import numpy as np

from .errors import RunError, VerigradError
from .exact import ADVICE, rounded
from .op import Array
from .quoting import shown

_WIDE: Final[dict[str, type[np.generic]]] = {
    "b": np.bool_, "i": np.int64, "u": np.uint64, "f": np.float64,
}  # fmt: skip
"""What an element of pandas' own dtypes is to NumPy, by kind."""

_TEXT: Final = (
    "; where texts are numbers, give pandas.to_numeric(...) of the column, and where they are "
    "classes, its .astype('category').cat.codes"
)


def unframed(what: str, value: object, kind: str, error: type[VerigradError] = RunError) -> object:
    """A frame of pandas as an array [rows,columns], a series, an index or a column of it as an
    array [rows]; anything else as it is.

    Columns and rows are taken by their place, whatever they are called. Truth values, integers,
    floats, categories of numbers and objects that are numbers may stand side by side. `kind` is
    that of the dtype which is due: where it is "f", truth values are 0 and 1, as they are beside
    floats. Raises `error`, with `what` (`input 'x'`), column and row, for a missing value, for
    what is no number, and for an integer that floats would round.
    """
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.DataFrame):
        columns = [_Column(f"{what}: column {k!r}", v, error) for k, v in value.items()]
        return _side_by_side(columns, kind) if columns else np.empty(value.shape)
    if isinstance(value, (pandas.Index, pandas.api.extensions.ExtensionArray)):
        value = pandas.Series(value)
    if isinstance(value, pandas.Series):
        named = f", column {value.name!r}," if value.name is not None else ""
        return _Column(what + named, value, error).numbers(kind)
    return value


def _side_by_side(columns: list[_Column], kind: str) -> Array:
    array = np.column_stack([c.numbers(kind) for c in columns])
    return _side_by_side(columns, "f") if kind != "f" and array.dtype.kind == "f" else array


class _Column:
    """A series, and what errors call it."""

    def __init__(self, name: str, series: Any, error: type[VerigradError]) -> None:
        self.name = name
        self.series = series
        self.error = error

    def numbers(self, kind: str) -> Array:
        """The series as an array of truth values, integers or floats: of these, where `kind` is
        "f"."""
        missing = np.asarray(self.series.isna(), bool)
        if missing.any():
            place = self._holds(int(np.argmax(missing)))
            raise self.error(f"{place}, a missing value; fill it in, or leave the row out")
        array = self._of(self.series)
        if kind != "f":
            return array
        wrong = rounded(array)
        if wrong is not None:
            raise self.error(f"{self._holds(wrong[0])}, {ADVICE}")
        return array.astype(np.float64) if array.dtype.kind == "b" else array

    def _of(self, series: Any) -> Array:
        kind = series.dtype.kind
        if kind in _WIDE:
            plain = isinstance(series.dtype, np.dtype)
            return np.asarray(series.to_numpy(None if plain else _WIDE[kind]))
        if hasattr(series, "cat"):
            return self._of(series.astype(series.cat.categories.dtype))
        if kind in "OUT":  # objects, and the texts of old and new versions
            return self._of_objects(list(series))
        raise self.error(f"{self.name} is {series.dtype}, where numbers are expected")

    def _of_objects(self, values: list[Any]) -> Array:
        """Numbers that lie as objects: integers stay integers where all are."""
        floats = []
        for row, value in enumerate(values):
            if not isinstance(value, (Real, Decimal, np.bool_)):
                hint = _TEXT if isinstance(value, str) else ""
                raise self.error(f"{self._holds(row)}, where a number is expected{hint}")
            try:
                floats.append(float(value))
            except OverflowError:
                raise self.error(f"{self._holds(row)}, which no float can hold") from None
        if values and all(isinstance(v, (int, np.integer, np.bool_)) for v in values):
            array = np.array(values)
            if array.dtype.kind in "biu":
                return array
        for row, value in enumerate(values):
            if isinstance(value, Integral) and int(floats[row]) != value:
                raise self.error(f"{self._holds(row)}, {ADVICE}")
        return np.array(floats)

    def _holds(self, row: int) -> str:
        """Such as: column 'age' holds None in row 3 (index 'c')."""
        value, label = self.series.iloc[row], self.series.index[row]
        index = f" (index {label!r})" if isinstance(label, str) or label != row else ""
        return f"{self.name} holds {_shown(value)} in row {row}{index}"


def _shown(value: object) -> str:
    """The value, shortened where it is long; Python prints no integer of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    return shown(value.item() if isinstance(value, np.generic) else value)

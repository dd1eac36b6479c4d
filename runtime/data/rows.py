"""Rows that are read where they are asked for: of an array, of a mapped file, of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeGuard

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...graph import Array

BLOCK: Final = 1024
"""How many rows are looked at in one go, where all are."""


@dataclass
class Reads:
    """How many rows were read so far, of so many bytes each as an array."""

    row_nbytes: int
    rows: int = 0

    @property
    def nbytes(self) -> int:
        """How many bytes all of them have."""
        return self.rows * self.row_nbytes


class RowSource(Protocol):
    """What rows come from: it makes an array of those that it is asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, rows: Any, /) -> Array:
        """The rows of a slice, or those of these numbers, i64[k]."""


class Rows(NDArrayOperatorsMixin):
    """Rows [n,...] of an array or a file, which are read where they are asked for, and counted.

    `x[rows]` reads these rows alone, into an array; rows of `only` are read when they are asked
    for themselves. All else that an array has, such as `x / 255` or `x.mean()`, reads every row.
    `read` counts what was read of the source, by these rows and by those of `only`.
    """

    def __init__(self, source: RowSource, numbers: Array | None = None) -> None:
        self._source = source
        self._numbers = numbers
        self._plain = source if _is_plain(source) else None
        count = source.shape[0] if numbers is None else len(numbers)
        self.shape: tuple[int, ...] = (count, *source.shape[1:])
        self.dtype: np.dtype[Any] = source.dtype
        self.read = Reads(math.prod(self.shape[1:]) * self.dtype.itemsize)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def only(self, numbers: Array) -> Rows:
        """The rows of these numbers, of which none is read yet."""
        rows = Rows(self._source, numbers if self._numbers is None else self._numbers[numbers])
        rows.read = self.read
        return rows

    def take(self, numbers: Array, out: Array) -> Array:
        """Reads the rows of these numbers, i64[k] from 0, into `out` [k,...], which it gives."""
        numbers = numbers if self._numbers is None else self._numbers[numbers]
        if self._plain is not None:
            # Without mode="clip", take makes a temporary copy of what it writes to `out`.
            np.take(self._plain, numbers, axis=0, out=out, mode="clip")
        else:
            out[...] = self._source[numbers]  # take would copy all of an array that lies otherwise
        self.read.rows += len(out)
        return out

    def blocks(self, most: int = BLOCK) -> Iterator[Array]:
        """All rows in their order, so many at a time."""
        for start in range(0, len(self), most):
            yield self[start : start + most]

    def __getitem__(self, key: Any) -> Array:
        which, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(which, int | np.integer):
            return np.asarray(self._part([which])[(0, *rest)])
        if which is None or which is Ellipsis:
            found: Array = np.asarray(self)[key]
            return found
        part = self._part(which)
        return np.asarray(part[(slice(None), *rest)]) if rest else part

    def _part(self, which: Any) -> Array:
        """The rows of a slice, of numbers or of a mask."""
        if not isinstance(which, slice):
            which = self._numbered(np.asarray(which))
        if self._numbers is not None:
            which = self._numbers[which]
        part: Array = np.require(self._source[which], requirements="A")
        self.read.rows += len(part)
        return part

    def _numbered(self, which: Array) -> Array:
        """The numbers, from 0, of rows that are chosen by numbers or by a mask."""
        if which.dtype == np.bool_:
            return np.arange(len(self))[which]
        if which.size and which.dtype.kind not in "iu":
            raise IndexError(f"rows are chosen by {which.dtype}, where integers are expected")
        numbers = np.where(which < 0, which + len(self), which).astype(np.int64)
        if numbers.size and numbers.min() < 0:
            raise IndexError(f"row {numbers.min() - len(self)} is before the first")
        return numbers

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if isinstance(self._source, np.ndarray):
            return np.array(self._part(slice(None)), dtype, copy=copy)
        # Some at a time: what makes rows may take many times their memory.
        found = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for number, block in enumerate(self.blocks()):
            found[number * BLOCK : number * BLOCK + len(block)] = block
        return found

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        arrays = [np.asarray(a) if isinstance(a, Rows) else a for a in inputs]
        return getattr(ufunc, method)(*arrays, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(np.asarray(self), name)

    def __reduce__(self) -> tuple[Any, ...]:
        return Rows, (np.asarray(self),)

    def reduce_with_source(self) -> tuple[Any, ...]:
        """The same for who sends several parts of one array, or knows that it lies in a file: these
        rows as numbers of all rows, of which none is read."""
        plain = isinstance(self._source, np.ndarray)
        return (Rows, (self._source, self._numbers)) if plain else self.__reduce__()

    def __repr__(self) -> str:
        return f"Rows({self.dtype}{list(self.shape)}, {self.read.rows:,} read)"


def _is_plain(source: RowSource) -> TypeGuard[Array]:
    """Whether it is an array of rows that lie one behind the other, as processors read them."""
    return isinstance(source, np.ndarray) and source.flags.c_contiguous and source.flags.aligned


def mapped(array: Array) -> Array | Rows:
    """The rows of an array that lies in a file; one in memory as it is."""
    return Rows(np.asarray(array)) if isinstance(array, np.memmap) else array


def only(x: Array | Rows, numbers: Array) -> Array | Rows:
    """The rows of these numbers: of an array a copy, and of rows those to be read."""
    return x.only(numbers) if isinstance(x, Rows) else x[numbers]


def blocks(x: Array | Rows, most: int = BLOCK) -> Iterator[Array]:
    """All rows in their order, so many at a time."""
    return (x if isinstance(x, Rows) else Rows(x)).blocks(most)

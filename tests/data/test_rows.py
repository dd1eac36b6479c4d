"""Rows that are read where they are asked for: which those are, and how they are counted."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allocated import allocated

from verigrad.runtime.data.moments import moments
from verigrad.runtime.data.rows import Rows
from verigrad.runtime.data.scaling import standardizing

A = np.arange(60, dtype=np.float32).reshape(20, 3)


class Asked:
    """A source that remembers which rows it was asked for."""

    shape, dtype = A.shape, A.dtype

    def __init__(self) -> None:
        self.rows: list[int] = []

    def __getitem__(self, rows: Any) -> np.ndarray:
        self.rows += np.arange(len(A))[rows].tolist()
        return A[rows]


KEYS: list[Any] = [
    3, -1, np.int64(7), slice(4, 9), slice(None, None, 7), slice(2, 100), [5, 1, 5], [-2, 0],
    np.array([4, 19], np.uint8), A[:, 0] > 30, (2, 1), (slice(3), 2), (slice(None), [0, 2]), [],
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=repr)
@pytest.mark.parametrize("some", [False, True])
def test_rows_are_those_of_the_array_and_no_others_are_read(key: Any, some: bool) -> None:
    numbers = np.arange(20)[::-1] if some else np.arange(20)
    source = Asked()
    rows = Rows(source).only(numbers) if some else Rows(source)
    found, which = rows[key], key[0] if isinstance(key, tuple) else key
    due = A[numbers][key if not isinstance(key, list) else np.array(key, int)]
    assert found.dtype == due.dtype and np.array_equal(found, due)
    read = np.atleast_1d(numbers[np.array(which, int) if isinstance(which, list) else which])
    assert source.rows == read.tolist()
    assert (rows.read.rows, rows.read.nbytes) == (len(read), 12 * len(read))


def test_a_row_that_is_not_there_is_an_error() -> None:
    for key in (20, -21, [3, 20], np.ones(19, bool), [1.5], "a"):
        with pytest.raises(IndexError):
            Rows(A)[key]


def test_rows_of_rows_are_counted_by_all() -> None:
    rows = Rows(A)
    some = rows.only(np.array([1, 3, 5, 7])).only(np.array([0, 2]))
    assert some.shape == (2, 3) and rows.read.rows == 0
    assert np.array_equal(some.take(np.array([1, 1]), np.empty((2, 3), np.float32)), A[[5, 5]])
    assert rows.read == some.read and rows.read.rows == 2
    assert "2 read" in repr(rows)


WHOLE: dict[str, Callable[[Any], Any]] = {
    "divided": lambda x: x / 16,
    "compared": lambda x: x > 30,
    "ufunc": lambda x: np.maximum(1.0, x),
    "mean": lambda x: x.mean(axis=0),
    "reshaped": lambda x: x.reshape(-1, 1),
    "function": lambda x: np.concatenate([x, x]),
    "asarray": lambda x: np.asarray(x, np.float64),
    "size": lambda x: (x.size, x.nbytes, x.ndim, len(x)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_all_else_is_that_of_the_array(name: str) -> None:
    assert np.array_equal(WHOLE[name](Rows(A)), WHOLE[name](A))


def test_what_no_array_has_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="'Rows' object has no attribute 'columns'"):
        _ = Rows(A).columns


def test_a_pickle_holds_the_rows() -> None:
    again = pickle.loads(pickle.dumps(Rows(A).only(np.array([4, 2]))))
    assert isinstance(again, Rows) and np.array_equal(again, A[[4, 2]])


LYING: dict[str, Callable[[Path, np.ndarray], np.ndarray]] = {
    "aligned": lambda path, a: _mapped(path, a, 0, "C"),
    "unaligned": lambda path, a: _mapped(path, a, 1, "C"),
    "by columns": lambda path, a: _mapped(path, a, 0, "F"),
    "big-endian": lambda path, a: _mapped(path, a.astype(">f4"), 0, "C"),
    "steps": lambda path, a: np.repeat(a, 2, axis=1)[:, ::2],
}


def _mapped(path: Path, a: np.ndarray, offset: int, order: Any) -> np.ndarray:
    path.write_bytes(bytes(offset) + a.tobytes(order))
    return np.memmap(path, a.dtype, "r", offset, a.shape, order)


@pytest.mark.parametrize("name", LYING)
def test_an_array_is_not_copied_for_some_of_its_rows(name: str, tmp_path: Path) -> None:
    a = np.random.default_rng(0).random((20_000, 16), np.float32)
    source = LYING[name](tmp_path / "a", a)
    rows, numbers = Rows(source), np.array([4, 19_999, 7])
    out = np.empty((3, 16), source.dtype)
    assert allocated(lambda: rows.take(numbers, out)) < 10_000
    assert allocated(lambda: rows[100:300]) < 30_000
    assert np.array_equal(out, a[numbers]) and rows[100:300].flags.aligned


def test_moments_and_scaling_are_those_of_the_array(rng: np.random.Generator) -> None:
    x = rng.normal(3, [1, 10, 1e-7], (3000, 3))
    x[5, 1] = np.nan
    numbers = np.flatnonzero(rng.random(3000) < 0.8)
    for a, rows in ((x, Rows(x)), (x[numbers], Rows(x).only(numbers))):
        for due, found in zip(moments(a), moments(rows), strict=True):
            assert np.array_equal(due, found)
        for pixels in (False, True):
            due, found = standardizing(a, pixels), standardizing(rows, pixels)
            assert np.array_equal(due.mean, found.mean) and due.dtype == found.dtype
            assert np.array_equal(due.inverse, found.inverse)

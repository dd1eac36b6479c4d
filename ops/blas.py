"""NumPy's own BLAS, found in the library that NumPy has loaded."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np

from ..graph import SETTINGS, Array

ROW_MAJOR: Final = 101
TRANSPOSED: Final = 112
AS_IT_IS: Final = 111
"""What the C interface of the BLAS calls these."""

# How builds of NumPy's BLAS call a function: what stands before and behind, and whether its
# integers have 64 bits. The wheels have the first.
_NAMES: Final = (
    ("scipy_", "64_", True),
    ("", "64_", True),
    ("", "$NEWLAPACK$ILP64", True),
    ("scipy_", "", False),
    ("", "", False),
)
_LETTERS: Final = {"f4": "s", "f8": "d"}
THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables of the environment that say how many threads it takes."""
_PIECE: Final = 16_384
"""Elements that are added at a time where no BLAS is found to add them."""


class Blas(NamedTuple):
    """Addresses of functions of the C interface, by dtype.

    `get_threads` and `set_threads` are 0 where products cannot be kept to one thread each.
    """

    gemm: Mapping[str, int]
    gemv: Mapping[str, int]
    axpy: Mapping[str, int]
    wide: bool
    get_threads: int
    set_threads: int


@cache
def numpy_blas() -> Blas | None:
    """The BLAS behind `np.dot`; None where its functions cannot be found by name."""
    library = ctypes.CDLL(str(sys.modules["numpy._core._multiarray_umath"].__file__))

    def found(name: str) -> int:
        try:
            return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
        except AttributeError:
            return 0

    for before, behind, wide in _NAMES:
        gemm, gemv, axpy = (
            {d: found(f"{before}cblas_{c}{what}{behind}") for d, c in _LETTERS.items()}
            for what in ("gemm", "gemv", "axpy")
        )
        if all((*gemm.values(), *gemv.values(), *axpy.values())):
            get, put = [
                found(f"{before}openblas_{verb}_num_threads{behind}") for verb in ("get", "set")
            ]
            return Blas(gemm, gemv, axpy, wide, get if put else 0, put if get else 0)
    return None


class Operand(NamedTuple):
    """A matrix, and how it lies: transposed or not, and how long a row in memory is."""

    array: Array
    turned: bool
    length: int


def operand(array: Array) -> Operand | None:
    """How a matrix lies; None where its rows or columns have gaps."""
    rows, columns = array.shape
    if array.flags.c_contiguous:
        return Operand(array, False, max(1, columns))
    return Operand(array, True, max(1, rows)) if array.flags.f_contiguous else None


def add_product(a: Array, b: Array, out: Array, alpha: float, beta: float) -> None:
    """out = beta out + alpha a b, by `gemm`; in panels by NumPy where the BLAS cannot be called."""
    left, right, blas = operand(a), operand(b), callable_blas(out.dtype.str)
    if blas is None or left is None or right is None or not out.flags.c_contiguous:
        for rows in _pieces(len(out), out.shape[1]):
            part = np.dot(a[rows], b)
            np.multiply(part, alpha, out=part)
            np.multiply(out[rows], beta, out=out[rows])
            np.add(out[rows], part, out=out[rows])
    elif out.size:
        turned = [TRANSPOSED if o.turned else AS_IT_IS for o in (left, right)]
        first, second = [(address(o.array), o.length) for o in (left, right)]
        third = address(out), out.shape[1]
        sizes = *out.shape, a.shape[1]
        blas.gemm(ROW_MAJOR, *turned, *sizes, alpha, *first, *second, beta, *third)


def add_multiple(x: Array, out: Array, alpha: float) -> None:
    """out += alpha x, by `axpy`; in pieces by NumPy where the BLAS cannot be called."""
    blas = callable_blas(out.dtype.str)
    if not (x.flags.c_contiguous and out.flags.c_contiguous):
        np.add(out, np.multiply(x, alpha), out=out)
    elif blas is None:
        x, out = x.reshape(-1), out.reshape(-1)
        for some in _pieces(out.size, 1):
            np.add(out[some], np.multiply(x[some], alpha), out=out[some])
    else:
        blas.axpy(out.size, alpha, address(x), 1, address(out), 1)


def address(a: Array) -> int:
    """Where an array lies; `a.ctypes.data` leaves cycles that no count of references frees."""
    address: int = a.__array_interface__["data"][0]
    return address


def _pieces(rows: int, columns: int) -> list[slice]:
    step = max(1, _PIECE // max(1, columns))
    return [slice(k, k + step) for k in range(0, rows, step)]


class _Callable(NamedTuple):
    """Functions of the BLAS for one dtype, to call from Python."""

    gemm: Callable[..., None]
    axpy: Callable[..., None]


@cache
def callable_blas(dtype: str) -> _Callable | None:
    """Those for a dtype, such as <f4; None where the BLAS has none."""
    blas = numpy_blas()
    if blas is None or dtype[1:] not in _LETTERS or not np.dtype(dtype).isnative:
        return None
    integer = ctypes.c_int64 if blas.wide else ctypes.c_int32
    real = ctypes.c_float if dtype[1:] == "f4" else ctypes.c_double
    enums, array = [ctypes.c_int] * 3, [ctypes.c_void_p, integer]
    gemm: list[Any] = [*enums, *[integer] * 3, real, *array, *array, real, *array]
    axpy: list[Any] = [integer, real, *array, *array]
    return _Callable(
        ctypes.CFUNCTYPE(None, *gemm)(blas.gemm[dtype[1:]]),
        ctypes.CFUNCTYPE(None, *axpy)(blas.axpy[dtype[1:]]),
    )


def threads() -> int:
    """How many threads a step may take: those that the BLAS takes, and not more than cores."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    functions = _functions()
    if functions is None:
        return cores
    with SETTINGS:
        limit = functions[0]()
    return min(cores, limit)


class at_most:  # noqa: N801
    """The BLAS makes its products on no more threads than so many, where it can be told to, while
    the block lasts; gives how many it takes, 0 where it does not tell.

    Whoever enters it holds SETTINGS, `with SETTINGS, at_most(1):`. This does not take the lock
    itself: what interrupts a method of Python would leave it taken.
    """

    __slots__ = ("_before", "_threads")

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def __enter__(self) -> int:
        functions = _functions()
        if functions is None:
            self._before = 0
            return 0
        self._before = before = functions[0]()
        if before <= self._threads:
            return before
        try:
            functions[1](self._threads)
            return self._threads
        except BaseException:  # who is not entered is not left
            functions[1](before)
            raise

    def __exit__(self, *_: object) -> None:
        functions = _functions()
        if functions is not None and self._before > self._threads:
            functions[1](self._before)


@contextmanager
def kept_to_one_thread() -> Iterator[None]:
    """The BLAS makes its products on one thread while the block lasts, in all threads; without the
    lock, which each step takes."""
    one = at_most(1)
    with SETTINGS:
        one.__enter__()
    try:
        yield
    finally:
        with SETTINGS:
            one.__exit__()


@cache
def _functions() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Those that tell and set its threads; None where there are none."""
    blas = numpy_blas()
    if blas is None or not blas.set_threads:
        return None
    getter, setter = ctypes.CFUNCTYPE(ctypes.c_int), ctypes.CFUNCTYPE(None, ctypes.c_int)
    return getter(blas.get_threads), setter(blas.set_threads)

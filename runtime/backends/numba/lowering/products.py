"""Matrix products as tasks of the BLAS, in parts for several threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from .....graph import Array
from .....ops.blas import Blas, Operand, operand
from ...tracing import Call
from ..kernels.compiled import float_name
from ..tape.tape import Tape, Task, Tasks, cuts, shared
from .fixed_kernels import added, c_call

_SMALL: Final = 40_000
"""Multiplications that each part has at least: fewer are made sooner than threads agree."""
_SMALL_VECTOR: Final = 10_000
"""The same of a matrix by a vector."""
_LONG: Final = 1.5
"""A product whose inner size is so many times its others is cut along it: the threads' results are
less to exchange than what they would read of the operands. Of a layer's weights each then reads
the rows that it has itself updated."""
_FLAT: Final = 1.5
"""A result with more columns than so many times its rows is cut along its columns: the right
operand, which is then the larger, is put in order once, each half by the thread that reads it."""
_ROWS: Final = 4
_COLUMNS: Final = 16
"""What the BLAS works on at a time: a part is a multiple of it."""


class MatrixProduct(NamedTuple):
    """out = a b, for matrices of one float type; or out = beta out + alpha a b."""

    a: Operand
    b: Operand
    out: Array
    scaled: tuple[Array, Array] | None = None
    """Alpha and beta, as arrays without axes; None for 1 and 0."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Rows, columns, and the inner size."""
        return self.out.shape[0], self.out.shape[1], self.a.array.shape[1]


def product(call: Call) -> MatrixProduct | None:
    """The call as a product; None where it is another, or one that only NumPy makes."""
    if call.function not in (np.dot, np.matmul) or set(call.keywords) != {"out"}:
        return None
    a, b = call.arguments
    return matrices(a, b, call.keywords["out"])


def matrices(
    a: Array, b: Array, out: Array, scaled: tuple[Array, Array] | None = None
) -> MatrixProduct | None:
    """The product of matrices; None where only NumPy makes it."""
    given = (a, b, out)
    if any(m.ndim != 2 or m.dtype != out.dtype or float_name(m) is None for m in given):
        return None
    left, right = operand(a), operand(b)
    if left is None or right is None or not out.flags.c_contiguous:
        return None
    return MatrixProduct(left, right, out, scaled)


def append(p: MatrixProduct, blas: Blas, tape: Tape) -> int:
    """Puts the product on a tape, and says in how many parts."""
    threads = tape.threads if blas.set_threads else 1
    rows, columns, _ = p.sizes
    vector = (rows == 1 or columns == 1) and p.scaled is None
    parts, partial = (_vector_parts if vector else _parts)(p, blas, threads, tape)
    tape.add(parts)
    if partial:
        tape.add(*added(partial, p.out, tape.threads))
    return len(parts)


def _parts(
    p: MatrixProduct, blas: Blas, threads: int, tape: Tape
) -> tuple[list[Tasks], list[Array]]:
    """The parts, and results that are to be added to that of the first."""
    rows, columns, inner = p.sizes
    threads = shared(threads, rows * columns * inner / _SMALL)
    if inner >= _LONG * max(rows, columns) and p.scaled is None:
        ranges = [slice(*c) for c in cuts(inner, threads, _COLUMNS)]
        partial = tape.spare(p.out, len(ranges) - 1)
        made = [_gemm(p, blas, o, inner=r) for o, r in zip([p.out, *partial], ranges, strict=True)]
        return [[t] for t in made], partial
    if columns > _FLAT * rows:
        made = [_gemm(p, blas, p.out, columns=slice(*c)) for c in cuts(columns, threads, _COLUMNS)]
    else:
        made = [_gemm(p, blas, p.out, rows=slice(*c)) for c in cuts(rows, threads, _ROWS)]
    return [[t] for t in made], []


def _gemm(
    p: MatrixProduct,
    blas: Blas,
    out: Array,
    rows: slice = slice(None),
    columns: slice = slice(None),
    inner: slice = slice(None),
) -> Task:
    a, b, c = p.a.array[rows, inner], p.b.array[inner, columns], out[rows, columns]
    sizes = (*c.shape, a.shape[1])
    turned = int(p.a.turned), int(p.b.turned)
    given = (a, p.a.length, b, p.b.length, c, out.shape[1])
    scaled = p.scaled or (np.ones((), out.dtype), np.zeros((), out.dtype))
    words = (*turned, *sizes, *given, *scaled)
    return c_call(_name("gemm", out, blas), _of(blas.gemm, out), *words)


def _vector_parts(
    p: MatrixProduct, blas: Blas, threads: int, tape: Tape
) -> tuple[list[Tasks], list[Array]]:
    """The same of a matrix by a vector, cut along the rows of the matrix as it lies."""
    by_row = p.out.shape[0] == 1
    matrix, x = (p.b, p.a.array) if by_row else (p.a, p.b.array)
    lies = matrix.array.T if matrix.turned else matrix.array
    summed = by_row != matrix.turned  # a row of it gives a share of the whole result
    threads = shared(threads, lies.size / _SMALL_VECTOR)
    x, y = x.reshape(-1), p.out.reshape(-1)
    ranges = [slice(*c) for c in cuts(len(lies), threads, _COLUMNS)]
    partial = tape.spare(y, len(ranges) - 1) if summed else []
    made: list[Tasks] = []
    for k, r in enumerate(ranges):
        given = (x[r], [y, *partial][k]) if summed else (x, y[r])
        words = (int(summed), *lies[r].shape, lies[r], *given)
        made.append([c_call(_name("gemv", y, blas), _of(blas.gemv, y), *words)])
    return made, partial


def _name(function: str, a: Array, blas: Blas) -> str:
    """What `foreign.py` calls it for the dtype and the integers of the BLAS."""
    return f"{function}_{float_name(a)}{'' if blas.wide else '_i32'}"


def _of(functions: Mapping[str, int], a: Array) -> int:
    return functions[a.dtype.str[1:]]

"""Matrix products as tasks of the BLAS, in parts for several threads.

The BLAS makes each part on one thread. A product [M,K] by [K,N] is cut in one of three ways:

- along M, the rows of the result: each part reads its rows of a, and all of b;
- along N, its columns: each part reads all of a, and its columns of b;
- along K, the inner size: each part makes a result [M,N] of its own from its columns of a and rows
  of b, and a second instruction adds these up.
"""

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
"""Multiplications that a part has at least: fewer are made sooner by one thread than two can agree
on them."""
_SMALL_VECTOR: Final = 10_000
"""The same for a matrix by a vector, whose elements are each used once: memory is the limit."""
_LONG: Final = 1.5
"""Where K is so many times M and N, the product is cut along K: the parts' results are then fewer
bytes for cores to exchange than the operands. In x weight, [N,D] by [D,H], each thread then reads
the rows of the weight that it has itself updated, which lie in its cache."""
_FLAT: Final = 1.5
"""A result with more columns than so many times its rows is cut along its columns: the BLAS copies
the right operand, which is then the larger, into an order of its own, and so each thread copies
only the part that it reads."""
_ROWS: Final = 4
_COLUMNS: Final = 16
"""How many rows and columns the BLAS computes at a time: parts are cut at multiples of these."""


class MatrixProduct(NamedTuple):
    """out = a b, for matrices of one float type; or out = beta out + alpha a b."""

    a: Operand
    b: Operand
    out: Array
    scaled: tuple[Array, Array] | None = None
    """alpha and beta, as arrays of shape []; None for 1 and 0."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """M, N and K: rows, columns and inner size."""
        return self.out.shape[0], self.out.shape[1], self.a.array.shape[1]


def product(call: Call) -> MatrixProduct | None:
    """The product that a NumPy call makes; None for another call, or where the BLAS cannot make
    it."""
    if call.function not in (np.dot, np.matmul) or set(call.keywords) != {"out"}:
        return None
    a, b = call.arguments
    return matrices(a, b, call.keywords["out"])


def matrices(
    a: Array, b: Array, out: Array, scaled: tuple[Array, Array] | None = None
) -> MatrixProduct | None:
    """The product a b of matrices, into `out`; None where it is left to NumPy: for vectors, dtypes
    that the BLAS does not have, and rows with gaps."""
    arrays = (a, b, out)
    if any(m.ndim != 2 or m.dtype != out.dtype or float_name(m) is None for m in arrays):
        return None
    left, right = operand(a), operand(b)
    if left is None or right is None or not out.flags.c_contiguous:
        return None
    return MatrixProduct(left, right, out, scaled)


def append(p: MatrixProduct, blas: Blas, tape: Tape) -> int:
    """Adds the instructions of the product to a tape; gives the number of its parts."""
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
    """The parts of a product; and the partial results, if any, that are to be added to `out`, into
    which the first part writes its own."""
    rows, columns, inner = p.sizes
    threads = shared(threads, rows * columns * inner / _SMALL)
    if inner >= _LONG * max(rows, columns) and p.scaled is None:
        ranges = [slice(*c) for c in cuts(inner, threads, _COLUMNS)]
        partial = tape.spare(p.out, len(ranges) - 1)
        tasks = [_gemm(p, blas, o, inner=r) for o, r in zip([p.out, *partial], ranges, strict=True)]
        return [[t] for t in tasks], partial
    if columns > _FLAT * rows:
        tasks = [_gemm(p, blas, p.out, columns=slice(*c)) for c in cuts(columns, threads, _COLUMNS)]
    else:
        tasks = [_gemm(p, blas, p.out, rows=slice(*c)) for c in cuts(rows, threads, _ROWS)]
    return [[t] for t in tasks], []


def _gemm(
    p: MatrixProduct,
    blas: Blas,
    out: Array,
    rows: slice = slice(None),
    columns: slice = slice(None),
    inner: slice = slice(None),
) -> Task:
    """The task that makes these rows and columns of `out`, from this range of the inner size."""
    a, b, c = p.a.array[rows, inner], p.b.array[inner, columns], out[rows, columns]
    sizes = (*c.shape, a.shape[1])
    turned = int(p.a.turned), int(p.b.turned)
    operands = (a, p.a.length, b, p.b.length, c, out.shape[1])
    scaled = p.scaled or (np.ones((), out.dtype), np.zeros((), out.dtype))
    words = (*turned, *sizes, *operands, *scaled)
    return c_call(_name("gemm", out, blas), _of(blas.gemm, out), *words)


def _vector_parts(
    p: MatrixProduct, blas: Blas, threads: int, tape: Tape
) -> tuple[list[Tasks], list[Array]]:
    """What `_parts` gives, for a result [M,1] or [1,N]: the product of a matrix and a vector.

    The matrix is cut along the rows that it has in memory, which for a transposed one are its
    columns. Each part then makes some elements of the result; or, where the vector has an element
    for each row in memory (`summed`), a partial result of all elements.
    """
    by_row = p.out.shape[0] == 1
    matrix, x = (p.b, p.a.array) if by_row else (p.a, p.b.array)
    lies = matrix.array.T if matrix.turned else matrix.array
    summed = by_row != matrix.turned  # a row of it gives a share of the whole result
    threads = shared(threads, lies.size / _SMALL_VECTOR)
    x, y = x.reshape(-1), p.out.reshape(-1)
    ranges = [slice(*c) for c in cuts(len(lies), threads, _COLUMNS)]
    partial = tape.spare(y, len(ranges) - 1) if summed else []
    parts: list[Tasks] = []
    for k, r in enumerate(ranges):
        vectors = (x[r], [y, *partial][k]) if summed else (x, y[r])
        words = (int(summed), *lies[r].shape, lies[r], *vectors)
        parts.append([c_call(_name("gemv", y, blas), _of(blas.gemv, y), *words)])
    return parts, partial


def _name(function: str, a: Array, blas: Blas) -> str:
    """The name of the wrapper in `c_calls.py`: gemm_f32, or gemm_f32_i32 for a BLAS whose integers
    have 32 bits."""
    return f"{function}_{float_name(a)}{'' if blas.wide else '_i32'}"


def _of(functions: Mapping[str, int], a: Array) -> int:
    return functions[a.dtype.str[1:]]

"""Matrix products on one thread, to the bits that the threads of OpenBLAS give them.

A product sums over its inner size in blocks of a length that OpenBLAS has for each processor, and
makes two halves of a rest that is longer than a block. On several threads these are cut elsewhere
than on one, so that sums are rounded elsewhere. Calls for one block each, with the halves of
several threads, have the same bits on one. Whether they do here is found by trying.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Final

import numpy as np

from ..graph import SETTINGS, Array, Product
from .blas import AS_IT_IS, ROW_MAJOR, TRANSPOSED, address, at_most, callable_blas
from .linear import turned

_BLOCKS: Final = (448, 320, 384, 256, 512, 640, 768, 352, 192, 240, 128)
"""Lengths of a block that processors have."""
_PERIOD: Final = 10_007
"""Numbers after which those repeat that are multiplied in a trial: no row is like another."""

Pieces = Sequence[tuple[int, int]]
"""Ranges of the inner size, in turn; none for a whole product."""


def pieces(inner: int, block: int) -> Pieces:
    """Whole blocks, and of what is left, more than one and less than two, the halves."""
    whole = max(0, inner // block - 1) * block
    rest = inner - whole
    half = (rest + 1) // 2 if rest > block else rest
    return list(pairwise(dict.fromkeys((0, whole, whole + half, inner))))


def dot_in(cut: Pieces, a: Array, b: Array, out: Array) -> None:
    """out = a b, a piece after another."""
    add_in(cut, a, b, out, 1.0, 0.0)


def add_in(cut: Pieces, a: Array, b: Array, out: Array, alpha: float, beta: float) -> None:
    """out = beta out + alpha a b, a piece after another."""
    blas = callable_blas(out.dtype.str)
    assert blas is not None
    for start, stop in cut:
        (left, *first), (right, *second) = _lies(a[:, start:stop]), _lies(b[start:stop])
        sizes, third = (*out.shape, stop - start), (address(out), out.shape[1])
        blas.gemm(ROW_MAJOR, left, right, *sizes, alpha, *first, *second, beta, *third)
        beta = 1.0


def _lies(a: Array) -> tuple[int, int, int]:
    """How the BLAS is told of a part of a matrix whose rows or columns have no gaps."""
    down, along = [stride // a.itemsize for stride in a.strides]
    if along == 1:
        return AS_IT_IS, address(a), max(down, a.shape[1])
    return TRANSPOSED, address(a), max(along, a.shape[0])


@cache
def agreeing(p: Product, dtype: str, threads: int) -> Pieces | None:
    """In which pieces one thread gives the bits that so many threads give: () for none, and None
    where no way is known. Makes the product some times, of numbers of its own."""
    left = _numbers((p.inner, p.rows) if p.transpose_a else (p.rows, p.inner), dtype, 0)
    right = _numbers((p.columns, p.inner) if p.transpose_b else (p.inner, p.columns), dtype, 1)
    a, b = turned(p, left, right)
    wanted, product = np.empty((p.rows, p.columns), dtype), np.empty((p.rows, p.columns), dtype)
    with SETTINGS, at_most(threads):
        np.dot(a, b, out=wanted)

    def agrees(make: Callable[[], object]) -> bool:
        with SETTINGS, at_most(1):
            make()
        return product.tobytes() == wanted.tobytes()

    if agrees(partial(np.dot, a, b, out=product)):
        return ()
    if p.rows == 1 or p.columns == 1 or callable_blas(product.dtype.str) is None:
        return None
    tried = dict.fromkeys([tuple(pieces(p.inner, block)) for block in _BLOCKS])
    cuts = [cut for cut in tried if len(cut) > 1]
    return next((cut for cut in cuts if agrees(partial(dot_in, cut, a, b, product))), None)


def _numbers(shape: tuple[int, int], dtype: str, seed: int) -> Array:
    drawn = np.random.default_rng(seed).uniform(-1, 1, _PERIOD).astype(dtype)
    return np.resize(drawn, shape)

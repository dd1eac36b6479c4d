"""By how much gradients are scaled, so that the norm of all together stays within a limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from ..graph import Array, GraphError, IntShape, Op, Point, Product, Residues, TensorType, op
from .updates import Update

NORM_EPS: Final = 1e-6
SHRINK: Final = 2.0**-540
"""Elements times this have squares whose sum does not overflow; where that of the elements
themselves does, in f32 or f64, the squares of the largest are not lost either."""
LEAST: Final = float(np.finfo(np.float32).tiny)
"""The least number that has all its digits in f32; in f64 it has them, too."""
_PIECE: Final = 32_768
"""So many squares are summed in their own dtype: of more, an f32 would lose digits."""


def clip_factor(limit: float, squares: float, shrunk: float) -> float:
    """The factor, or minus its root, from the sum of all squares, and where that overflows from
    the sum of the squares of the elements times SHRINK; NaN where both do."""
    if squares < math.inf:
        divisor = math.sqrt(math.sqrt(squares) + NORM_EPS)
    elif shrunk < math.inf:
        divisor = math.sqrt(math.sqrt(shrunk)) / SHRINK**0.5
    else:
        return math.nan
    root = math.sqrt(limit) / divisor
    factor = min(root * root, 1.0)
    return factor if factor >= LEAST else -root


def clip_by(x: Array, factor: Array, *, out: Array) -> None:
    """out = x factor, or x factor factor where it is negative."""
    if type(out) is not np.ndarray:  # noted by an executor, as NumPy's own functions are
        out.__array_function__(clip_by, (type(out),), (x, factor), {"out": out})
        return
    np.multiply(x, factor, out=out)
    if factor.item() < 0:
        np.multiply(out, factor, out=out)


@op
class ClipFactor(Op):
    """y = min(1, limit / (norm + 1e-6)); norm = sqrt(sum of x x over every element of every input).

    For floats of any shapes; NaN where an element is not finite. A factor that is too small for
    all digits of an f32 is given as minus its root. Pascanu, Mikolov and Bengio 2013; the 1e-6 is
    PyTorch's.
    """

    name: ClassVar[str] = "clip_factor"
    flops_per_element: ClassVar[int] = 3
    limit: float

    def infer(self, *types: TensorType) -> TensorType:
        dtypes = {t.dtype for t in types}
        if len(dtypes) != 1 or not types[0].is_float:
            listed = " and ".join(map(str, types)) or "nothing"
            raise GraphError(f"inputs are {listed}, where floats of one dtype are expected")
        return types[0].with_shape(())

    def product(self, result: IntShape, *inputs: IntShape) -> Product | None:
        return Product(1, sum(map(math.prod, inputs)), 1)

    def exact(self, at: Point, *xs: Residues) -> Residues:
        total = at.numbers(0)
        for x in xs:
            total += (x * x).sum()
        return total.function(f"clip_factor {self.limit}")

    def run(self, *xs: Array, out: Array) -> None:
        pieces = _pieces(xs)
        squares = sum([float(np.vdot(x, x)) for x in pieces])
        shrunk = 0.0
        if not squares < math.inf:
            small = [np.multiply(x, SHRINK, dtype=np.float64) for x in pieces]
            shrunk = sum([float(np.vdot(x, x)) for x in small])
        out[...] = clip_factor(self.limit, squares, shrunk)


def _pieces(xs: Sequence[Array]) -> list[Array]:
    """All elements, those of a large array a piece at a time."""
    pieces: list[Array] = []
    for x in xs:
        if x.size <= _PIECE:
            pieces.append(x)
        else:
            flat = x.reshape(-1)
            pieces += [flat[at : at + _PIECE] for at in range(0, x.size, _PIECE)]
    return pieces


@op
class ClipBy(Update):
    """y = x factor, for a scalar factor of clip_factor: x factor factor where it is negative."""

    name: ClassVar[str] = "clip_by"
    operands: ClassVar[tuple[str, ...]] = ("x", "factor")
    scalars: ClassVar[int] = 1

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return ()

    def exact(self, at: Point, x: Residues, factor: Residues) -> Residues:
        return (factor > 0).choose(x * factor, x * factor * factor)

    def run(self, x: Array, factor: Array, *, out: Array) -> None:
        clip_by(x, factor, out=out)

"""By how much gradients are scaled, so that the norm of all together stays within a limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from ..graph import Array, GraphError, IntShape, Op, Product, TensorType, op

_EPS: Final = 1e-6
_PIECE: Final = 16_384
"""How many elements are scaled at a time."""


@op
class ClipFactor(Op):
    """y = min(1, limit / (norm + 1e-6)); norm = sqrt(sum of x x over every element of every input).

    For floats of any shapes; the factor of nothing is 1, and NaN where an element is not finite.
    Where squares would overflow or be lost they are those of shares of the largest element, as in
    BLAS's nrm2. Pascanu, Mikolov and Bengio 2013; the 1e-6 is PyTorch's.
    """

    name: ClassVar[str] = "clip_factor"
    flops_per_element: ClassVar[int] = 3
    limit: float

    def infer(self, *types: TensorType) -> TensorType:
        dtypes = {t.dtype for t in types}
        if len(dtypes) != 1 or not types[0].is_float:
            given = " and ".join(map(str, types)) or "nothing"
            raise GraphError(f"inputs are {given}, where floats of one dtype are expected")
        return types[0].with_shape(())

    def product(self, result: IntShape, *inputs: IntShape) -> Product | None:
        return Product(1, sum(map(math.prod, inputs)), 1)

    def run(self, *xs: Array, out: Array) -> None:
        flat = [x.reshape(-1) for x in xs]
        squares = sum([float(np.dot(x, x)) for x in flat])
        # Below this, squares of f32 have lost digits.
        if 1e-30 <= squares < math.inf:
            factor = self.limit / (math.sqrt(squares) + _EPS)
        else:
            factor = self._scaled(flat)
        out[...] = min(factor, 1.0)  # NaN stays: it comes first

    def _scaled(self, flat: Sequence[Array]) -> float:
        """The factor, from squares of shares of the largest element."""
        largest = max([float(np.abs(x).max(initial=0.0)) for x in flat])
        if largest == 0:
            return 1.0
        if not math.isfinite(largest):
            return math.nan
        pieces = [x[at : at + _PIECE] for x in flat for at in range(0, x.size, _PIECE)]
        shares = [np.divide(p, largest, dtype=np.float64) for p in pieces]
        root = math.sqrt(sum([float(np.dot(s, s)) for s in shares]))
        return self.limit / largest / (root + _EPS / largest)

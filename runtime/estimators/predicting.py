"""What a fitted net computes for any number of rows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy.sparse import issparse

from ...graph import Array
from ..program import Program

_BLOCK: Final = 1024
"""So many rows are predicted in one go."""


def scores_of(program: Program, x: Any) -> Array:
    """The scores [n,K] of rows [n,D], dense or CSR.

    Rows go in blocks, the last one filled up to a power of two: each size of block has a plan of
    its own, and so there are few.
    """
    n, dtype = x.shape[0], program.declared["x"].type.numpy
    most = program.rows_at_a_time(min(_BLOCK, _power_of_two(n)))
    parts = []
    for start in range(0, n, most):
        rows = x[start : start + most]
        rows = rows.toarray() if issparse(rows) else rows
        count = len(rows)
        size = min(most, _power_of_two(count))
        block = np.zeros((size, rows.shape[1]), dtype) if size != count else rows
        if size != count:
            block[:count] = rows
        fed = np.ascontiguousarray(block, dtype)
        parts.append(program.predict(x=fed)["scores"][:count])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _power_of_two(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()

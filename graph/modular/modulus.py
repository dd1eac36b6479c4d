"""A prime to count by, and what scalars are in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..op import Array
from ..types import NUMPY_DTYPES


class Modulus(int):
    """A prime, and the numbers that some scalars stand for, which are not their own."""

    stands_for: Callable[[float, str, int], Array | None] | None = None
    """Gives the residue for a scalar of a dtype, or None."""

    def scalar(self, number: float, dtype: str) -> Array | None:
        """The residue that a scalar of a dtype stands for; None where that is its own."""
        return None if self.stands_for is None else self.stands_for(number, dtype, self)


def rounded(x: Any, dtype: str) -> Array:
    """Numbers in a dtype, infinite where they are too large for it."""
    with np.errstate(over="ignore"):
        return np.asarray(x).astype(NUMPY_DTYPES[dtype])

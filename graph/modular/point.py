"""What an op's exact meaning may ask beside its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from ..op import IntShape
from ..shards import size_of
from ..types import Dim
from .arithmetic import residues
from .modulus import Modulus, rounded
from .residues import Residues


class Point:
    """What an exact meaning may ask beside its inputs: what is made, and where."""

    def __init__(
        self,
        shape: IntShape,
        dtype: str,
        modulus: Modulus,
        sizes: Mapping[str, int],
        kind: type[Residues] = Residues,
    ) -> None:
        self.shape = shape
        """The result's shape."""
        self.dtype = dtype
        self.modulus = modulus
        self.sizes = sizes
        self._kind = kind

    def size(self, d: Dim) -> int:
        """The size of a dimension, which may be a symbol."""
        return size_of(d, self.sizes) if isinstance(d, str) else d

    def numbers(self, x: Any) -> Residues:
        """Numbers of the result's dtype, rounded to it."""
        return self._kind(
            residues(rounded(x, self.dtype), self.modulus),
            self.dtype,
            self.modulus,
        )

    def coins(self, name: str, seed: Residues, share: float, first: int = 0) -> Residues:
        """1 for that share of all places, else 0: a random choice by a name and a number; places
        are counted from `first`."""
        places = first + np.arange(prod(self.shape)).reshape(self.shape)
        chosen = self._kind(places % self.modulus, self.dtype, self.modulus).function(name, seed)
        return self._kind(chosen.value < share * self.modulus, self.dtype, self.modulus)

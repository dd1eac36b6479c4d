"""How gradients are bounded before the optimizer reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ...graph import GraphError, Node, apply
from ...ops import ClipBy, ClipFactor, add, maximum, minimum, subtract
from ..dtype import cast_to
from .arguments import Given, check_positive


class Clip(Given):
    """How the gradients of all parameters are bounded."""

    name: ClassVar[str]

    def clipped(self, gradients: Mapping[str, Node]) -> dict[str, Node]:
        """Each gradient, bounded, by the key of its output."""
        raise GraphError(f"clip {self.name} has no `clipped`")


class ClipValue(Clip):
    """g = min(max(g, -limit), limit), element by element.

    As `clip_grad_value_` of PyTorch, but that an infinite element becomes NaN, so that the step
    is refused: it is not clipped, it is an error.
    """

    name: ClassVar[str] = "clip_value"
    limit: float

    def __post_init__(self) -> None:
        check_positive(limit=self.limit)

    def clipped(self, gradients: Mapping[str, Node]) -> dict[str, Node]:
        clipped = {}
        for key, g in gradients.items():
            limit = _limit_of(g, self.limit)
            high = add(_zero_if_finite(g), limit)
            clipped[key] = minimum(maximum(g, -limit), high, name=f"{key}.clipped")
        return clipped


class ClipNorm(Clip):
    """g = g min(1, limit / (norm + 1e-6)), where norm is that of all gradients together.

    norm = sqrt(sum of g g over every element of every gradient); no square overflows. As
    `clip_grad_norm_` of PyTorch (Pascanu, Mikolov and Bengio 2013), but that an element which is
    not finite makes every gradient NaN, so that the step is refused.
    """

    name: ClassVar[str] = "clip_norm"
    limit: float

    def __post_init__(self) -> None:
        check_positive(limit=self.limit)

    def clipped(self, gradients: Mapping[str, Node]) -> dict[str, Node]:
        for g in gradients.values():
            _limit_of(g, self.limit)
        # The norm is that of all, whatever their dtypes are.
        widest = max([g.type.dtype for g in gradients.values()])
        parts = [cast_to(g, widest) for g in gradients.values()]
        factor = apply(ClipFactor(self.limit), *parts, name="clip_factor")
        return {
            key: apply(ClipBy(), g, cast_to(factor, g.type.dtype), name=f"{key}.clipped")
            for key, g in gradients.items()
        }


def _limit_of(g: Node, limit: float) -> float:
    """The limit, or the largest number of the gradient's dtype. Raises GraphError where it is 0 in
    it."""
    dtype: np.dtype[Any] = g.type.numpy
    finfo = np.finfo(dtype)
    if limit <= float(finfo.smallest_subnormal) / 2:
        raise GraphError(
            f"limit is {limit!r}, which is 0 in {g.type.dtype}, and so would every gradient be; "
            'write a larger one, or vg.compile(..., dtype="f64")'
        )
    return min(limit, float(finfo.max))


def _zero_if_finite(n: Node) -> Node:
    """n - n: 0, and NaN where n is infinite or NaN."""
    return subtract(n, n)

"""Penalties on the weights: L1, L2 and both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ...graph import GraphError, Node
from ...ops import absolute, add, squared_norm, sum
from ..dtype import cast_to
from .arguments import Given, check_not_negative


class Regularizer(Given):
    """A penalty R(W) on the regularized parameters, added to the data loss."""

    name: ClassVar[str]

    def penalty(self, weights: Sequence[Node]) -> Node | None:
        """The penalty as a scalar node; None where its strength is 0."""
        raise GraphError(f"regularizer {self.name} has no `penalty`")


class L1(Regularizer):
    """strength times the sum of |w|; the subgradient at 0 is 0."""

    name: ClassVar[str] = "l1"
    strength: float

    def __post_init__(self) -> None:
        check_not_negative(strength=self.strength)

    def penalty(self, weights: Sequence[Node]) -> Node | None:
        return total([sum(absolute(w)) for w in weights], self.strength)


class L2(Regularizer):
    """strength / 2 times the sum of w w (the course's, with the half)."""

    name: ClassVar[str] = "l2"
    strength: float

    def __post_init__(self) -> None:
        check_not_negative(strength=self.strength)

    def penalty(self, weights: Sequence[Node]) -> Node | None:
        return total([squared_norm(w) for w in weights], self.strength / 2)


class ElasticNet(Regularizer):
    """L1 of strength `l1` and L2 of strength `l2` (Zou and Hastie 2005, with the half)."""

    name: ClassVar[str] = "elastic_net"
    l1: float
    l2: float

    def __post_init__(self) -> None:
        check_not_negative(l1=self.l1, l2=self.l2)

    def penalty(self, weights: Sequence[Node]) -> Node | None:
        both = [p for r in (L1(self.l1), L2(self.l2)) if (p := r.penalty(weights)) is not None]
        return add(both[0], both[1]) if len(both) == 2 else both[0] if both else None


def total(terms: Sequence[Node], strength: float) -> Node | None:
    """strength times the sum of the terms; None where there is nothing to add."""
    if not terms or strength == 0:
        return None
    # Of parameters of two dtypes, all are summed in the wider one.
    widest = max([t.type.dtype for t in terms])
    joined = cast_to(terms[0], widest)
    for t in terms[1:]:
        joined = add(joined, cast_to(t, widest), name="penalty.terms")
    return joined * strength

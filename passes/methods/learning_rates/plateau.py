"""A rate that training itself lowers, through a state of the program."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from ....graph import GraphError, Node, Value, cached_property, is_number, shown, state
from ..arguments import check_positive
from .schedule import Schedule

LR_SCALE: Final = "lr_scale"
"""The name of the state."""


class Plateau(Schedule):
    """lr(t) = lr lr_scale; `fit` lowers the state lr_scale, which begins at 1.

    After `patience` epochs in a row whose validation loss was not better than the best before,
    `fit` multiplies lr_scale by `factor`, and waits again. A program has one such schedule,
    which groups may share.
    """

    name: ClassVar[str] = "schedules.plateau"
    lr: float
    factor: float = 0.1
    patience: int = 5

    def __post_init__(self) -> None:
        check_positive(lr=self.lr, factor=self.factor)
        if self.factor >= 1:
            raise GraphError(f"factor is {self.factor!r}, where a number from 0 to 1 is expected")
        if not isinstance(self.patience, int) or not is_number(self.patience) or self.patience < 1:
            raise GraphError(
                f"patience is {shown(self.patience)}, where a whole number from 1 is expected"
            )

    def at(self, step: Node) -> Node:
        return self._scale * self.lr

    @cached_property
    def _scale(self) -> Node:
        """The state: the same node wherever the rate is read."""
        return state(LR_SCALE, (), "ones", dtype="f64")


def plateau_in(value: object) -> Plateau | None:
    """The plateau that a value is, or that lies within it: `warmup(plateau(0.1), 100)`."""
    if isinstance(value, Plateau):
        return value
    parts: Iterable[object] = value if isinstance(value, tuple) else ()
    if isinstance(value, Value):
        parts = value.values()
    return next((inner for inner in map(plateau_in, parts) if inner is not None), None)

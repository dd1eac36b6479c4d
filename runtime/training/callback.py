"""What hears of a run while it goes on, and what of it a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Mapping

from ...graph import Array, GraphError, check_hooks
from .history import Row

Kept = Mapping[str, int | float | str | bool | Array | None]
"""What a callback remembers: plain values, and arrays, by name."""


class Callback:
    """What `fit` calls while it runs; a subclass overrides what it wants to hear of.

    One that remembers something from epoch to epoch gives it in `state` and takes it back in
    `restore`, so that a run that is resumed goes on as if it had never stopped.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_hooks(cls)
        for name in vars(cls):
            if name.startswith("on_") and not hasattr(Callback, name):
                raise GraphError(
                    f"{cls.__name__}.{name}: nothing calls it; fit calls on_step(step, loss) and "
                    "on_epoch(row)"
                )

    def on_step(self, step: int, loss: float) -> None:
        """A step is done: `step` counts all steps of the program, from 1."""

    def on_epoch(self, row: Row) -> bool | None:
        """An epoch is done and measured; True ends the run."""

    def state(self) -> Kept:
        """What a checkpoint is to keep."""
        return {}

    def restore(self, state: Kept) -> None:
        """Takes back what `state` gave."""

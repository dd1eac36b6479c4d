"""What a logger is: three verbs, of which one is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from ...graph import check_hooks

Plain = str | int | float | bool
Settings = Mapping[str, Plain]
"""What is known of a run before it begins: options by name."""
Values = Mapping[str, float]
"""What was measured at the end of an epoch, by name: `epoch` and `step` among them."""
Status = Literal["finished", "interrupted", "failed"]


@runtime_checkable
class Log(Protocol):
    """What `fit` takes as a logger: anything with `log(values)`, such as a run of wandb."""

    def log(self, values: Values, /) -> object:
        """Hears of an epoch."""


class Logger:
    """What hears of a run; a subclass says in `log` what becomes of the numbers of an epoch."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_hooks(cls)

    def begin(self, settings: Settings, past: Sequence[Values]) -> None:
        """A run begins. One that is resumed has a past: the epochs that were made before, which
        take the place of all that was logged of them."""

    def log(self, values: Values) -> None:
        """An epoch is over: `epoch`, `step`, `train_loss` and what else was measured, by name."""
        raise NotImplementedError(f"{type(self).__name__} has no method log(values)")

    def end(self, status: Status) -> None:
        """The run is over: "finished", "interrupted" by the user, or "failed"."""

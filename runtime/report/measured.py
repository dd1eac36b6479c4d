"""What runs and checks gave: losses, accuracies, a gradient check, the time of each kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, Final, Protocol

from ..profiling.report import Profile

MOST_LOSSES: Final = 2000
"""So many points a curve has at most; of more, neighbours are told by their mean."""


class Epoch(Protocol):
    """A row of a history."""

    @property
    def step(self) -> int: ...

    @property
    def train_accuracy(self) -> float | None: ...

    @property
    def validation_loss(self) -> float | None: ...

    @property
    def validation_accuracy(self) -> float | None: ...


class Run(Protocol):
    """A history, as `fit` returns it."""

    @property
    def rows(self) -> Sequence[Epoch]: ...

    @property
    def losses(self) -> Sequence[float]: ...


class Check(Protocol):
    """What a gradient check found, as `gradcheck` returns it."""

    @property
    def verdict(self) -> str: ...

    @property
    def rows(self) -> Sequence[Any]: ...


def history_rows(run: Run) -> dict[str, Any]:
    """The loss of each step, or the mean of each `every` of them, and what each epoch measured."""
    every = max(1, -(-len(run.losses) // MOST_LOSSES))
    pieces = [run.losses[k : k + every] for k in range(0, len(run.losses), every)]
    return {
        "loss": [plain(sum(piece) / len(piece)) for piece in pieces],
        "every": every,
        "validation": _points((row.step, row.validation_loss) for row in run.rows),
        "accuracy": _points((row.step, row.validation_accuracy) for row in run.rows),
        "train_accuracy": _points((row.step, row.train_accuracy) for row in run.rows),
    }


def gradcheck_rows(check: Check) -> dict[str, Any]:
    """The verdict, and each parameter's worst entry."""
    fields = ("name", "error", "symbolic", "numeric", "verdict")
    rows = [{k: plain(getattr(row, k)) for k in fields} for row in check.rows]
    return {"verdict": check.verdict, "rows": rows, "lines": str(check).splitlines()}


def profile_rows(profile: Profile) -> dict[str, Any]:
    """The time of a step, and of each of its kernels."""
    kernels = [
        {
            "text": k.label,
            "part": k.phase,
            "call": k.key if isinstance(k.key, int) else None,
            "flops": k.flops,
            "bytes": k.nbytes,
            "predicted": k.predicted,
            "measured": k.measured,
        }
        for k in profile.kernels
    ]
    return {"step": profile.step, "predicted": profile.predicted, "kernels": kernels}


def plain(value: Any) -> Any:
    """The value, where JSON has it; None for numbers that are not finite."""
    return None if isinstance(value, float) and not isfinite(value) else value


def _points(pairs: Iterable[tuple[int, float | None]]) -> list[list[Any]]:
    return [[step, plain(value)] for step, value in pairs if value is not None]

"""What a training run did: a row for every epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ...graph import MissingError, RunError, all_of, shown
from ...graph.notebook import Table, as_html, page

_NUMBERS: Final = {
    "train_loss": ".4f",
    "train_accuracy": ".4f",
    "validation_loss": ".4f",
    "validation_accuracy": ".4f",
}


class Row(NamedTuple):
    """One epoch, or the part of one that a run ended in.

    `step` counts all steps of the program; `train_loss` is the mean over the epoch's rows of what
    `step` reported, penalties and dropout included; `train_accuracy` is the share of these rows
    whose largest score was the label's, by the scores that their step computed anyway: before its
    update, and with dropout. `validation_loss` and `validation_accuracy` are measured at the end,
    without dropout. Accuracies are shares from 0 to 1; what was not measured is None. `seconds`
    have passed since the run began.
    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float


class History:
    """The rows of a run, in order; `history["train_loss"]` is a column.

    `losses` holds what each step reported, from the run's first on.
    """

    def __init__(self, rows: tuple[Row, ...], losses: Iterable[float] = ()) -> None:
        self.rows = all_of("rows", rows, Row, "a Row of a run", RunError)
        self.losses = [*all_of("losses", losses, float, "a loss", RunError)]

    def __getitem__(self, column: str) -> list[int | float | None]:
        if not isinstance(column, str) or column not in Row._fields:
            raise MissingError(f"{shown(column)}; the columns are {', '.join(Row._fields)}")
        return [getattr(row, column) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @property
    def _measured(self) -> list[str]:
        """The columns that hold something."""
        return [f for f in Row._fields if any(v is not None for v in self[f])]

    def __str__(self) -> str:
        shown = self._measured
        width = {f: max(len(f), 9) for f in shown}
        lines = ["  ".join(f"{f:>{width[f]}}" for f in shown)]
        for row in self.rows:
            cells = [_cell(f, getattr(row, f)).rjust(width[f]) for f in shown]
            lines.append("  ".join(cells))
        return "\n".join(lines)

    __repr__ = __str__

    @as_html
    def _repr_mimebundle_(self) -> str:
        columns = self._measured
        rows = [[_cell(f, getattr(row, f)) for f in columns] for row in self.rows]
        return page("training by epochs", Table([f.replace("_", " ") for f in columns], rows))


def _cell(field: str, value: int | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if field == "seconds" else format(value, _NUMBERS.get(field, ""))

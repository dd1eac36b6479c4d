"""What a training run did: a row for every epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ...graph import MissingError, RunError, all_of, shown
from ...graph.notebook import Table, as_html, page

MEASURED: Final = "validation_"
"""What the names of the columns begin with that are measured on the validation."""
_NUMBERS: Final = {"train_loss": ".4f", "train_accuracy": ".4f"}


class Row(NamedTuple):
    """One epoch, or the part of one that a run ended in.

    `step` counts all steps of the program; `train_loss` is the mean over the epoch's rows of what
    `step` reported, penalties and dropout included; `train_accuracy` is the share of these rows
    whose largest score was the label's, by the scores that their step computed anyway: before its
    update, and with dropout. `validation_loss` and `validation_accuracy` are measured at the end,
    without dropout. Accuracies are shares from 0 to 1; what was not measured is None. `seconds`
    have passed since the run began. `metrics` are those of the validation that were asked for.
    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float
    metrics: dict[str, float] = {}  # noqa: RUF012, which nobody changes

    def columns(self) -> dict[str, float | None]:
        """All numbers by their names, a metric's with `validation_` before it."""
        fields = {k: v for k, v in self._asdict().items() if k != "metrics"}
        return fields | {f"{MEASURED}{name}": value for name, value in self.metrics.items()}


class History:
    """The rows of a run, in order; `history["train_loss"]` is a column, and the metric f1 is
    `history["validation_f1"]`.

    `losses` holds what each step reported, from the run's first on.
    """

    def __init__(self, rows: tuple[Row, ...], losses: Iterable[float] = ()) -> None:
        self.rows = all_of("rows", rows, Row, "a Row of a run", RunError)
        self.losses = [*all_of("losses", losses, float, "a loss", RunError)]

    def __getitem__(self, column: str) -> list[int | float | None]:
        columns = self._columns
        if not isinstance(column, str) or column not in columns:
            raise MissingError(f"{shown(column)}; the columns are {', '.join(columns)}")
        return [row.columns().get(column) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @property
    def _columns(self) -> list[str]:
        """The names of all columns; how long it took comes last."""
        names = dict.fromkeys(f for f in Row._fields if f not in ("metrics", "seconds"))
        names |= dict.fromkeys(name for row in self.rows for name in row.columns())
        return [*(name for name in names if name != "seconds"), "seconds"]

    @property
    def _measured(self) -> list[str]:
        """The columns that hold something."""
        return [f for f in self._columns if any(v is not None for v in self[f])]

    def __str__(self) -> str:
        shown = self._measured
        width = {f: max(len(f), 9) for f in shown}
        lines = ["  ".join(f"{f:>{width[f]}}" for f in shown)]
        for row in self.rows:
            told = row.columns()
            cells = [_cell(f, told.get(f)).rjust(width[f]) for f in shown]
            lines.append("  ".join(cells))
        return "\n".join(lines)

    __repr__ = __str__

    @as_html
    def _repr_mimebundle_(self) -> str:
        columns = self._measured
        told = [row.columns() for row in self.rows]
        rows = [[_cell(f, row.get(f)) for f in columns] for row in told]
        return page("training by epochs", Table([f.replace("_", " ") for f in columns], rows))


def _cell(field: str, value: int | float | None) -> str:
    if value is None:
        return "-"
    if field == "seconds":
        return f"{value:.2f}"
    return format(value, ".4f" if field.startswith(MEASURED) else _NUMBERS.get(field, ""))

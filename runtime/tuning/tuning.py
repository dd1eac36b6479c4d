"""What a tuning found: its trials, the best of them, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...graph import RunError
from ...graph.notebook import Table, as_html, page
from ...graph.writing import write_whole
from ..figures.scatter import Column, Point, draw_trials
from .ranges import Range
from .trial import DONE, Trial, worse


class Tuning:
    """The trials of a tuning, in the order of their numbers; it prints as a table.

    `by` is the measure of the validation that they are judged by.
    """

    def __init__(self, trials: Iterable[Trial], by: str, ranges: Mapping[str, Range]) -> None:
        self.trials = tuple(trials)
        self.by = by
        self._drawn = {name: r.distribution for name, r in ranges.items()}

    @property
    def best(self) -> Trial:
        """The first of the best trials. RunError where none was made to its end."""
        best: Trial | None = None
        for trial in self.trials:
            if trial.value is not None and (
                best is None or best.value is None or worse(self.by, best.value, trial.value)
            ):
                best = trial
        if best is None:
            why = f": the first {self.trials[0].ended}" if self.trials else ""
            raise RunError(f"none of {len(self.trials)} trials came to its end{why}")
        return best

    def _rows(self) -> list[list[str]]:
        """The head of the table, and a row for each trial."""
        rows = [["trial", *self._drawn, f"validation {self.by}", "epochs", ""]]
        for t in self.trials:
            options = [told(t.options[name]) for name in self._drawn]
            value = "" if t.value is None else f"{t.value:.4f}"
            ended = "" if t.ended == DONE else t.ended
            rows.append([str(t.number), *options, value, str(len(t.values)), ended])
        return rows

    def __str__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        last = len(widths) - 1
        lines = [
            "  ".join(
                c.ljust(w) if i == last else c.rjust(w)
                for i, (c, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__

    @as_html
    def _repr_mimebundle_(self) -> str:
        head, *rows = self._rows()
        return page(f"tuning by {self.by}", Table(head, rows))

    def to_svg(self, path: str | Path) -> None:
        """Draws the measure by each of the options. Raises WriteError; needs the extra `plot`."""
        write_whole(path, self.as_svg())

    def as_svg(self) -> str:
        """The picture as a text."""
        shown = [t for t in self.trials if t.values]
        done = [t for t in shown if t.value is not None]
        best = self.best if done else None
        points = [
            Point(t.values[-1] if t.value is None else t.value, t.value is not None, t is best)
            for t in shown
        ]
        columns = []
        for name, drawn in self._drawn.items():
            number = not hasattr(drawn, "choices")
            values = [float(v) if number else told(v) for v in (t.options[name] for t in shown)]
            columns.append(Column(name, values, number and drawn.log))
        title = f"{len(self.trials)} trials, {len(done)} of them to their end"
        return draw_trials(title, f"validation {self.by}", columns, points)


def told(value: Any) -> str:
    """The value of an option, in few digits."""
    if isinstance(value, (tuple, list)):
        return ",".join([told(v) for v in value])
    return f"{value:.4g}" if isinstance(value, float) else str(value)

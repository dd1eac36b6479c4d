"""How training is followed: a bar on a terminal where rich is, else a line an epoch; on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from ..optional import require
from .callback import Callback
from .history import Row


@contextmanager
def progress(start: int, steps: int, steps_per_epoch: int) -> Iterator[Callback]:
    """A callback that shows a run of so many steps from step `start` on while the block lasts."""
    epochs = -(-(start + steps) // steps_per_epoch)
    if sys.stderr is None:  # nobody would see it
        yield Callback()
        return
    if not sys.stderr.isatty() or find_spec("rich") is None:
        yield _Lines(epochs)
        return
    console = require("rich.console", "cli").Console(stderr=True)
    rich = require("rich.progress", "cli")
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=15),  # all columns fit a terminal of 80
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.fields[found]}"),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=console) as bar:
        task = bar.add_task(f"epoch {start // steps_per_epoch + 1}/{epochs}", total=steps, found="")
        yield _Bar(bar, task, epochs, start)


class _Lines(Callback):
    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def on_epoch(self, row: Row) -> None:
        width = len(str(self._epochs))
        head = f"epoch {row.epoch:>{width}}/{self._epochs}"
        print(f"{head}  {_described(row)}, {row.seconds:.1f} s", file=sys.stderr, flush=True)


class _Bar(Callback):
    def __init__(self, bar: Any, task: Any, epochs: int, start: int) -> None:
        self._bar = bar
        self._task = task
        self._epochs = epochs
        self._start = start

    def on_step(self, step: int, loss: float) -> None:
        self._bar.update(self._task, completed=step - self._start)

    def on_epoch(self, row: Row) -> None:
        now = f"epoch {min(row.epoch + 1, self._epochs)}/{self._epochs}"
        text = f"loss {row.train_loss:.4f}"
        if row.validation_accuracy is not None:
            text += f", accuracy {row.validation_accuracy:.4f}"
        self._bar.update(self._task, description=now, found=text)


def _described(row: Row) -> str:
    """The numbers of an epoch, as far as they were measured."""
    parts = [f"train loss {row.train_loss:.4f}"]
    if row.validation_loss is not None:
        parts.append(f"validation loss {row.validation_loss:.4f}")
    if row.validation_accuracy is not None:
        parts.append(f"validation accuracy {row.validation_accuracy:.4f}")
    return ", ".join(parts)

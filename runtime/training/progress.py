"""How training is followed: a bar in a terminal or a notebook, else a line an epoch on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from io import StringIO
from typing import Any, Final, NamedTuple

from ...graph.notebook import shown_types
from ..optional import require
from .callback import Callback
from .history import Row

SECONDS: Final = 2.0
"""How long a run has lasted when a bar is shown that nobody asked for."""
_BETWEEN: Final = 0.1
"""The seconds from one picture of a bar to the next: steps may take less than drawing them."""
_DEAF: Final = (OSError, ValueError)
"""What a stderr raises that is full, closed or gone: no reason to end a run."""
_CELL: Final = '<pre style="margin:0;overflow:auto">{code}</pre>'


class Extent(NamedTuple):
    """The step that a run begins at, how many it makes, its first epoch and its last; of a stream
    of batches, steps or epochs are not known before."""

    start: int
    steps: int | None
    epoch: int
    epochs: int | None

    def named(self, epoch: int, width: int = 0) -> str:
        """`epoch 3/12`, or `epoch 3` where nobody knows the last."""
        return f"epoch {epoch:>{width}}" + (f"/{self.epochs}" if self.epochs is not None else "")


@contextmanager
def progress(asked: bool | None, run: Extent) -> Iterator[Callback]:
    """A callback that shows a run while the block lasts.

    True asks for a bar in a terminal or a notebook, and for lines elsewhere or without rich. None
    is a bar in a terminal alone, which comes late and is gone at the end. False is nothing.
    """
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    in_cell = bool(asked) and "text/html" in (shown_types() or ())
    if asked is False or sys.stderr is None or not (asked or on_terminal):
        yield Callback()
    elif find_spec("rich") is not None and (on_terminal or in_cell):
        bar = _cell_bar() if in_cell else _terminal_bar(transient=not asked)
        follower = _Bar(*bar, run, 0.0 if asked else SECONDS)
        try:
            yield follower
        finally:
            follower.end()
    else:
        yield _Lines(run) if asked else Callback()


class _Lines(Callback):
    def __init__(self, run: Extent) -> None:
        self._run = run

    def on_epoch(self, row: Row) -> None:
        head = self._run.named(row.epoch, len(str(self._run.epochs or "")))
        with suppress(*_DEAF):
            print(f"{head}  {_described(row)}, {row.seconds:.1f} s", file=sys.stderr, flush=True)


class _Bar(Callback):
    """Tells a bar of rich where a run is, some times a second, from `late` seconds on.

    `draw` puts what the bar has been told before the eyes of the user.
    """

    def __init__(self, bar: Any, draw: Callable[[], None], run: Extent, late: float) -> None:
        self._bar = bar
        self._draw = draw
        self._run = run
        self._done = 0
        self._row: Row | None = None
        self._task = bar.add_task("", total=run.steps, found="")
        self._drawn = False
        self._next = time.monotonic() + late
        if not late:
            self._show()

    def on_step(self, step: int, loss: float) -> None:
        self._done = step - self._run.start
        if time.monotonic() >= self._next:
            self._show()

    def on_epoch(self, row: Row) -> None:
        self._row = row

    def _show(self) -> None:
        run = self._run
        epoch = self._row.epoch + 1 if self._row is not None else run.epoch
        self._bar.update(
            self._task,
            completed=self._done,
            description=run.named(epoch if run.epochs is None else min(epoch, run.epochs)),
            found=_found(self._row),
        )
        with suppress(*_DEAF):
            self._draw()
        self._drawn = True
        self._next = time.monotonic() + _BETWEEN

    def end(self) -> None:
        """Shows where the run ended, where it was shown at all."""
        if self._drawn:
            with suppress(*_DEAF):
                self._show()
                self._bar.stop()


def _terminal_bar(transient: bool) -> tuple[Any, Callable[[], None]]:
    """A bar on stderr, and what draws it; rich does so again in a thread of its own."""
    bar = _bar(require("rich.console", "cli").Console(stderr=True), transient=transient)
    return bar, bar.start


def _cell_bar() -> tuple[Any, Callable[[], None]]:
    """A bar in the output of a notebook's cell, and what draws it there."""
    console = require("rich.console", "cli").Console(
        file=StringIO(), record=True, width=100, force_jupyter=False
    )
    bar, handle = _bar(console), require("IPython.display", "notebook").DisplayHandle()
    handle.display({"text/plain": ""}, raw=True)

    def draw() -> None:
        console.print(bar.get_renderable())
        text = console.export_text(clear=False)
        html = console.export_html(inline_styles=True, code_format=_CELL)
        handle.update({"text/plain": text, "text/html": html}, raw=True)

    return bar, draw


def _bar(console: Any, transient: bool = False) -> Any:
    rich = require("rich.progress", "cli")
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=15),  # all columns fit a terminal of 80
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.fields[found]}"),
        rich.TimeRemainingColumn(),
    )
    return rich.Progress(*columns, console=console, transient=transient)


def _found(row: Row | None) -> str:
    """What of an epoch stands beside a bar."""
    if row is None:
        return ""
    accuracy = row.validation_accuracy
    return f"loss {row.train_loss:.4f}" + (
        f", accuracy {accuracy:.4f}" if accuracy is not None else ""
    )


def _described(row: Row) -> str:
    """The numbers of an epoch, as far as they were measured."""
    parts = [f"train loss {row.train_loss:.4f}"]
    if row.validation_loss is not None:
        parts.append(f"validation loss {row.validation_loss:.4f}")
    if row.validation_accuracy is not None:
        parts.append(f"validation accuracy {row.validation_accuracy:.4f}")
    parts += [f"validation {name} {value:.4f}" for name, value in row.metrics.items()]
    return ", ".join(parts)

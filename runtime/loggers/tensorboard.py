"""A logger that writes what TensorBoard shows."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...graph.errors import WriteError
from ...graph.writing import given_path
from ..optional import require
from .logger import Logger, Plain, Settings, Status, Values


class TensorBoardLogger(Logger):
    """Writes each value as a curve over the steps into a folder, which TensorBoard reads:
    `tensorboard --logdir FOLDER`.

    A run takes the place of what an earlier one left in the folder. Needs the extra `tensorboard`,
    which writes; the package that shows is `pip install tensorboard`.
    """

    def __init__(self, folder: str | Path) -> None:
        # Its own SummaryWriter writes in a thread, where nobody hears of a full disk.
        self._files = require("tensorboardX.event_file_writer", "tensorboard")
        self._events = require("tensorboardX.proto.event_pb2", "tensorboard")
        self._summary = require("tensorboardX.summary", "tensorboard")
        self.folder = given_path(folder)
        self._writer: Any = None

    def begin(self, settings: Settings, past: Sequence[Values]) -> None:
        """Begins a file with the settings as a text, and the past. Raises WriteError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Files are read in the order of their names, of which the rest has but seconds.
            suffix = f".{time.time_ns()}.{os.getpid()}"
            self._writer = self._files.EventsWriter(f"{self.folder / 'events'}", suffix)
        except OSError as e:
            raise WriteError(f"{self.folder} cannot be written: {e.strerror or e}") from None
        start = self._events.SessionLog(status=self._events.SessionLog.START)
        self._write(step=0, session_log=start)  # readers forget what is before it from step 0 on
        self._write(step=0, summary=self._summary.text("settings", _table(settings)))
        for values in past:
            self.log(values)

    def log(self, values: Values) -> None:
        """Writes a point of each curve, at the step of the values. Raises WriteError."""
        step = int(values.get("step", 0))
        for name, value in values.items():
            if name != "step":
                self._write(step=step, summary=self._summary.scalar(name, value))
        self._flush()

    def end(self, status: Status) -> None:
        """Closes the file. Raises WriteError."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            _told(self.folder, writer.close)

    def _write(self, **content: Any) -> None:
        event = self._events.Event(wall_time=time.time(), **content)
        _told(self.folder, lambda: self._writer.write_event(event))

    def _flush(self) -> None:
        _told(self.folder, self._writer.flush)


def _table(settings: Settings) -> str:
    """The settings as Markdown, which TensorBoard shows."""
    rows: dict[str, Plain] = {"setting": "value", "---": "---", **settings}
    return "\n".join([f"| {name} | {value} |" for name, value in rows.items()])


def _told(folder: Path, action: Any) -> None:
    try:
        action()
    except OSError as e:
        raise WriteError(f"{folder} cannot be written: {e.strerror or e}") from None

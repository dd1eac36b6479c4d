"""Ctrl-C during training: noted at once, acted on between steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interruption:
    """While it is entered, SIGINT is only noted; `check` raises what was noted.

    Only the main thread can have a signal handler: off it, and where SIGINT is ignored or not
    Python's to handle, nothing is installed. The previous handler always comes back.
    """

    def __init__(self) -> None:
        self.noted = False
        self._previous: object = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if callable(previous):
                self._previous = previous
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if callable(self._previous):
            signal.signal(signal.SIGINT, self._previous)

    def check(self) -> None:
        """Raises KeyboardInterrupt where SIGINT has come."""
        if self.noted:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.noted = True

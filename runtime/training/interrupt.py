"""Ctrl-C and other signals during training: noted at once, acted on between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Final

Handler = Callable[[int, FrameType | None], object]

_ENDING: Final = ("SIGINT", "SIGTERM", "SIGHUP")
"""The signals that ask a process to end, where the system has them."""


class Interruption:
    """While it is entered, signals are only noted; `check` gives them to the handlers before, as it
    is done at once while somebody else's code is waited for.

    These are the signals that ask to end, where Python code handles them: what the system does at
    once, and what is ignored, stays so. Only the main thread can have a handler: off it, nothing
    is installed. The previous handlers always come back.
    """

    def __init__(self) -> None:
        self._noted: list[int] = []
        self._previous: dict[int, Handler] = {}
        self._at_once = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within the block signals are acted on as they come: it may last for any time, and leaves
        the state of the run alone."""
        self._at_once = True  # before what has come is looked for: none is missed between the two
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            try:
                self._install()
            except BaseException:
                self._restore()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()
        if kind is None:
            self.check()

    @property
    def noted(self) -> bool:
        """Whether a signal has come that was not acted on."""
        return bool(self._noted)

    def check(self) -> None:
        """Calls the handlers of the signals that have come; Python's own for Ctrl-C raises
        KeyboardInterrupt."""
        while self._noted:
            number = self._noted.pop(0)
            self._previous[number](number, None)

    def _install(self) -> None:
        for number in [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]:
            handler = signal.getsignal(number)
            if callable(handler):
                self._previous[number] = handler
                signal.signal(number, self._note)

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            if signal.getsignal(number) == self._note:  # nobody has set another meanwhile
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._noted.append(number)
        if self._at_once:
            self.check()

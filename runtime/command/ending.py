"""Signals that ask a command to end: SIGTERM and SIGHUP raise, as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_RAISING: Final = ("SIGTERM", "SIGHUP")
"""Those whose default is to end the process at once, where the system has them."""


class Ended(KeyboardInterrupt):
    """A signal other than that of Ctrl-C has asked the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def __reduce__(self) -> tuple[type[Ended], tuple[int]]:
        return Ended, (self.number,)


@contextmanager
def raising() -> Iterator[None]:
    """While the block lasts, these signals raise `Ended`; what is ignored, as nohup has it, or
    handled by others, stays so."""
    main = threading.current_thread() is threading.main_thread()
    numbers = [getattr(signal, name) for name in _RAISING if main and hasattr(signal, name)]
    numbers = [n for n in numbers if signal.getsignal(n) is signal.SIG_DFL]
    try:
        for number in numbers:
            signal.signal(number, _raise)
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def exit_code(e: KeyboardInterrupt) -> int:
    """What a shell says of a process that a signal has ended: 130, 143 or 129."""
    return 128 + (e.number if isinstance(e, Ended) else signal.SIGINT)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Ended(number)

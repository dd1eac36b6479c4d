"""The threads that run tapes together: whoever calls leads, and helpers take parts."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Final

from ..aligned import aligned_bytes
from .driver import CONTROL, STOP, lead, serve

_PATIENCE: Final = 30_000
"""Looks for work, of some 30 ns each, before a helper sleeps."""


class Helper:
    """A thread that serves until there is nothing to do, and then sleeps until it is woken."""

    def __init__(self, control: int) -> None:
        self.asleep = False
        self._control = control
        self._woken = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, name="verigrad helper", daemon=True)
        self._over = False
        self._thread.start()

    def wake(self) -> None:
        self.asleep = False
        self._woken.release()

    def end(self) -> None:
        """Returns when the thread has come to its end."""
        self._over = True
        self._woken.release()
        self._thread.join()

    def _live(self) -> None:
        while not self._over:
            serve(self._control, _PATIENCE)
            if not self._over:
                self.asleep = True
                self._woken.acquire()


class Team:
    """One leader at a time, and the helpers: as many as have ever been wanted."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.helpers: list[Helper] = []
        self._words = aligned_bytes(8 * CONTROL).view("i8")
        self._words[:] = 0
        self.control = int(self._words.ctypes.data)

    def run(self, threads: int, *tape: int) -> int:
        """Leads through a tape, `tape` as the driver takes it, with so many threads at most."""
        with self.lock:
            while len(self.helpers) < threads - 1:
                self.helpers.append(Helper(self.control))
            for helper in self.helpers:
                if helper.asleep:
                    helper.wake()
            return int(lead(self.control, *tape))

    def end(self) -> None:
        """Ends all helpers: native code must not run when the interpreter has gone."""
        with self.lock:
            self._words[STOP] = 1
            for helper in self.helpers:
                helper.end()
            self.helpers.clear()
            self._words[STOP] = 0


TEAM = Team()


def _forget() -> None:
    """In a forked process there are no helpers, and nobody holds the lock."""
    TEAM.__init__()  # type: ignore[misc]


atexit.register(TEAM.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

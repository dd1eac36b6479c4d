"""The threads that run tapes together: whoever calls leads, and helpers take parts."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Final

from .....graph import SETTINGS
from ....planning.buffers import aligned_bytes
from .driver import CONTROL, STOP, serve

_PATIENCE: Final = 30_000
"""Looks for work, of some 30 ns each, before a helper sleeps."""


class Helper:
    """A thread that serves until there is nothing to do, and then sleeps until it is woken."""

    def __init__(self, team: Team) -> None:
        self.asleep = False
        self._team = team
        self._woken = threading.Semaphore(0)
        self._over = False
        self._thread = threading.Thread(target=self._live, name="verigrad helper", daemon=True)

    def start(self) -> None:
        """Raises RuntimeError where no thread can be started."""
        self._thread.start()

    def wake(self) -> None:
        if self.asleep:
            self.asleep = False
            self._woken.release()

    def end(self) -> None:
        """Returns when the thread has come to its end."""
        self._over = True
        self._woken.release()
        if self._thread.ident is not None:  # it has been started
            self._thread.join()

    def _live(self) -> None:
        while not self._over:
            serve(self._team.control, _PATIENCE)
            if not self._over:
                self.asleep = self._team.resting = True
                self._woken.acquire()


class Team:
    """One leader at a time, and the helpers: one less than the threads that were ever wanted."""

    def __init__(self) -> None:
        self.lock = SETTINGS
        """Held by who leads, and sets the threads of the BLAS; a signal handler may lead within a
        step."""
        self._helpers: list[Helper] = []
        self._wanted = 0
        self._words = aligned_bytes(8 * CONTROL).view("i8")
        self._words[:] = 0
        self.control = int(self._words.ctypes.data)
        """The address of the words that the threads share."""
        self._over = False
        self.resting = False
        """Whether a helper may be asleep, or is still to come."""

    def join(self, threads: int) -> None:
        """Asks that so many threads run from now on."""
        if threads - 1 > self._wanted:
            self._wanted = threads - 1
            self.resting = True

    def rouse(self) -> None:
        """Wakes all helpers, and lets those come that are still to come; under the lock."""
        self.resting = False
        try:
            while len(self._helpers) < self._wanted and not self._over:
                self._helpers.append(Helper(self))  # first, so that `end` knows it in any case
                self._helpers[-1].start()
            for helper in self._helpers:
                helper.wake()
        except RuntimeError:  # no thread can be started any more: the leader makes all parts
            self._over = True
        except BaseException:
            self.resting = True
            raise

    def end(self) -> None:
        """Ends all helpers: native code must not run when the interpreter has gone."""
        with self.lock:
            self._over = True
            self._words[STOP] = 1
            for helper in self._helpers:
                helper.end()
            self._helpers.clear()
            self._words[STOP] = 0

    def forget(self) -> None:
        """In a forked process there are no helpers yet."""
        self._helpers.clear()
        self._words[:] = 0
        self.resting = True


TEAM: Final = Team()
atexit.register(TEAM.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TEAM.forget)

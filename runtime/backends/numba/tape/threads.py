"""The threads that run tapes together: the caller's thread leads, and helpers take parts.

There is one team a process. Helpers are started when a run first wants them. They look for parts in
a loop of compiled code, without the GIL; one that finds none for about a millisecond sleeps until
it is woken. A run never needs a helper: the leader makes whatever parts nobody takes.
"""

from __future__ import annotations

import atexit
import os
import threading
from typing import Final

from .....graph import SETTINGS
from ....planning.buffers import aligned_bytes
from .driver import CONTROL, STOP, serve

_PATIENCE: Final = 30_000
"""How often a helper looks for work in vain, some 30 ns each time, before it sleeps."""


class Helper:
    """A thread that takes parts until there have been none for a while, and then sleeps until
    `wake`."""

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
        """Makes the thread end, and waits for it; whoever calls has set STOP for one that is
        awake."""
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
    """The helpers: one less than the most threads that a tape ever wanted. One run leads at a
    time."""

    def __init__(self) -> None:
        self.lock = SETTINGS
        """Held by the leader for a whole run, as it sets the BLAS to one thread meanwhile. A signal
        handler that interrupts a step may itself run a step: the lock is one that its thread may
        take again."""
        self._helpers: list[Helper] = []
        self._wanted = 0
        self._words = aligned_bytes(8 * CONTROL).view("i8")
        self._words[:] = 0
        self.control = int(self._words.ctypes.data)
        """The address of the words that the threads share."""
        self._over = False
        self.resting = False
        """Whether `rouse` has anything to do: a helper may be asleep, or has not been started."""

    def join(self, threads: int) -> None:
        """Asks for a team of so many threads, the leader among them; they start at the next
        `rouse`."""
        if threads - 1 > self._wanted:
            self._wanted = threads - 1
            self.resting = True

    def rouse(self) -> None:
        """Wakes all helpers, and starts those that are missing; called with the lock held."""
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
        """Ends all helpers, at exit: compiled code must not run when the interpreter has gone."""
        with self.lock:
            self._over = True
            self._words[STOP] = 1
            for helper in self._helpers:
                helper.end()
            self._helpers.clear()
            self._words[STOP] = 0

    def forget(self) -> None:
        """Forgets the helpers in the child of a fork, which has none of its parent's threads."""
        self._helpers.clear()
        self._words[:] = 0
        self.resting = True


TEAM: Final = Team()
atexit.register(TEAM.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TEAM.forget)

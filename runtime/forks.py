"""Locks for one call at a time, which a fork takes: in the child, no thread could release them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from threading import RLock
from typing import Final, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from ..graph import SETTINGS

P = ParamSpec("P")
R = TypeVar("R")


def alone(lock: RLock, f: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `f` returns, called while this thread has the lock.

    On one line, so that nothing, whatever raises where, comes between the call and the release.
    """
    with lock: return f(*args, **kwargs)  # fmt: skip  # noqa: E701


class Locks:
    """Locks that are all taken while the process forks, and released in parent and child.

    So a fork waits for what other threads have begun, and the child finds it done. A thread that
    holds a lock may take one of a higher rank, or of its own rank what no other thread holds
    while it waits: a fork takes them in the order of their ranks.
    """

    def __init__(self) -> None:
        self._known: WeakValueDictionary[tuple[int, int], RLock] = WeakValueDictionary()
        self._numbers = count()
        self._fork = RLock()
        self._taken: list[list[RLock]] = []  # for each fork: a signal may bring one within another

    def new(self) -> RLock:
        """A lock that forks take from now on, for as long as it is there."""
        return self.add(RLock())

    def add(self, lock: RLock, rank: int = 0) -> RLock:
        """The lock, which forks take from now on."""
        self._known[rank, next(self._numbers)] = lock
        return lock

    @contextmanager
    def all_held(self) -> Iterator[None]:
        """Nothing that other threads have begun under a lock goes on while the block lasts."""
        self.take()
        try:
            yield
        finally:
            self.release()

    def take(self) -> None:
        """Before a fork: takes all locks."""
        taken: list[RLock] = []
        self._fork.acquire()
        self._taken.append(taken)
        for lock in self._in_order():
            taken.append(lock)
            lock.acquire()

    def release(self) -> None:
        """After a fork, in parent and child: releases them."""
        for lock in reversed(self._taken.pop()):
            with suppress(RuntimeError):  # one that a signal kept from being taken
                lock.release()
        self._fork.release()

    def _in_order(self) -> list[RLock]:
        # A copy made at once: other threads may be compiling.
        known = sorted(self._known.valuerefs(), key=lambda held: held.key)
        return [lock for held in known if (lock := held()) is not None]


LOCKS: Final = Locks()
LOCKS.add(SETTINGS, rank=1)  # a step takes it behind the lock of its program
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOCKS.take, after_in_parent=LOCKS.release, after_in_child=LOCKS.release
    )

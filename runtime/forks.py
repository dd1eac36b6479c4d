"""Locks for one call at a time, which a fork takes: in the child, no thread could release them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
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
        # For each fork: a signal may bring one within another.
        self._taken: list[list[tuple[int, RLock]]] = []

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
        """Before a fork: takes all locks, until none has come meanwhile."""
        taken: list[tuple[int, RLock]] = []
        self._fork.acquire()
        self._taken.append(taken)
        while fresh := self._in_order({id(lock) for _, lock in taken}):
            lowest, _ = fresh[0]
            while taken and taken[-1][0] > lowest:  # or two threads would wait for each other
                taken.pop()[1].release()
            for rank, lock in fresh:
                taken.append((rank, lock))
                lock.acquire()

    def release(self) -> None:
        """After a fork, in parent and child: releases them."""
        for _, lock in reversed(self._taken.pop()):
            with suppress(RuntimeError):  # one that a signal kept from being taken
                lock.release()
        self._fork.release()

    def _in_order(self, known: Collection[int]) -> list[tuple[int, RLock]]:
        """Ranks and locks, but for those of which the id is known."""
        # A copy made at once: other threads may be compiling.
        refs = sorted(self._known.valuerefs(), key=lambda ref: ref.key)
        ranked = [(ref.key[0], lock) for ref in refs if (lock := ref()) is not None]
        return [(rank, lock) for rank, lock in ranked if id(lock) not in known]


LOCKS: Final = Locks()
LOCKS.add(SETTINGS, rank=1)  # a step takes it behind the lock of its program
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOCKS.take, after_in_parent=LOCKS.release, after_in_child=LOCKS.release
    )

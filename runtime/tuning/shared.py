"""What is of a whole process, and threads of it need at the same time: limits, filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Final

from ...graph import SETTINGS
from ...ops.blas import at_most
from ..forks import LOCKS
from ..optional import require


class Shared:
    """A context that threads share: the first enters it, and the last leaves it.

    Contexts that put back what was there before would else put it back under one another.
    """

    def __init__(self, context: Callable[[], AbstractContextManager[object]]) -> None:
        self._context = context
        self._lock: Final = LOCKS.new()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._entered = self._context()
                self._entered.__enter__()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._entered.__exit__(None, None, None)


@contextmanager
def limited_to(threads: int) -> Iterator[None]:
    """The matrix products kept to so many threads: jobs take the others, and the bits are the same
    for any number of jobs."""
    # Of the threads that ask for it, threadpoolctl lets one alone limit NumPy's OpenBLAS.
    with _limit(threads), require("threadpoolctl", "threads").threadpool_limits(threads):
        yield


@cache
def _limit(threads: int) -> Shared:
    """That of NumPy's own BLAS, which a step may only lower."""

    @contextmanager
    def limit() -> Iterator[None]:
        limited = at_most(threads)
        with SETTINGS:
            limited.__enter__()
        try:
            yield
        finally:
            with SETTINGS:
                limited.__exit__()

    return Shared(limit)

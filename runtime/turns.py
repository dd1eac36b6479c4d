"""Turns of steps: those of NumPy keep away while something sets the threads of the BLAS."""

from __future__ import annotations

from typing import Final

from .forks import LOCKS


class Turns:
    """Whether steps of NumPy take turns with what holds SETTINGS.

    Not at first: nothing sets the threads of the BLAS then, and programs of several threads step at
    the same time.
    """

    def __init__(self) -> None:
        self.taken = False

    def take(self) -> None:
        """From now on they do. Returns when all that has begun without has ended; a thread that
        holds the lock of a program must not call it."""
        if not self.taken:
            with LOCKS.all_held():
                self.taken = True


TURNS: Final = Turns()

"""All that is left to chance in a program, drawn from one seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """A stream of choices: of one seed, always the same."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def one(self, choices: Sequence[T]) -> T:
        """One of them, each as likely."""
        return choices[int(self._random.random() * len(choices))]

    def flag(self, share: float = 0.5) -> bool:
        """True in that share of the cases."""
        return self._random.random() < share

    def number(self, least: int, most: int) -> int:
        """A whole number from `least` to `most`, both included."""
        return self._random.randint(least, most)

    def some(self, choices: Iterable[T], share: float = 0.5) -> list[T]:
        """Those that a throw of a coin each leaves, in their order."""
        return [c for c in choices if self.flag(share)]

    def shuffled(self, choices: Iterable[T]) -> list[T]:
        """All of them, in any order."""
        every = list(choices)
        self._random.shuffle(every)
        return every

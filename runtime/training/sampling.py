"""Which rows each step is trained on: a function of the seed and the step alone."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...graph import Array, RunError
from ...ops import words


class Sampler(Protocol):
    """Gives the rows of each step; the last step of an epoch is where validation happens."""

    @property
    def steps_per_epoch(self) -> int: ...

    @property
    def largest(self) -> int:
        """The most rows that a batch has."""

    def rows(self, step: int) -> Array:
        """The row numbers, i64, of step `step`, counted from 0."""


class ShuffledEpochs:
    """Every row once an epoch, in an order drawn anew for each.

    The order is the stable argsort of the raw words of Philox4x64 with key (seed, hash of
    "sampler.epoch") and counter (0, 0, epoch, 0). The last batch of an epoch may be short; one of
    a single row is joined to the batch before it, since a batch of one has no variance.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        check_batch_size(batch_size, count)
        self._count = count
        self._batch_size = batch_size
        self._seed = seed
        joined = count % batch_size == 1 and count > batch_size > 1
        self.steps_per_epoch = count // batch_size if joined else -(-count // batch_size)
        self.largest = batch_size + 1 if joined else batch_size
        self._order: tuple[int, Array] | None = None

    def rows(self, step: int) -> Array:
        """The row numbers, i64, of step `step`, counted from 0."""
        epoch, k = divmod(step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            drawn = words(self._seed, "sampler.epoch", self._count, epoch)
            self._order = epoch, np.argsort(drawn, kind="stable")
        last = k == self.steps_per_epoch - 1
        start = k * self._batch_size
        return self._order[1][start : self._count if last else start + self._batch_size]


def check_batch_size(batch_size: int, count: int) -> None:
    """Raises RunError unless batches of that size can be drawn from `count` rows."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise RunError(f"batch_size is {batch_size!r}, where a whole number from 1 is expected")
    if batch_size > count:
        raise RunError(
            f"batch_size is {batch_size}, but the data has {count} rows; "
            f"give batch_size={count} or less"
        )

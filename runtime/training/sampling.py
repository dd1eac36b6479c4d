"""Which rows each step is trained on: a function of the seed and the step alone."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from ...graph import Array, RunError, as_array, has, shown
from ...ops import words
from ..arguments import count_of
from .dataset import DataSet, Labelled

SAMPLERS: Final = ("shuffled", "replacement", "sequential", "balanced")
"""The names of the samplers that `fit` makes itself."""


class Sampler(Protocol):
    """Gives the rows of each step; the last step of an epoch is where validation happens."""

    @property
    def steps_per_epoch(self) -> int: ...

    @property
    def largest(self) -> int:
        """The most rows that a batch has."""

    def rows(self, step: int) -> Array:
        """The row numbers, i64, of step `step`, counted from 0: a function of it alone."""


def make_sampler(
    sampler: str | Sampler, data: DataSet, classifier: Labelled | None, batch_size: int, seed: int
) -> Sampler:
    """The sampler of that name for a data set, or the given one itself.

    Raises RunError for an unknown name, an object that is no sampler, or "balanced" without the
    labels of a classifier.
    """
    if not isinstance(sampler, str):
        missing = [k for k in ("steps_per_epoch", "largest", "rows") if not has(sampler, k)]
        if missing:
            raise RunError(f"sampler {shown(sampler)} has no {', '.join(missing)}; see vg.Sampler")
        return Checked(sampler, data.count)
    if sampler == "balanced":
        if classifier is None:
            raise RunError(
                'sampler="balanced" needs labels i64[N] and scores [N,C], which the graph does '
                'not have; give sampler="shuffled"'
            )
        return Balanced(np.asarray(data.arrays[classifier.labels]), batch_size, seed)
    if sampler == "sequential":
        return Sequential(data.count, batch_size)
    if sampler == "shuffled":
        return ShuffledEpochs(data.count, batch_size, seed)
    if sampler == "replacement":
        return WithReplacement(data.count, batch_size, seed)
    raise RunError(f"sampler is {shown(sampler)}, where one of {', '.join(SAMPLERS)} is expected")


def steps_per_epoch(sampler: str, count: int, batch_size: int) -> int:
    """How many steps the sampler of that name makes an epoch of `count` rows."""
    if sampler in ("shuffled", "sequential"):
        return Sequential(count, batch_size).steps_per_epoch
    return WithReplacement(count, batch_size, 0).steps_per_epoch


class Checked:
    """A user's sampler, whose rows are looked at: numbers of rows that the data has."""

    def __init__(self, sampler: Sampler, count: int) -> None:
        self._sampler = sampler
        self._count = count
        self.largest = count_of("the sampler's largest", sampler.largest)
        self.steps_per_epoch = count_of("the sampler's steps_per_epoch", sampler.steps_per_epoch)

    def rows(self, step: int) -> Array:
        """The row numbers, i64, of step `step`; RunError where they are none."""
        what = f"what the sampler's rows({step}) gives"
        rows = as_array(self._sampler.rows(step), what, name="rows", error=RunError)
        if rows.ndim != 1 or rows.dtype.kind not in "iu" or not 1 <= len(rows) <= self.largest:
            raise RunError(
                f"{what} is {rows.dtype}{list(rows.shape)}, where from 1 to {self.largest} "
                "integers are expected, as many as the sampler's `largest` says at most"
            )
        outside = rows[(rows < 0) | (rows >= self._count)]
        if outside.size:
            raise RunError(
                f"{what} holds {outside[0]}, where rows are 0 to {self._count - 1} of the data"
            )
        return rows.astype(np.int64, copy=False)


class Among:
    """A sampler whose rows are numbers of these rows: it draws from a part of the data."""

    def __init__(self, sampler: Sampler, rows: Array) -> None:
        self._sampler = sampler
        self._rows = rows
        self.largest = sampler.largest
        self.steps_per_epoch = sampler.steps_per_epoch

    def rows(self, step: int) -> Array:
        """The row numbers in the whole data, i64, of step `step`."""
        rows: Array = self._rows[self._sampler.rows(step)]
        return rows


class Sequential:
    """Every row once an epoch, in the order of the data.

    The last batch of an epoch may be short; one of a single row is joined to the batch before
    it, since a batch of one has no variance.
    """

    def __init__(self, count: int, batch_size: int) -> None:
        check_batch_size(batch_size, count)
        self._count = count
        self._batch_size = batch_size
        joined = count % batch_size == 1 and count > batch_size > 1
        self.steps_per_epoch = count // batch_size if joined else -(-count // batch_size)
        self.largest = batch_size + 1 if joined else batch_size

    def rows(self, step: int) -> Array:
        """The row numbers, i64, of step `step`, counted from 0."""
        epoch, k = divmod(step, self.steps_per_epoch)
        start, last = k * self._batch_size, k == self.steps_per_epoch - 1
        return self._order(epoch)[start : self._count if last else start + self._batch_size]

    def _order(self, epoch: int) -> Array:
        return np.arange(self._count)


class ShuffledEpochs(Sequential):
    """Every row once an epoch, in an order drawn anew for each.

    The order is the stable argsort of the raw words of Philox4x64 with key (seed, hash of
    "sampler.epoch") and counter (0, 0, epoch, 0). Batches are those of Sequential.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        super().__init__(count, batch_size)
        self._seed = seed
        self._drawn: tuple[int, Array] | None = None

    def _order(self, epoch: int) -> Array:
        if self._drawn is None or self._drawn[0] != epoch:
            drawn = words(self._seed, "sampler.epoch", self._count, epoch)
            self._drawn = epoch, np.argsort(drawn, kind="stable")
        return self._drawn[1]


class WithReplacement:
    """Each row of a batch is any row of the data, whatever was drawn before.

    Row i of a step is word i of Philox4x64 with key (seed, hash of "sampler.replacement") and
    counter (0, 0, step, 0), modulo the number of rows. An epoch is as many steps as it takes to
    draw as many rows as there are. Source: the course's `sample_data`.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        check_batch_size(batch_size, count)
        self._count = count
        self._seed = seed
        self.largest = batch_size
        self.steps_per_epoch = -(-count // batch_size)

    def rows(self, step: int) -> Array:
        """The row numbers, i64, of step `step`, counted from 0."""
        drawn = words(self._seed, "sampler.replacement", self.largest, step)
        return (drawn % np.uint64(self._count)).astype(np.int64)


class Balanced:
    """Every class as often as any other, however rare it is in the data.

    Place p of all places of a run, p = step batch_size + i, is for the class p modulo the number
    of classes that the data has; its row is any of that class, by word i of Philox4x64 with key
    (seed, hash of "sampler.balanced") and counter (0, 0, step, 0), modulo the rows of the class.
    """

    def __init__(self, labels: Array, batch_size: int, seed: int) -> None:
        check_batch_size(batch_size, len(labels))
        self._rows = np.argsort(labels, kind="stable")
        _, self._sizes = np.unique(labels, return_counts=True)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._seed = seed
        self.largest = batch_size
        self.steps_per_epoch = -(-len(labels) // batch_size)

    def rows(self, step: int) -> Array:
        """The row numbers, i64, of step `step`, counted from 0."""
        drawn = words(self._seed, "sampler.balanced", self.largest, step)
        chosen = (step * self.largest + np.arange(self.largest)) % len(self._sizes)
        within = drawn % self._sizes[chosen].astype(np.uint64)
        places = self._starts[chosen] + within.astype(np.int64)
        rows: Array = self._rows[places]
        return rows


def check_batch_size(batch_size: int, count: int) -> None:
    """Raises RunError unless batches of that size can be drawn from `count` rows."""
    if count_of("batch_size", batch_size) > count:
        raise RunError(
            f"batch_size is {batch_size}, but the data has {count} rows; "
            f"give batch_size={count} or less"
        )

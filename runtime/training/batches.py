"""What a run draws its batches from; here, rows of arrays that a sampler names."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from ..execution.own_rows import OwnRows
from .bundle import Batch
from .dataset import DataSet, Gatherer
from .sampling import Sampler
from .team import Team


class Place(NamedTuple):
    """How far a stream was read: whole passes over it, batches of the one after them, and a
    checksum of the last batch, where one is kept. Rows of arrays need none: they are a function of
    the step."""

    passes: int = 0
    batches: int = 0
    last: str = ""

    @property
    def named(self) -> str:
        """What errors call the batch that was read last."""
        return f"batch {self.batches} of epoch {self.passes + 1}"


class Batches(Protocol):
    """Gives the batch of each step, and tells where epochs end."""

    waits: bool
    """Whether somebody else's code makes the batches, which may take any time."""

    @property
    def place(self) -> Place: ...

    @property
    def looked_at(self) -> DataSet:
        """Rows that stand for all, where a run is looked at."""

    def draw(self, step: int) -> Batch | None:
        """The batch of step `step`, counted from 0; None where there is none any more."""

    def ends(self, step: int) -> bool:
        """Whether an epoch ends with that many steps of the program."""

    def epoch(self, step: int) -> int:
        """The number, from 1, of the epoch that the last of so many steps was part of."""

    def turn(self) -> None:
        """An epoch is over: the next batch is of the next one."""

    def whole(self, batch: Batch) -> Batch:
        """A batch with all of its rows, where only those of a rank were read."""


class RowBatches:
    """The rows of arrays that a sampler names; a batch is copied into buffers that are kept."""

    place = Place()
    waits = False

    def __init__(
        self, data: DataSet, sampler: Sampler, looked_at: DataSet, team: Team | None = None
    ) -> None:
        """With a `team`, a batch is read as far as it is this rank's."""
        self.looked_at = looked_at
        self._data = data
        self._sampler = sampler
        self._team = team
        largest = sampler.largest
        most = largest if team is None else len(team.own(np.arange(largest)))
        self._gatherer = Gatherer(data, most)

    def draw(self, step: int) -> Batch:
        """The rows that the sampler names for a step."""
        rows = self._sampler.rows(step)
        if self._team is None:
            return Batch(self._gatherer.gather(rows), rows, step, len(rows))
        own = self._gatherer.gather(self._team.own(rows))
        return Batch(OwnRows(own, len(rows)), rows, step, len(rows))

    def whole(self, batch: Batch) -> Batch:
        """A batch with all of its rows."""
        if self._team is None or batch.rows is None:
            return batch
        return batch._replace(arrays=Gatherer(self._data, batch.size).gather(batch.rows))

    def ends(self, step: int) -> bool:
        """Whether all steps of an epoch are made."""
        return step % self._sampler.steps_per_epoch == 0

    def epoch(self, step: int) -> int:
        """Epochs are counted from the program's first step."""
        return -(-step // self._sampler.steps_per_epoch)

    def turn(self) -> None:
        """Epochs follow from the steps."""

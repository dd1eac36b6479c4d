"""What a run draws its batches from; here, rows of arrays that a sampler names."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from .bundle import Batch
from .dataset import DataSet, Gatherer
from .sampling import Sampler


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


class RowBatches:
    """The rows of arrays that a sampler names; a batch is copied into buffers that are kept."""

    place = Place()
    waits = False

    def __init__(self, data: DataSet, sampler: Sampler, looked_at: DataSet) -> None:
        self.looked_at = looked_at
        self._sampler = sampler
        self._gatherer = Gatherer(data, sampler.largest)

    def draw(self, step: int) -> Batch:
        """The rows that the sampler names for a step."""
        rows = self._sampler.rows(step)
        return Batch(self._gatherer.gather(rows), rows, step, len(rows))

    def ends(self, step: int) -> bool:
        """Whether all steps of an epoch are made."""
        return step % self._sampler.steps_per_epoch == 0

    def epoch(self, step: int) -> int:
        """Epochs are counted from the program's first step."""
        return -(-step // self._sampler.steps_per_epoch)

    def turn(self) -> None:
        """Epochs follow from the steps."""

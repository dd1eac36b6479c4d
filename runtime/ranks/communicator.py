"""What carries sums and messages between the ranks of a run, whichever way they are connected."""

from __future__ import annotations

import itertools
import os
from abc import abstractmethod
from collections.abc import Sequence
from typing import Final

import numpy as np

from ...graph import Array, RunError, TensorType
from ...ops import LINKS, Link

_NUMBERS: Final = itertools.count()


class RankError(RunError):
    """Another rank has ended, by an error of its own or killed, which ends this one as well."""


class Bucket:
    """The parts of a bucket one after another: `own` is what this rank has of them. What they are
    in total is the sum of `summands`, once these are there: one array, or one of each rank."""

    def __init__(self, types: Sequence[TensorType], own: Array, *summands: Array) -> None:
        self._shapes = [t.bind({}) for t in types]
        sizes = [int(np.prod(shape)) for shape in self._shapes]
        ends = np.cumsum(sizes).tolist()
        self._places = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.own = own
        self.total = summands[0]
        self.complete = True
        self._parts = self._views(own)
        self._summands = list(zip(*map(self._views, summands), strict=True))

    def pack(self, parts: Sequence[Array]) -> None:
        """Copies this rank's parts to where they are sent from."""
        for own, part in zip(self._parts, parts, strict=True):
            np.copyto(own, part)
        self.complete = False

    def read(self, part: int, out: Array) -> None:
        """Writes the total of a part."""
        tree_sum(self._summands[part], out)

    def _views(self, array: Array) -> list[Array]:
        """The parts as they lie in an array."""
        pairs = zip(self._places, self._shapes, strict=True)
        return [array[place].reshape(shape) for place, shape in pairs]


class Communicator(Link):
    """The ranks of a run: this one is `rank`, from 0, of `size`.

    All ranks make the same calls in the same order, but `fail`. Sums over ranks are made in the
    order of a binary tree over them, so that they are the bits of a rank that does all by itself;
    `size` is a power of two wherever they are asked for. A rank that ends with an error, or is
    killed, ends the waiting of all others with a RankError that names it.
    """

    rank: int
    size: int

    def __init__(self) -> None:
        self.number = next(_NUMBERS)
        self.wants_stop = False
        """Whether this rank wants all to stop behind the step that they make, as a signal came."""
        self.stops = False
        """Whether any rank wanted it, when it sent its part of the last bucket: of one opinion in
        all of them."""
        self.sent = 0
        """Bytes that this rank has sent to sum buckets; of memory that ranks share, what the others
        have read of it."""
        self.remedy = ""
        """How a run goes on that the end of a rank has ended, which is said with it."""
        self._commanded = False
        self._buckets: list[Bucket] = []

    # ---- within a step -----------------------------------------------------------------------

    def open(self, buckets: Sequence[Sequence[TensorType]]) -> None:
        """Makes room for buckets of parts of these types, those of a bucket of one dtype."""
        self._buckets = self._made([list(types) for types in buckets])
        LINKS[self.number] = self

    def start(self, bucket: int, parts: Sequence[Array]) -> None:
        self._buckets[bucket].pack(parts)
        self._send(bucket)

    def finish(self, bucket: int, part: int, out: Array) -> None:
        of = self._buckets[bucket]
        if not of.complete:
            self._complete(bucket)
            of.complete = True
        of.read(part, out)

    @abstractmethod
    def _made(self, buckets: Sequence[Sequence[TensorType]]) -> list[Bucket]:
        """Buckets with room for what is sent and for totals."""

    @abstractmethod
    def _send(self, bucket: int) -> None:
        """Sends `own` of a bucket, and whether this rank wants to stop; waits for nobody."""

    @abstractmethod
    def _complete(self, bucket: int) -> None:
        """Waits for all ranks' parts of a bucket, and sets `stops`; its summands are then there,
        in the order of the ranks where they are several."""

    # ---- between steps -----------------------------------------------------------------------

    @abstractmethod
    def gather(self, told: bytes) -> list[bytes]:
        """What all ranks tell, by rank; waits for all."""

    @abstractmethod
    def fail(self, error: str) -> None:
        """Tells the others, wherever they wait, that this rank ends with an error."""

    def advise(self, remedy: str, command: bool = False) -> None:
        """Says how a run goes on that the end of a rank has ended; what a command says of it stays,
        as the user knows that alone."""
        if command or not self._commanded:
            self.remedy = remedy
        self._commanded |= command

    def error(self, rank: int, why: str) -> RankError:
        """What the end of another rank raises here."""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return RankError(f"rank {rank} of {self.size} {why}{remedy}")

    def close(self) -> None:
        """Ends the connection; the ranks are then on their own."""
        LINKS.pop(self.number, None)


def tree_sum(parts: Sequence[Array], out: Array) -> None:
    """out = the sum of the ranks' parts, a power of two of them, as a binary tree."""
    if len(parts) == 1:
        np.copyto(out, parts[0])
        return
    sums = list(parts)
    while len(sums) > 2:
        sums = [a + b for a, b in zip(sums[::2], sums[1::2], strict=True)]
    np.add(sums[0], sums[1], out=out)


def in_words(e: BaseException) -> str:
    """An error as other ranks are told of it."""
    return f"{type(e).__name__}: {e}" if str(e) else type(e).__name__


def cores() -> int:
    """How many this process may use: more ranks than these are to sleep while they wait."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1

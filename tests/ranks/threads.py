"""Ranks that are threads of one process: a communicator to test with what all kinds share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from verigrad.graph import RunError, TensorType
from verigrad.runtime.ranks.communicator import Bucket, Communicator, tree_sum

T = TypeVar("T")
PATIENCE = 60.0


class Meeting:
    """Where the ranks meet: barriers, and what each has brought."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size)
        self.brought: list[bytes] = [b""] * size
        self.ranks: list[ThreadRank] = []
        self.error = ""

    def wait(self) -> None:
        try:
            self.barrier.wait(PATIENCE)
        except threading.BrokenBarrierError:
            raise RunError(self.error or "a rank did not come") from None


class ThreadRank(Communicator):
    """One of the threads."""

    def __init__(self, rank: int, size: int, meeting: Meeting) -> None:
        super().__init__()
        self.rank, self.size, self.meeting = rank, size, meeting
        self.sent = 0

    def _made(self, buckets: Sequence[Sequence[TensorType]]) -> list[Bucket]:
        made = []
        for types in buckets:
            count = sum(int(np.prod(t.bind({}))) for t in types)
            made.append(Bucket(types, *(np.empty(count, types[0].numpy) for _ in "ab")))
        return made

    def _send(self, bucket: int) -> None:
        self.sent += self._buckets[bucket].own.nbytes

    def _complete(self, bucket: int) -> None:
        self.meeting.wait()
        parts = [r._buckets[bucket].own for r in self.meeting.ranks]
        tree_sum(parts, self._buckets[bucket].total)
        stops = any(r.wants_stop for r in self.meeting.ranks)
        self.meeting.wait()
        self.stops = stops

    def gather(self, told: bytes) -> list[bytes]:
        self.meeting.brought[self.rank] = told
        self.meeting.wait()
        brought = list(self.meeting.brought)
        self.meeting.wait()
        return brought

    def fail(self, error: str) -> None:
        self.meeting.error = f"rank {self.rank} ended: {error}"
        self.meeting.barrier.abort()


def on_ranks(size: int, run: Callable[[ThreadRank], T]) -> list[T]:
    """What each of so many ranks makes of `run`, all at once."""
    meeting = Meeting(size)
    meeting.ranks = [ThreadRank(rank, size, meeting) for rank in range(size)]

    def one(rank: ThreadRank) -> T:
        try:
            return run(rank)
        except BaseException as e:
            rank.fail(str(e))
            raise

    with ThreadPoolExecutor(size) as pool:
        return [f.result() for f in [pool.submit(one, rank) for rank in meeting.ranks]]

"""Ranks that are processes of one machine: sums in shared memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from socket import socket
from typing import Final

import numpy as np

from ...graph import Array, TensorType
from .communicator import Bucket, Communicator, tree_sum
from .memory import LINE, SharedMemory
from .peers import Kind, Peer, Peers

SLICED: Final = 1 << 17
"""A bucket of so many bytes is summed by all ranks, a slice each; below, each sums all of it for
itself, which saves a message. Of two ranks always: to read both parts takes no longer than to read
their total."""


class ProcessRanks(Communicator):
    """One of the processes that `launch` starts.

    Each rank writes its part of a bucket where all others read it, in two places in turns: who
    posts a bucket has read the totals of the turn before, so that all have read those before it
    and may write there.
    """

    def __init__(
        self,
        rank: int,
        sockets: Mapping[int, socket],
        memory: SharedMemory,
        launcher: Connection,
        timeout: float | None = None,
    ) -> None:
        super().__init__()
        self.rank, self.size = rank, len(sockets) + 1
        self._memory, self._launcher = memory, launcher
        self._peers = Peers(self.error, sockets, launcher, timeout)
        self._posted: Counter[int] = Counter()
        self._summed: Counter[int] = Counter()
        self._wanted: dict[int, bool] = {}
        self._turns: tuple[list[Bucket], list[Bucket]] = [], []
        self._slices: dict[int, list[tuple[list[Array], Array]]] = {}

    def start(self, bucket: int, parts: Sequence[Array]) -> None:
        turn = self._posted[bucket] + 1
        self._buckets[bucket] = self._turns[turn % 2][bucket]
        super().start(bucket, parts)

    def _made(self, buckets: Sequence[Sequence[TensorType]]) -> list[Bucket]:
        self.gather(b"")  # nobody reads what lay there before
        sizes = [sum(int(np.prod(t.bind({}))) for t in types) for types in buckets]
        dtypes = [types[0].numpy for types in buckets]
        room = _Room(self._memory, sizes, dtypes, self.size + 1)
        self._slices = {}
        for turn in (0, 1):
            self._turns[turn][:] = []
            for k, types in enumerate(buckets):
                *parts, total = room.arrays(turn, k)
                own = parts[self.rank]
                sliced = self.size > 2 and own.nbytes >= SLICED
                summands = [total] if sliced else parts
                self._turns[turn].append(Bucket(types, own, *summands))
                if sliced:
                    cut = _cut(len(own), self.rank, self.size)
                    slices = [part[cut] for part in parts], total[cut]
                    self._slices.setdefault(k, []).append(slices)
        return list(self._turns[0])

    def _send(self, bucket: int) -> None:
        self._posted[bucket] += 1
        self.sent += self._read_by_others(bucket)
        self._wanted[bucket] = self.wants_stop
        self._peers.tell(Kind.POSTED_LAST if self.wants_stop else Kind.POSTED, bucket)
        self._peers.take()
        self._sum_slices()

    def _read_by_others(self, bucket: int) -> int:
        """The bytes that they read of what this rank writes of a bucket."""
        own, others = self._buckets[bucket].own.nbytes, self.size - 1
        if bucket not in self._slices:
            return others * own
        _, total = self._slices[bucket][0]
        return own - total.nbytes + others * total.nbytes

    def _sum_slices(self) -> None:
        """Sums this rank's slice of each bucket that all ranks have posted."""
        for bucket, slices in self._slices.items():
            turn = self._posted[bucket]
            if self._summed[bucket] < turn and all(p.posted[bucket] >= turn for p in self._peers):
                parts, total = slices[turn % 2]
                tree_sum(parts, total)
                self._summed[bucket] = turn
                self._peers.tell(Kind.SUMMED, bucket)

    def _complete(self, bucket: int) -> None:
        turn = self._posted[bucket]

        def lacks_part(peer: Peer) -> bool:
            return peer.posted[bucket] < turn

        def lacks_slice(peer: Peer) -> bool:
            self._sum_slices()  # one of another bucket may be what the peer waits for
            return peer.summed[bucket] < turn

        self._peers.wait(lacks_slice if bucket in self._slices else lacks_part)
        odd = turn % 2 == 1
        self.stops |= self._wanted[bucket] or any(p.wants_stop[bucket, odd] for p in self._peers)

    def gather(self, told: bytes) -> list[bytes]:
        self._peers.tell(Kind.TOLD, content=told)
        self._peers.wait(lambda peer: not peer.told)
        by_rank = {peer.rank: peer.told.popleft() for peer in self._peers}
        return [told if rank == self.rank else by_rank[rank] for rank in range(self.size)]

    def fail(self, error: str) -> None:
        if self._peers.failure is None:  # else the others hear of that one
            self._peers.tell_end(Kind.FAILED, error.encode())

    def advise(self, remedy: str, command: bool = False) -> None:
        super().advise(remedy, command)
        self._launcher.send(("remedy", self.remedy))

    def close(self) -> None:
        super().close()
        self._peers.tell_end(Kind.ENDED)
        self._peers.close()
        self._memory.close()


class _Room:
    """Where buckets lie in shared memory: in two turns, a place for each of `places`."""

    def __init__(
        self,
        memory: SharedMemory,
        sizes: Sequence[int],
        dtypes: Sequence[np.dtype[np.generic]],
        places: int,
    ) -> None:
        self._sizes, self._dtypes, self._places = sizes, dtypes, places
        pairs = zip(sizes, dtypes, strict=True)
        self._steps = [-(-n * d.itemsize // LINE) * LINE for n, d in pairs]
        self._bytes = memory.array(2 * places * sum(self._steps))

    def arrays(self, turn: int, bucket: int) -> list[Array]:
        """Those of a bucket, one for each place."""
        size, dtype, step = self._sizes[bucket], self._dtypes[bucket], self._steps[bucket]
        first = self._places * (turn * sum(self._steps) + sum(self._steps[:bucket]))
        starts = [first + place * step for place in range(self._places)]
        nbytes = size * dtype.itemsize
        return [self._bytes[k : k + nbytes].view(dtype) for k in starts]


def _cut(count: int, rank: int, size: int) -> slice:
    """The slice of a rank, whole lines of a cache but for the last."""
    line = LINE // 4
    lines = -(-count // line)
    first, last = (lines * k // size for k in (rank, rank + 1))
    return slice(min(count, first * line), min(count, last * line))

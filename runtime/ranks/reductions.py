"""Sums over MPI's ranks in the order of a binary tree, by messages that do not block.

MPI's own Allreduce may choose another order for another number of ranks, so that bits would change.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import Array
from .communicator import tree_sum

SMALL: Final = 1 << 14
"""Bytes up to which whole buffers are sent, by four or more ranks: above, pieces take less time."""

FEW: Final = 8
"""So many ranks send pieces to each other at once; of more, each would wait for many messages."""


class Round(NamedTuple):
    """Messages that travel at the same time, by requests that are used again in each step."""

    receives: Sequence[Any]
    sends: Sequence[Any]
    then: Callable[[], None]
    """What is made of that which has arrived: the sums that the next round sends."""
    sent: int
    """Bytes that this rank sends."""


class Way(NamedTuple):
    """How a buffer is summed: rounds, after which the total is the sum of the `summands`."""

    rounds: Sequence[Round]
    summands: tuple[Array, ...]


def doubling(comm: Any, tag: int, own: Array) -> Way:
    """Ranks exchange whole buffers with the one whose number differs in the lowest bit, then the
    next: log2(R) rounds of n bytes each. Both partners add the lower's to the upper's, and have the
    same bits."""
    rounds: list[Round] = []
    summands: tuple[Array, ...] = (own,)
    mine = own
    for k in range(comm.size.bit_length() - 1):
        partner = comm.rank ^ (1 << k)
        then = _nothing
        if k > 0:
            mine = np.empty_like(own)
            rounds[-1] = rounds[-1]._replace(then=_adding(summands, mine))
        other = np.empty_like(own)
        summands = (mine, other) if comm.rank < partner else (other, mine)
        receives = [comm.Recv_init(other, partner, tag)]
        sends = [comm.Send_init(mine, partner, tag)]
        rounds.append(Round(receives, sends, then, own.nbytes))
    return Way(rounds, summands)


def pieces(comm: Any, tag: int, own: Array) -> Way:
    """Each rank sums one piece of the buffer, and sends the sum to all: two rounds, in which it
    sends 2 n (R - 1) / R bytes, the least that a sum over R ranks takes."""
    bounds = np.linspace(0, len(own), comm.size + 1).astype(int).tolist()
    cut = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    others = [(comm.rank + k) % comm.size for k in range(1, comm.size)]
    here = cut[comm.rank]
    parts = [own[here] if r == comm.rank else np.empty_like(own[here]) for r in range(comm.size)]
    total = np.empty_like(own)
    summed = total[here]
    first = Round(
        [comm.Recv_init(parts[r], r, tag) for r in others],
        [comm.Send_init(own[cut[r]], r, tag) for r in others],
        _adding(parts, summed),
        own.nbytes - own[here].nbytes,
    )
    second = Round(
        [comm.Recv_init(total[cut[r]], r, tag + 1) for r in others],
        [comm.Send_init(summed, r, tag + 1) for r in others],
        _nothing,
        summed.nbytes * len(others),
    )
    return Way([first, second], (total,))


def halving(comm: Any, tag: int, own: Array) -> Way:
    """Of what it still sums a rank gives one half to the rank of `doubling`, and takes the other
    half of that one's; then the sums go back the way they came. 2 log2(R) rounds of one message:
    fewer than by `pieces`, of as many bytes."""
    total = np.empty_like(own)
    mine, start, stop = own, 0, len(own)
    rounds, back = [], []
    for k in range(comm.size.bit_length() - 1):
        partner, middle = comm.rank ^ (1 << k), (start + stop) // 2
        halves = slice(start, middle), slice(middle, stop)
        kept, given = halves if comm.rank < partner else halves[::-1]
        other = np.empty_like(own[kept])
        pair = (mine[kept], other) if comm.rank < partner else (other, mine[kept])
        received = comm.Recv_init(other, partner, tag)
        sent = comm.Send_init(mine[given], partner, tag)
        then = _adding(pair, total[kept])
        rounds.append(Round([received], [sent], then, own[given].nbytes))
        returned = comm.Recv_init(total[given], partner, tag + 1)
        sent = comm.Send_init(total[kept], partner, tag + 1)
        back.append(Round([returned], [sent], _nothing, own[kept].nbytes))
        mine, start, stop = total, kept.start, kept.stop
    return Way([*rounds, *back[::-1]], (total if rounds else own,))


def quickest(comm: Any, tag: int, own: Array) -> Way:
    """The one that takes the least time for a buffer of its size on so many ranks."""
    if comm.size <= 2 or own.nbytes <= SMALL:
        return doubling(comm, tag, own)
    way = pieces if comm.size <= FEW else halving
    return way(comm, tag, own)


TAGS: Final = 2
"""How many tags a buffer takes."""


class Reduction:
    """One buffer that is summed over the ranks, step after step."""

    def __init__(self, mpi: Any, way: Way) -> None:
        self._start, self._test = mpi.Prequest.Startall, mpi.Prequest.Testall
        self._rounds = way.rounds
        self._at = len(way.rounds)
        self.summands = way.summands
        """Their sum is the total."""
        self.sent = sum([r.sent for r in way.rounds])
        """Bytes that this rank sends in a step."""

    def start(self) -> None:
        """Sends this rank's part."""
        self._at = 0
        self._begin()

    def advance(self) -> bool:
        """Goes on as far as messages have arrived, and says whether the summands are there."""
        while self._at < len(self._rounds):
            current = self._rounds[self._at]
            if not self._test(current.receives):
                return False
            current.then()
            self._at += 1
            self._begin()
        return True

    def are_sent(self) -> bool:
        """Whether all that was sent has left, so that `own` may be written again."""
        return all(self._test(r.sends) for r in self._rounds)

    def free(self) -> None:
        """Gives the requests back, when nothing is on its way."""
        for each in self._rounds:
            for request in (*each.receives, *each.sends):
                request.Free()

    def _begin(self) -> None:
        if self._at < len(self._rounds):
            current = self._rounds[self._at]
            self._start([*current.receives, *current.sends])


def _adding(parts: Sequence[Array], out: Array) -> Callable[[], None]:
    return lambda: tree_sum(parts, out)


def _nothing() -> None:
    """The last round brings what is still to be summed, or is the total."""

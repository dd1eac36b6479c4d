"""A model of a step on any number of ranks: operations and bytes as the cost of a rank's own graph
counts them, messages by latency and bandwidth.

A rank runs its kernels one after another. A bucket of sums leaves when the last of it is there, and
is waited for where the first of its totals is needed; buckets travel one after another. Over a
network they travel while the rank computes; between the cores of one machine it is these that carry
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from verigrad.graph import Graph
from verigrad.ops import Receive, Send
from verigrad.runtime.ranks.processes import SLICED
from verigrad.runtime.ranks.reductions import FEW, SMALL

Way = Literal["doubling", "pieces"]

STOPS: Final = 4
"""Bytes behind each bucket of f32 that ranks of MPI send: whether one wants to stop."""


class Kernel(NamedTuple):
    """What a kernel does: operations, and bytes that it reads and writes."""

    flops: int
    nbytes: int


class Sent(NamedTuple):
    """A bucket of so many bytes leaves."""

    bucket: int
    nbytes: int


class Awaited(NamedTuple):
    """A bucket has to be there."""

    bucket: int


Event = Kernel | Sent | Awaited


class Cores(NamedTuple):
    """What a rank computes on: operations and bytes a second, as kernels take both in turn."""

    flops: float
    nbytes: float

    def seconds(self, kernel: Kernel) -> float:
        return kernel.flops / self.flops + kernel.nbytes / self.nbytes


class Network(NamedTuple):
    """What carries messages: seconds a message and bytes a second of each rank; and whether the
    rank computes while they travel."""

    name: str
    latency: float
    nbytes: float
    beside: bool = True

    def seconds(self, nbytes: int, ranks: int) -> float:
        """What a bucket takes."""
        if ranks == 1:
            return 0.0
        sent = traffic(nbytes, ranks)
        return sent.messages * self.latency + sent.nbytes / self.nbytes


class Traffic(NamedTuple):
    """What a rank sends: messages and bytes, the mean of all ranks."""

    messages: int
    nbytes: float


class Step(NamedTuple):
    """The seconds of a step, and how many of them a rank waits for messages."""

    seconds: float
    waits: float


def traffic(nbytes: int, ranks: int) -> Traffic:
    """What a rank sends of a bucket.

    Whole buckets go to log2(R) others in turn: those of two ranks, and small ones. Of larger ones
    each rank sums a piece: few ranks send the other pieces to their ranks, and their sum to all;
    many send halves of what is left in log2(R) rounds, and the sums back in as many.
    """
    rounds = ranks.bit_length() - 1
    if ranks <= 2 or nbytes <= SMALL:
        return Traffic(rounds, rounds * nbytes)
    messages = 2 * (ranks - 1) if ranks <= FEW else 2 * rounds
    return Traffic(messages, least(nbytes, ranks))


def shared(nbytes: int, ranks: int) -> Traffic:
    """What others read of a rank's bucket in memory that they share, which is what it sends them:
    all of it, or of larger ones a slice each, and the sum of this rank's slice."""
    if ranks == 2 or nbytes < SLICED:
        return Traffic(ranks - 1, (ranks - 1) * nbytes)
    return Traffic(2 * (ranks - 1), least(nbytes, ranks))


def least(nbytes: int, ranks: int) -> float:
    """The fewest bytes that a rank sends, on the mean, where each has so many and needs the sum."""
    return 2 * nbytes * (ranks - 1) / ranks


def step(events: Sequence[Event], ranks: int, cores: Cores, network: Network) -> Step:
    """What a step takes whose rank does these one after another."""
    now = waits = free = 0.0
    there: dict[int, float] = {}
    for event in events:
        if isinstance(event, Kernel):
            now += cores.seconds(event)
        elif isinstance(event, Sent):
            travels = network.seconds(event.nbytes, ranks)
            if network.beside:
                free = max(free, now) + travels
            else:
                now += travels
                waits += travels
                free = now
            there[event.bucket] = free
        else:
            late = max(0.0, there[event.bucket] - now)
            now += late
            waits += late
    return Step(now, waits)


def events(g: Graph, sizes: Mapping[str, int]) -> list[Event]:
    """What the rank of a graph does in a step, in the order of its schedule; of a graph of one rank
    alone, its kernels.

    What is packed to be sent, and read where it was received, is part of what carries it.
    """
    order = g.schedule.order if g.schedule is not None else g.order
    found: list[Event] = []
    for n in order:
        if isinstance(n.op, Send):
            found.append(Sent(n.op.bucket, sum(i.type.nbytes(sizes) for i in n.inputs)))
        elif isinstance(n.op, Receive):
            found.append(Awaited(n.op.bucket))
        else:
            moved = sum(m.type.nbytes(sizes) for m in (*dict.fromkeys(n.inputs), n))
            found.append(Kernel(n.flops(sizes), moved))
    return found


def fitted_cores(measured: Sequence[tuple[Sequence[Event], float]]) -> Cores:
    """The cores that take these times for these steps of one rank, as near as any, relative."""
    rows = [(_total(events), seconds) for events, seconds in measured]
    a = np.array([[t.flops / s, t.nbytes / s] for t, s in rows])
    per_flop, per_byte = _nonnegative(a)
    return Cores(1 / per_flop if per_flop else np.inf, 1 / per_byte if per_byte else np.inf)


def fitted_network(name: str, sums: Sequence[tuple[int, float]]) -> Network:
    """What carries sums of so many bytes over two ranks in so many seconds, as near as any, where
    nothing is computed beside."""
    a = np.array([[1 / seconds, nbytes / seconds] for nbytes, seconds in sums])
    latency, per_byte = _nonnegative(a)
    return Network(name, latency, 1 / per_byte if per_byte else np.inf, beside=False)


def _nonnegative(a: np.ndarray) -> tuple[float, float]:
    """The two factors, none below 0, by which the rows of `a` [n,2] come nearest to 1."""
    ones = np.ones(len(a))
    both = np.linalg.lstsq(a, ones, rcond=None)[0]
    if (both >= 0).all():
        return float(both[0]), float(both[1])
    alone = [float(c @ ones / (c @ c)) for c in a.T]
    left = [float(np.sum((c * k - 1) ** 2)) for c, k in zip(a.T, alone, strict=True)]
    return (alone[0], 0.0) if left[0] <= left[1] else (0.0, alone[1])


def _total(events: Sequence[Event]) -> Kernel:
    kernels = [e for e in events if isinstance(e, Kernel)]
    return Kernel(sum(k.flops for k in kernels), sum(k.nbytes for k in kernels))

"""Ranks that MPI connects, on one machine or many: `mpiexec -n 4 ...`, by the package mpi4py."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final

import numpy as np

from ...graph import Array, RunError, TensorType, warn
from ..optional import require
from .communicator import Bucket, Communicator, RankError, cores, in_words
from .reductions import TAGS, Reduction, quickest
from .watched import Death, Watched, forget, start_watcher

_TRIES: Final = 2_000
"""How often a rank looks for messages before it sleeps, some 2 ms, where each has a core."""
_SHORTEST, _LONGEST = 20e-6, 1e-3
"""Seconds that it sleeps between two looks, longer from one to the next."""
LONG: Final = 60
"""Seconds that a rank waits until the user hears of it."""
_VERDICT: Final = 3.0
"""Seconds to hear which rank has ended, once messages to it have failed."""
_MOST: Final = 16_000
"""Bytes of an error that are told, which MPI sends without waiting for who is to receive them."""


class MPIRanks(Communicator):
    """The ranks of an mpi4py communicator, of which this makes a duplicate: all of them make it.

    Sums go by messages that don't block: they leave when a bucket is started, and each call looks
    for what has arrived. A process on the machine of rank 0 watches over all, since what starts
    them, as mpiexec, ends all when one was killed, before another can say so.
    """

    def __init__(self, comm: Any) -> None:
        super().__init__()
        self._mpi = require("mpi4py.MPI", "mpi")
        if not hasattr(socket, "AF_UNIX"):
            raise RunError("ranks of MPI train on Linux and macOS alone; here, in one process")
        self._comm, self._control = self._duplicates(comm)
        self.rank, self.size = self._comm.rank, self._comm.size
        self._reductions: list[Reduction] = []
        self._running: list[int] = []
        self._ended: RankError | None = None
        self._told: dict[int, str | None] = {}
        self._telling: list[Any] = []
        self._watched, local = self._connect()
        self._tries = _TRIES if local <= cores() else _TRIES // 100
        _report_uncaught(self)
        atexit.register(self._leave)

    def _duplicates(self, comm: Any) -> list[Any]:
        """Two communicators of our own, for sums and for words, once all ranks have come here."""
        made = [comm.Idup() for _ in range(2)]
        until = time.monotonic() + LONG
        while not self._mpi.Request.Testall([request for _, request in made]):
            time.sleep(_LONGEST)
            if time.monotonic() > until:
                warn(
                    f"rank {comm.rank} of {comm.size} waits since {LONG} s for the others to train "
                    "with it; start scripts by mpiexec -n ... python -m mpi4py FILE, so that one "
                    "that ends with an error before ends all"
                )
                until = float("inf")
        return [duplicate for duplicate, _ in made]

    def _connect(self) -> tuple[Watched, int]:
        """A line to the watcher, and how many ranks are on this machine."""
        hosts = self._comm.allgather(socket.gethostname())
        address = start_watcher(self.size, len(set(hosts)) > 1) if self.rank == 0 else None
        address = self._comm.bcast(address)
        watched = Watched(address, self.rank)
        reaching = self._comm.allgather(watched.reaches)
        if self.rank == 0:
            forget(address)
            watched.expect(sum(reaching))
        if not watched.reaches:
            warn(f"rank {self.rank} does not reach {address.host}; its death would not be told")
        return watched, hosts.count(hosts[self.rank])

    # ---- within a step -----------------------------------------------------------------------

    def _made(self, buckets: Sequence[Sequence[TensorType]]) -> list[Bucket]:
        """Each with an element more than its parts have: how many ranks want to stop. What is on
        its way of those before, of a step that all have refused, is waited for, or it would be
        taken for what comes."""
        self._wait(self._progress)
        for reduction in self._reductions:
            self._wait(reduction.are_sent)
            reduction.free()
        made = []
        self._reductions, self._running = [], []
        for k, types in enumerate(buckets):
            count = sum([int(np.prod(t.bind({}))) for t in types])
            own = np.zeros(count + 1, types[0].numpy)
            reduction = Reduction(self._mpi, quickest(self._comm, TAGS * k, own))
            self._reductions.append(reduction)
            made.append(Bucket(types, own, *reduction.summands))
        return made

    def start(self, bucket: int, parts: Sequence[Array]) -> None:
        self._wait(self._reductions[bucket].are_sent)
        super().start(bucket, parts)

    def _send(self, bucket: int) -> None:
        self._buckets[bucket].own[-1] = self.wants_stop
        reduction = self._reductions[bucket]
        reduction.start()
        self.sent += reduction.sent
        self._progress()
        self._running.append(bucket)

    def _complete(self, bucket: int) -> None:
        self._wait(lambda: self._progress() or bucket not in self._running)
        self.stops = any(bool(s[-1]) for s in self._reductions[bucket].summands)

    def _progress(self) -> bool:
        """Goes on with all buckets that are on their way; whether none is."""
        if self._running:
            self._running = [k for k in self._running if not self._reductions[k].advance()]
        return not self._running

    # ---- between steps -----------------------------------------------------------------------

    def gather(self, told: bytes) -> list[bytes]:
        sizes = np.empty(self.size, np.int64)
        self._wait(self._comm.Iallgather(np.array([len(told)]), sizes).Test)
        ends = np.cumsum(sizes)
        everything = np.empty(int(ends[-1]), np.uint8)
        kind = self._mpi.BYTE
        places = [everything, sizes, ends - sizes, kind]
        own = np.frombuffer(told, np.uint8)
        self._wait(self._comm.Iallgatherv([own, kind], places).Test)
        cut = zip(ends - sizes, ends, strict=True)
        return [everything[start:end].tobytes() for start, end in cut]

    def fail(self, error: str) -> None:
        if self._ended is not None:
            return  # it was another that ended first, and all know
        self._ended = self.error(self.rank, f"ended: {error}")
        self._watched.failed(error)
        self._tell(error[: _MOST // 6])

    def tells(self, e: BaseException) -> bool:
        """Whether this rank, which ends with an error, is to tell the user of it: of all that have
        an error of their own the lowest is, and the watcher where one has died."""
        if isinstance(e, RankError):
            return False
        if getattr(e, "known_to_all", False):
            return self.rank == 0
        self.fail(in_words(e))
        until = time.monotonic() + _VERDICT
        while len(self._told.keys() & set(range(self.rank))) < self.rank:
            if time.monotonic() > until:
                break
            self._hear()
            time.sleep(_LONGEST)
        if self.rank or self.remedy:
            e.add_note(str(self.error(self.rank, "ended so")))
        return not any(self._told.get(lower) for lower in range(self.rank))

    def advise(self, remedy: str, command: bool = False) -> None:
        super().advise(remedy, command)
        self._watched.remedy(self.remedy)

    def close(self) -> None:
        super().close()
        self._leave()
        atexit.unregister(self._leave)

    def _leave(self) -> None:
        """What a rank does when its program ends, before MPI does, which waits for all ranks."""
        self._watched.bye()

    # ---- waiting -----------------------------------------------------------------------------

    def _wait(self, done: Callable[[], bool]) -> None:
        """Waits until something is done; RankError where a rank has ended before."""
        if self._ended is not None:
            raise RankError(str(self._ended))
        try:
            for _ in range(self._tries):
                if done():
                    return
                os.sched_yield()
            self._sleep_until(done)
        except self._mpi.Exception as e:
            self._lost(str(e))

    def _sleep_until(self, done: Callable[[], bool]) -> None:
        """Waits for what may take long: the watcher hears of what takes a minute."""
        pause, until = _SHORTEST, time.monotonic() + LONG
        while not done():
            self._look()
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST)
            if time.monotonic() > until:
                self._watched.waits(LONG)
                until = float("inf")
        if until == float("inf"):
            self._watched.waits(0)

    def _look(self) -> None:
        """Raises RankError where another rank has told of its error, or has died."""
        self._hear()
        for source, error in self._told.items():
            if error is not None:
                self._watched.heard()
                self._tell(None)
                self._end(source, f"ended: {error}")
        try:
            self._watched.check()
        except Death as death:
            self._end(death.rank, death.why)

    def _hear(self) -> None:
        """Notes what other ranks have told."""
        status = self._mpi.Status()
        while self._control.Iprobe(status=status):
            told = bytearray(status.Get_count(self._mpi.BYTE))
            self._control.Recv([told, self._mpi.BYTE], status.source)
            self._told[status.source] = json.loads(told)

    def _tell(self, error: str | None) -> None:
        """Tells all others of this rank's error; None where it ends with another's."""
        told = json.dumps(error).encode()
        for other in range(self.size):
            if other != self.rank:
                self._telling.append(self._control.Isend([told, self._mpi.BYTE], other))

    def _lost(self, why: str) -> None:
        """Messages to a rank have failed, of which the watcher knows, or mpiexec: a rank is named
        as soon as it is known."""
        until = time.monotonic() + _VERDICT
        while time.monotonic() < until:
            with contextlib.suppress(self._mpi.Exception):
                self._look()
            time.sleep(_LONGEST)
        raise RunError(f"messages between ranks fail, and none is known to have ended: {why}")

    @property
    def over(self) -> bool:
        """Whether a rank has ended, and with it the connection."""
        return self._ended is not None

    def _end(self, rank: int, why: str) -> None:
        self._ended = self.error(rank, why)
        raise self._ended


def _report_uncaught(ranks: MPIRanks) -> None:
    """From now on, an error that ends this rank's program is told to the others; what ends all of
    them is printed by one: the rank whose error it is, or the first where all have it."""
    before = sys.excepthook

    def report(kind: type[BaseException], e: BaseException, trace: TracebackType | None) -> None:
        if ranks.tells(e):
            before(kind, e, trace)

    sys.excepthook = report

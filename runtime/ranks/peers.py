"""What ranks on one machine tell each other, over a socket between each two of them."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Final

from .communicator import RankError, cores

_HEAD: Final = struct.Struct("<BII")
"""What is told, its number, and how many bytes follow."""
_AT_A_TIME: Final = 1 << 16
_SPIN: Final = 200e-6
"""So many seconds a rank looks for messages over and over, where each has a core: who sleeps is
woken some 30 us late."""
_CAUSE: Final = 1.0
"""So many seconds the launcher is waited for, to say how a rank ended."""
TOLD_AFTER: Final = 60.0
"""The launcher is told of ranks that were waited for so many seconds."""


class Kind(IntEnum):
    """What a message says."""

    POSTED = 1
    """Of bucket `number`, the part lies in shared memory."""
    POSTED_LAST = 2
    """The same, and that this rank wants to stop behind the step."""
    SUMMED = 3
    """Of bucket `number`, a slice of the total lies there."""
    TOLD = 4
    """Bytes that all ranks gather."""
    FAILED = 5
    """The sender ends with the error that follows."""
    ENDED = 6
    """The sender ends as it should."""


class Peer:
    """Another rank: its socket, and what has come from it so far."""

    def __init__(self, rank: int, connected: socket.socket) -> None:
        connected.setblocking(False)
        self.rank = rank
        self.socket = connected
        self.posted: Counter[int] = Counter()
        """How often each bucket was, and so at which turn it is."""
        self.summed: Counter[int] = Counter()
        self.wants_stop: dict[tuple[int, bool], bool] = {}
        """Whether it did, by the bucket and whether its turn is odd: who posts a bucket has read
        all that came before the last turn."""
        self.told: deque[bytes] = deque()
        self.failure: str | None = None
        self.ended = False
        self._come = bytearray()

    def take(self) -> bool:
        """Reads what has come; False at the end of all."""
        try:
            come = self.socket.recv(_AT_A_TIME)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        self._come += come
        for kind, number, content in self._messages():
            if kind in (Kind.POSTED, Kind.POSTED_LAST):
                self.posted[number] += 1
                self.wants_stop[number, self.posted[number] % 2 == 1] = kind == Kind.POSTED_LAST
            elif kind == Kind.SUMMED:
                self.summed[number] += 1
            elif kind == Kind.TOLD:
                self.told.append(content)
            elif kind == Kind.FAILED:
                self.failure = content.decode()
            else:
                self.ended = True
        return bool(come)

    def _messages(self) -> Iterator[tuple[int, int, bytes]]:
        """Those that are whole; they are taken away."""
        at = 0
        while len(self._come) >= at + _HEAD.size:
            kind, number, size = _HEAD.unpack_from(self._come, at)
            if len(self._come) < at + _HEAD.size + size:
                break
            at += _HEAD.size + size
            yield kind, number, bytes(self._come[at - size : at])
        del self._come[:at]


class Peers:
    """All other ranks, and the launcher: who is waited for, and what ends the waiting.

    Sockets carry what lies in memory as well: a message is sent behind the stores that it speaks
    of, and system calls keep that order on every processor. A rank that dies closes its sockets,
    which wakes who waits for it.
    """

    def __init__(
        self,
        error: Callable[[int, str], RankError],
        sockets: Mapping[int, socket.socket],
        launcher: Connection,
        timeout: float | None,
    ) -> None:
        self._peers = {s.fileno(): Peer(k, s) for k, s in sockets.items()}
        self._error = error
        self._launcher = launcher
        self._timeout = timeout
        self._poll = select.poll()
        for handle in (*self._peers, launcher.fileno()):
            self._poll.register(handle, select.POLLIN)
        self._spin = _SPIN if len(sockets) < cores() else 0.0
        self.failure: RankError | None = None
        """What another rank's end raises here, where one has failed."""

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def tell(self, kind: Kind, number: int = 0, content: bytes = b"") -> None:
        """Tells it to all others."""
        message = _HEAD.pack(kind, number, len(content)) + content
        for peer in self:
            self._put(peer, message)

    def tell_end(self, kind: Kind, content: bytes = b"") -> None:
        """Tells it to all that are still there and listen; waits for nobody."""
        for peer in self:
            try:
                peer.socket.send(_HEAD.pack(kind, 0, len(content)) + content)
            except OSError:
                continue

    def take(self, milliseconds: float = 0) -> bool:
        """Takes what has come, if anything, or does within that time."""
        ready = self._poll.poll(milliseconds)
        for handle, _ in ready:
            peer = self._peers.get(handle)
            if peer is None:
                self._hear_launcher()
            elif not peer.take():
                self._poll.unregister(handle)
                self._lose(peer)
            elif peer.failure is not None:
                self._fail(peer, f"ended: {peer.failure}")
        return bool(ready)

    def wait(self, lacking: Callable[[Peer], bool]) -> None:
        """Waits until no rank lacks it. Raises RankError where one ends before."""
        start = perf_counter()
        told = False
        while behind := [peer for peer in self if lacking(peer)]:
            self._check(behind)
            waited = perf_counter() - start
            if waited < self._spin:
                if not self.take():
                    os.sched_yield()
                continue
            limits = [t for t in (self._timeout, None if told else TOLD_AFTER) if t is not None]
            if not self.take(1000 * max(0.0, min(limits) - waited) if limits else -1):
                seconds = perf_counter() - start
                if self._timeout is not None and seconds >= self._timeout:
                    self._fail(behind[0], f"has sent nothing for {seconds:.0f} s")
                elif not told and seconds >= TOLD_AFTER:
                    told = True
                    self._launcher.send(("waits", (tuple(p.rank for p in behind), seconds)))

    def close(self) -> None:
        """Ends the connections."""
        for peer in self:
            peer.socket.close()

    def _put(self, peer: Peer, message: bytes) -> None:
        left = memoryview(message)
        while left:
            self._check([peer])
            try:
                left = left[peer.socket.send(left) :]
            except BlockingIOError:
                self.take(1)  # it may wait for us to read
            except (BrokenPipeError, ConnectionResetError):
                self._lose(peer)

    def _check(self, needed: list[Peer]) -> None:
        """Raises RankError where a rank has failed, or one that is needed is not there any more."""
        for peer in needed:
            if peer.ended:
                self._fail(peer, "has ended before this one")
        if self.failure is not None:
            raise self.failure

    def _fail(self, peer: Peer, why: str) -> None:
        """Notes why a rank has ended: what is known first is kept."""
        self.failure = self.failure or self._error(peer.rank, why)

    def _lose(self, peer: Peer) -> None:
        """Takes the last that comes from a rank; how it ended, where it did not say so, the
        launcher knows."""
        while peer.take():
            pass
        if peer.failure is not None:
            self._fail(peer, f"ended: {peer.failure}")
        if peer.ended or self.failure is not None:
            return
        if self._launcher.poll(_CAUSE):
            self._hear_launcher()
        self._fail(peer, "ended without a word")

    def _hear_launcher(self) -> None:
        """The launcher only speaks where a rank has died."""
        try:
            rank, why = self._launcher.recv()
            self.failure = self.failure or self._error(rank, why)
        except (EOFError, OSError):
            self._poll.unregister(self._launcher.fileno())
            gone = RankError("the process that started the ranks has ended")
            self.failure = self.failure or gone

"""A program that watches over the ranks of a run, and speaks for those that die.

What starts ranks ends all of them within milliseconds when one has died, before any can say which;
so a process of its own has to know, which is in no group that is ended: on the machine of rank 0,
one for all. Each rank is connected to it by a socket, and tells in lines of JSON who it is, how a
run goes on, that it ends with an error or has heard of one, that it waits, and that it leaves. A
socket that closes before that is a death, and the first of them has caused the others. It needs no
package, and is told on its standard input where it listens: `python -I -S watcher.py`.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

PATIENCE: Final = 8.0
"""Seconds until ranks are killed that go on though another has died, or failed."""
LEFT: Final = "has left, and the others wait for it"
_UNKNOWN: Final = "was killed, or crashed"
_LISTENS: Final = 2.0
"""Seconds in which ranks that wait for the same one say so."""
_LOOK: Final = 0.5
"""Seconds between two looks at whether what started the ranks is there."""


class _Rank:
    """What is known of a rank."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = b""
        self.number = self.process = self.parent = -1
        self.host = ""
        self.known = self.over = False
        """Whether it has said who it is, and whether it has ended, or is about to."""
        self.waits = 0
        """Since how many seconds it waits for others, where it is long."""
        self.died = False
        """Whether it has ended before it said so."""
        self.knows = False
        """Whether it ends with an error, its own or another's."""


class Watch:
    """The ranks of a run that connect to any of the listeners, and know the token."""

    def __init__(self, listeners: Sequence[socket.socket], ranks: int, token: str) -> None:
        self._of = self._expected = ranks
        self._token = token
        self._host = socket.gethostname()
        self._parent = os.getppid()
        self._remedy = ""
        self._failed = ""
        self._deadline = self._listens = self._late = float("inf")
        self._said = False
        self._files: set[str] = set()
        """What is left where ranks die."""
        self._ranks: list[_Rank] = []
        self._selector = selectors.DefaultSelector()
        self._listeners = listeners
        for listener in listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)

    def run(self) -> None:
        """Returns when all ranks have ended."""
        while not self._is_over():
            self.look()
        self._selector.close()
        for listener in self._listeners:
            listener.close()
        if any(r.died or r.knows for r in self._ranks):
            for path in self._files:
                with suppress(OSError):
                    os.unlink(path)  # noqa: PTH108

    def _is_over(self) -> bool:
        if not self._ranks:
            return os.getppid() != self._parent
        return self._are_all() and all(r.over for r in self._ranks)

    def _are_all(self) -> bool:
        """Whether no other rank is to come."""
        return len(self._ranks) >= self._expected or time.monotonic() > self._late

    def look(self) -> None:
        """Acts on what has happened; waits for it for a moment. Who is ready first comes first."""
        for key, _ in self._selector.select(_LOOK):
            if key.data is None:
                self._accept(key.fileobj)
            elif not key.data.over:
                self._read(key.data, key.fileobj)
        here = [r for r in self._ranks if r.host == self._host and not r.over]
        launched = all(_is_there(r.parent) for r in here if r.parent > 1)
        if self._are_all() and not launched and not self._said:
            self._say("what started the ranks is gone")
            self._deadline = 0
        if time.monotonic() > self._listens:
            self._tell_of_waiting()
        if time.monotonic() > self._deadline:
            self._end()

    def _accept(self, listener: Any) -> None:
        """Connects a rank."""
        with suppress(OSError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            if connection.family == socket.AF_INET:
                _notice_lost_machines(connection)
            self._selector.register(connection, selectors.EVENT_READ, _Rank(connection))

    def _meet(self, rank: _Rank, told: dict[str, Any]) -> None:
        """Takes a rank for one that says who it is; who does not know the token is none."""
        if told.get("token") != self._token:
            self._ended(rank)
            return
        if not self._ranks:
            self._late = time.monotonic() + PATIENCE
        rank.known = True
        rank.number, rank.host = told["rank"], told["host"]
        rank.process, rank.parent = told["process"], told["parent"]
        self._ranks.append(rank)
        if rank.host == self._host:
            self._files |= set(told["files"])
            with suppress(AttributeError, OSError):  # of Linux alone
                handle = os.pidfd_open(rank.process)
                self._selector.register(handle, selectors.EVENT_READ, rank)

    def _read(self, rank: _Rank, source: Any) -> None:
        """Reads what a rank tells, until it waits or is gone."""
        gone = source is not rank.connection  # it is what tells of the process
        try:
            while data := rank.connection.recv(1 << 16):
                rank.received += data
            gone = True
        except BlockingIOError:
            pass
        except OSError:
            gone = True
        *lines, rank.received = rank.received.split(b"\n")
        for line in lines:
            told = json.loads(line)
            if rank.known:
                self._hear(rank, told)
            elif not rank.over:
                self._meet(rank, told)
        if gone and not rank.over:
            self._ended(rank)
            rank.died = True
            if rank.known and not rank.knows and not self._said:
                self._died(rank)

    def _hear(self, rank: _Rank, told: dict[str, Any]) -> None:
        """Acts on what a rank tells."""
        self._expected = told.get("expected", self._expected)
        self._remedy = told.get("remedy", self._remedy)
        if "failed" in told or "heard" in told:
            rank.knows = True
            if "failed" in told and not self._failed:
                self._failed = f"rank {rank.number} of {self._of} ended: {told['failed']}"
                self._deadline = min(self._deadline, time.monotonic() + PATIENCE)
            if all(r.knows or r.over for r in self._ranks):
                self._deadline = float("inf")
        if "waits" in told:
            rank.waits = told["waits"]
            self._listens = time.monotonic() + _LISTENS if rank.waits else float("inf")
        if "misses" in told and not self._said:
            self._say(f"rank {told['misses']} of {self._of} {LEFT}")
        if "bye" in told:
            self._ended(rank)
            self._tell({"left": rank.number})

    def _ended(self, rank: _Rank) -> None:
        """Forgets a rank."""
        rank.over = True
        for key in list(self._selector.get_map().values()):
            if key.data is rank:
                self._selector.unregister(key.fileobj)
                if isinstance(key.fileobj, int):
                    os.close(key.fileobj)
        rank.connection.close()

    def _died(self, rank: _Rank) -> None:
        """Says that a rank has died, to the user and to the other ranks."""
        why = _how(rank.process) if rank.host == self._host else _UNKNOWN
        where = f"process {rank.process} on {rank.host}"
        self._say(f"rank {rank.number} of {self._of} ({where}) {why}")
        self._tell({"died": rank.number, "why": why})
        self._deadline = time.monotonic() + PATIENCE

    def _tell_of_waiting(self) -> None:
        """Says for whom others wait: for those that do not wait themselves."""
        self._listens = float("inf")
        there = [r for r in self._ranks if not r.over]
        late = _listed([r.number for r in there if not r.waits])
        waiting = [r for r in there if r.waits]
        since = max(r.waits for r in waiting)
        what = (
            f"{_listed([r.number for r in waiting])} of {self._of} wait since {since} s for {late}"
        )
        with suppress(OSError):
            os.write(2, f"Warning: {what}\n".encode())

    def _tell(self, told: dict[str, Any]) -> None:
        """Tells all ranks that are there."""
        for rank in self._ranks:
            if not rank.over:
                with suppress(OSError):
                    rank.connection.send(json.dumps(told).encode() + b"\n")

    def _say(self, what: str) -> None:
        """Tells the user, in one write, so that no line of another cuts it."""
        self._said = True
        remedy = f"; {self._remedy}" if self._remedy else ""
        with suppress(OSError):
            os.write(2, f"Error: {what}{remedy}\n".encode())

    def _end(self) -> None:
        """Kills the ranks that go on."""
        left = [r for r in self._ranks if not r.over]
        if self._failed and not self._said:
            deaf = _listed([r.number for r in left if not r.knows])
            self._say(f"{self._failed}; killed for not hearing of it: {deaf}")
        for rank in left:  # with these, what started them ends the ones of other machines
            if rank.host == self._host:
                with suppress(OSError):
                    os.kill(rank.process, signal.SIGKILL)
            rank.died = True
            self._ended(rank)


def _notice_lost_machines(connection: socket.socket) -> None:
    """Closes a connection within seconds after the machine at its other end has gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 3), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _listed(ranks: list[int]) -> str:
    """So many ranks in words."""
    numbers = ", ".join(map(str, sorted(ranks)))
    return f"rank{'s' * (len(ranks) > 1)} {numbers}" if ranks else ""


def _is_there(process: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _how(process: int) -> str:
    """How a process ended, as far as the system tells those who did not start it."""
    for _ in range(100):
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8") as f:  # noqa: PTH123
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            return _UNKNOWN
        if fields[0] in "ZX":
            code = int(fields[-1])
            if code & 127:
                return f"was killed by {signal.Signals(code & 127).name}"
            return f"ended with exit code {code >> 8}, and without a word"
        time.sleep(0.0002)
    return _UNKNOWN


def main() -> None:
    """Watches until all ranks have ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    told = json.loads(sys.stdin.readline())
    listeners = [socket.socket(fileno=fd) for fd in told["listeners"]]
    Watch(listeners, told["ranks"], told["token"]).run()


if __name__ == "__main__":
    main()

"""A program that watches over the ranks of a run on one machine, and speaks for those that die.

What starts ranks ends all of them within milliseconds when one has died, before any can say which;
so a process of its own has to know, which is in no group that is ended. Each rank is connected to
it by a socket, and tells in lines of JSON who it is, how a run goes on, that it ends with an error
or has heard of one, that it waits for one that has left, and that it leaves. A socket that closes
before that is a death, and the first of them has caused the others. It needs no package:

    python -I -S watcher.py LISTENER RANKS RANKS_OF_RUN
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any, Final

PATIENCE: Final = 8.0
"""Seconds until ranks are killed that go on though another has died, or failed."""
LEFT: Final = "has left, and the others wait for it"
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
        self.over = False
        """Whether it has ended, or is about to."""
        self.waits = 0
        """Since how many seconds it waits for others, where it is long."""
        self.died = False
        """Whether it has ended before it said so."""
        self.knows = False
        """Whether it ends with an error, its own or another's."""


class Watch:
    """The ranks of one machine, so many of those of the whole run."""

    def __init__(self, listener: socket.socket, ranks: int, of: int) -> None:
        self._of = of
        self._remedy = ""
        self._failed = ""
        self._deadline = self._listens = float("inf")
        self._said = False
        self._files: set[str] = set()
        """What is left where ranks die."""
        self._selector = selectors.DefaultSelector()
        self._ranks: list[_Rank] = []
        for _ in range(ranks):
            connection, _ = listener.accept()
            connection.setblocking(False)
            rank = _Rank(connection)
            self._ranks.append(rank)
            self._selector.register(connection, selectors.EVENT_READ, rank)
        listener.close()

    def run(self) -> None:
        """Returns when all ranks have ended."""
        while not all(r.over for r in self._ranks):
            self.look()
        if any(r.died for r in self._ranks):
            for path in self._files:
                with suppress(OSError):
                    os.unlink(path)  # noqa: PTH108

    def look(self) -> None:
        """Acts on what has happened; waits for it for a moment. Who is ready first comes first."""
        for key, _ in self._selector.select(_LOOK):
            if not key.data.over:
                self._read(key.data, key.fileobj)
        launchers = {r.parent for r in self._ranks if r.parent > 1 and not r.over}
        if not self._said and not all(_is_there(p) for p in launchers):
            self._say("what started the ranks is gone")
            self._deadline = 0
        if time.monotonic() > self._listens:
            self._tell_of_waiting()
        if time.monotonic() > self._deadline:
            self._end()

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
            self._hear(rank, json.loads(line))
        if gone and not rank.over:
            rank.died = True
            self._ended(rank)
            if not rank.knows and not self._said:
                self._died(rank)

    def _hear(self, rank: _Rank, told: dict[str, Any]) -> None:
        """Acts on what a rank tells."""
        if "rank" in told:
            rank.number, rank.process, rank.parent = told["rank"], told["process"], told["parent"]
            self._files |= set(told["files"])
            with suppress(AttributeError, OSError):  # of Linux alone
                handle = os.pidfd_open(rank.process)
                self._selector.register(handle, selectors.EVENT_READ, rank)
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
        why = _how(rank.process)
        where = f"process {rank.process} on {socket.gethostname()}"
        self._say(f"rank {rank.number} of {self._of} ({where}) {why}")
        self._tell({"died": rank.number, "why": why})
        self._deadline = time.monotonic() + PATIENCE

    def _tell_of_waiting(self) -> None:
        """Says for whom others wait: for those that do not wait themselves."""
        self._listens = float("inf")
        there = [r for r in self._ranks if not r.over]
        late = _listed([r.number for r in there if not r.waits]) or "ranks of another machine"
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
        for rank in left:
            with suppress(OSError):
                os.kill(rank.process, signal.SIGKILL)
            rank.died = True
            self._ended(rank)


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
    unknown = "was killed, or crashed"
    for _ in range(100):
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8") as f:  # noqa: PTH123
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            return unknown
        if fields[0] in "ZX":
            code = int(fields[-1])
            if code & 127:
                return f"was killed by {signal.Signals(code & 127).name}"
            return f"ended with exit code {code >> 8}, and without a word"
        time.sleep(0.0002)
    return unknown


def main() -> None:
    """Watches until all ranks have ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    listener, ranks, of = map(int, sys.argv[1:])
    Watch(socket.socket(fileno=listener), ranks, of).run()


if __name__ == "__main__":
    main()

"""A rank's line to the watcher of its run: what it tells, and what it hears."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from . import watcher

_REACH: Final = 3.0
"""Seconds to reach the watcher of another machine."""
_GRACE: Final = 3.0
"""Seconds for what a rank has sent before it left to arrive."""


class Death(Exception):  # noqa: N818
    """Another rank has died, or left, and how."""

    def __init__(self, rank: int, why: str) -> None:
        super().__init__(f"rank {rank} {why}")
        self.rank = rank
        self.why = why


class Address(NamedTuple):
    """Where a watcher listens, and what a rank has to know to be heard."""

    host: str
    path: str
    """Of a socket, for the ranks of its machine."""
    names: list[str]
    port: int
    """For those of others; 0 where there are none."""
    token: str


class Watched:
    """This rank's connection to the watcher; a rank that does not reach it goes on without."""

    def __init__(self, address: Address, rank: int) -> None:
        self._socket = _connected(address)
        self.reaches = self._socket is not None
        self._received = b""
        self._left: tuple[int, float] | None = None
        me = {"rank": rank, "process": os.getpid(), "parent": os.getppid()}
        where = {"host": socket.gethostname(), "files": _left_by_mpich()}
        self._tell({**me, **where, "token": address.token})

    def expect(self, ranks: int) -> None:
        """Says how many ranks reach the watcher."""
        self._tell({"expected": ranks})

    def remedy(self, words: str) -> None:
        """Says how a run goes on after a death."""
        self._tell({"remedy": words})

    def failed(self, error: str) -> None:
        """Says that this rank ends with an error of its own."""
        self._tell({"failed": error})

    def heard(self) -> None:
        """Says that this rank knows of another's error, and ends."""
        self._tell({"heard": True})

    def waits(self, seconds: float) -> None:
        """Says that this rank waits for others since so many seconds; 0 when it goes on."""
        self._tell({"waits": seconds})

    def bye(self) -> None:
        """Says that this rank ends well; what becomes of it then, the watcher says nothing of."""
        self._tell({"bye": True})
        if self._socket is not None:
            self._socket.close()

    def check(self) -> None:
        """Raises Death where a rank has died, or left some time ago while this one waits for it."""
        with suppress(OSError):
            self._received += self._socket.recv(1 << 16) if self._socket is not None else b""
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            told: dict[str, Any] = json.loads(line)
            if "died" in told:
                raise Death(told["died"], told["why"])
            if self._left is None:
                self._left = told["left"], time.monotonic() + _GRACE
        if self._left is not None and time.monotonic() > self._left[1]:
            self._tell({"misses": self._left[0]})
            raise Death(self._left[0], watcher.LEFT)

    def _tell(self, told: dict[str, Any]) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.send(json.dumps(told).encode() + b"\n")


def start_watcher(ranks: int, elsewhere: bool) -> Address:
    """Starts a watcher for so many ranks, some of them `elsewhere`, on other machines."""
    path = str(Path(tempfile.mkdtemp(prefix="verigrad-")) / "watcher")  # of this user alone
    listeners = [socket.socket(socket.AF_UNIX)]
    listeners[0].bind(path)
    if elsewhere:
        listeners.append(socket.socket(socket.AF_INET))
        listeners[1].bind(("", 0))
    for listener in listeners:
        listener.listen(ranks)
    numbers, token = [listener.fileno() for listener in listeners], secrets.token_hex(16)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", watcher.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=numbers,
        text=True,
    )
    assert process.stdin is not None
    with process.stdin as line:
        line.write(json.dumps({"listeners": numbers, "ranks": ranks, "token": token}) + "\n")
    port = listeners[1].getsockname()[1] if elsewhere else 0
    for listener in listeners:
        listener.close()
    return Address(socket.gethostname(), path, _names(), port, token)


def _names() -> list[str]:
    """How other machines may reach this one."""
    names = [socket.gethostname()]
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(("192.0.2.1", 9))  # nothing is sent: it only chooses the way out
        names.insert(0, out.getsockname()[0])
    return names


def _connected(address: Address) -> socket.socket | None:
    """A connection to the watcher; None where it cannot be reached."""
    connection: socket.socket | None = None
    if address.host == socket.gethostname() and Path(address.path).exists():
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address.path)
    else:
        for name in address.names:
            with suppress(OSError):
                connection = socket.create_connection((name, address.port), timeout=_REACH)
                break
    if connection is not None:
        connection.setblocking(False)
    return connection


def forget(address: Address) -> None:
    """Removes the file of an address, once all ranks are connected."""
    shutil.rmtree(Path(address.path).parent, ignore_errors=True)


def _left_by_mpich() -> list[str]:
    """The files in shared memory that MPICH removes at the end, and that stay where it is killed;
    as far as the system tells."""
    with suppress(OSError):
        maps = Path("/proc/self/maps").read_text(encoding="utf-8")
        return sorted(set(re.findall(r"/dev/shm/mpich_shm_\w+", maps)))
    return []

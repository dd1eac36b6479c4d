"""A rank's line to the watcher of its machine: what it tells, and what it hears."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from . import watcher

_GRACE: Final = 3.0
"""Seconds for what a rank has sent before it left to arrive."""


class Death(Exception):  # noqa: N818
    """Another rank has died, or left, and how."""

    def __init__(self, rank: int, why: str) -> None:
        super().__init__(f"rank {rank} {why}")
        self.rank = rank
        self.why = why


class Watched:
    """This rank's connection to the watcher; `address` is where that listens."""

    def __init__(self, address: str, rank: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        self._socket.setblocking(False)
        self._received = b""
        self._left: tuple[int, float] | None = None
        me = {"rank": rank, "process": os.getpid(), "parent": os.getppid()}
        self._tell({**me, "files": _left_by_mpich()})

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
        self._socket.close()

    def check(self) -> None:
        """Raises Death where a rank has died, or left some time ago while this one waits for it."""
        with suppress(OSError):
            self._received += self._socket.recv(1 << 16)
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
        with suppress(OSError):
            self._socket.send(json.dumps(told).encode() + b"\n")


def start_watcher(ranks: int, of: int) -> str:
    """Starts a watcher for so many ranks on this machine; the address to which they connect."""
    listener = socket.socket(socket.AF_UNIX)
    address = str(Path(tempfile.mkdtemp(prefix="verigrad-")) / "watcher")  # of this user alone
    listener.bind(address)
    listener.listen(ranks)
    argv = [sys.executable, "-I", "-S", watcher.__file__, listener.fileno(), ranks, of]
    subprocess.Popen(
        [str(a) for a in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=[listener.fileno()],
    )
    listener.close()
    return address


def forget(address: str) -> None:
    """Removes the file of an address, once all ranks are connected."""
    shutil.rmtree(Path(address).parent, ignore_errors=True)


def _left_by_mpich() -> list[str]:
    """The files in shared memory that MPICH removes at the end, and that stay where it is killed;
    as far as the system tells."""
    with suppress(OSError):
        maps = Path("/proc/self/maps").read_text(encoding="utf-8")
        return sorted(set(re.findall(r"/dev/shm/mpich_shm_\w+", maps)))
    return []

"""A process that is a rank: it runs what it is given, tells how that ended, and ends."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from socket import socket
from typing import Any, Final, NamedTuple

from ...graph import RunError, VerigradError
from .communicator import RankError, in_words
from .memory import SharedMemory
from .processes import ProcessRanks

SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Those that ask a process to end."""
_DIE_WITH_PARENT: Final = 1
"""What Linux calls PR_SET_PDEATHSIG."""


class Outcome(NamedTuple):
    """How a rank ended: what its function has returned or raised, pickled."""

    rank: int
    size: int
    done: bool
    content: bytes
    words: str = ""
    trace: str = ""
    follows: bool = False
    """Whether an error only says that another rank has ended."""

    def value(self) -> Any:
        """What was returned."""
        return pickle.loads(self.content)

    def error(self) -> BaseException:
        """What was raised, with its traceback there where it is none of ours."""
        error: Any = None
        with suppress(Exception):  # of a class that is not found here
            error = pickle.loads(self.content)
        if not isinstance(error, BaseException):
            error = RunError(f"rank {self.rank} of {self.size} ended: {self.words}")
        if not isinstance(error, (VerigradError, KeyboardInterrupt)):
            error.add_note(f"In rank {self.rank} of {self.size}:\n{self.trace}")
        raised: BaseException = error
        return raised


def run_rank(
    main: bytes,
    rank: int,
    sockets: Mapping[int, socket],
    memory: SharedMemory,
    launcher: Connection,
    timeout: float | None,
    parent: int,
) -> None:
    """Runs `main` as a rank; the launcher hears its outcome."""
    _settle(parent)
    comm = ProcessRanks(rank, sockets, memory, launcher, timeout)
    try:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # a signal may have come already
            outcome = _ran(main, comm)
        except BaseException as e:
            comm.fail(in_words(e))
            outcome = _failed(e, comm)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        launcher.send(("ended", outcome))
    finally:
        comm.close()


def _ran(main: bytes, comm: ProcessRanks) -> Outcome:
    try:
        function = pickle.loads(main)
    except Exception as e:
        raise RunError(
            f"the function that the ranks are to run is not found by them ({e}); it has to stand "
            "at the top level of a file: not in a notebook, and not in what python -c is given"
        ) from None
    value = function(comm)
    try:
        content = pickle.dumps(value if comm.rank == 0 else None)
    except Exception as e:
        raise RunError(
            f"what rank 0 returns cannot be handed to another process ({e}); return plain values, "
            "or write a file"
        ) from None
    return Outcome(comm.rank, comm.size, True, content)


def _failed(e: BaseException, comm: ProcessRanks) -> Outcome:
    try:
        content = pickle.dumps(e)
    except Exception:
        content = b""
    trace = "".join(traceback.format_exception(e))
    follows = isinstance(e, RankError)
    return Outcome(comm.rank, comm.size, False, content, in_words(e), trace, follows)


def _settle(parent: int) -> None:
    """Makes the process one that ends with its parent and hears signals from it alone."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before
        os._exit(1)

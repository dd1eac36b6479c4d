"""Runs a function in several processes of this machine, which are ranks."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable
from multiprocessing import current_process
from typing import Any, TypeVar

from ...graph import RunError, check_callable, is_number, shown, whole_number
from .communicator import Communicator
from .supervisor import Supervisor

T = TypeVar("T")


def launch(
    main: Callable[[Communicator], T],
    processes: int,
    *,
    threads: int = 1,
    timeout: float | None = None,
) -> T:
    """Runs `main(comm)` in so many processes of this machine at once; what rank 0 returns.

    Each process is a rank: `comm.rank`, from 0, of `comm.size`; `vg.fit(..., comm=comm)` trains
    one program in all of them. They are new interpreters, so that `main` has to be a function of a
    file, at its top level, or a `functools.partial` of one, and the file starts nothing where it
    is only imported: `if __name__ == "__main__": vg.launch(main, 2)`. The matrix products of each
    take so many `threads`.

    An error in one rank ends all, and is raised here; of several, that of the lowest rank. Where
    one is killed, the others end within seconds, and RunError names it. No process, and nothing in
    shared memory, is left. Ctrl-C reaches rank 0, whose `fit` stops them all behind one step.
    A rank that others have waited for longer than a minute is told in a warning; longer than
    `timeout` seconds, where it is given, ends them all.
    """
    check_callable("main", main, "a function of a communicator", RunError)
    whole_number("processes", processes, 1, error=RunError)
    whole_number("threads", threads, 1, error=RunError)
    if timeout is not None and not (is_number(timeout) and timeout > 0):
        raise RunError(
            f"timeout is {shown(timeout)}, where a number of seconds above 0 is expected, or None "
            "to wait for any time"
        )
    if not hasattr(socket, "AF_UNIX") or not hasattr(os, "setpgid"):
        raise RunError("ranks are processes on Linux and macOS alone; here, train in one process")
    if getattr(current_process(), "_inheriting", False):  # as multiprocessing asks itself
        raise RunError(
            "launch is called where a rank imports the file that starts it; put the call below "
            'if __name__ == "__main__":'
        )
    with Supervisor(pickled(main), processes, threads, timeout) as ranks:
        ranks.follow()
    result: T = ranks.result()
    return result


def pickled(main: Callable[[Communicator], Any]) -> bytes:
    """What a rank is to run; RunError for what no other process can be given."""
    try:
        return pickle.dumps(main)
    except Exception as e:
        raise RunError(
            f"{shown(main)} cannot be handed to another process ({e}); give a function at the top "
            "level of a file, or a functools.partial of one"
        ) from None

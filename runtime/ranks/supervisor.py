"""The processes of ranks: how they are started, what they tell, and how all of them end."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.resource_tracker import ensure_running
from time import monotonic
from types import FrameType
from typing import Any, Final, NamedTuple

from ...graph import warn
from ...ops.blas import THREADS
from .communicator import RankError
from .memory import SharedMemory
from .rank_process import SIGNALS, Outcome, run_rank

_GRACE: Final = 5.0
_LAST: Final = 3.0
"""When a rank has failed, the others have so many seconds to end; then so many from SIGTERM on."""


class _Rank(NamedTuple):
    process: Any
    connection: Connection


class Supervisor:
    """The processes; none of them is left when the context ends."""

    def __init__(self, main: bytes, processes: int, threads: int, timeout: float | None) -> None:
        self._size = processes
        self._ranks: list[_Rank] = []
        self._outcomes: dict[int, Outcome] = {}
        self._lost: dict[int, str] = {}
        self._remedy = ""
        self._waited_for: set[tuple[int, ...]] = set()
        self._handlers: dict[int, Any] = {}
        self._forwarded: list[int] = []
        self._stack = ExitStack()
        try:
            ensure_running()  # which lets signals through
            self._stack.callback(self._end)
            with _threads(threads), _signals_wait():
                self._stack.enter_context(self._forwarding())
                self._start(main, timeout)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, main: bytes, timeout: float | None) -> None:
        context = get_context("spawn")
        memory = SharedMemory()
        with ExitStack() as ours:  # a rank that ends is to be the last that holds its ends
            ours.callback(memory.close)
            sockets = connections(self._size)
            for end in [s for ends in sockets for s in ends.values()]:
                ours.enter_context(end)
            for rank in range(self._size):
                here, there = context.Pipe()
                with there:
                    given = main, rank, sockets[rank], memory, there, timeout, os.getpid()
                    process = context.Process(
                        target=run_rank, args=given, name=f"rank {rank} of {self._size}"
                    )
                    process.start()
                self._ranks.append(_Rank(process, here))

    # ---- while they run ----------------------------------------------------------------------

    def follow(self) -> None:
        """Returns when all have ended; what is left when one has failed is ended."""
        left = set(range(self._size))
        until: float | None = None
        measures = [(_LAST, "terminate"), (None, "kill")]
        while left:
            handles: dict[Any, int] = {}
            for rank in left:
                handles[self._ranks[rank].process.sentinel] = rank
                if not self._ranks[rank].connection.closed:
                    handles[self._ranks[rank].connection] = rank
            patience = None if until is None else max(0.0, until - monotonic())
            for handle in wait(list(handles), patience):
                rank = handles[handle]
                self._hear(rank)
                if handle == self._ranks[rank].process.sentinel:
                    left.discard(rank)
                    self._note_end(rank)
            if until is None and (self._lost or any(not o.done for o in self._outcomes.values())):
                until = monotonic() + _GRACE
            elif until is not None and monotonic() >= until and measures:
                seconds, how = measures.pop(0)
                until = monotonic() + seconds if seconds is not None else None
                for rank in left:
                    self._lost.setdefault(rank, "")
                    getattr(self._ranks[rank].process, how)()

    def _hear(self, rank: int) -> None:
        """Takes what a rank tells, if anything."""
        connection = self._ranks[rank].connection
        try:
            while not connection.closed and connection.poll():
                what, told = connection.recv()
                if what == "waits":
                    self._tell_of_waiting(*told)
                elif what == "remedy":
                    self._remedy = told
                else:
                    self._outcomes[rank] = told
        except (EOFError, OSError):
            connection.close()

    def _tell_of_waiting(self, ranks: tuple[int, ...], seconds: float) -> None:
        """Says once for whom others wait."""
        if ranks not in self._waited_for:
            self._waited_for.add(ranks)
            listed = ", ".join(map(str, ranks))
            warn(f"others wait for rank {listed} of {self._size} since {seconds:.0f} s")

    def _note_end(self, rank: int) -> None:
        """Tells the others where a rank has ended without a word."""
        process = self._ranks[rank].process
        process.join()
        if rank in self._outcomes or rank in self._lost:
            return
        code = process.exitcode
        how = _killed_by(-code) if code < 0 else f"ended with exit code {code}"
        self._lost[rank] = how
        for other in self._ranks:
            with suppress(OSError):  # it may have ended as well
                other.connection.send((rank, how))

    @contextmanager
    def _forwarding(self) -> Iterator[None]:
        """While the block lasts, signals that Python handles here go to rank 0: the ranks have
        process groups of their own, and a terminal asks nobody twice."""
        before = self._handlers
        if threading.current_thread() is threading.main_thread():
            numbers = [n for n in SIGNALS if callable(signal.getsignal(n))]
            before |= {n: signal.signal(n, self._forward) for n in numbers}
            if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
                before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._pause)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _forward(self, number: int, frame: FrameType | None) -> None:
        self._forwarded.append(number)
        self._signal(number, self._ranks[:1])

    def _pause(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z stops the ranks as well, until this process goes on."""
        self._signal(signal.SIGSTOP, self._ranks)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._signal(signal.SIGCONT, self._ranks)

    def _signal(self, number: int, ranks: Sequence[_Rank]) -> None:
        for rank in ranks:
            if rank.process.is_alive():
                os.kill(rank.process.pid, number)

    def _end(self) -> None:
        """Nothing is left."""
        for rank in self._ranks:
            if rank.process.is_alive():
                rank.process.kill()
            rank.process.join()
            rank.process.close()
            rank.connection.close()

    # ---- how they ended ----------------------------------------------------------------------

    def result(self) -> Any:
        """What rank 0 has returned; raises what has ended the ranks."""
        for number in self._forwarded:
            if self._lost.get(0) == _killed_by(number):  # before it had a handler
                self._handlers[number](number, None)
        for rank, how in self._lost.items():
            if how:
                remedy = f"; {self._remedy}" if self._remedy else ""
                raise RankError(f"rank {rank} of {self._size} {how}{remedy}")
        failed = {rank: o for rank, o in sorted(self._outcomes.items()) if not o.done}
        roots = [rank for rank, o in failed.items() if not o.follows]
        if failed:
            raise failed[(roots or list(failed))[0]].error()
        return self._outcomes[0].value()


def connections(size: int) -> list[dict[int, socket.socket]]:
    """A socket between each two ranks: the ends of each, by the rank at the other."""
    ends: list[dict[int, socket.socket]] = [{} for _ in range(size)]
    for one in range(size):
        for other in range(one):
            ends[one][other], ends[other][one] = socket.socketpair()
    return ends


def _killed_by(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"was killed by {name}"


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Processes that are started within the block take so many threads for products."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Signals wait while the block lasts, and in processes that it starts until these ask."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

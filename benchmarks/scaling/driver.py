"""The rounds: starts the ranks of each contender of a case, checks them, and times them in turn."""

from __future__ import annotations

import json
import math
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

from .. import reference
from ..driver import PATIENCE, REST, Settings, environment, order
from ..nets import Net
from ..worker import CHUNK_SECONDS
from .contenders import CONTENDERS, Contender
from .reductions import MPIEXEC

SHOWN: Final = 5
"""Steps whose losses are compared with the reference."""
_MOST: Final = 200
"""Chunks of a round at most."""


class FailedError(Exception):
    """A contender that has no answer, and why."""


@dataclass
class Figures:
    """One contender in one case: seconds a step, the median of each round, or why it has none."""

    rounds: list[float] = field(default_factory=list)
    departure: float | None = None
    """How far its losses are from the reference's, relative."""
    failed: str = ""


class Ranks:
    """The ranks of a contender, spoken to in lines of JSON: all are told the same."""

    def __init__(
        self,
        processes: Sequence[subprocess.Popen[bytes]],
        listener: socket.socket,
        said: Path,
        size: int,
    ) -> None:
        """`said` is the file in which they say why they end."""
        self._processes = processes
        self._listener = listener
        self._said = said
        self._size = size
        self._lines: list[IO[str]] = []

    def meet(self) -> None:
        """Waits until all are connected, and ready; FailedError where they will not be."""
        found: dict[int, IO[str]] = {}
        until = time.monotonic() + PATIENCE
        while len(found) < self._size:
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                self._check(until)
                continue
            connection.settimeout(PATIENCE)
            lines = connection.makefile("rw", encoding="utf-8")
            connection.close()
            found[_answer(lines)["rank"]] = lines
        self._lines = [found[rank] for rank in range(self._size)]
        self._answers()

    def ask(self, *command: Any) -> list[dict[str, Any]]:
        """The answers of all ranks to a command."""
        for lines in self._lines:
            lines.write(json.dumps(command) + "\n")
            lines.flush()
        return self._answers()

    def close(self) -> None:
        """Ends them: without a driver they go."""
        for lines in self._lines:
            lines.close()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _answers(self) -> list[dict[str, Any]]:
        return [_answer(lines) for lines in self._lines]

    def _check(self, until: float) -> None:
        """Raises FailedError where they will not come any more."""
        for process in self._processes:
            if process.poll() is not None:
                said = self._said.read_text(encoding="utf-8").strip().splitlines()
                raise FailedError((said or [f"a rank ended with code {process.returncode}"])[-1])
        if time.monotonic() > until:
            raise FailedError(f"its ranks are not ready after {PATIENCE:.0f} s")


def _answer(lines: IO[str]) -> dict[str, Any]:
    line = lines.readline()
    if not line:
        raise FailedError("a rank has ended")
    answer: dict[str, Any] = json.loads(line)
    if "failed" in answer:
        raise FailedError(answer["failed"])
    return answer


@contextmanager
def ranks_of(
    contender: Contender, net: Net, optimizer: str, caches: Path, cores: int
) -> Iterator[Ranks]:
    """The ranks of a contender, which get ready to train a net."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        address = str(Path(folder) / "driver")
        listener.bind(address)
        listener.listen(contender.ranks)
        listener.settimeout(0.2)
        asked = {
            "contender": asdict(contender),
            "net": asdict(net),
            "optimizer": optimizer,
            "address": address,
            "folder": folder,
            "cores": min(cores, contender.ranks * contender.threads),
        }
        said = Path(folder) / "said"
        errors = stack.enter_context(said.open("wb"))
        processes = [
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment(contender.threads, caches),
            )
            for command in _commands(contender, asked)
        ]
        ranks = Ranks(processes, listener, said, contender.ranks)
        stack.callback(ranks.close)
        yield ranks


def _commands(contender: Contender, asked: Mapping[str, Any]) -> list[list[str]]:
    """What starts the ranks of a contender."""
    start = [sys.executable, "-m", "verigrad.benchmarks.scaling.worker"]
    if contender.engine == "ddp":
        return [[*start, json.dumps({**asked, "rank": r})] for r in range(contender.ranks)]
    mpi = [str(MPIEXEC), "-n", str(contender.ranks)] if contender.engine == "mpi" else []
    return [[*mpi, *start, json.dumps(asked)]]


def measure(
    net: Net,
    optimizer: str,
    names: Sequence[str],
    settings: Settings,
    caches: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Figures]:
    """The figures of each contender: all are there at once, and take turns from round to round."""
    table = {name: Figures() for name in names}
    with ExitStack() as stack:
        nets = {n: replace(net, batch=round(net.batch * CONTENDERS[n].batch_share)) for n in names}
        started = {
            name: stack.enter_context(
                ranks_of(CONTENDERS[name], nets[name], optimizer, caches, settings.threads)
            )
            for name in names
        }
        timed: dict[str, Timed] = {}
        for name, ranks in started.items():
            tell(f"{net.title}, {optimizer}: {CONTENDERS[name].title} gets ready")
            try:
                ranks.meet()
                table[name].departure = _departure(ranks, nets[name], optimizer)
            except FailedError as e:
                table[name].failed = str(e)
            else:
                timed[name] = Timed(ranks, settings.seconds)
        for number in range(settings.rounds):
            tell(f"{net.title}, {optimizer}: round {number + 1} of {settings.rounds}")
            for name in order(list(timed), number):
                time.sleep(REST)
                try:
                    table[name].rounds.append(timed[name].round())
                except FailedError as e:
                    table[name] = Figures(failed=str(e))
                    del timed[name]
    return table


class Timed:
    """Ranks, and how many of their steps make a round."""

    def __init__(self, ranks: Ranks, seconds: float) -> None:
        self._ranks = ranks
        self._given = seconds
        self._chunk = self._chunks = 0

    def round(self) -> float:
        """Seconds a step: the median of its chunks."""
        if not self._chunk:  # all are ready by now, so that none of them is in the way
            step = min(self._seconds(5, 1))
            self._chunk = max(1, math.ceil(CHUNK_SECONDS / step))
            self._chunks = max(5, min(_MOST, round(self._given / step / self._chunk)))
        return statistics.median(self._seconds(self._chunks, self._chunk))

    def _seconds(self, chunks: int, chunk: int) -> list[float]:
        """Those of the rank that took the longest, for each chunk."""
        told = [each["seconds"] for each in self._ranks.ask("time", chunks, chunk)]
        return [max(of_ranks) for of_ranks in zip(*told, strict=True)]


def _departure(ranks: Ranks, net: Net, optimizer: str) -> float:
    """How far the losses are from the reference's; FailedError where it is too far.

    Ours are of the whole batch in each rank; PyTorch's of a rank's own rows, as many in each.
    """
    told = [each["losses"] for each in ranks.ask("check", SHOWN)]
    losses = [statistics.fmean(of_ranks) for of_ranks in zip(*told, strict=True)]
    off = reference.departure(losses, _expected(net, optimizer))
    if not off <= reference.TOLERANCE:
        raise FailedError(f"losses differ from the reference by {off:.1e}")
    return off


@cache
def _expected(net: Net, optimizer: str) -> list[float]:
    return reference.trajectory(net, optimizer, SHOWN)["data_loss"]


def bytes_sent(contender: Contender, net: Net, optimizer: str, caches: Path, steps: int) -> float:
    """The bytes that a rank sends in a step, the mean of all."""
    with ranks_of(contender, net, optimizer, caches, contender.ranks) as ranks:
        ranks.meet()
        told = [each["bytes"] for each in ranks.ask("sent", steps)]
    return sum(told) / steps / contender.ranks

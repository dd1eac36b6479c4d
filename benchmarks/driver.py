"""The rounds: starts a worker for each contender of a case, checks it, and times them in turn.

A case is a net with an optimizer, or a net with a count of rows to predict. All workers of a case
are there at the same time, and one at a time has work: a round times each of them once, the floor
first and the rest in an order that moves on from round to round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from . import reference
from .contenders import CONTENDERS, FLOOR, Contender
from .nets import Net, rows

REST = 0.1
"""Seconds between two contenders: idle threads of the one before stop spinning."""
PATIENCE = 900.0
"""Seconds after which a worker without an answer is given up."""


@dataclass(frozen=True)
class Settings:
    """How long a run measures: rounds, seconds a round for each contender, and threads."""

    rounds: int = 5
    seconds: float = 0.3
    threads: int = 2


@dataclass(frozen=True)
class Case:
    """What is timed: a step with an optimizer, or a prediction of so many rows."""

    net: Net
    optimizer: str | None = None
    rows: int = 0

    @property
    def title(self) -> str:
        what = self.optimizer or f"predict {self.rows:,} row{'s' if self.rows > 1 else ''}"
        return f"{self.net.name}, {what}"

    def allows(self, contender: Contender) -> bool:
        return contender.trains if self.optimizer else contender.predicts


@dataclass
class Row:
    """One contender in one case: its times, or why it has none."""

    status: str = "ok"  # or void, unavailable, failed
    reason: str = ""
    departure: float | None = None
    import_seconds: float | None = None
    first_step_seconds: float | None = None
    peak_bytes: int | None = None
    rounds: list[float] = field(default_factory=list)  # microseconds, one median a round


class Worker:
    """The process of one contender, spoken to in lines of JSON."""

    def __init__(
        self,
        case: Case,
        name: str,
        threads: int,
        caches: Path,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """`options` go to `vg.compile`, of a contender of ours that is to train."""
        asked = {
            "contender": name,
            "net": asdict(case.net),
            "optimizer": case.optimizer,
            "rows": case.rows,
            "threads": threads,
            "options": dict(options or {}),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "verigrad.benchmarks.worker", json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(threads, caches),
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, *command: Any) -> dict[str, Any]:
        """The answer to a command; without one, the answer that every worker starts with."""
        try:
            if command:
                _pipe(self.process.stdin).write(json.dumps(command) + "\n")
                _pipe(self.process.stdin).flush()
            line = _read(self.process, PATIENCE)
        except BrokenPipeError:
            line = ""
        if not line:
            return {"failed": f"the process ended with code {self.process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer


def environment(threads: int, caches: Path) -> dict[str, str]:
    """The environment of a worker: its threads, and caches that belong to this run alone."""
    counted = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM", "NUMEXPR")
    return {
        **os.environ,
        **{f"{library}_NUM_THREADS": str(threads) for library in counted},
        "XDG_CACHE_HOME": str(caches),
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"),
        "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
    }


def measure(
    case: Case,
    names: Sequence[str],
    settings: Settings,
    caches: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Row]:
    """A row for each contender of a case."""
    allowed = [n for n in names if case.allows(CONTENDERS[n])]
    table: dict[str, Row] = {}
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for name in allowed:
            tell(f"{case.title}: {CONTENDERS[name].title} starts")
            worker = stack.enter_context(Worker(case, name, settings.threads, caches))
            table[name] = admitted(worker, case)
            if table[name].status == "ok":
                workers[name] = worker
        for number in range(settings.rounds):
            tell(f"{case.title}: round {number + 1} of {settings.rounds}")
            one_round(number, workers, table, settings)
        for name, worker in workers.items():
            table[name].peak_bytes = worker.ask("end").get("peak_bytes")
    return table


def one_round(
    number: int, workers: dict[str, Worker], table: Mapping[str, Row], settings: Settings
) -> None:
    """Times each worker once, and drops those that fail."""
    for name in order(list(workers), number):
        time.sleep(REST)
        _time(workers[name], table[name], settings.seconds)
        if table[name].status != "ok":
            del workers[name]


def order(names: Sequence[str], number: int) -> list[str]:
    """The floor first, and the rest moved on by one from round to round."""
    rest = [n for n in names if n != FLOOR]
    shift = number % len(rest) if rest else 0
    return [*(n for n in names if n == FLOOR), *rest[shift:], *rest[:shift]]


def admitted(worker: Worker, case: Case) -> Row:
    """A row for a worker, which says why it cannot take part."""
    row = Row()
    admit(worker, case, row)
    return row


def admit(worker: Worker, case: Case, row: Row) -> None:
    """Waits for a worker's first step and holds its losses or scores against the reference."""
    started = worker.ask()
    if _refused(started, row):
        return
    row.import_seconds = started["import_seconds"]
    row.first_step_seconds = started["first_step_seconds"]
    shown = worker.ask("check", reference.STEPS)
    if _refused(shown, row) or shown["gives"] == "nothing":
        return
    judge(row, *_judged(case, shown))


def judge(row: Row, off: float, tolerance: float, what: str) -> None:
    """Makes a row void where it is further from the reference than the tolerance allows."""
    row.departure = off
    if not off <= tolerance:
        row.status = "void"
        row.reason = f"{what} differ from the reference by {off:.1e}, allowed {tolerance:.0e}"


def _judged(case: Case, shown: dict[str, Any]) -> tuple[float, float, str]:
    if case.optimizer is not None:
        expected = reference.trajectory(case.net, case.optimizer, eps_hat=shown["eps_hat"])
        off = reference.departure(shown["losses"], expected[shown["gives"]])
        return off, reference.TOLERANCE, "losses"
    expected_scores = reference.scores(case.net, rows(case.net, case.rows)[:100])
    if shown["gives"] == "probabilities":
        expected_scores = reference.probabilities(expected_scores)
    off = reference.score_departure(np.asarray(shown["values"]), expected_scores)
    return off, reference.SCORE_TOLERANCE, shown["gives"]


def _time(worker: Worker, row: Row, seconds: float) -> None:
    timed = worker.ask("time", seconds)
    if not _refused(timed, row):
        row.rounds.append(timed["microseconds"])


def _refused(answer: dict[str, Any], row: Row) -> bool:
    """Whether there is no answer; the row then says why."""
    for status in ("unavailable", "failed"):
        if status in answer:
            row.status, row.reason = status, answer[status]
            return True
    return False


def training_cases(nets: Iterable[Net], optimizers: Iterable[str]) -> list[Case]:
    optimizers = list(optimizers)
    return [Case(net, optimizer=o) for net in nets for o in optimizers]


def prediction_cases(nets: Iterable[Net], counts: Iterable[int] = (1, 10_000)) -> list[Case]:
    counts = list(counts)
    plain = [replace(net, keep=1.0) for net in nets if not net.batch_norm]
    return [Case(net, rows=count) for net in plain for count in counts]


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _read(process: subprocess.Popen[str], seconds: float) -> str:
    """The next line; nothing where the process ended, as it must when the time is over."""
    guard = threading.Timer(seconds, process.kill)
    guard.start()
    try:
        return _pipe(process.stdout).readline()
    finally:
        guard.cancel()

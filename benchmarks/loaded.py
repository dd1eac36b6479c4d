"""A step beside other work: beside two busy loops of lower priority, and beside none.

Ours take part once more with `threads=1`, which no other program's work can keep waiting. Rounds
of both states take turns, so that whatever else the machine does meets both alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from .contenders import CONTENDERS, OURS
from .driver import Case, Row, Settings, Worker, admitted, one_round
from .ratios import ratio, summary

STATES: Final = ("quiet", "loaded")
ONE_THREAD: Final = {name: f"{name}-one-thread" for name in OURS}
"""What ours are called where they are compiled with `threads=1`."""
LOOPS: Final = 2
NICENESS: Final = 5
"""How much lower than the contenders' the loops' priority is."""
_LOOP: Final = "import os; os.nice({}); print(flush=True)\nwhile True: pass"


@contextmanager
def busy(count: int, threads: int) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """So many loops run while the block lasts, on the cores that the contenders have."""
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            command = [sys.executable, "-c", _LOOP.format(NICENESS)]
            loops.append(subprocess.Popen(command, stdout=subprocess.PIPE))
            if hasattr(os, "sched_setaffinity"):
                cores = sorted(os.sched_getaffinity(0))[:threads]
                os.sched_setaffinity(loops[-1].pid, cores)
        for loop in loops:
            assert loop.stdout is not None
            loop.stdout.readline()
        yield loops
    finally:
        for loop in loops:
            loop.kill()
            loop.communicate()


def loaded(
    case: Case,
    names: Sequence[str],
    settings: Settings,
    caches: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, dict[str, Any]]:
    """For each state, a summary as `ratios.summary` makes it, ours on one thread among them.

    Ours have `to_one_thread` besides, the ratio to the same on one thread in the same round.
    """
    tables: dict[str, dict[str, Row]] = {state: {} for state in STATES}
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for name in [n for n in names if case.allows(CONTENDERS[n])]:
            found = {name: {}, **({ONE_THREAD[name]: {"threads": 1}} if name in OURS else {})}
            for key, options in found.items():
                tell(f"{case.title}: {key} starts")
                worker = Worker(case, name, settings.threads, caches, options)
                row = admitted(stack.enter_context(worker), case)
                for table in tables.values():
                    table[key] = Row(row.status, row.reason, row.departure)
                if row.status == "ok":
                    workers[key] = worker
        for number in range(settings.rounds):
            for state in STATES:
                tell(f"{case.title}, {state}: round {number + 1} of {settings.rounds}")
                with busy(LOOPS if state == "loaded" else 0, settings.threads):
                    one_round(number, workers, tables[state], settings)
    return {state: _summary(table) for state, table in tables.items()}


def _summary(table: dict[str, Row]) -> dict[str, Any]:
    plain = {name: row for name, row in table.items() if name not in ONE_THREAD.values()}
    made = summary(plain)
    for name, alone in ONE_THREAD.items():
        if name in table and table[name].rounds and table[alone].rounds:
            made[name]["to_one_thread"] = ratio(table[name].rounds, table[alone].rounds)
    return made

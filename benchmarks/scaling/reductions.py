"""What a sum over ranks takes in the order of a tree, beside MPI's own Allreduce, in one run.

`python -m verigrad.benchmarks.scaling.reductions` prints the table on 2 and 4 ranks.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

SIZES: Final = (100_000, 1_000_000, 25_000_000)
"""Bytes of a buffer."""
ROUNDS: Final = 15
_SECONDS: Final = 0.05
"""Of one way in one round."""
MPIEXEC: Final = Path(sys.executable).parent / "mpiexec"


class Sum(NamedTuple):
    """How long a sum of a buffer of so many bytes takes over so many ranks, and what one sends."""

    ranks: int
    bytes: int
    way: str
    seconds: float
    sent: int


def measured(ranks: int, sizes: Sequence[int] = SIZES, rounds: int = ROUNDS) -> list[Sum]:
    """The ways in turn, round by round, by mpiexec: medians of what the slowest rank takes.

    `chosen` is what ranks do; `doubling` and `pieces` are what it is chosen from, and `Allreduce`
    and `Iallreduce` are MPI's own.
    """
    worker = [
        sys.executable,
        "-m",
        "verigrad.benchmarks.scaling.reductions",
        json.dumps([list(sizes), rounds]),
    ]
    ended = subprocess.run(
        [str(MPIEXEC), "-n", str(ranks), *worker],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    return [Sum(*row) for row in json.loads(ended.stdout)]


def table(sums: Sequence[Sum]) -> str:
    """A table in Markdown: times, and the cost of the fixed order against MPI's own."""
    lines = [
        "| ranks | buffer | in our order | by doubling | by pieces | MPI's Allreduce | ours "
        "against it | a rank sends | at least |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    cases = dict.fromkeys((s.ranks, s.bytes) for s in sums)
    for ranks, count in cases:
        of = {s.way: s for s in sums if (s.ranks, s.bytes) == (ranks, count)}
        ours, theirs = of["chosen"], of["Allreduce"]
        times = [f"{1e6 * of[w].seconds:,.0f} us" for w in ("chosen", "doubling", "pieces")]
        bound = 2 * count * (ranks - 1) / ranks
        cells = [
            str(ranks),
            f"{count / 1e6:g} MB",
            *times,
            f"{1e6 * theirs.seconds:,.0f} us",
            f"{100 * (ours.seconds / theirs.seconds - 1):+.0f} %",
            f"{ours.sent / 1e6:.3g} MB",
            f"{bound / 1e6:.3g} MB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _work(sizes: Sequence[int], rounds: int) -> None:
    """A rank's part; rank 0 prints what was found."""
    from mpi4py import MPI

    from verigrad.runtime.ranks.reductions import Reduction, doubling, pieces, quickest

    comm = MPI.COMM_WORLD
    found = []
    for size in sizes:
        own = np.random.default_rng(comm.rank).standard_normal(size // 4).astype(np.float32)
        total = np.empty_like(own)
        known = {"chosen": quickest, "doubling": doubling, "pieces": pieces}
        ours = {k: Reduction(MPI, way(comm, 0, own)) for k, way in known.items()}
        ways = {k: _by(r, total) for k, r in ours.items()}
        ways["Allreduce"] = lambda own=own, total=total: comm.Allreduce(own, total)
        ways["Iallreduce"] = lambda own=own, total=total: comm.Iallreduce(own, total).Wait()
        seconds = _timed(comm, MPI, ways, rounds)
        sent = {k: r.sent for k, r in ours.items()}
        found += [[comm.size, size, k, statistics.median(s), sent.get(k, 0)] for k, s in seconds]
        for reduction in ours.values():
            reduction.free()
    if comm.rank == 0:
        print(json.dumps(found))


def _by(reduction: Any, total: Any) -> Callable[[], None]:
    """A sum that is waited for, with nothing beside it."""
    from verigrad.runtime.ranks.communicator import tree_sum

    def sum_() -> None:
        reduction.start()
        while not (reduction.advance() and reduction.are_sent()):
            os.sched_yield()
        if len(reduction.summands) > 1:
            tree_sum(reduction.summands, total)

    return sum_


def _timed(
    comm: Any, mpi: Any, ways: Mapping[str, Callable[[], None]], rounds: int
) -> list[tuple[str, list[float]]]:
    """The seconds of a sum in each way, of all rounds: as the slowest rank takes them."""
    seconds: dict[str, list[float]] = {k: [] for k in ways}
    for k in range(rounds):
        for way, sum_ in ways.items():
            repeats = 3
            if k > 0:
                repeats = max(3, min(500, int(_SECONDS / seconds[way][0])))
            comm.Barrier()
            begun = time.perf_counter()
            for _ in range(repeats):
                sum_()
            own = (time.perf_counter() - begun) / repeats
            seconds[way].append(comm.allreduce(own, mpi.MAX))
    return [(way, s[1:]) for way, s in seconds.items()]


def main() -> None:
    """Prints the table; as a rank, works."""
    if len(sys.argv) > 1:
        _work(*json.loads(sys.argv[1]))
        return
    print(table([s for ranks in (2, 4) for s in measured(ranks)]))


if __name__ == "__main__":
    main()

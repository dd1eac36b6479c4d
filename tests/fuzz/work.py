"""Cases by the hundred, in several processes, and what they came to together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import NamedTuple

from .case import case
from .checks import check
from .coverage import Coverage
from .cutting import cut
from .outcome import Failure
from .shrink import shrunk

BLOCK = 20
"""So many seeds are one piece of work."""
SHRUNK = 2
"""So many failures of one kind are made small."""
OFTEN = 25
"""One in so many programs has its gradients compared with difference quotients as well."""


class How(NamedTuple):
    """What is run of each seed."""

    backend: str = "numpy"
    exact_only: bool = False
    shrink: bool = True
    shards: bool = False
    """Only those whose batches can be cut into shards, and so."""


class Found(NamedTuple):
    """A failure of a seed, and the case made small where that was done."""

    seed: int
    failure: Failure
    small: str = ""

    def __str__(self) -> str:
        small = f"\n  made small: {self.small}" if self.small else ""
        what = self.failure.what.replace("\n", "\n  ")
        return f"seed {self.seed}: {self.failure.layer}: {what}{small}"


class Tally:
    """What some seeds came to."""

    def __init__(self) -> None:
        self.programs = 0
        self.seconds: Counter[str] = Counter()
        self.layers: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.found: list[Found] = []
        self.coverage = Coverage()

    def run(self, seed: int, how: How) -> None:
        """Adds the program of a seed."""
        start = time.perf_counter()
        whole = case(seed, how.backend)
        made = cut(whole) if how.shards else whole
        self.seconds["declare"] += time.perf_counter() - start
        if made is None:
            return
        numeric = not how.exact_only and seed % OFTEN == 0
        outcome = check(made, exact_only=how.exact_only, numeric=numeric)
        self.programs += 1
        self.seconds.update(outcome.seconds)
        self.layers.update(dict.fromkeys(outcome.seconds, 1))
        self.verdicts.update(outcome.verdicts)
        if outcome.coverage is not None:
            self.coverage.add(outcome.coverage)
        for failure in {f.kind: f for f in outcome.failures}.values():
            self.kinds[failure.kind] += 1
            small = ""
            if how.shrink and self.kinds[failure.kind] <= SHRUNK:
                small = shrunk(made, failure, exact_only=how.exact_only, numeric=numeric).told()
            self.found.append(Found(seed, failure, small))

    def add(self, other: Tally) -> None:
        """Adds what other seeds came to."""
        self.programs += other.programs
        for mine, its in (
            (self.seconds, other.seconds), (self.layers, other.layers),
            (self.verdicts, other.verdicts), (self.kinds, other.kinds),
        ):  # fmt: skip
            mine.update(its)
        self.found += other.found
        self.coverage.add(other.coverage)

    @property
    def graphs(self) -> int:
        """The compiled graphs that went through the exact layer."""
        return sum(n for verdict, n in self.verdicts.items() if verdict.startswith("exact:"))

    def lines(self, took: float) -> Iterator[str]:
        """The report; `took` is how many seconds went by."""
        rate = self.programs / max(took, 1e-9)
        yield f"{self.programs:,} programs in {took:.0f} s, {rate:.1f} a second"
        yield f"{self.graphs:,} compiled graphs went through the exact layer"
        yield "by layer, programs a second of one process:"
        for layer, seconds in self.seconds.most_common():
            count = self.layers.get(layer, self.programs)
            rate = count / max(seconds, 1e-9)
            yield f"  {layer:<12} {rate:8.1f}, {count:,} programs in {seconds:.0f} s"
        yield "verdicts:"
        yield from (f"  {verdict:<28} {n:,}" for verdict, n in sorted(self.verdicts.items()))
        yield from self.coverage.lines()
        yield f"failures: {len(self.found)} of {len(self.kinds)} kinds"
        yield from (f"  {n} x {kind}" for kind, n in self.kinds.most_common())
        shown: Counter[str] = Counter()
        for found in sorted(self.found, key=lambda f: not f.small):
            shown[found.failure.kind] += 1
            if shown[found.failure.kind] <= SHRUNK:
                yield f"\n{found}"


def worked(seeds: Sequence[int], how: How) -> Tally:
    """What these seeds came to."""
    tally = Tally()
    for seed in seeds:
        tally.run(seed, how)
    return tally


def tallies(
    first: int, programs: int | None, seconds: float, jobs: int, how: How
) -> Iterator[Tally]:
    """Pieces of work as they are done: seeds from `first` on, until all or the time is done."""
    end = time.monotonic() + seconds
    last = None if programs is None else first + programs
    # Forked processes would share the threads of a BLAS that is there already.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        at, running = first, set[Future[Tally]]()
        while True:
            open_ended = time.monotonic() < end and (last is None or at < last)
            while open_ended and len(running) < jobs + 1:
                stop = at + BLOCK if last is None else min(at + BLOCK, last)
                running.add(pool.submit(worked, range(at, stop), how))
                at = stop
                open_ended = last is None or at < last
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)

"""Trials in rounds: the same ones, however many jobs make them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from ...graph import RunError
from ..optional import require
from .study import Study
from .trial import FAILED, Ran, Trial, bars

ROUND: Final = 6
"""So many trials are made without a look at one another: 1, 2, 3 or 6 jobs are never idle."""

Bars = tuple[float | None, ...]


class Run(Protocol):
    """A run with some options, which ends where it is worse than the bar of its epoch."""

    def __call__(self, options: Mapping[str, Any], bars: Bars, /) -> Ran:
        """What it came to; in a process of its own, maybe."""


def rounds(
    study: Study, run: Run, by: str, trials: int, jobs: int, size: int, prune: bool
) -> Iterator[Trial]:
    """Makes trials until there are so many, each given as it is kept, in the order of numbers.

    Raises RunError where all of the first round failed: so would the rest.
    """
    while len(study.trials) < trials:
        first = len(study.trials) // size * size
        bar = bars(by, study.trials[:first]) if prune else ()
        # All of a round, also where some are there or not wanted: one is drawn beside the others.
        suggested = study.suggest(first, size)
        due = suggested[len(study.trials) - first : trials - first]
        made = _made(run, [study.options(s.drawn) for s in due], bar, jobs)
        for suggestion, ran in zip(due, made, strict=True):
            yield study.add(suggestion, ran)
        if all(t.ended.startswith(FAILED) for t in study.trials):
            raise RunError(f"every trial {study.trials[0].ended}")


def _made(run: Run, options: Sequence[Mapping[str, Any]], bar: Bars, jobs: int) -> Iterator[Ran]:
    """The results in the order of the options, each as soon as it and those before it are there."""
    if jobs == 1 or len(options) == 1:
        yield from (run(o, bar) for o in options)
        return
    joblib = require("joblib", "tune")
    parallel = joblib.Parallel(jobs, backend="loky", return_as="generator", inner_max_num_threads=1)
    results = parallel(joblib.delayed(run)(o, bar) for o in options)
    try:
        for _ in options:
            with _without_advice():
                ran = next(results)
            yield ran
    finally:
        with _without_advice():
            results.close()


@contextmanager
def _without_advice() -> Iterator[None]:
    """Without a warning of results that nobody fetched, where a tuning is stopped."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* cancelled", UserWarning)
        warnings.filterwarnings("ignore", ".* not used", UserWarning)
        yield

"""Trials in rounds: the same ones, however many jobs make them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from ...graph import RunError
from .jobs import results
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
    study: Study, run: Run, by: str, trials: int, jobs: int | None, size: int, prune: bool
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
        made = results(run, [(study.options(s.drawn), bar) for s in due], jobs)
        for suggestion, ran in zip(due, made, strict=True):
            yield study.add(suggestion, ran)
        if all(t.ended.startswith(FAILED) for t in study.trials):
            raise RunError(f"every trial {study.trials[0].ended}")

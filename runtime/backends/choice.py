"""Which of two ways a run goes, alone or with the help of other threads, by the time they take.

How fast data goes from one core to another is not the same on all machines, nor, where they are
shared with others, from one minute to the next: beside a busy program, threads that wait for each
other may take a hundred times as long. So the mean of recent runs counts, with the rare long ones:
the other way is tried now and then, at once where runs begin to take longer than it last took or
less than they themselves did, and seldom where trying it costs much. Which way a run goes changes
no bit of what it computes.

The functions work on WORDS whole numbers: of a list, and compiled, of memory.
"""

from __future__ import annotations

from typing import Any, Final

ALONE: Final = 0
"""Whether runs are made alone; what is tried meanwhile is the other way."""
LEFT: Final = 1
"""Nanoseconds of runs until the other way is tried again."""
TRIED: Final = 2
"""The number of the run that tries the other way, from 1; 0 where none does."""
MEAN: Final = 3
"""Nanoseconds of a run as they are made, by the recent ones; 0 at first."""
OTHER: Final = 4
"""Nanoseconds of a run the other way, when it was tried last; 0 before."""
_NOTED: Final = 5
"""The runs of a try that were noted: not those that were refused."""
_SPENT: Final = 6
_SETTLED: Final = 7
"""Their nanoseconds: of all, and of those behind the first."""
_WARM: Final = 8
"""Runs so far, up to FIRST."""
_BOUND: Final = 9
"""Nanoseconds of a run with help from which it is not tried alone; 0 for any."""
_THEN: Final = 10
"""Nanoseconds of a run as they were made behind the last try; 0 before."""
WORDS: Final = 11

FIRST: Final = 4
"""Runs before the other way is tried first; before the last of these, data comes into caches."""
TRIES: Final = 8
"""So many runs try the other way at least; the first of them finds its data in another cache."""
TRYING: Final = 100_000_000
"""Nanoseconds that a try takes at least: beside a busy program, the threads that are left find
their cores only after some tens of milliseconds."""
_PATIENCE: Final = 4
"""Behind so many runs, the other way may be given up."""
_SLOWER: Final = 1.25
"""The other way is given up where its runs take so many times as long; and tried, where runs have
begun to take so many times as long as it did."""
_FASTER: Final = 1.15
"""The other way is tried where runs take so many times less than behind the last try: the program
that they were beside may have ended."""
_RECENT: Final = 8
"""The mean is that of about so many runs."""
_LONGEST: Final = 4
"""A run counts as no more than so many of the mean: one that was interrupted says little."""
_COST: Final = 50
"""Trying takes at most one part in so many of all time, beside what it gains."""
SHORTEST: Final = 1_000_000_000
LONGEST: Final = 10_000_000_000
"""Nanoseconds between two tries: at least, and at most."""


def reset(c: Any, alone: bool, bound: int = 0) -> None:
    """Before the first run; one that takes more than `bound` nanoseconds with help keeps it."""
    for k in range(WORDS):
        c[k] = 0
    c[ALONE], c[_BOUND] = alone, bound


def next_alone(c: Any) -> Any:
    """Begins a run: whether it is made alone. Behind the last that tries, it chooses."""
    if c[TRIED] >= c[_NOTED] + TRIES:
        noted, spent = c[_NOTED], c[_SPENT]
        cost = spent - noted * c[MEAN]
        if noted > 0:
            c[OTHER] = c[_SETTLED] // (noted - 1) if noted > 1 else spent
            if c[OTHER] < c[MEAN]:
                c[ALONE] = 1 - c[ALONE]
                c[MEAN], c[OTHER] = c[OTHER], c[MEAN]
                cost = 0
        c[LEFT], c[_THEN] = min(max(_COST * cost, SHORTEST), LONGEST), c[MEAN]
        c[TRIED] = c[_NOTED] = c[_SPENT] = c[_SETTLED] = 0
    slow = 0 < _SLOWER * c[OTHER] < c[MEAN]
    fast = _FASTER * c[MEAN] < c[_THEN]
    long = c[ALONE] == 0 and 0 < c[_BOUND] < c[MEAN]
    if c[TRIED] > 0 or (c[_WARM] >= FIRST and not long and (slow or fast or c[LEFT] <= 0)):
        c[TRIED] += 1
    return (c[ALONE] != 0) == (c[TRIED] == 0)


def note(c: Any, nanoseconds: Any) -> None:
    """Ends a run that was not refused."""
    if c[TRIED] > 0:
        c[_NOTED] += 1
        c[_SPENT] += nanoseconds
        behind = c[_NOTED] - 1
        if behind > 0:
            c[_SETTLED] += nanoseconds
        slower = behind >= _PATIENCE and c[_SETTLED] > _SLOWER * behind * c[MEAN]
        slower = slower or c[_SPENT] > _SLOWER * max(TRIES, behind) * c[MEAN]
        if slower or (c[_NOTED] >= TRIES and c[_SPENT] >= TRYING):
            c[TRIED] = c[_NOTED] + TRIES  # behind as many that were refused, it ends too
        return
    c[LEFT] -= nanoseconds
    if c[_WARM] < FIRST:
        c[_WARM] += 1
        c[MEAN] = nanoseconds
    else:
        c[MEAN] += (min(nanoseconds, _LONGEST * c[MEAN]) - c[MEAN]) // _RECENT

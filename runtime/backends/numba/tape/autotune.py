"""Whether a run asks helpers: now and then it tries the other, and keeps to what took less time.

How fast data goes from one core to another is not the same on all machines, nor, where they are
shared with others, from one minute to the next. Who makes a part does not change what it computes.
"""

from __future__ import annotations

from typing import Any, Final

from numba import carray, int64

from ..kernels.cache import jitted
from ..kernels.intrinsics import pointer

# The words of a choice.
ALONE: Final = 0
"""Whether the leader makes all parts itself."""
LEFT: Final = 1
"""Runs until both are timed again; below 0, minus those that have been."""
_BEST: Final = 2
"""The fewest nanoseconds of a run as it is, and of one the other way."""
WORDS: Final = 4

FIRST: Final = 32
SPELL: Final = 500
"""Runs before the first that are timed, and between these."""
TIMED: Final = 16
"""Runs that are timed as they are, and then at most as many the other way."""
SETTLING: Final = 2
"""Of these, the first still find their data where the runs before have left it."""
_HOPELESS: Final = 1.25
"""The other way is given up where its first two runs take so many times as long."""
_LONG: Final = 1_000_000
"""Nanoseconds of a run with helpers from which on no other way is tried: what threads exchange is
then little beside what they make."""
WAKING: Final = 16
"""So many runs before any is timed, helpers are woken."""
_FOREVER: Final = 1 << 62


def reset(words: Any) -> None:
    """The words as they are before the first run."""
    words[:] = 0, FIRST, _FOREVER, _FOREVER


def asks(words: Any) -> bool:
    """Whether helpers should be awake for the next run."""
    return not words.item(ALONE) or words.item(LEFT) <= WAKING


def _next_alone(choice: Any) -> Any:
    """Begins a run: whether the leader makes all parts. When all have been timed, it chooses."""
    c = carray(pointer(choice), (WORDS,), int64)
    c[LEFT] -= 1
    if c[LEFT] < -2 * TIMED:
        if c[_BEST + 1] < c[_BEST] < _FOREVER:
            c[ALONE] = 1 - c[ALONE]
        c[LEFT] = SPELL
        c[_BEST] = c[_BEST + 1] = _FOREVER
    return (c[ALONE] != 0) == (c[LEFT] >= -TIMED)


def _note(choice: Any, nanoseconds: Any) -> None:
    """Ends a run that was timed, and was not refused."""
    c = carray(pointer(choice), (WORDS,), int64)
    nth = -c[LEFT] - 1
    other = nth >= TIMED
    if nth % TIMED >= SETTLING:
        kind = _BEST + 1 if other else _BEST
        c[kind] = min(c[kind], nanoseconds)
    hopeless = other and nth % TIMED > SETTLING and c[_BEST + 1] > _HOPELESS * c[_BEST]
    needless = nth + 1 == TIMED and c[ALONE] == 0 and c[_BEST] >= _LONG
    if hopeless or needless:
        c[LEFT] = -2 * TIMED


next_alone = jitted("boolean(int64)", nogil=True)(_next_alone)
note = jitted("void(int64, int64)", nogil=True)(_note)

"""Whether a run asks helpers: it tries both now and then, and keeps to what took less time.

How fast data goes from one core to another is not the same on all machines, nor, where they are
shared with others, from one minute to the next. Who makes a part does not change what it computes.
"""

from __future__ import annotations

from typing import Any, Final

from numba import carray, int64, njit

from .native import pointer

# The words of a choice.
ALONE: Final = 0
"""Whether the leader makes all parts itself."""
LEFT: Final = 1
"""Runs until both are tried again; from 0 down, what is tried."""
_BEST: Final = 2
"""The fewest nanoseconds of a try with helpers, and of one without."""
WORDS: Final = 4

FIRST: Final = 32
SPELL: Final = 2_000
"""Runs before the first tries, and between tries."""
TRIES: Final = 16
"""Runs that are tried with helpers, and then as many without."""
_SETTLING: Final = 2
"""Of these, the first still find their data where the runs before have left it."""
WAKING: Final = 16
"""So many runs before they are tried, helpers are woken."""
_FOREVER: Final = 1 << 62


def reset(words: Any) -> None:
    """The words as they are before the first run."""
    words[:] = 0, FIRST, _FOREVER, _FOREVER


def asks(words: Any) -> bool:
    """Whether helpers should be awake for the next run."""
    return not words.item(ALONE) or words.item(LEFT) <= WAKING


def _next_alone(choice: Any) -> Any:
    """Begins a run: whether the leader makes all parts."""
    c = carray(pointer(choice), (WORDS,), int64)
    c[LEFT] -= 1
    return c[ALONE] != 0 if c[LEFT] >= 0 else -c[LEFT] > TRIES


def _note(choice: Any, nanoseconds: Any) -> None:
    """Ends a run that was a try, and after the last one chooses."""
    c = carray(pointer(choice), (WORDS,), int64)
    tried = -c[LEFT]
    kind = _BEST + (1 if tried > TRIES else 0)
    if (tried - 1) % TRIES >= _SETTLING:
        c[kind] = min(c[kind], nanoseconds)
    if tried >= 2 * TRIES:
        c[ALONE] = 1 if c[_BEST + 1] < c[_BEST] else 0
        c[LEFT] = SPELL
        c[_BEST] = c[_BEST + 1] = _FOREVER


next_alone = njit("boolean(int64)", nogil=True, cache=True)(_next_alone)
note = njit("void(int64, int64)", nogil=True, cache=True)(_note)

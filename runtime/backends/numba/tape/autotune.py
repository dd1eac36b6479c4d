"""Whether a run asks helpers: `runtime/backends/choice.py`, in memory that native code reads."""

from __future__ import annotations

from typing import Any, Final

from numba import carray, int64
from numba.extending import register_jitable

from ... import choice
from ...choice import ALONE, LEFT, MEAN, TRIED, WORDS, reset
from ..kernels.cache import jitted
from ..kernels.intrinsics import pointer

__all__ = ["ALONE", "LEFT", "TRIED", "WORDS", "asks", "next_alone", "note", "reset"]

WAKING: Final = 16
"""So many runs before one may be tried with helpers, they are woken."""

_next = register_jitable(choice.next_alone)
_noted = register_jitable(choice.note)


def asks(words: Any) -> bool:
    """Whether helpers should be awake for the next run."""
    alone, left, mean = words.item(ALONE), words.item(LEFT), words.item(MEAN)
    return not alone or words.item(TRIED) > 0 or left <= WAKING * mean


def _next_alone(words: Any) -> Any:
    """Begins a run: whether the leader makes all parts."""
    return _next(carray(pointer(words), (WORDS,), int64))


def _note(words: Any, nanoseconds: Any) -> None:
    """Ends a run that was not refused."""
    _noted(carray(pointer(words), (WORDS,), int64), nanoseconds)


next_alone = jitted("boolean(int64)", nogil=True)(_next_alone)
note = jitted("void(int64, int64)", nogil=True)(_note)

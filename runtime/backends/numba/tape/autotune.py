"""Whether a run shares its parts with helpers: the choice of `runtime/backends/choice.py`,
compiled.

That file says when the other way is tried, and which is kept. Here its functions work on WORDS
words of 64 bits at the end of those of a run (see `driver.py`), which the compiled driver reads.
"""

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
"""Helpers that are not used are woken so many runs before the next try, as waking takes time."""

_next = register_jitable(choice.next_alone)
_noted = register_jitable(choice.note)


def asks(words: Any) -> bool:
    """Whether helpers should be awake for the next run: they are used, are being tried, or will be
    soon. For Python, on the array of the words."""
    alone, left, mean = words.item(ALONE), words.item(LEFT), words.item(MEAN)
    return not alone or words.item(TRIED) > 0 or left <= WAKING * mean


def _next_alone(words: Any) -> Any:
    """Begins a run, of whose choice `words` is the address; gives whether the leader makes all
    parts."""
    return _next(carray(pointer(words), (WORDS,), int64))


def _note(words: Any, nanoseconds: Any) -> None:
    """Notes the time of a run that ran to its end."""
    _noted(carray(pointer(words), (WORDS,), int64), nanoseconds)


next_alone = jitted("boolean(int64)", nogil=True)(_next_alone)
note = jitted("void(int64, int64)", nogil=True)(_note)

"""A debug run: before each kernel call, what is dead in the arena is filled with NaN.

With VERIGRAD_POISON=1 in the environment, a kernel that reads what it was not given (its own
result, a temporary, an operand that the graph does not tell of) gives NaN at the first step, where
it would otherwise find numbers that happen to lie there. What is right keeps its bits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Final

from ...graph import Array
from ..planning.interference import ARENA, calls_of
from ..planning.plan import Plan

VARIABLE: Final = "VERIGRAD_POISON"
_NAN: Final = 0xFF
"""All bits set: NaN in f32 and f64, -1 in i64."""


def is_wanted() -> bool:
    """Whether the environment asks for it."""
    return os.environ.get(VARIABLE, "0") not in ("", "0")


def poison(plan: Plan, arena: Array) -> list[Callable[[], None]]:
    """For each kernel call, what fills all of the arena that is dead as it begins."""
    calls = calls_of(plan.graph, plan.sizes, plan.nbytes)
    needed = [mask for _, mask in calls.backwards()][::-1]
    fills: list[Callable[[], None]] = []
    for mask in needed:
        alive = [v.place for v, live in zip(calls.values, mask, strict=True) if live]
        held = sorted((p.start, p.stop) for p in alive if p.memory == ARENA)
        fills.append(partial(_fill, [arena[a:b] for a, b in _gaps(held, plan.nbytes)]))
    return fills


def _gaps(held: list[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """The ranges up to the end between those that are held, which come in order."""
    gaps, done = [], 0
    for start, stop in held:
        if start > done:
            gaps.append((done, start))
        done = max(done, stop)
    return [*gaps, (done, end)] if done < end else gaps


def _fill(dead: list[Array]) -> None:
    for part in dead:
        part.fill(_NAN)

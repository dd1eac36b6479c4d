"""Which values of a step are needed when: the calls, walked backwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...graph import Array


class Place(NamedTuple):
    """Bytes of a memory: of the arena, of a tile, or of a source by its name."""

    memory: str
    start: int
    stop: int


class Value(NamedTuple):
    """What lies somewhere: a source, a result, a temporary, or what is copied into a state."""

    label: str
    place: Place


class Call(NamedTuple):
    """What a call writes and reads.

    `replaced` is, for a value that it writes, the one that it reads there for the last time.
    """

    writes: Sequence[Value]
    reads: Sequence[Value] = ()
    replaced: Mapping[Value, Value] = {}


class Calls:
    """The calls of a step, and what is needed behind the last."""

    def __init__(self, calls: Sequence[Call], needed: Iterable[Value] = ()) -> None:
        self._calls = calls
        self._needed = list(needed)
        held = [v for call in calls for v in (*call.reads, *call.writes)]
        self.values = list(dict.fromkeys([*self._needed, *held]))
        self._number = {v: k for k, v in enumerate(self.values)}
        memories = {m: k for k, m in enumerate(dict.fromkeys(v.place.memory for v in self.values))}
        places = [(memories[v.place.memory], *v.place[1:]) for v in self.values]
        self._memory, self._start, self._stop = np.array(places, np.int64).reshape(-1, 3).T

    def backwards(self) -> Iterator[tuple[Call, Array]]:
        """Each call, the last first, and which of `values` are needed behind it; then a call that
        does nothing, and what is needed before all."""
        live = self._mask(self._needed)
        for call in reversed(self._calls):
            yield call, live.copy()
            live[self._numbers(call.writes)] = False
            live[self._numbers(call.reads)] = True
        yield Call(()), live

    def interfering(self) -> Iterator[tuple[Value, Array]]:
        """Each value that is written, and which others must be intact then; each pair once."""
        for call, live in self.backwards():
            written = self._numbers(call.writes)
            live[written] = False
            beside = live.copy()
            beside[self._numbers(call.reads)] = True
            for v, k in zip(call.writes, written, strict=True):
                others = beside.copy()
                if v in call.replaced:
                    old = self._number[call.replaced[v]]
                    others[old] = live[old]
                yield v, others
                beside[k] = True

    def shared(self, v: Value, others: Array) -> list[Value]:
        """Those of the others that share a byte with a value."""
        k = self._number[v]
        same = others & (self._memory == self._memory[k])
        meets = same & (self._start < self._stop[k]) & (self._stop > self._start[k])
        meets &= (self._start < self._stop) & bool(self._start[k] < self._stop[k])
        return [self.values[i] for i in np.flatnonzero(meets)]

    def _numbers(self, values: Iterable[Value]) -> list[int]:
        return [self._number[v] for v in values]

    def _mask(self, values: Iterable[Value]) -> Array:
        mask = np.zeros(len(self.values), bool)
        mask[self._numbers(values)] = True
        return mask

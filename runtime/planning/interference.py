"""Which values of a plan must be intact at the same time, and whether any of these share a byte.

A second proof of each plan. It shares the schedule with the planner and its verifier and nothing
else: those follow intervals of kernel calls, this walks the calls backwards with the set of values
that are still needed. What a call writes interferes with all that is needed behind it, with all
else that it writes, and with all that it reads but the one value that it takes over. A plan is
sound where values that interfere share no byte: where its places colour the interference graph.

Source: Chaitin, "Register allocation and spilling via graph coloring", 1982.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from ...graph import (
    Constant,
    Graph,
    Input,
    Node,
    Nodes,
    RefutedError,
    Source,
    TensorType,
    kernel_groups,
    whole_symbols,
)
from ...passes.tensor_names import new_name
from .liveness import Call, Calls, Place, Value
from .tiling import Tiling, tiling

_SHOWN: Final = 6
"""So many faults are listed."""
ARENA: Final = "the arena"
_TILE: Final = "a tile's temporaries"


class Placement(NamedTuple):
    """That no two values of a plan share a byte which both need, as it was proved again."""

    sizes: Mapping[str, int]
    values: int
    pairs: int
    """So many pairs of values must be intact at the same time."""
    seconds: float

    def __str__(self) -> str:
        at = ", ".join([f"{s}={n}" for s, n in self.sizes.items()])
        return (
            f"{at + ': ' if at else ''}proved twice: of {self.values} values {self.pairs:,} pairs "
            f"are needed at one time, and share no byte, in {1e3 * self.seconds:.0f} ms"
        )


def check_placement(g: Graph, sizes: Mapping[str, int], nbytes: int) -> Placement:
    """Proves the places in a scheduled graph, for an arena of so many bytes; RefutedError names
    what shares bytes."""
    start = time.perf_counter()
    step = _Step(g, sizes, nbytes)
    calls, pairs = step.calls(), 0
    faults = step.faults
    for one in (calls, *step.tiles):
        for v, others in one.interfering():
            pairs += int(np.count_nonzero(others))
            faults += [
                f"{v.label} and {other.label} share bytes of {v.place.memory} while both are needed"
                for other in one.shared(v, others)
            ]
    if faults:
        at = ", ".join([f"{s}={n}" for s, n in sizes.items()])
        listed = "\n  ".join(faults[:_SHOWN])
        raise RefutedError(
            f"graph {g.name}: the plan for {at or 'its sizes'} is unsound\n  {listed}\n"
            "  fix: the pass schedule or the planner is at fault; certify=False runs it as it is"
        )
    return Placement(sizes, len(calls.values), pairs, time.perf_counter() - start)


def calls_of(g: Graph, sizes: Mapping[str, int], nbytes: int) -> Calls:
    """What each kernel call writes and reads, and what is needed behind the last."""
    return _Step(g, sizes, nbytes).calls()


class _Step:
    """Reads values and calls off a planned graph, and notes what is no plan at all."""

    def __init__(self, g: Graph, sizes: Mapping[str, int], nbytes: int) -> None:
        assert g.schedule is not None
        self.g, self.s, self.sizes, self._arena = g, g.schedule, sizes, nbytes
        self.faults: list[str] = []
        self.tiles: list[Calls] = []
        self.values = {n: Value(self._label(n), self._memory(n)) for n in self.g.sources}
        """What has been computed so far, but for what stays inside of a call."""

    def calls(self) -> Calls:
        """The kernel calls in their order, and then the copies into the state."""
        calls = [self._call(group) for group in kernel_groups(self.s)]
        needed = [self.values[n] for n in self.g.sources if n not in self.g.updates]
        needed += [self._read(n) for n in self.g.outputs.values()] + self._once()
        for w, n in self.g.updates.items():
            new = self._read(n)
            if new.place != self._memory(w):
                copied = Value(new_name(self._label(w)), self._memory(w))
                calls.append(Call([copied], [new]))
                new = copied
            needed.append(new)
        return Calls(calls, needed)

    def _once(self) -> list[Value]:
        """What is computed once and read at every step, so that it must stay."""
        g, once = self.g, self.s.once
        fixed = {n for n in g.sources if not (g.updates or isinstance(n.op, Input))}
        fixed |= {n for n in g.sources if isinstance(n.op, Constant)} | once
        if any(n in once for n in self.s.order[len(once) :]):
            self.faults.append("what is computed once does not come first")
        for n in once:
            self.faults += [
                f"{self._label(n)} is computed once, of {self._label(i)}, which changes"
                for i in n.inputs
                if i not in fixed
            ]
        read = {i for n in self.s.order if n not in once for i in n.inputs}
        return [self._read(n) for n in once if n in read]

    def _call(self, group: Nodes) -> Call:
        reads = {i: self._read(i) for n in group for i in n.inputs if i not in group}
        tiles = tiling(self.g, group, self.sizes)
        inside: set[Node] = set()
        if tiles is not None:
            inside = {n for lane in (tiles.lane, *tiles.others) for n in self._inside(tiles, lane)}
            self.tiles.append(self._tile(tiles))
        writes = self._temporaries(group, tiles)
        results = {n: self._written(n) for n in group if n not in inside}
        replaced = {
            value: reads[old]
            for n, value in results.items()
            if (old := self.s.takeovers.get(n)) in reads
            and reads[old].place == value.place
            and self._last_read(old, n, group)
        }
        self.values |= results
        return Call([*writes, *results.values()], list(dict.fromkeys(reads.values())), replaced)

    def _last_read(self, old: Node, n: Node, group: Nodes) -> bool:
        """Whether n may be written where `old` lies, which nothing behind it in the call reads."""
        behind = group[group.index(n) + 1 :]
        return old in n.reusable and not any(old in m.inputs for m in behind)

    def _inside(self, tiles: Tiling, lane: Nodes) -> list[Node]:
        """The results of a lane that lie in a tile's temporaries."""
        return [n for own, n in zip(tiles.lane, lane, strict=True) if own in tiles.results]

    def _tile(self, tiles: Tiling) -> Calls:
        """What each node of a lane writes and reads of the temporaries, one of which is a byte."""
        inside = {
            n: Value(f"a tile of {self._label(n)}", Place(_TILE, k, k + 1))
            for n, k in tiles.results.items()
        }
        calls = []
        for n in tiles.lane:
            own = [inside[n]] if n in inside else []
            own += [
                Value(f"temporary {k} of a tile of {self._label(n)}", Place(_TILE, k, k + 1))
                for k in tiles.scratch.get(n, ())
            ]
            calls.append(Call(own, [inside[i] for i in n.inputs if i in inside]))
        walk = Calls(calls)
        *_, (_, early) = walk.backwards()
        unwritten = [v for v, needed in zip(walk.values, early, strict=True) if needed]
        self.faults += [f"{v.label} is read before it is written" for v in unwritten]
        return walk

    # ---- places ------------------------------------------------------------------------------

    def _read(self, n: Node) -> Value:
        """Where a value lies that a call before has computed."""
        if n not in self.values:
            return self._nowhere(n, "is read, but lies nowhere at that time")
        return self.values[n]

    def _written(self, n: Node) -> Value:
        """A result, at its place in the arena or in the memory of the source that it updates."""
        first = n
        while first in self.s.takeovers and first not in self.s.places:
            first = self.s.takeovers[first]
        if isinstance(first.op, Source):
            return Value(self._label(n), self._memory(first))
        if first not in self.s.places:
            return self._nowhere(n, "has no place")
        return self._placed(self._label(n), self.s.places[first], n.type)

    def _nowhere(self, n: Node, fault: str) -> Value:
        """What the fault is about: no bytes, so that it shares none."""
        self.faults.append(f"{self._label(n)} {fault}")
        return Value(self._label(n), Place("nowhere", 0, 0))

    def _temporaries(self, group: Nodes, tiles: Tiling | None) -> list[Value]:
        """What a call writes besides its results."""
        wanted = {n: n.op.scratch(*[i.type for i in n.inputs]) for n in group}
        if tiles is not None:
            wanted = {group[0]: tiles.temporaries}
        values = []
        for n, types in wanted.items():
            places = self.s.scratch.get(n, ())
            if len(places) != len(types):
                self.faults.append(f"{self._label(n)} takes {len(types)} temporaries, which differ")
            values += [
                self._placed(f"temporary {k} of {self._label(n)}", place, t)
                for k, (place, t) in enumerate(zip(places, types, strict=False))
            ]
        return values

    def _placed(self, label: str, place: tuple[int, int], t: TensorType) -> Value:
        """What lies at an offset of the arena, of so many bytes."""
        offset, nbytes = place
        if nbytes != t.nbytes(self.sizes):
            self.faults.append(f"{label} has {nbytes:,} bytes, and takes {t.nbytes(self.sizes):,}")
        if not 0 <= offset <= offset + nbytes <= self._arena or offset % t.numpy.itemsize:
            self.faults.append(f"{label} lies at {offset:,}: outside of the arena, or not aligned")
        return Value(label, Place(ARENA, offset, offset + nbytes))

    def _memory(self, source: Node) -> Place:
        """The bytes of a source; an input that has no known size takes none."""
        known = self.sizes.keys() >= {*whole_symbols(source.type.symbols)}
        nbytes = source.type.nbytes(self.sizes) if known else 0
        return Place(self._label(source), 0, nbytes)

    def _label(self, n: Node) -> str:
        return f"%{self.g.names[n]}"

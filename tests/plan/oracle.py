"""The planner's oracle: walks a plan and marks every byte with the value that lies there.

It knows nothing of lifetimes or intervals. Each value writes its tag at its place; whoever reads
finds every byte of its operands under their tags, or it is a violation. Numbers alone would not
do: NumPy hides a partial overlap behind a silent temporary copy.

A graph is run twice, and every value gets another tag in the second run but for those that are
computed once: these must still be there. A group that runs tile by tile is walked twice as well:
as one call that reads and writes at once, and tile by tile, its temporaries marked too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import networkx as nx
import numpy as np

import verigrad as vg
from verigrad.graph import ALIGNMENT, Constant, Input, Schedule, Source
from verigrad.runtime.planning.tiling import Tiling, tiling

Place = tuple[str, int, int]
"""Which memory (the arena, or a source's own), from which byte to which."""
Lanes = list[list[vg.Node]]


class Oracle:
    """The memory of two runs of a scheduled graph, as tags."""

    def __init__(self, g: vg.Graph, sizes: dict[str, int], nbytes: int) -> None:
        assert g.schedule is not None
        self.g, self.sizes, self.s = g, sizes, g.schedule
        self.tag: dict[vg.Node, int] = {}
        self.tags = 0
        self.memory = {"arena": np.full(nbytes, -1)}
        self.lanes = [equal_lanes(members) for members in kernel_calls(self.s)]
        self.hidden = {
            n
            for members, lanes in zip(kernel_calls(self.s), self.lanes, strict=True)
            for n in internal(g, members, lanes)
        }

    def violations(self) -> Iterator[str]:
        yield from self._homeless()
        if any(self.place(n) is None for n in self.s.order if n not in self.hidden):
            return
        yield from self._packs()
        yield from self._once()
        for run in ("first", "second"):
            self._begin(run)
            for members, lanes in zip(kernel_calls(self.s), self.lanes, strict=True):
                if run == "first" or members[0] not in self.s.once:
                    yield from self._call(members, lanes)
            yield from self._end()

    # ---- what must hold before anything runs -------------------------------------------------

    def _homeless(self) -> Iterator[str]:
        for n in self.s.order:
            if n not in self.hidden and self.place(n) is None:
                yield f"%{self.g.names[n]} has no place, but is no inner result of a tiled group"

    def _packs(self) -> Iterator[str]:
        """Packed results lie one behind another, each in one pack."""
        packed = [n for pack in self.s.packs for n in pack]
        for n in set(packed):
            if packed.count(n) > 1 or n in self.s.takeovers or isinstance(n.op, (Input, Constant)):
                yield f"%{self.g.names[n]} cannot lie where its pack wants it"
        for pack in self.s.packs:
            if len({n.type.dtype for n in pack}) > 1:
                yield f"%{self.g.names[pack[0]]} is packed with other dtypes"
            end = None
            for n in pack:
                place = self.place(n)
                if place is None or place[0] != "arena":
                    continue
                if end is not None and place[1] != end:
                    yield f"%{self.g.names[n]} lies apart from its pack"
                end = place[2]

    def _once(self) -> Iterator[str]:
        """What is computed once comes first, and is made of nothing that changes."""
        calls = kernel_calls(self.s)
        once = [[n in self.s.once for n in members] for members in calls]
        if any(any(o) != all(o) for o in once) or [all(o) for o in once] != sorted(
            [all(o) for o in once], reverse=True
        ):
            yield "what is computed once does not come first"
        view = self.g.to_networkx()
        for n in self.s.once:
            for name in nx.ancestors(view, self.g.names[n]):
                source = self.g[name]
                changes = isinstance(source.op, Source) and not isinstance(source.op, Constant)
                if changes and (isinstance(source.op, Input) or self.g.updates):
                    yield f"%{self.g.names[n]} is computed once, of %{name}, which changes"

    # ---- where values lie --------------------------------------------------------------------

    def place(self, n: vg.Node) -> Place | None:
        if n in self.s.places:
            offset, nbytes = self.s.places[n]
            return "arena", offset, offset + nbytes
        first = n
        while first in self.s.takeovers:
            first = self.s.takeovers[first]
        if not isinstance(first.op, Source):
            return None
        return self.g.names[first], 0, n.type.nbytes(self.sizes)

    def bytes_of(self, n: vg.Node) -> np.ndarray:
        place = self.place(n)
        return np.empty(0) if place is None else self.bytes_at(place)

    def bytes_at(self, place: Place) -> np.ndarray:
        memory, start, stop = place
        return self.memory[memory][start:stop]

    def intact(self, n: vg.Node) -> bool:
        held = self.bytes_of(n)
        return held.size == n.type.nbytes(self.sizes) and bool((held == self.tag[n]).all())

    def _begin(self, run: str) -> None:
        """New values for all but what is computed once."""
        for n in self.g.nodes:
            if run == "first" or n not in self.s.once:
                self.tag[n] = self._new()
        for n in self.g.sources:
            self.memory[self.g.names[n]] = np.full(n.type.nbytes(self.sizes), self.tag[n])

    def _new(self) -> int:
        self.tags += 1
        return self.tags

    # ---- calls -------------------------------------------------------------------------------

    def _call(self, members: list[vg.Node], lanes: Lanes | None) -> Iterator[str]:
        """One kernel call: reads, then writes scratch and results while it may still read."""
        names = self.g.names
        tiles = None if lanes is None else tiling(self.g, tuple(members), self.sizes)
        read = dict.fromkeys(i for n in members for i in n.inputs if i not in members)
        for i in read:
            if i in self.hidden:
                yield f"%{names[members[0]]} reads %{names[i]}, an inner result of another call"
            elif not self.intact(i):
                yield f"%{names[members[0]]} reads %{names[i]}, which is not whole"
        if lanes is not None:
            yield from self._tile_by_tile(members, lanes, tiles)
        kept = [n for n in members if n not in self.hidden]
        taken = [self.s.takeovers[n] for n in kept if n in self.s.takeovers]
        for n in kept:
            old = self.s.takeovers.get(n)
            if n.inputs.count(old) > 1 and not n.op.elementwise:
                yield f"%{names[n]} takes over %{names[old]} while it still reads it"
        scratch = self._scratch(members, tiles)
        tags = [self._new() for _ in scratch]
        for tag, place in zip(tags, scratch, strict=True):
            self.bytes_at(place)[:] = tag
        for n in kept:
            yield from self._placed_well(n)
            self.bytes_of(n)[:] = self.tag[n]
        for n in kept:
            if not self.intact(n):
                yield f"%{names[n]} is written over by its own call"
        for tag, place in zip(tags, scratch, strict=True):
            if not (self.bytes_at(place) == tag).all():
                yield f"the scratch of %{names[members[0]]} is written over by its own call"
        for i in read:
            if i not in taken and i not in self.hidden and not self.intact(i):
                yield f"%{names[i]} is written over while %{names[members[0]]} reads it"

    def _scratch(self, members: list[vg.Node], tiles: Tiling | None) -> list[Place]:
        """The temporaries: each node's own, those of a tiled group at its first node."""
        found: list[Place] = []
        for n in members:
            wanted = n.op.scratch(*(i.type for i in n.inputs))
            if tiles is not None:
                wanted = tiles.temporaries if n is members[0] else ()
            places = self.s.scratch.get(n, ())
            assert [nbytes for _, nbytes in places] == [t.nbytes(self.sizes) for t in wanted]
            found += [("arena", offset, offset + nbytes) for offset, nbytes in places]
        return found

    def _tile_by_tile(
        self, members: list[vg.Node], lanes: Lanes, tiles: Tiling | None
    ) -> Iterator[str]:
        """The call again, one tile after another, each node on its part; nothing is kept of it."""
        memory = self.memory
        self.memory = {k: a.copy() for k, a in memory.items()}
        assert tiles is not None
        if set(tiles.results) != self.hidden.intersection(lanes[0]):
            yield f"the group of %{self.g.names[members[0]]} keeps the wrong results inside"
        elif not self.hidden.intersection(i for n in members for i in n.inputs).difference(members):
            yield from _Tiled(self, members, lanes, tiles).violations()
        self.memory = memory

    def _placed_well(self, n: vg.Node) -> Iterator[str]:
        name = self.g.names[n]
        place = self.place(n)
        assert place is not None
        memory, start, stop = place
        old = self.s.takeovers.get(n)
        behind = any(n in pack[1:] for pack in self.s.packs)
        aligned = behind or old is not None or start % ALIGNMENT == 0
        if memory == "arena" and not (aligned and start >= 0 and stop <= self.memory[memory].size):
            yield f"%{name} lies at {start}:{stop}: not aligned, or outside of the arena"
        if old is not None and self.place(old) != place:
            yield f"%{name} takes over %{self.g.names[old]}, but lies elsewhere"

    def _end(self) -> Iterator[str]:
        """What is returned is whole, and each update finds its value, one after another."""
        names = self.g.names
        for w, n in self.g.updates.items():
            if not self.intact(n):
                yield f"the update of %{names[w]} by %{names[n]} comes too late"
            self.memory[names[w]][:] = self.tag[n]
        for w, n in self.g.updates.items():
            if not (self.memory[names[w]] == self.tag[n]).all():
                yield f"%{names[w]} does not hold %{names[n]} at the end"
        for key, n in self.g.outputs.items():
            if not self.intact(n):
                yield f"the output {key}, %{names[n]}, is not whole at the end"


class _Tiled:
    """A group's walk through its tiles: rows, or the elements of all lanes one after another."""

    def __init__(self, oracle: Oracle, members: list[vg.Node], lanes: Lanes, tiles: Tiling) -> None:
        self.o, self.lanes, self.tiles = oracle, lanes, tiles
        self.scratch = oracle._scratch(members, tiles)
        self.counts = [self._rows(lane[0]) for lane in lanes]

    def _rows(self, n: vg.Node) -> int:
        shape = n.type.bind(self.o.sizes)
        return int(np.prod(shape)) if self.tiles.flat else shape[0] if shape else 1

    def violations(self) -> Iterator[str]:
        total = sum(self.counts)
        if total != self.tiles.rows and (len(self.lanes) > 1 or self.tiles.flat):
            yield f"%{self.o.g.names[self.lanes[0][0]]}: its tiles do not cover its elements"
        for start in range(0, total, max(1, self.tiles.step)):
            stop = min(start + self.tiles.step, total)
            for k in range(len(self.lanes[0])):
                first = 0
                for lane, count in zip(self.lanes, self.counts, strict=True):
                    low, high = max(start, first), min(stop, first + count)
                    if low < high:
                        yield from self._node(lane, k, low - first, high - first, low - start)
                    first += count

    def _node(self, lane: list[vg.Node], k: int, low: int, high: int, at: int) -> Iterator[str]:
        """One node of a lane on rows low to high, which lie in the temporaries from row `at`."""
        o, n = self.o, lane[k]

        def part(i: vg.Node) -> np.ndarray:
            if i in o.hidden:
                same = self.lanes[0][lane.index(i)]
                return self._temporary(self.tiles.results[same], at, high - low)
            held = o.bytes_of(i)
            cut = i.type.rank == n.type.rank > 0 and i.type.shape[0] == n.type.shape[0]
            if not cut:
                return held
            row = held.size // max(1, self._rows(i))
            return held[low * row : high * row]

        for i in n.inputs:
            if not (part(i) == o.tag[i]).all():
                yield f"%{o.g.names[n]} reads a tile of %{o.g.names[i]}, which is not whole"
        wanted = self.tiles.scratch.get(self.lanes[0][k], ())
        garbage = [self._temporary(t, at, high - low) for t in wanted]
        tags = [o._new() for _ in garbage]
        for tag, place in zip(tags, garbage, strict=True):
            place[:] = tag
        part(n)[:] = o.tag[n]
        if not all((p == tag).all() for tag, p in zip(tags, garbage, strict=True)):
            yield f"the scratch of a tile of %{o.g.names[n]} is written over"
        taken = None if n in o.hidden else o.s.takeovers.get(n)
        for i in n.inputs:
            if i is not taken and not (part(i) == o.tag[i]).all():
                yield f"a tile of %{o.g.names[i]} is written over while %{o.g.names[n]} reads it"

    def _temporary(self, k: int, at: int, rows: int) -> np.ndarray:
        held = self.o.bytes_at(self.scratch[k])
        shape = self.tiles.temporaries[k].shape
        row = held.size // shape[0] if shape and shape[0] else held.size
        return held[at * row : (at + rows) * row]


# ---- which results need no place ------------------------------------------------------------


def equal_lanes(group: Sequence[vg.Node]) -> Lanes | None:
    """The connected parts of a group that computes element by element; None for another one.

    Parts that share no tensor must be one computation, for several parameters.
    """
    if not all(n.op.elementwise and n.op.traceable for n in group):
        return None
    if len({n.type.shape for n in group}) == 1 and not group[0].type.rank:
        return [list(group)]
    tensors: nx.Graph[vg.Node] = nx.Graph()
    for n in group:
        tensors.add_edges_from((n, x) for x in (n, *n.inputs) if x.type.rank)
    parts = [[n for n in group if n in part] for part in nx.connected_components(tensors)]
    lanes = sorted([p for p in parts if p], key=lambda p: list(group).index(p[0]))
    if any(len({n.type.shape for n in lane}) > 1 for lane in lanes):
        return None
    return lanes if len({_computation(lane, len(lanes)) for lane in lanes}) == 1 else None


def _computation(lane: list[vg.Node], count: int) -> object:
    """What a lane computes, but for the tensors; its shape counts where there are several lanes
    and not all that they read is of it."""
    tensors: dict[vg.Node, int] = {}
    said: list[object] = []
    for n in lane:
        said.append((n.op, n.type.dtype))
        for i in n.inputs:
            number = tensors.setdefault(i, len(tensors))
            said.append((lane.index(i) if i in lane else -1, i.type.dtype, number))
            if not i.type.rank:
                said.append(i)
            elif count > 1 and (i.type.shape != n.type.shape or isinstance(i.op, Input)):
                said.append(n)  # like no other lane
    return tuple(said)


def internal(g: vg.Graph, group: Sequence[vg.Node], lanes: Lanes | None) -> set[vg.Node]:
    """The results that only their own tiled group reads, and each of its lanes."""
    if lanes is None or len(group) == 1:
        return set()
    returned = {*g.outputs.values(), *g.updates.values()}
    outside = {i for n in g.order if n not in group for i in n.inputs} | returned
    own = [[n not in outside for n in lane] for lane in lanes]
    return {n for lane in lanes for n, *o in zip(lane, *own, strict=True) if all(o)}


def kernel_calls(s: Schedule) -> list[list[vg.Node]]:
    """The nodes of each group, in the order of the groups' numbers."""
    calls: dict[int, list[vg.Node]] = {}
    for n in s.order:
        calls.setdefault(s.groups[n], []).append(n)
    return [calls[k] for k in sorted(calls)]


def unsound(g: vg.Graph, sizes: dict[str, int], nbytes: int) -> list[str]:
    """The oracle's verdict on a placed graph: what is wrong, in words."""
    assert g.schedule is not None
    computed = {n for n in g.order if not isinstance(n.op, Source)}
    missing = [f"%{g.names[n]} never runs" for n in computed - set(g.schedule.order)]
    return missing or list(dict.fromkeys(Oracle(g, sizes, nbytes).violations()))

"""The planner's oracle: walks a plan and marks every byte with the value that lies there.

It knows nothing of lifetimes or intervals. Each value writes its tag at its place; whoever reads
finds every byte of its operands under their tags, or it is a violation. Numbers alone would not
do: NumPy hides a partial overlap behind a silent temporary copy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import verigrad as vg
from verigrad.graph import Schedule, Source
from verigrad.runtime.aligned import ALIGNMENT

Place = tuple[str, int, int]
"""Which memory (the arena, or a source's own), from which byte to which."""


class Oracle:
    """The memory of one run of a scheduled graph, as tags."""

    def __init__(self, g: vg.Graph, sizes: dict[str, int], nbytes: int) -> None:
        assert g.schedule is not None
        self.g, self.sizes, self.s = g, sizes, g.schedule
        self.tag = {n: i for i, n in enumerate(g.nodes)}
        self.memory = {"arena": np.full(nbytes, -1)}
        for n in g.sources:
            self.memory[g.names[n]] = np.full(n.type.nbytes(sizes), self.tag[n])
        self.garbage = len(self.tag)

    def violations(self) -> Iterator[str]:
        for members in kernel_calls(self.s):
            yield from self._call(members)
        yield from self._end()

    def place(self, n: vg.Node) -> Place:
        if n in self.s.places:
            offset, nbytes = self.s.places[n]
            return "arena", offset, offset + nbytes
        first = n
        while first in self.s.takeovers:
            first = self.s.takeovers[first]
        return self.g.names[first], 0, n.type.nbytes(self.sizes)

    def bytes_at(self, place: Place) -> np.ndarray:
        memory, start, stop = place
        return self.memory[memory][start:stop]

    def intact(self, n: vg.Node) -> bool:
        held = self.bytes_at(self.place(n))
        return held.size == n.type.nbytes(self.sizes) and bool((held == self.tag[n]).all())

    def _call(self, members: list[vg.Node]) -> Iterator[str]:
        """One kernel call: reads, then writes scratch and results while it may still read."""
        names = self.g.names
        read = dict.fromkeys(i for n in members for i in n.inputs if i not in members)
        for i in read:
            if not self.intact(i):
                yield f"%{names[members[0]]} reads %{names[i]}, which is not whole"
        taken = [self.s.takeovers[n] for n in members if n in self.s.takeovers]
        scratch = [p for n in members for p in self._scratch(n)]
        for place in scratch:
            self.garbage += 1
            self.bytes_at(place)[:] = self.garbage
        first = self.garbage - len(scratch)
        for n in members:
            yield from self._placed_well(n)
            self.bytes_at(self.place(n))[:] = self.tag[n]
        for n in members:
            if not self.intact(n):
                yield f"%{names[n]} is written over by its own call"
        for k, place in enumerate(scratch, first + 1):
            if not (self.bytes_at(place) == k).all():
                yield f"the scratch of %{names[members[0]]} is written over by its own call"
        for i in read:
            if i not in taken and not self.intact(i):
                yield f"%{names[i]} is written over while %{names[members[0]]} reads it"

    def _scratch(self, n: vg.Node) -> list[Place]:
        places = self.s.scratch.get(n, ())
        wanted = [t.nbytes(self.sizes) for t in n.op.scratch(*(i.type for i in n.inputs))]
        assert [nbytes for _, nbytes in places] == wanted
        return [("arena", offset, offset + nbytes) for offset, nbytes in places]

    def _placed_well(self, n: vg.Node) -> Iterator[str]:
        name = self.g.names[n]
        memory, start, stop = self.place(n)
        if memory == "arena" and (
            start % ALIGNMENT or start < 0 or stop > self.memory[memory].size
        ):
            yield f"%{name} lies at {start}:{stop}: not aligned, or outside of the arena"
        old = self.s.takeovers.get(n)
        if old is not None and self.place(old) != (memory, start, stop):
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
    return missing or list(Oracle(g, sizes, nbytes).violations())

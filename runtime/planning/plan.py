"""Memory plans: where every result of a scheduled graph lies, for one batch size."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ...graph import (
    ALIGNMENT,
    Frozen,
    Graph,
    Node,
    PassError,
    RunError,
    Schedule,
    Source,
    check_kind,
    kernel_groups,
    shown,
    sizes_of,
    verify,
    whole_symbols,
)
from ...graph.notebook import Table, as_html, page
from .tiling import tiling


class Buffer(NamedTuple):
    """A piece of the arena, and from which kernel call to which it is in use."""

    holds: tuple[str, ...]
    offset: int
    nbytes: int
    first: int
    last: int


class Plan(Frozen):
    """The placement of a graph's results in one arena.

    `nbytes` is the arena's size, known before anything runs; `unplanned_nbytes` the sum of every
    result in the differentiated, unoptimised graph; `graph` the scheduled graph with every place
    written on it, which `verify` has proved; `recomputed` the results that it computes again to
    keep to `limit` bytes.
    """

    advice: ClassVar[str] = "it is what was found for its sizes; program.plan(N=...) gives another"

    def __init__(
        self,
        g: Graph,
        sizes: Mapping[str, int],
        unoptimised: Graph,
        *,
        limit: int | None = None,
        recomputed: tuple[str, ...] = (),
    ) -> None:
        for graph in (g, unoptimised):
            check_kind("a plan is of graphs; one", graph, Graph, "a Graph", RunError)
        self.sizes = sizes = sizes_of("sizes", sizes, error=RunError)
        if g.schedule is None:
            raise PassError(
                f"graph {g.name} has no schedule; end the pipeline with the pass schedule"
            )
        self.limit = limit
        self.recomputed = recomputed
        lives = _lives(g, g.schedule, sizes)
        if sum(_aligned(life.nbytes) for life in lives) > np.iinfo(np.int64).max:
            listed = ", ".join(f"{s}={shown(n)}" for s, n in sizes.items())
            raise RunError(
                f"{g.name} with {listed} would take more bytes than 64 bits can count; "
                "give smaller sizes"
            )
        offsets = _offsets(lives, _packed(g.schedule, lives))
        places: dict[Node, tuple[int, int]] = {}
        scratch: dict[Node, list[tuple[int, int]]] = {}
        buffers: list[Buffer] = []
        for life, offset in zip(lives, offsets, strict=True):
            for n in life.nodes:
                places[n] = offset, life.nbytes
            if life.scratch_of is not None:
                scratch.setdefault(life.scratch_of, []).append((offset, life.nbytes))
            holds = tuple([g.names[n] for n in life.nodes])
            label = holds or (
                f"scratch of {g.names[life.scratch_of]}" if life.scratch_of is not None else "",
            )
            buffers.append(Buffer(label, offset, life.nbytes, life.first, life.last))
        self.buffers = tuple(sorted(buffers, key=lambda b: (b.offset, b.first)))
        self.nbytes = max((b.offset + _aligned(b.nbytes) for b in buffers), default=0)
        s = g.schedule
        scratch_places = {n: tuple(p) for n, p in scratch.items()}
        self.graph = g.but(schedule=s.but(places=places, scratch=scratch_places))
        verify(self.graph)
        # What no result needs any more may have a size that the feeds do not tell.
        types = [n.type for n in unoptimised.order]
        known = [t for t in types if sizes.keys() >= {*whole_symbols(t.symbols)}]
        self.unplanned_nbytes = sum(t.nbytes(sizes) for t in known)
        self.state_nbytes = sum(n.type.nbytes({}) for n in (*g.parameters, *g.state))
        self._made = True

    @property
    def lower_bound(self) -> int:
        """The most bytes that are alive at one time: no placement can take less."""
        return _most_alive(self.buffers)

    @property
    def alive(self) -> list[int]:
        """The bytes that are in use at each kernel call."""
        assert self.graph.schedule is not None
        return _alive(self.buffers, 1 + max(self.graph.schedule.groups.values(), default=-1))

    def as_dict(self) -> dict[str, Any]:
        """All that the text shows, in types that JSON has."""
        fields = ("nbytes", "unplanned_nbytes", "lower_bound", "state_nbytes", "limit")
        return {
            "graph": self.graph.name,
            "sizes": self.sizes,
            **{k: getattr(self, k) for k in fields},
            "recomputed": list(self.recomputed),
            "buffers": [{**b._asdict(), "holds": list(b.holds)} for b in self.buffers],
        }

    def to_svg(self, path: str | Path | None = None) -> str:
        """The buffers over the kernel calls as SVG; written to `path` too, where one is given."""
        from ...graph.pictures.files import write_svg
        from .picture import draw_plan

        return write_svg(path, lambda: draw_plan(self))

    @property
    def _title(self) -> str:
        sizes = ", ".join(f"{s}={n}" for s, n in self.sizes.items())
        return f"plan of {self.graph.name}, {sizes or 'fixed sizes'}"

    def __str__(self) -> str:
        share = 100 * self.nbytes / self.unplanned_nbytes if self.unplanned_nbytes else 0.0
        lines = [
            self._title,
            f"  arena      {self.nbytes:>14,} bytes, {share:.1f} % of unplanned",
            f"  unplanned  {self.unplanned_nbytes:>14,} bytes, a buffer for every result",
            f"  live bytes {self.lower_bound:>14,} at most: no placement takes less",
            f"  state      {self.state_nbytes:>14,} bytes, parameters included, beside the arena",
            *([f"  limit      {self.limit:>14,} bytes for the arena"] if self.limit else []),
            *self._recomputed_lines(),
            "",
            f"  {'offset':>12} {'bytes':>12}  {'calls':<11} holds",
        ]
        for b in self.buffers:
            calls = f"{b.first}-{b.last}"
            lines.append(f"  {b.offset:>12,} {b.nbytes:>12,}  {calls:<11} {', '.join(b.holds)}")
        return "\n".join(lines)

    @as_html
    def _repr_mimebundle_(self) -> str:
        amounts = [
            ("arena", self.nbytes),
            ("unplanned: a buffer for every result", self.unplanned_nbytes),
            ("live at one time: no placement takes less", self.lower_bound),
            ("parameters and state, beside the arena", self.state_nbytes),
            *([("limit of the arena", self.limit)] if self.limit else []),
        ]
        buffers = [
            (b.offset, b.nbytes, f"{b.first}-{b.last}", ", ".join(b.holds)) for b in self.buffers
        ]
        notes = [f"computed again: {', '.join(self.recomputed)}"] if self.recomputed else []
        return page(
            self._title,
            Table(("", "bytes"), amounts),
            Table(("offset", "bytes", "calls", "holds"), buffers),
            notes=notes,
        )

    def _recomputed_lines(self) -> list[str]:
        if not self.recomputed:
            return []
        first = f"  recomputed {len(self.recomputed):>14,} results: "
        indent = " " * len("  recomputed ")
        return textwrap.wrap(
            ", ".join(self.recomputed), 96, initial_indent=first, subsequent_indent=indent
        )


class _Life(NamedTuple):
    """Bytes that must stay intact from one kernel call to another."""

    nodes: tuple[Node, ...]
    scratch_of: Node | None
    nbytes: int
    first: int
    last: int


def _lives(g: Graph, s: Schedule, sizes: Mapping[str, int]) -> list[_Life]:
    """A life for each chain of take-overs that does not begin in a source, and for each temporary.

    What stays inside of a tiled group has none: it lies in the group's temporaries.
    """
    end = max(s.groups.values(), default=0)
    chains: dict[Node, list[Node]] = {}
    first_of: dict[Node, Node] = {}
    lives: list[_Life] = []
    for group in kernel_groups(s):
        tiles = tiling(g, group, sizes)
        hidden = tiles.hidden if tiles is not None else ()
        at = s.groups[group[0]]
        for n in group:
            old = s.takeovers.get(n)
            first = n if old is None else first_of.get(old, old)
            first_of[n] = first
            if not isinstance(first.op, Source) and n not in hidden:
                chains.setdefault(first, []).append(n)
            if tiles is None:
                wanted = n.op.scratch(*(i.type for i in n.inputs))
                lives += [_Life((), n, t.nbytes(sizes), at, at) for t in wanted]
        wanted = tiles.temporaries if tiles is not None else ()
        lives += [_Life((), group[0], t.nbytes(sizes), at, at) for t in wanted]
    for first, chain in chains.items():
        users = [u for n in chain for u in g.users[n]]
        kept = any(n in g.roots for n in chain) or (
            first in s.once and any(u not in s.once for u in users)
        )
        last = end if kept else max([s.groups[chain[-1]], *[s.groups[u] for u in users]])
        lives.append(_Life(tuple(chain), None, first.type.nbytes(sizes), s.groups[first], last))
    return lives


def live_bytes(g: Graph, sizes: Mapping[str, int]) -> int:
    """The most bytes of a scheduled graph that are alive at one time, before any is placed."""
    assert g.schedule is not None
    return _most_alive(_lives(g, g.schedule, sizes))


def _most_alive(pieces: Sequence[Buffer | _Life]) -> int:
    """The most bytes that are in use at one kernel call."""
    return max(_alive(pieces, max((p.last for p in pieces), default=0) + 1))


def _alive(pieces: Sequence[Buffer | _Life], calls: int) -> list[int]:
    """The bytes that are in use at each of so many kernel calls."""
    changes = [0] * (calls + 1)
    for p in pieces:
        changes[p.first] += p.nbytes
        changes[p.last + 1] -= p.nbytes
    return [*accumulate(changes)][:calls]


def _packed(s: Schedule, lives: Sequence[_Life]) -> list[list[int]]:
    """The lives of each pack of results, in its order."""
    life = {n: i for i, one in enumerate(lives) for n in one.nodes[:1]}
    return [[life[n] for n in pack] for pack in s.packs if pack[0] in life]


def _offsets(
    lives: Sequence[_Life], packed: Sequence[Sequence[int]], alignment: int = ALIGNMENT
) -> list[int]:
    """An offset for each: packs first, side by side; then the largest, each into the smallest gap
    that fits."""
    offsets = [0] * len(lives)
    placed = _Placed(len(lives), alignment)
    end = 0
    for pack in packed:
        for i in pack:
            offsets[i] = end
            placed.add(lives[i], end)
            end += lives[i].nbytes
        end = _aligned(end, alignment)
    rest = set(range(len(lives))).difference(i for pack in packed for i in pack)
    for i in sorted(rest, key=lambda i: (-lives[i].nbytes, lives[i].first)):
        offsets[i] = placed.gap(lives[i])
        placed.add(lives[i], offsets[i])
    return offsets


class _Placed:
    """The lives that have an offset, in the order of their offsets."""

    def __init__(self, most: int, alignment: int) -> None:
        self._alignment = alignment
        # The first and the last call, the offset and the end, a row each: a look at all the lives
        # is a few calls of NumPy.
        self._rows = np.empty((4, most), np.int64)
        self._count = 0

    def add(self, life: _Life, offset: int) -> None:
        rows, count = self._rows, self._count
        at = int(rows[2, :count].searchsorted(offset, "right"))
        rows[:, at + 1 : count + 1] = rows[:, at:count]
        rows[:, at] = life.first, life.last, offset, self._end(offset + life.nbytes)
        self._count += 1

    def gap(self, life: _Life) -> int:
        """The offset of the smallest gap that fits; behind everything that it meets, else."""
        first, last, begin, end = self._rows[:, : self._count]
        meets = (first <= life.last) & (last >= life.first)
        free = np.zeros(np.count_nonzero(meets) + 1, np.int64)
        np.maximum.accumulate(end[meets], out=free[1:])
        gaps = begin[meets] - free[:-1]
        fits = np.flatnonzero(gaps >= self._end(life.nbytes))
        return int(free[fits[gaps[fits].argmin()]] if fits.size else free[-1])

    def _end(self, nbytes: int) -> int:
        return _aligned(nbytes, self._alignment)


def _aligned(nbytes: int, alignment: int = ALIGNMENT) -> int:
    return -(-nbytes // alignment) * alignment

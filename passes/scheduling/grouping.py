"""Which nodes share a kernel call, and which tensors lie side by side for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from ...graph import (
    Graph,
    Node,
    Nodes,
    Parameter,
    Schedule,
    Shape,
    Source,
    State,
    computation,
    domain,
    holder,
    inside,
    lanes,
    whole_symbols,
)
from ..base import ASSUMED

Signature = tuple[object, ...]

_MOST: Final = 64
"""Nodes of a lane: a longer chain is several kernels, most of them alike, which a backend that
compiles them does once."""
_FEWER: Final = 8
"""A reduction makes at most one element of so many."""


def kernel_calls(
    g: Graph, phases: Sequence[Sequence[Node]], writes: Mapping[Node, Node], *, lanes: bool = True
) -> list[Nodes]:
    """The nodes of all phases as groups, in a legal order; no group reaches across phases.

    `writes` tells which nodes write the state that they update: all other readers of that state
    run before them. With `lanes`, equal computations for several parameters share a group.
    """
    calls: list[Nodes] = []
    for nodes in phases:
        calls += _Phase(g, nodes, writes, lanes).groups()
    return calls


class _Phase:
    """The groups of one phase: `where` tells the place of each node's group."""

    def __init__(
        self, g: Graph, nodes: Sequence[Node], writes: Mapping[Node, Node], lanes: bool
    ) -> None:
        self.g = g
        self.writes = writes
        self.writer = {w: n for n, w in writes.items()}
        self.source = {n: k for k, n in enumerate((*g.parameters, *g.state))}
        self.where: dict[Node, int] = {}
        self.calls: list[list[Node]] = []
        self.shapes: list[Shape | None] = []  # of each group that works element by element
        for n in nodes:
            self._add(n)
        for k in reversed(range(len(self.calls))):
            self._sink(k)
        if lanes:
            self._merge()

    def groups(self) -> list[Nodes]:
        return [tuple(group) for group in _joined(self._reductions_first())]

    def _add(self, n: Node) -> None:
        """Into the group of its latest input, where each result is made element by element."""
        before = [*n.inputs]
        if n in self.writes:
            before += [u for u in self.g.users[self.writes[n]] if u is not n]
        at = max([self.where[i] for i in before if i in self.where], default=-1)
        linked = any(self.where.get(i) == at for i in n.inputs)
        shape = domain([n])
        fits = at >= 0 and shape == self.shapes[at] and len(self.calls[at]) < _MOST
        if shape is None or not linked or not fits:
            at = len(self.calls)
            self.calls.append([])
            self.shapes.append(shape)
        self.calls[at].append(n)
        self.where[n] = at

    def _sink(self, k: int) -> None:
        """Moves a group to the one that alone reads it, where both work element by element."""
        group, shape = self.calls[k], self.shapes[k]
        if shape is None:
            return
        readers = {u for n in group for u in self.g.users[n]}.difference(group)
        places = {self.where.get(u, -1) for u in readers}
        if len(places) != 1 or -1 in places:
            return
        (later,) = places
        fits = len(group) + len(self.calls[later]) <= _MOST
        if shape == self.shapes[later] and fits and self._movable(k, later):
            self.calls[later][:0] = group
            self.calls[k] = []
            self.where.update(dict.fromkeys(group, later))

    def _movable(self, k: int, later: int) -> bool:
        """Whether nothing that the group reads is written before its new place."""
        for i in {i for n in self.calls[k] for i in n.inputs if isinstance(i.op, Source)}:
            writer = self.writer.get(i)
            if writer in self.where and k != self.where[writer] < later:
                return False
        return True

    def _reductions_first(self) -> list[list[Node]]:
        """The groups, each that makes little of much right behind what it reads: that is still in
        the cache, and may be the last reader."""
        place: list[tuple[int, ...]] = []
        for k, group in enumerate(self.calls):
            read = {self.where[i] for n in group for i in n.inputs if i in self.where} - {k}
            latest = max([place[i] for i in read], default=())
            moved = len(group) == 1 and latest and self._reduces(group[0])
            place.append((*latest, k) if moved else (k,))
        return [self.calls[k] for k in sorted(range(len(place)), key=place.__getitem__)]

    def _reduces(self, n: Node) -> bool:
        read = max([_size(i) for i in n.inputs], default=0)
        return not n.op.matrix_product and n not in self.writes and _FEWER * _size(n) <= read

    def _merge(self) -> None:
        """Joins equal computations for several parameters at the place of the last of them."""
        equal: dict[Signature, list[int]] = {}
        for k, group in enumerate(self.calls):
            signature = self._signature(group)
            if signature is not None:
                equal.setdefault(signature, []).append(k)
        for places in equal.values():
            later = places[-1]
            tensors: set[Node] = set()
            parts: list[list[Node]] = []
            for k in reversed(places):
                group = self.calls[k]
                touched = {x for n in group for x in (n, *n.inputs) if x.type.rank}
                outside = {u for n in group for u in self.g.users[n] if u in self.where}
                free = all(self.where[u] > later for u in outside.difference(group))
                if touched & tensors or not free:
                    continue
                if not self._movable(k, later):
                    continue
                tensors |= touched
                parts.insert(0, group)
                self.calls[k] = []
            parts.sort(key=self._lane_order)
            joined = [n for group in parts for n in group]
            self.calls[later] = joined
            self.where.update(dict.fromkeys(joined, later))

    def _lane_order(self, group: Sequence[Node]) -> tuple[bool, int]:
        """Matrices first, so that those which alone are regularized lie together; then as the
        graph lists the parameters."""
        first = min(
            (self.source[i] for n in group for i in n.inputs if i in self.source), default=0
        )
        return group[0].type.rank < 2, first

    def _signature(self, group: Sequence[Node]) -> Signature | None:
        """What is computed, but for the tensors that it is computed for; None where they are
        no tensors of one fixed shape."""
        if not group:
            return None
        if not domain(group) or group[0].type.symbols:
            return None
        said = computation(tuple(group))
        if said is None:
            return None
        hidden, members = inside(self.g, group), set(group)
        read = dict.fromkeys([i for n in group for i in n.inputs if i.type.rank])
        place = {i: k for k, i in enumerate([i for i in read if i not in members])}
        return (*said, *[(n in hidden, place.get(self.writes.get(n, n))) for n in group])


def _joined(calls: Iterable[list[Node]]) -> Iterator[list[Node]]:
    """The groups, neighbours as one where the second reads what the first makes, and both are
    neither products nor elementwise: the loss and its gradient. Not where one would take over
    the place of another, which a group does not let it do."""
    last: list[Node] = []
    for group in calls:
        results = set(last)
        linked = any(i in results for n in group for i in n.inputs)
        fits = len(last) + len(group) <= _MOST
        if linked and fits and _by_rows([*last, *group]) and not _in_place(group, results):
            last = [*last, *group]
            continue
        if last:
            yield last
        last = group
    if last:
        yield last


def _in_place(group: Sequence[Node], results: set[Node]) -> bool:
    return any(i in results for n in group for i in n.reusable)


def _by_rows(group: Sequence[Node]) -> bool:
    return all(n.op.traceable and not n.op.matrix_product and domain([n]) is None for n in group)


def packs(g: Graph, s: Schedule, groups: Sequence[Nodes]) -> tuple[Nodes, ...]:
    """Lists of tensors to lie one after another, so that a group with several lanes is one call."""
    columns: list[list[Node]] = []
    packed: dict[Node, tuple[int, int]] = {}
    # Those with the most lanes first: what a part of them needs lies together in theirs.
    for group in sorted(groups, key=lambda one: (len(lanes(one) or ()), len(one)), reverse=True):
        rows = lanes(group) or []
        if len(rows) < 2:
            continue
        for column in _columns(g, s, group, rows):
            if all(n not in packed for n in column):
                packed.update({n: (len(columns), k) for k, n in enumerate(column)})
                columns.append(column)
    return tuple([tuple(pack) for pack in columns])


def _columns(g: Graph, s: Schedule, group: Nodes, rows: Sequence[Nodes]) -> list[list[Node]]:
    """The tensors that have the same part in each lane and that a plan may place."""
    hidden = inside(g, group)
    columns: dict[tuple[Node, ...], None] = {}
    for members in zip(*rows, strict=True):
        slots = [members] if members[0] not in hidden else []
        slots += zip(*[n.inputs for n in members], strict=True)
        for slot in slots:
            holders = tuple([holder(s, n) for n in slot])
            kinds = {isinstance(n.op, Source) for n in holders}
            distinct = len(set(holders)) == len(holders) and len(kinds) == 1
            if distinct and all(_can_be_packed(n) for n in holders):
                columns[holders] = None
    return [list(column) for column in columns if not hidden.intersection(column)]


def _size(n: Node) -> int:
    return n.type.nbytes(dict.fromkeys(whole_symbols(n.type.symbols), ASSUMED))


def _can_be_packed(n: Node) -> bool:
    free = isinstance(n.op, (Parameter, State)) or not isinstance(n.op, Source)
    return free and bool(n.type.rank) and not n.type.symbols

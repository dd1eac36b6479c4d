"""The choice of results to compute again, so that a step takes no more than some bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, NamedTuple

from ...graph import Graph, Node, roles
from ...passes import Recompute
from ...passes.scheduling.recompute import read_again
from .plan import Plan, live_bytes

_PARTS: Final = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128)
"""Into how many pieces the forward pass is cut."""

_TRIES: Final = 48
"""How many sets are tried to compute less again, once a set is found that is small enough."""

_PLANNED: Final = 3
"""How many of the smallest sets are placed, where none is small enough."""

Sizes = Mapping[str, int]


class Choice(NamedTuple):
    """Results to compute again, the scheduled graph that does, and what that takes."""

    again: frozenset[Node]
    g: Graph
    live: int
    flops: int


class Recomputation:
    """The sets of forward results of one graph, at one size, whose recomputation is tried.

    The forward pass is cut where little crosses, into more and more pieces: what crosses a cut is
    kept, the rest of a piece is computed again when the backward pass comes to it. A chain of n
    equal layers so takes about 2 sqrt(n) results at the most and less than one forward pass more.
    Beside that, and together with it: all that costs no matrix product.
    """

    def __init__(
        self,
        g: Graph,
        sizes: Sizes,
        schedule: Callable[[Graph], Graph],
        plan: Callable[[Graph, tuple[str, ...]], Plan],
    ) -> None:
        self._g = g.but()
        self._sizes = sizes
        self._schedule = schedule
        self._plan = plan
        self._role = roles(self._g)
        self._forward = [n for n in g.order if self._role[n] == "forward" and n not in g.roots]
        self._size = {n: n.type.nbytes(sizes) for n in self._forward}
        self._flops = {n: n.flops(sizes) for n in self._forward}
        late = {i for u in g.order if self._role[u] != "forward" for i in u.inputs}
        self._read_late = late.intersection(self._forward)
        self._known: dict[frozenset[Node], Choice] = {}

    def within(self, limit: int) -> Plan:
        """The plan that computes least again within the limit; the smallest where none is."""
        choices = sorted(self._choices(), key=lambda c: (c.flops, c.live))
        for choice in choices:
            plan = self._fitting(choice, limit)
            if plan is not None:
                return self._fitting(self._less(choice, limit), limit) or plan
        smallest = sorted(choices, key=lambda c: c.live)[:_PLANNED]
        return min(map(self._planned, smallest), key=lambda plan: plan.nbytes)

    def _planned(self, choice: Choice) -> Plan:
        return self._plan(choice.g, self._names(choice.again))

    def _fitting(self, choice: Choice, limit: int) -> Plan | None:
        if choice.live > limit:
            return None
        plan = self._planned(choice)
        return plan if plan.nbytes <= limit else None

    def _names(self, again: Collection[Node]) -> tuple[str, ...]:
        return tuple([self._g.names[n] for n in self._g.order if n in again])

    def _choices(self) -> list[Choice]:
        cheap = {n for n in self._forward if not n.op.matrix_product}
        sets: list[set[Node]] = [set(), cheap]
        for kept, before in self._cuts():
            sets += [before - kept, (before | cheap) - kept]
        return list({c.again: c for c in map(self._choice, sets)}.values())

    def _choice(self, chosen: Collection[Node]) -> Choice:
        again = frozenset(read_again(self._g, self._role, chosen))
        if again not in self._known:
            g = self._schedule(Recompute(self._names(again)).apply(self._g))
            cost = sum(self._flops[n] for n in again)
            self._known[again] = Choice(again, g, live_bytes(g, self._sizes), cost)
        return self._known[again]

    def _cuts(self) -> Iterator[tuple[set[Node], set[Node]]]:
        """For each number of pieces: what crosses the cuts, and all before the last of them."""
        place = {n: k for k, n in enumerate(self._forward)}
        last = {n: max((place.get(u, -1) for u in self._g.users[n]), default=-1) for n in place}
        end = len(self._forward)
        steps = [0] * (end + 1)
        for n, k in place.items():
            if last[n] > k:
                steps[k] += self._size[n]
                steps[last[n]] -= self._size[n]
        crossing = [sum(steps[: k + 1]) for k in range(end)]
        late = [self._size[n] if n in self._read_late else 0 for n in self._forward]
        for parts in _PARTS:
            if parts > end:
                return
            since, kept, behind = 0, set[Node](), 0
            for k in range(end - 1):
                since += late[k]
                if since * parts >= sum(late) and crossing[k] <= crossing[k + 1]:
                    kept |= {n for n in self._forward[: k + 1] if last[n] > k}
                    since, behind = 0, k + 1
            yield kept, set(self._forward[:behind])

    def _less(self, choice: Choice, limit: int) -> Choice:
        """The choice without what need not be computed again, the dearest first."""
        again = [n for n in self._forward if n in choice.again]
        dear = sorted(again, key=lambda n: -self._flops[n] / max(1, self._size[n]))
        pieces, tries = [dear], 0
        while pieces and tries < _TRIES:
            piece = pieces.pop()
            kept = self._choice(choice.again.difference(piece))
            tries += 1
            if kept.live <= limit:
                choice = kept
            elif len(piece) > 1:
                half = len(piece) // 2
                pieces += [piece[half:], piece[:half]]
        return choice

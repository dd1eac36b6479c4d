"""Plans within a limit of bytes, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from ...graph import Graph, RunError
from .plan import Plan, live_bytes
from .recomputation import Recomputation

_SHOWN: Final = 5
"""How many of the largest buffers an error names."""

Sizes = Mapping[str, int]


class Scheduling(Protocol):
    """Schedules a graph; with sizes, in the best order for them, and products that updates add in
    their place or, with the same bits, in one of their own."""

    def __call__(self, g: Graph, sizes: Sizes | None = None, in_place: bool = True) -> Graph: ...


class MemoryLimit(NamedTuple):
    """How many bytes an arena may take, and whether results are computed again to keep to it."""

    limit: int | None
    recompute: bool
    schedule: Scheduling

    def plan(self, g: Graph, sizes: Sizes, unoptimised: Graph) -> Plan:
        """The plan of a scheduled graph: the first within the limit of the graph as it is, in
        another order, and with results computed again. Raises RunError where none is."""
        plan = self._smallest(g, sizes, unoptimised, self.recompute)
        if self.limit is not None and plan.nbytes > self.limit:
            raise RunError("\n  ".join(self._refusal(g, plan, unoptimised)))
        return plan

    def rows(self, g: Graph, unoptimised: Graph, most: int) -> int:
        """The most rows, of `most`, whose plan is within the limit; 1 where none are."""
        if self.limit is None or len(g.symbols) != 1:
            return most
        plan = self._smallest(g, {g.symbols[0]: most}, unoptimised, self.recompute)
        return most if plan.nbytes <= self.limit else max(1, self._fewer(g, plan, unoptimised))

    def _smallest(self, g: Graph, sizes: Sizes, unoptimised: Graph, recompute: bool) -> Plan:
        """The first plan within the limit; the smallest where none is."""

        def made(scheduled: Graph, recomputed: tuple[str, ...] = ()) -> Plan:
            return Plan(scheduled, sizes, unoptimised, limit=self.limit, recomputed=recomputed)

        plans = [made(g)]
        if self.limit is None or plans[0].nbytes <= self.limit:
            return plans[0]
        plans.append(made(self._in_best_order(g, sizes)))
        if recompute and plans[1].nbytes > self.limit:
            again = Recomputation(g, sizes, lambda g: self._in_best_order(g, sizes), made)
            plans.append(again.within(self.limit))
        return min(plans, key=lambda plan: plan.nbytes)

    def _in_best_order(self, g: Graph, sizes: Sizes) -> Graph:
        """Factors are kept until states are written, or else products: whatever is less."""
        added = any(n.added_factors for n in g.order)
        scheduled = [self.schedule(g, sizes, at) for at in ((True, False) if added else (True,))]
        return min(scheduled, key=lambda s: live_bytes(s, sizes))

    def _fewer(self, g: Graph, over: Plan, unoptimised: Graph) -> int:
        """The most rows that are found to fit where the plan `over` does not; 0 for none."""
        assert self.limit is not None
        symbol, rows = next(iter(over.sizes.items()))
        low, high = 0, rows
        while high - low > 1:
            middle = (low + high) // 2
            fits = Plan(over.graph, {symbol: middle}, unoptimised).nbytes <= self.limit
            low, high = (middle, high) if fits else (low, middle)
        # Another size has a plan of its own, which is hardly ever larger.
        for count in dict.fromkeys([low, low - low // 16, low // 2]):
            own = count and self._smallest(g, {symbol: count}, unoptimised, self.recompute)
            if own and own.nbytes <= self.limit:
                return count
        return 0

    def _refusal(self, g: Graph, plan: Plan, unoptimised: Graph) -> Iterator[str]:
        """What is needed, what takes the most, and what helps."""
        assert self.limit is not None
        sizes = ", ".join(f"{s}={n}" for s, n in plan.sizes.items())
        again = f" with {len(plan.recomputed)} results computed again" if plan.recomputed else ""
        yield (
            f"a plan of {g.name}{f' for {sizes}' if sizes else ''} takes {plan.nbytes:,} bytes"
            f"{again}, and memory_limit is {self.limit:,}"
        )
        yield _at_its_peak(plan)
        helps = []
        if not self.recompute:
            other = self._smallest(g, plan.sizes, unoptimised, True)
            if other.nbytes < plan.nbytes:
                enough = "" if other.nbytes <= self.limit else ", not enough by itself"
                helps.append(f"recompute=True ({other.nbytes:,} bytes{enough})")
        if len(plan.sizes) == 1:
            rows = self._fewer(g, plan, unoptimised)
            (symbol,) = plan.sizes
            helps += [f"a smaller batch ({symbol}={rows} fits)"] if rows else []
        helps.append(f"memory_limit={plan.nbytes:_}")
        yield f"fix: {', or '.join(helps)}"


def _at_its_peak(plan: Plan) -> str:
    """The largest buffers that are in use when most bytes are."""
    calls = range(1 + max((b.last for b in plan.buffers), default=0))
    in_use = [[b for b in plan.buffers if b.first <= k <= b.last] for k in calls]
    peak = max(calls, key=lambda k: sum(b.nbytes for b in in_use[k]))
    largest = sorted(in_use[peak], key=lambda b: -b.nbytes)
    named = [f"%{b.holds[0]} ({b.nbytes:,})" for b in largest[:_SHOWN]]
    more = f" and {len(largest) - _SHOWN} more" if len(largest) > _SHOWN else ""
    return f"most is in use at call {peak}: {', '.join(named)}{more}"

"""What a graph costs: operations and bytes of every node, from the graph alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ...graph import Graph, Node, RunError, check_choice, check_kind, roles, sizes_of
from ...graph.notebook import Bar, Table, as_html, page

PHASES = ("forward", "backward", "update")
ONCE = "once"


class NodeCost(NamedTuple):
    """A node's operations, and the bytes that it reads and writes."""

    name: str
    op: str
    phase: str
    flops: int
    nbytes: int


class Cost:
    """What each node of a graph costs for given sizes, in the order in which it runs.

    `flops` counts as `Op.flops` says. `nbytes` are those of every input, read once, and of the
    result, written once; a result that takes over an input's buffer reads it and writes it. What no
    step changes is of the phase `once`, and no part of a step.
    """

    def __init__(self, g: Graph, sizes: Mapping[str, int]) -> None:
        check_kind("a cost is of a graph; g", g, Graph, "a Graph", RunError)
        self.name = g.name
        self.sizes = sizes = sizes_of("sizes", sizes, error=RunError)
        phase = {**roles(g)}
        order = g.order
        if g.schedule is not None:
            order = g.schedule.order
            phase.update(dict.fromkeys(g.schedule.once, ONCE))
        self.rows = tuple(
            [
                NodeCost(g.names[n], n.op.name, phase[n], n.flops(sizes), nbytes([n], sizes))
                for n in order
            ]
        )

    @property
    def flops(self) -> int:
        """The operations of a step."""
        return sum(self.phase(name)[0] for name in PHASES)

    @property
    def nbytes(self) -> int:
        """The bytes that a step moves, node by node."""
        return sum(self.phase(name)[1] for name in PHASES)

    def phase(self, name: str) -> tuple[int, int]:
        """The operations and bytes of `forward`, `backward`, `update` or `once`."""
        check_choice("phase", name, (*PHASES, ONCE))
        rows = [row for row in self.rows if row.phase == name]
        return sum(row.flops for row in rows), sum(row.nbytes for row in rows)

    @property
    def _title(self) -> str:
        sizes = ", ".join(f"{s}={n}" for s, n in self.sizes.items())
        return f"cost of {self.name}, {sizes or 'fixed sizes'}"

    @property
    def _sums(self) -> list[tuple[str, int, int]]:
        """The operations and bytes of each phase that has some, and of the step."""
        sums = [(name, *self.phase(name)) for name in PHASES]
        sums += [("step", self.flops, self.nbytes), (ONCE, *self.phase(ONCE))]
        return [(name, f, b) for name, f, b in sums if f or b or name == "step"]

    def __str__(self) -> str:
        wide = max([len(row.name) for row in self.rows], default=0)
        ops = max([len(row.op) for row in self.rows], default=0)
        lines = [self._title]
        lines += [f"  {name:<10} {f:>15,} flops {b:>14,} bytes" for name, f, b in self._sums]
        lines += [
            "",
            f"  {'node':<{wide}}  {'op':<{ops}}  {'phase':<8} {'flops':>14} {'bytes':>13}",
        ]
        for row in self.rows:
            lines.append(
                f"  {row.name:<{wide}}  {row.op:<{ops}}  {row.phase:<8} "
                f"{row.flops:>14,} {row.nbytes:>13,}"
            )
        return "\n".join(lines)

    @as_html
    def _repr_mimebundle_(self) -> str:
        most_flops = max([row.flops for row in self.rows], default=0) or 1
        most_bytes = max([row.nbytes for row in self.rows], default=0) or 1
        rows = [
            (
                row.name,
                row.op,
                row.phase,
                Bar(f"{row.flops:,}", row.flops / most_flops),
                Bar(f"{row.nbytes:,}", row.nbytes / most_bytes),
            )
            for row in self.rows
        ]
        sums = Table(("phase", "flops", "bytes"), self._sums)
        return page(self._title, sums, Table(("node", "op", "phase", "flops", "bytes"), rows))


def nbytes(nodes: Iterable[Node], sizes: Mapping[str, int]) -> int:
    """The bytes that each of the nodes reads and writes, together."""
    return sum(m.type.nbytes(sizes) for n in nodes for m in (*dict.fromkeys(n.inputs), n))

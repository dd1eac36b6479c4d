"""What a graph costs: operations and bytes of every node, from the graph alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ...graph import Graph, Node, RunError, check_choice, check_kind, roles, sizes_of

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

    def __str__(self) -> str:
        sizes = ", ".join(f"{s}={n}" for s, n in self.sizes.items())
        sums = [(name, *self.phase(name)) for name in PHASES]
        sums += [("step", self.flops, self.nbytes), (ONCE, *self.phase(ONCE))]
        sums = [(name, f, b) for name, f, b in sums if f or b or name == "step"]
        wide = max([len(row.name) for row in self.rows], default=0)
        ops = max([len(row.op) for row in self.rows], default=0)
        lines = [f"cost of {self.name}, {sizes or 'fixed sizes'}"]
        lines += [f"  {name:<10} {f:>15,} flops {b:>14,} bytes" for name, f, b in sums]
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


def nbytes(nodes: Iterable[Node], sizes: Mapping[str, int]) -> int:
    """The bytes that each of the nodes reads and writes, together."""
    return sum(m.type.nbytes(sizes) for n in nodes for m in (*dict.fromkeys(n.inputs), n))

"""What the programs covered: which op read which, and which passes rewrote something together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise, product

import verigrad as vg
from verigrad.graph import Graph, Node, Source
from verigrad.passes import Compilation

from .families import NAMES

Pair = tuple[str, str]
Kind = tuple[str, int]
"""A dtype, all floats being one, and a rank."""


class Coverage:
    """Of declared graphs, who reads whom; of compilations, which passes acted beside which.

    `given` and `taken` are the kinds of tensors that each op was seen to give and to take: where
    these meet, one op may read the other.
    """

    def __init__(self) -> None:
        self.ops: Counter[Pair] = Counter()
        self.passes: Counter[Pair] = Counter()
        self.given: dict[str, set[Kind]] = {}
        self.taken: dict[str, set[Kind]] = {}

    @classmethod
    def of(cls, program: vg.Program) -> Coverage:
        """What one program covers."""
        found, v = cls(), program._variants
        found._graph(program.declared)
        for name, compilation in (("training", v.training), ("inference", v.inference)):
            if compilation is not None:
                acted = sorted(acting(compilation))
                found.passes.update((f"{name}: {a}", b) for a, b in combinations(acted, 2))
        return found

    def _graph(self, g: Graph) -> None:
        self.ops.update({(i.op.name, n.op.name) for n in g.order for i in n.inputs if made(i)})
        for n in g.order:
            self.given.setdefault(n.op.name, set()).add(kind(n))
            self.taken.setdefault(n.op.name, set()).update(map(kind, n.inputs))

    def add(self, other: Coverage) -> None:
        """Counts what another covers as well."""
        self.ops.update(other.ops)
        self.passes.update(other.passes)
        for mine, its in ((self.given, other.given), (self.taken, other.taken)):
            for name, kinds in its.items():
                mine.setdefault(name, set()).update(kinds)

    def possible_ops(self) -> set[Pair]:
        """The pairs of ops whose types meet."""
        return {
            (a, b)
            for a, b in product(NAMES, NAMES)
            if self.given.get(a, set()) & self.taken.get(b, set())
        }

    def lines(self) -> Iterator[str]:
        """What was covered, of how much, and what never was."""
        possible = self.possible_ops()
        unseen: dict[str, list[str]] = {}
        for a, b in sorted(possible - self.ops.keys()):
            unseen.setdefault(b, []).append(a)
        yield f"op pairs: {len(self.ops)} of {len(possible)} whose types meet"
        yield from (f"  {b} never read {', '.join(a)}" for b, a in unseen.items())
        idle = [name for name in NAMES if name not in self.given]
        yield from [f"  never declared: {', '.join(idle)}"] if idle else []
        for name, pipeline in (("training", vg.TRAINING), ("inference", vg.INFERENCE)):
            due = [(f"{name}: {a}", b) for a, b in combinations(sorted(pipeline.names), 2)]
            missed = [
                f"{a.removeprefix(f'{name}: ')} + {b}" for a, b in due if (a, b) not in self.passes
            ]
            yield f"pass pairs of {name}: {len(due) - len(missed)} of {len(due)}"
            yield from [f"  never together: {', '.join(missed)}"] if missed else []


def made(n: Node) -> bool:
    """Whether a node is made by an op."""
    return not isinstance(n.op, Source)


def kind(n: Node) -> Kind:
    """The kind of tensor that a node is."""
    return "float" if n.type.is_float else n.type.dtype, n.type.rank


def acting(compilation: Compilation) -> set[str]:
    """The passes that rewrote something."""
    acted = {r.stage for r in compilation.records if not r.refused}
    stages = list(compilation.stages.items())
    for (_, before), (name, after) in pairwise(stages):
        if after is not before:
            acted.add(name)
    return acted

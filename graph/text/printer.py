"""The text of a graph, one statement a line.

    %fc1: f32[N,32] = linear(%x, %fc1.weight, %fc1.bias)  // group 4, arena 512:13312

Behind `//` stands the node's note: what a schedule and a plan say of it. The parser reads it back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..op import Source
from ..sources import STORED, Constant, FromArray
from .attributes import print_op, print_value

if TYPE_CHECKING:
    from ..graph import Graph
    from ..node import Node


def print_graph(g: Graph) -> str:
    """The graph as text; `parse` reads it and prints the same text again."""
    lines = [f"graph {g.name} {{"]
    packed = _packed(g)
    lines += [f"  {statement(g, n)}{_annotations(g, n, packed)}" for n in g.nodes]
    lines += [f"  update %{g.names[w]} = %{g.names[value]}" for w, value in g.updates.items()]
    returned = ", ".join(f"{key}=%{g.names[n]}" for key, n in g.outputs.items())
    lines += [f"  return {returned}".rstrip(), "}"]
    return "\n".join(lines)


def print_whole(g: Graph) -> str:
    """The text with the numbers of every array in it: `parse` reads it without anything else."""
    holders = [
        n.op if isinstance(n.op, Constant) else getattr(n.op, "init", None) for n in g.sources
    ]
    values = [h.value for h in holders if isinstance(h, (Constant, FromArray))]
    arrays = {f"{STORED}{v.digest}": v.array for v in values}
    return re.sub(
        rf"\b{STORED}[0-9a-f]+\b",
        lambda m: print_value(arrays[m[0]].tolist()) if m[0] in arrays else m[0],
        print_graph(g),
    )


def statement(g: Graph, n: Node) -> str:
    """A node as `%name: type = op{attributes}(%input, ...)`; a source has no parentheses."""
    inputs = ", ".join(f"%{g.names[i]}" for i in n.inputs)
    called = "" if isinstance(n.op, Source) else f"({inputs})"
    return f"%{g.names[n]}: {n.type} = {print_op(n.op)}{called}"


def _packed(g: Graph) -> dict[Node, tuple[int, int]]:
    """For each node in a pack, the number of the pack and the node's place in it, both from 0."""
    packs = g.schedule.packs if g.schedule is not None else ()
    return {n: (p, k) for p, pack in enumerate(packs) for k, n in enumerate(pack)}


def _annotations(g: Graph, n: Node, packed: dict[Node, tuple[int, int]]) -> str:
    """The note behind a statement: of these what applies, in this order.

    `group 4`: the number of its kernel call. `once`: computed once, and kept for all steps.
    `pack 0.2`: lies in memory as number 2, from 0, of pack 0: right behind number 1.
    `takes over %a`: is written where %a lies. `arena 512:13312`: the first of its bytes in the
    arena, and the one behind its last. `scratch 0:64`: the same of a temporary of its kernel.
    """
    s = g.schedule
    if s is None:
        return ""
    notes = []
    if n in s.groups:
        notes.append(f"group {s.groups[n]}")
    if n in s.once:
        notes.append("once")
    if n in packed:
        notes.append("pack {}.{}".format(*packed[n]))
    if n in s.takeovers:
        notes.append(f"takes over %{g.names[s.takeovers[n]]}")
    if n in s.places:
        offset, size = s.places[n]
        notes.append(f"arena {offset}:{offset + size}")
    notes += [f"scratch {offset}:{offset + size}" for offset, size in s.scratch.get(n, ())]
    return f"  // {', '.join(notes)}" if notes else ""

"""Computes some results of the forward pass a second time, for the backward pass to read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from ...graph import Graph, Node, Source, roles
from ..base import Pass, Refused, Rewrite, chosen_by_name


@dataclass(frozen=True)
class Recompute(Pass):
    """Whatever reads a result in `nodes` behind the forward pass reads a copy, made anew for it.

    Before:

        graph net {
          %x: f32[N,4] = input
          %w: f32[4,4] = parameter{init=he_normal}
          %a: f32[N,4] = matmul(%x, %w)
          %b: f32[N,4] = tanh(%a)
          %loss: f32[] = sum(%b)
          %c: f32[N,4] = square(%b)
          %w.grad: f32[4,4] = matmul{transpose_a=true}(%x, %c)
          return loss=%loss, w.grad=%w.grad
        }

    After (with ("a", "b")):

        graph net {
          %x: f32[N,4] = input
          %w: f32[4,4] = parameter{init=he_normal}
          %a: f32[N,4] = matmul(%x, %w)
          %b: f32[N,4] = tanh(%a)
          %loss: f32[] = sum(%b)
          %a.again: f32[N,4] = matmul(%x, %w)
          %b.again: f32[N,4] = tanh(%a.again)
          %c: f32[N,4] = square(%b.again)
          %w.grad: f32[4,4] = matmul{transpose_a=true}(%x, %c)
          return loss=%loss, w.grad=%w.grad
        }

    The first result's buffer is free in between. A copy reads the copies of what is copied too,
    and of all else the first results, which then stay for it. The bits are the same: the same
    kernels run on the same values, random masks included. Not what is returned, which stays
    anyway, nor what nothing reads late. After eliminate_common, which would undo it, and before
    schedule, which puts a copy right before its first reader.
    """

    name: ClassVar[str] = "recompute"
    breaks: ClassVar[tuple[str, ...]] = ("free of copies", "as declared")
    nodes: tuple[str, ...] = ()

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        chosen_by_name(self.nodes, g.named, "result")
        role = roles(g)
        named = set(self.nodes)
        chosen = [n for n in g.nodes if g.names[n] in named]
        needed = read_again(g, role, [n for n in chosen if _refusal(g, role, n) is None])
        again: dict[Node, Node] = {}
        for n in chosen:
            if n in needed:
                inputs = tuple([again.get(i, i) for i in n.inputs])
                again[n] = n.but(inputs=inputs, name=f"{g.names[n]}.again")
            else:
                because = _refusal(g, role, n) or "nothing reads it behind the forward pass"
                yield Refused(n, f"not computed again: {because}")
        for u in g.order:
            read = [i for i in dict.fromkeys(u.inputs) if i in again]
            if read and role[u] != "forward":
                new = u.but(inputs=tuple([again.get(i, i) for i in u.inputs]))
                yield Rewrite(u, new, f"reads {', '.join(f'%{again[i].name}' for i in read)}")


def read_again(g: Graph, role: Mapping[Node, str], chosen: Collection[Node]) -> set[Node]:
    """Those of the chosen results whose copies something reads: a late reader, or a copy."""
    candidates = set(chosen)
    needed: set[Node] = set()
    for n in reversed(g.order):
        if n in candidates and any(role[u] != "forward" or u in needed for u in g.users[n]):
            needed.add(n)
    return needed


def _refusal(g: Graph, role: Mapping[Node, str], n: Node) -> str | None:
    """Why a result cannot be computed again with any gain."""
    if isinstance(n.op, Source):
        return "it is given, not computed"
    if n in g.roots:
        return "it stays to the end anyway"
    return None if role[n] == "forward" else "it is not part of the forward pass"

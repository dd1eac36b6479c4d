"""Computes once what is computed twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, Node, Op
from .base import Pass, Rewrite


@dataclass(frozen=True)
class EliminateCommon(Pass):
    """Nodes of equal op, attributes and inputs become the first of them.

    Before:

        graph net {
          %x: f32[N] = input
          %a: f32[N] = exp(%x)
          %b: f32[N] = exp(%x)
          %y: f32[N] = add(%a, %b)
          return y=%y
        }

    After:

        graph net {
          %x: f32[N] = input
          %a: f32[N] = exp(%x)
          %y: f32[N] = add(%a, %a)
          return y=%y
        }

    Not inputs, parameters and state, which are what they are named, not how they are declared.
    With fold_constants and simplify, which make nodes alike; before recompute, whose copies it
    would merge.
    """

    name: ClassVar[str] = "eliminate_common"
    needs: ClassVar[tuple[str, ...]] = ("free of copies",)
    breaks: ClassVar[tuple[str, ...]] = ("as declared",)
    repeated: ClassVar[bool] = True

    def rewrites(self, g: Graph) -> Iterator[Rewrite]:
        first: dict[tuple[Op, tuple[Node, ...]], Node] = {}
        stands_for: dict[Node, Node] = {}
        for n in (*g.constants, *g.order):
            key = n.op, tuple([stands_for.get(i, i) for i in n.inputs])
            earlier = first.setdefault(key, n)
            if earlier is not n:
                stands_for[n] = earlier
                yield Rewrite(n, earlier, f"%{g.names[earlier]} is the same")

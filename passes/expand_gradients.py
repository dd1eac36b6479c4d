"""Puts the nodes of a gradient where one is declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, Node, PassError, depth_first
from ..ops import Gradient
from .base import Pass
from .reverse import gradients


@dataclass(frozen=True)
class ExpandGradients(Pass):
    """Each gradient that `vg.grad` declared becomes the nodes that compute it.

    Before:

        graph net {
          %x: f32[N,2] = input
          %w: f32[2,1] = parameter{init=he_normal}
          %h: f32[N,1] = matmul(%x, %w)
          %y: f32[] = sum(%h)
          %x.grad: f32[N,2] = gradient(%y, %x)
          %loss: f32[] = squared_norm(%x.grad)
          return loss=%loss
        }

    After:

        graph net {
          %x: f32[N,2] = input
          %w: f32[2,1] = parameter{init=he_normal}
          %y.grad: f32[] = constant{1.0}
          %h.grad: f32[N,1] = broadcast_to{[N,1]}(%y.grad)
          %x.grad: f32[N,2] = matmul{transpose_b=true}(%h.grad, %w)
          %loss: f32[] = squared_norm(%x.grad)
          return loss=%loss
        }

    From what y is then made of: the batch's statistics, the masks and the scales that the passes
    before have put there. Of several gradients those inside come first, so that a gradient of a
    gradient is one of ordinary nodes, or zeros where that inside turns out to be constant. Not
    where y is not made from x any more, which is an error.
    After all passes that change what is computed, and before all that only compute it in another
    way, after which the derivative by what lies between would be another.
    """

    name: ClassVar[str] = "expand_gradients"
    defining: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("forward", "differentiable", "as declared")

    def apply(self, g: Graph) -> Graph:
        became = expansion(g)
        if not became:
            return g
        return g.but(
            outputs={k: became[n] for k, n in g.outputs.items()},
            updates={w: became[n] for w, n in g.updates.items()},
        )


def expansion(g: Graph) -> Mapping[Node, Node]:
    """What each node becomes where declared gradients are expanded; nothing without any."""
    asked: dict[Node, dict[Node, str]] = {}
    for n in g.order:
        if isinstance(n.op, Gradient):
            y, x = n.inputs
            asked.setdefault(y, {}).setdefault(x, g.names[n])
    became: dict[Node, Node] = {}
    names: dict[Node, str] = {}
    gradients_of: dict[Node, Mapping[Node, Node]] = {}
    for n in g.nodes if asked else ():
        if isinstance(n.op, Gradient):
            y, x = n.inputs
            if y not in gradients_of:
                made_from = set(depth_first([y]))
                for each, name in asked[y].items():
                    if each not in made_from:
                        raise PassError(
                            f"%{name}: %{g.names[y]} is not made from %{g.names[each]} any more; "
                            "the pass that took it away belongs behind expand_gradients"
                        )
                gradients_of[y] = gradients(
                    became[y], {became[each]: name for each, name in asked[y].items()}, names
                )
            became[n] = gradients_of[y][became[x]]
        else:
            inputs = tuple([became[i] for i in n.inputs])
            became[n] = n if inputs == n.inputs else n.but(inputs=inputs)
        names.setdefault(became[n], g.names[n])
    return became

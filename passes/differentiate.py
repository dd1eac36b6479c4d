"""Derives the gradient of the loss for each parameter, as ordinary nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, GraphError, PassError
from .base import Pass
from .reverse import backward


@dataclass(frozen=True)
class Differentiate(Pass):
    """Symbolic reverse mode: an output `NAME.grad` for each trained parameter NAME.

    Before:

        graph net {
          %x: f32[N,2] = input
          %w: f32[2,1] = parameter{init=he_normal}
          %scores: f32[N,1] = matmul(%x, %w)
          %loss: f32[] = sum(%scores)
          return loss=%loss
        }

    After:

        graph net {
          %x: f32[N,2] = input
          %w: f32[2,1] = parameter{init=he_normal}
          %loss.grad: f32[] = constant{1.0}
          %scores: f32[N,1] = matmul(%x, %w)
          %loss: f32[] = sum(%scores)
          %scores.grad: f32[N,1] = broadcast_to{[N,1]}(%loss.grad)
          %w.grad: f32[2,1] = matmul{transpose_a=true}(%x, %scores.grad)
          return loss=%loss, w.grad=%w.grad
        }

    What is frozen, `trainable=false`, has no gradient, and what leads to it alone is not
    differentiated. A parameter that no gradient reaches is an error. After all passes that change
    what is computed, and before fusion, whose ops have no vector-Jacobian product.
    """

    name: ClassVar[str] = "differentiate"
    defining: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("forward", "differentiable")
    gives: ClassVar[tuple[str, ...]] = ("gradients",)
    breaks: ClassVar[tuple[str, ...]] = ("forward",)

    def apply(self, g: Graph) -> Graph:
        loss = g.loss
        if loss is None:
            raise PassError(
                f"graph {g.name} has no loss to differentiate; "
                "declare it as vg.Graph(..., loss=...)"
            )
        cotangents = backward(loss, g.trained, g.names)
        lost = [p for p in g.trained if p not in cotangents]
        if lost:
            what = ", ".join(repr(g.names[p]) for p in lost)
            at = f" ({lost[0].where.described})" if lost[0].where else ""
            raise GraphError(
                f"the loss does not reach the parameter{'s' * (len(lost) > 1)} {what}{at}, "
                f"so {'they have' if len(lost) > 1 else 'it has'} no gradient"
                "\n  fix: use it in the loss, not behind stop_gradient alone, or declare it as "
                "vg.parameter(..., trainable=False) if it is not trained"
            )
        gradients = {f"{g.names[p]}.grad": cotangents[p] for p in g.trained}
        clash = [k for k in gradients if k in g.outputs]
        if clash:
            raise PassError(f"the graph already has an output named {clash[0]!r}; rename it")
        return g.but(outputs={**g.outputs, **gradients})

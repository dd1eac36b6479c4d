"""Turns gradients into updates of the parameters and of the optimizer's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, Node, PassError, constant
from ..ops import add
from .base import Pass
from .optimizers import Optimizer
from .step import step_counter


@dataclass(frozen=True)
class AttachOptimizer(Pass):
    """Each output `NAME.grad` becomes updates of NAME and its state; the step counter counts on.

    Before:

        graph net {
          %x: f32[2] = input
          %w: f32[2] = parameter{init=zeros}
          %loss: f32[] = sum(%x)
          %w.grad: f32[2] = multiply(%w, %x)
          return loss=%loss, w.grad=%w.grad
        }

    After (with SGD(0.1)):

        graph net {
          %x: f32[2] = input
          %w: f32[2] = parameter{init=zeros}
          %step: i64[] = state{init=zeros}
          %c0.1: f32[] = constant{0.1}
          %c1: i64[] = constant{1}
          %loss: f32[] = sum(%x)
          %w.grad: f32[2] = multiply(%w, %x)
          %w.1: f32[2] = descend(%w, %w.grad, %c0.1)
          %step.1: i64[] = add(%step, %c1)
          update %w = %w.1
          update %step = %step.1
          return loss=%loss
        }

    Without an optimizer the gradients stay outputs. After differentiation.
    """

    name: ClassVar[str] = "attach_optimizer"
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    gives: ClassVar[tuple[str, ...]] = ("updates",)
    optimizer: Optimizer | None = None

    def apply(self, g: Graph) -> Graph:
        if self.optimizer is None:
            return g
        step = step_counter(g)
        counted = add(step, constant(1, "i64"), name="step")
        updates: dict[Node, Node] = dict(g.updates)
        outputs = dict(g.outputs)
        for p in g.parameters:
            name = g.names[p]
            if p in g.updates:
                raise PassError(
                    f"the parameter {name!r} has an update already, beside the optimizer's; "
                    "declare it as vg.state, or compile without an optimizer"
                )
            gradient = outputs.pop(f"{name}.grad", None)
            if gradient is None:
                raise PassError(f"there is no gradient of the parameter {name!r}")
            updates.update(self.optimizer.updates(p, gradient, name, counted))
        updates[step] = counted
        return g.but(outputs=outputs, updates=updates)

"""Bounds the gradients before the optimizer reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, PassError
from .base import Numbers, Pass
from .methods.clip import Clip
from .methods.kinds import check_methods


@dataclass(frozen=True)
class ClipGradients(Pass):
    """Each output `NAME.grad` becomes the gradient that was asked to be bounded.

    Before:

        graph net {
          %x: f32[2] = input
          %w: f32[2] = parameter{init=zeros}
          %loss: f32[] = sum(%x)
          %w.grad: f32[2] = multiply(%w, %x)
          return loss=%loss, w.grad=%w.grad
        }

    After (with ClipValue(0.5)):

        graph net {
          %x: f32[2] = input
          %w: f32[2] = parameter{init=zeros}
          %c-0.5: f32[] = constant{-0.5}
          %c0.5: f32[] = constant{0.5}
          %loss: f32[] = sum(%x)
          %w.grad: f32[2] = multiply(%w, %x)
          %maximum: f32[2] = maximum(%w.grad, %c-0.5)
          %subtract: f32[2] = subtract(%w.grad, %w.grad)
          %add: f32[2] = add(%subtract, %c0.5)
          %w.grad.clipped: f32[2] = minimum(%maximum, %add)
          return loss=%loss, w.grad=%w.grad.clipped
        }

    Without `clip` nothing is done, and `program.gradients` never sees it. After differentiation,
    before the optimizer.
    """

    name: ClassVar[str] = "clip_gradients"
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    gives: ClassVar[tuple[str, ...]] = ("clipped gradients",)
    numbers: ClassVar[Numbers] = "meaning"
    clip: Clip | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_methods(clip=self.clip)

    def apply(self, g: Graph) -> Graph:
        if self.clip is None:
            return g
        parameters = {f"{g.names[p]}.grad": g.names[p] for p in g.trained}
        lost = [name for key, name in parameters.items() if key not in g.outputs]
        if lost:
            raise PassError(f"there is no gradient of the parameter {lost[0]!r}")
        if not parameters:
            return g
        clipped = self.clip.clipped({key: g.outputs[key] for key in parameters})
        return g.but(outputs={**g.outputs, **clipped})

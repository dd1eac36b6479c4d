"""Adds a penalty on the weights to the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, Parameter, PassError, Source, depth_first, is_frozen
from ..ops import add
from .base import Numbers, Pass, Refused, Rewrite
from .dtype import cast_to
from .methods.kinds import check_methods
from .methods.regularizers import Regularizer


@dataclass(frozen=True)
class InsertRegularization(Pass):
    """loss = data_loss + R(W); `data_loss` stays an output.

    Before:

        graph net {
          %x: f32[N,2] = input
          %w: f32[2,1] = parameter{init=he_normal}
          %scores: f32[N,1] = matmul(%x, %w)
          %loss: f32[] = mean(%scores)
          return loss=%loss, scores=%scores
        }

    After (with L2(0.5)):

        graph net {
          %x: f32[N,2] = input
          %w: f32[2,1] = parameter{init=he_normal}
          %c0.25: f32[] = constant{0.25}
          %scores: f32[N,1] = matmul(%x, %w)
          %data_loss: f32[] = mean(%scores)
          %squared_norm: f32[] = squared_norm(%w)
          %penalty: f32[] = multiply(%squared_norm, %c0.25)
          %loss: f32[] = add(%data_loss, %penalty)
          return loss=%loss, scores=%scores, data_loss=%data_loss
        }

    Only for parameters that declare themselves regularized, that are not frozen, and that the loss
    reads. Before
    differentiation, so that the penalty's gradient is derived with the rest.
    """

    name: ClassVar[str] = "insert_regularization"
    needs: ClassVar[tuple[str, ...]] = ("forward", "differentiable")
    numbers: ClassVar[Numbers] = "meaning"
    regularizer: Regularizer | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_methods(regularizer=self.regularizer)

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        loss = g.loss
        if self.regularizer is None or loss is None:
            return
        reached = set(depth_first([loss]))
        weights = []
        for p in g.parameters:
            if is_frozen(p):
                yield Refused(p, f"%{g.names[p]} is not regularized: it is frozen")
            elif not (isinstance(p.op, Parameter) and p.op.is_regularized):
                yield Refused(p, f"%{g.names[p]} is not regularized: it is declared so")
            elif p not in reached:
                yield Refused(p, f"%{g.names[p]} is not regularized: the loss does not read it")
            else:
                weights.append(p)
        penalty = self.regularizer.penalty(weights)
        if penalty is None:
            yield Refused(loss, "no penalty: the strength is 0, or no parameter is regularized")
            return
        over = ", ".join(f"%{g.names[w]}" for w in weights)
        data_loss = loss if isinstance(loss.op, Source) else loss.but(name="data_loss")
        penalty = cast_to(penalty, loss.type.dtype).but(name="penalty")
        new = add(data_loss, penalty, name="loss")
        yield Rewrite(loss, new, f"penalty {self.regularizer!r} over {over}")

    def apply(self, g: Graph) -> Graph:
        for r in self.rewrites(g):
            if isinstance(r, Rewrite):
                if "data_loss" in g.outputs:
                    raise PassError("the graph already has an output named data_loss; rename it")
                data_loss = r.new.inputs[0]
                named = g.replace({r.old: data_loss})
                return named.but(outputs={**named.outputs, "loss": r.new, "data_loss": data_loss})
        return g

"""Joins a linear layer and the relu behind it into one kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, apply
from ..ops import Linear, LinearRelu, Relu
from .base import Pass, Refused, Rewrite


@dataclass(frozen=True)
class FuseLinearRelu(Pass):
    """relu(linear(x, w, b)) becomes linear_relu(x, w, b), which keeps no pre-activation.

    Before:

        graph net {
          %x: f32[N,4] = input
          %fc1.weight: f32[4,3] = parameter{init=he_normal}
          %fc1.bias: f32[3] = parameter{init=zeros}
          %fc1: f32[N,3] = linear(%x, %fc1.weight, %fc1.bias)
          %fc1.relu: f32[N,3] = relu(%fc1)
          return y=%fc1.relu
        }

    After:

        graph net {
          %x: f32[N,4] = input
          %fc1.weight: f32[4,3] = parameter{init=he_normal}
          %fc1.bias: f32[3] = parameter{init=zeros}
          %fc1: f32[N,3] = linear_relu(%x, %fc1.weight, %fc1.bias)
          return y=%fc1
        }

    Not where something else reads the pre-activation, which would then be computed twice. After
    differentiation, since relu's gradient reads its result, and linear_relu has none of its own.
    """

    name: ClassVar[str] = "fuse_linear_relu"
    breaks: ClassVar[tuple[str, ...]] = ("differentiable",)

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        for n in g.order:
            if not isinstance(n.op, Relu):
                continue
            linear = n.inputs[0]
            label = f"%{g.names[linear]}"
            if not isinstance(linear.op, Linear):
                yield Refused(n, f"not fused: {label} is {linear.op.name}, not linear")
                continue
            others = [f"%{g.names[u]}" for u in g.users[linear] if u is not n]
            if others:
                yield Refused(n, f"not fused: {label} is also read by {', '.join(others)}")
            elif linear in g.roots:
                yield Refused(n, f"not fused: {label} is returned")
            else:
                new = apply(LinearRelu(), *linear.inputs, name=g.names[linear])
                yield Rewrite(n, new, f"{label} is read by %{g.names[n]} alone")

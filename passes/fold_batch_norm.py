"""Joins batch normalization by running values into the linear layer before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, Node, apply
from ..ops import BatchNorm, Linear, MatMul, add, inverse_deviation
from .base import Numbers, Pass, Refused, Rewrite


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """batch_norm(linear(x, w, b)) becomes linear(x, w s, (b - mean) s + bias), s = weight / std.

    Before:

        graph net {
          %x: f32[N,4] = input
          %fc1.weight: f32[4,3] = parameter{init=he_normal}
          %fc1.bias: f32[3] = parameter{init=zeros}
          %bn.weight: f32[3] = parameter{init=ones}
          %bn.bias: f32[3] = parameter{init=zeros}
          %bn.running_mean: f32[3] = state{init=zeros}
          %bn.running_var: f32[3] = state{init=ones}
          %fc1: f32[N,3] = linear(%x, %fc1.weight, %fc1.bias)
          %bn: f32[N,3] = batch_norm(%fc1, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
          return y=%bn
        }

    After:

        graph net {
          %x: f32[N,4] = input
          %fc1.weight: f32[4,3] = parameter{init=he_normal}
          %bn.weight: f32[3] = parameter{init=ones}
          %fc1.bias: f32[3] = parameter{init=zeros}
          %bn.bias: f32[3] = parameter{init=zeros}
          %bn.running_var: f32[3] = state{init=ones}
          %bn.running_mean: f32[3] = state{init=zeros}
          %c1: f32[] = constant{1.0}
          %c1e-05: f32[] = constant{1e-05}
          %bn.add: f32[3] = add(%bn.running_var, %c1e-05)
          %bn.sqrt: f32[3] = sqrt(%bn.add)
          %bn.divide: f32[3] = divide(%c1, %bn.sqrt)
          %bn.scale: f32[3] = multiply(%bn.weight, %bn.divide)
          %bn.folded: f32[4,3] = multiply(%fc1.weight, %bn.scale)
          %bn.subtract: f32[3] = subtract(%fc1.bias, %bn.running_mean)
          %bn.multiply: f32[3] = multiply(%bn.subtract, %bn.scale)
          %bn.shift: f32[3] = add(%bn.multiply, %bn.bias)
          %bn: f32[N,3] = linear(%x, %bn.folded, %bn.shift)
          return y=%bn
        }

    The scaled weight is made in each call, of the state as it is then, which many rows repay and
    few do not. A product without a bias, matmul(x, w), is folded too. Not where something else
    reads the linear layer, which would then be computed twice, nor where anything else stands
    before; batch_norm then reads the running values itself. Before simplification and fusion,
    which joins a relu behind it to the linear layer.
    """

    name: ClassVar[str] = "fold_batch_norm"
    needs: ClassVar[tuple[str, ...]] = ("forward",)
    breaks: ClassVar[tuple[str, ...]] = ("as declared",)
    numbers: ClassVar[Numbers] = "reassociate"

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        for n in g.order:
            if isinstance(n.op, BatchNorm):
                linear = n.inputs[0]
                reason = _not_folded(g, n, linear)
                if reason is None:
                    yield Rewrite(n, _folded(g, n), f"%{g.names[linear]} is read by it alone")
                else:
                    yield Refused(n, f"not folded: {reason}")


def _folded(g: Graph, n: Node) -> Node:
    assert isinstance(n.op, BatchNorm)
    linear, weight, bias, running_mean, running_var = n.inputs
    x, w, *b = linear.inputs
    label = g.names[n]
    scale = (weight * inverse_deviation(running_var, n.op.eps)).but(name=f"{label}.scale")
    moved = (b[0] - running_mean) * scale if b else -(running_mean * scale)
    shift = add(moved, bias, name=f"{label}.shift")
    return apply(Linear(), x, (w * scale).but(name=f"{label}.folded"), shift)


def _not_folded(g: Graph, n: Node, linear: Node) -> str | None:
    label = f"%{g.names[linear]}"
    if linear.op not in (Linear(), MatMul()):
        transposed = "a transposed " * isinstance(linear.op, MatMul)
        return f"{label} is {transposed}{linear.op.name}, not linear"
    others = [f"%{g.names[u]}" for u in g.users[linear] if u is not n]
    if others:
        return f"{label} is also read by {', '.join(others)}"
    return f"{label} is returned" if linear in g.roots else None

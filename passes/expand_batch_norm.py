"""Puts the batch's own statistics where batch normalization is declared: the training form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from ..graph import (
    Graph,
    GraphError,
    Node,
    State,
    apply,
    created_at,
    is_frozen,
    shard_symbol,
)
from ..ops import (
    AllReduce,
    BatchNorm,
    BatchVariance,
    DecayAdd,
    ToShards,
    add,
    count,
    dim,
    inverse_deviation,
    mean,
)
from .base import Numbers, Pass, Refused, Rewrite
from .dtype import cast_to


@dataclass(frozen=True)
class ExpandBatchNorm(Pass):
    """Batch mean, variance and normalization, and one update for each running value.

    Before:

        graph net {
          %x: f32[N,3] = input
          %w: f32[3] = parameter{init=ones}
          %b: f32[3] = parameter{init=zeros}
          %m: f32[3] = state{init=zeros}
          %v: f32[3] = state{init=ones}
          %bn: f32[N,3] = batch_norm{momentum=0.75}(%x, %w, %b, %m, %v)
          return y=%bn
        }

    After:

        graph net {
          %x: f32[N,3] = input
          %w: f32[3] = parameter{init=ones}
          %b: f32[3] = parameter{init=zeros}
          %m: f32[3] = state{init=zeros}
          %v: f32[3] = state{init=ones}
          %c1: f32[] = constant{1.0}
          %c1e-05: f32[] = constant{1e-05}
          %bn.mean: f32[3] = mean{axes=[0]}(%x)
          %bn.centered: f32[N,3] = subtract(%x, %bn.mean)
          %bn.var: f32[3] = batch_variance(%bn.centered)
          %add: f32[3] = add(%bn.var, %c1e-05)
          %sqrt: f32[3] = sqrt(%add)
          %divide: f32[3] = divide(%c1, %sqrt)
          %bn.scale: f32[3] = multiply(%w, %divide)
          %multiply: f32[N,3] = multiply(%bn.centered, %bn.scale)
          %bn: f32[N,3] = add(%multiply, %b)
          %m.1: f32[3] = decay_add{0.75,scale=0.25}(%m, %bn.mean)
          %v.1: f32[3] = decay_add{0.75,scale=0.25}(%v, %bn.var)
          update %m = %m.1
          update %v = %v.1
          return y=%bn
        }

    Not where weight and bias are both frozen: such a layer normalizes by its running values in
    training, too, and leaves them as they are. An error where the running values are no state, or
    are updated by something else. Before differentiation, so that the gradient goes through mean
    and variance, and after what the loss is made of; inference folds or reads the running values.
    """

    name: ClassVar[str] = "expand_batch_norm"
    needs: ClassVar[tuple[str, ...]] = ("forward", "differentiable")
    numbers: ClassVar[Numbers] = "meaning"

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        for n in g.order:
            if _is_frozen(n):
                yield Refused(n, "normalized by the running values: its weight and bias are frozen")
            elif isinstance(n.op, BatchNorm):
                with created_at(n.where):
                    new, _ = _expanded(g, n, n.op, n.inputs)
                yield Rewrite(n, new, "normalized by the batch's mean and variance")

    def apply(self, g: Graph) -> Graph:
        # Inputs first, since the updates of a layer read what the one before it became.
        became: dict[Node, Node] = {}
        updates: dict[Node, Node] = {}
        for n in g.nodes:
            inputs = tuple([became[i] for i in n.inputs])
            if isinstance(n.op, BatchNorm) and not _is_frozen(n):
                for old in n.inputs[3:]:
                    _check_running(g, old, updates)
                with created_at(n.where):
                    became[n], own = _expanded(g, n, n.op, inputs)
                updates.update(own)
            else:
                became[n] = n if inputs == n.inputs else n.but(inputs=inputs)
        if not updates:
            return g
        kept = {w: became[n] for w, n in g.updates.items()}
        outputs = {k: became[n] for k, n in g.outputs.items()}
        return g.but(outputs=outputs, updates={**kept, **updates})


def _is_frozen(n: Node) -> bool:
    """Whether a node is a normalization whose weight and bias are both frozen."""
    if not isinstance(n.op, BatchNorm):
        return False
    whole = [i.inputs[0] if isinstance(i.op, ToShards) else i for i in n.inputs[1:3]]
    return all(map(is_frozen, whole))


def _expanded(
    g: Graph, n: Node, form: BatchNorm, inputs: tuple[Node, ...]
) -> tuple[Node, dict[Node, Node]]:
    """The training form of a normalization of `inputs`, and its running values' updates."""
    x, weight, bias, running_mean, running_var = inputs
    label = g.names[n]
    average = mean(x, axes=(0,), name=f"{label}.mean")
    centered = (x - average).but(name=f"{label}.centered")
    variance = apply(BatchVariance(), centered, name=f"{label}.var")
    scale = (weight * inverse_deviation(variance, form.eps)).but(name=f"{label}.scale")
    kept = variance
    if form.unbiased:
        rows = count(x.type, (0,))
        kept = variance * (rows / (rows - 1.0))
    decay = DecayAdd(form.momentum, 1 - form.momentum)
    _, _, _, *running = (g.names[i] for i in n.inputs)
    average, kept = _of_all_rows(average, x, f"{label}.mean"), _of_all_rows(kept, x, f"{label}.var")
    updates = {
        running_mean: apply(decay, running_mean, average, name=running[0]),
        running_var: apply(decay, running_var, kept, name=running[1]),
    }
    return add(centered * scale, bias, name=label), updates


def _of_all_rows(statistic: Node, x: Node, name: str) -> Node:
    """A statistic of x: where that is one shard of a batch, its mean over all, weighed by rows."""
    rows = x.type.shape[0]
    shard = shard_symbol(rows) if isinstance(rows, str) else None
    if shard is None:
        return statistic
    dtype = x.type.dtype
    weighed = (statistic * cast_to(dim(str(rows)), dtype)).but(name=f"{name}.weighed")
    total = apply(AllReduce(shard.of, None), weighed, name=f"{name}.sum")
    return (total / cast_to(dim(shard.whole), dtype)).but(name=f"{name}.of_all")


def _check_running(g: Graph, n: Node, updates: Mapping[Node, Node]) -> None:
    if not isinstance(n.op, State):
        raise GraphError(
            f"%{g.names[n]} is {n.op.name}, where a running value is state; declare it as vg.state"
        )
    if n in g.updates or n in updates:
        raise GraphError(
            f"%{g.names[n]} is updated twice: a running value belongs to one batch_norm"
        )

"""Takes the logarithm of exp and sigmoid for what it is, without them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

import numpy as np

from ..graph import Constant, Graph, Node, apply
from ..ops import log, softplus
from ..ops.arithmetic import Maximum, Minimum, Subtract
from ..ops.comparison import Where
from ..ops.likelihood import LogSoftmax
from ..ops.pointwise import Exp, Log, Sigmoid
from ..ops.reductions import Max
from .base import Numbers, Pass, Refused, Rewrite, is_constant

_OF_SOFTMAX: Final = "the logarithm of softmax is log_softmax"


@dataclass(frozen=True)
class KeepLogs(Pass):
    """log(exp(p)) becomes p, and log(sigmoid(x)) -softplus(-x): no small share is lost.

    Before:

        graph net {
          %x: f32[N,4] = input
          %p: f32[N,4] = log_softmax(%x)
          %softmax: f32[N,4] = exp(%p)
          %share: f32[N,1] = slice{axis=1,start=0,stop=1}(%softmax)
          %y: f32[N,1] = log(%share)
          return y=%y
        }

    After:

        graph net {
          %x: f32[N,4] = input
          %p: f32[N,4] = log_softmax(%x)
          %y: f32[N,1] = slice{axis=1,start=0,stop=1}(%p)
          return y=%y
        }

    A share below the least float is 0, its logarithm -inf and its gradient NaN, where p is a
    number like any other; the laws hold for NaN and infinity. Also of 1 - sigmoid(x), and behind
    ops that only move elements (`Op.moves`) or choose one of several, since these are the same of
    the logarithms. Not behind ops that compute, where another branch may be 0 or below, nor where
    a gradient is taken for what lies between. First, since the gradient of p is the better one.
    """

    name: ClassVar[str] = "keep_logs"
    defining: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("forward", "differentiable")
    numbers: ClassVar[Numbers] = "reassociate"
    repeated: ClassVar[bool] = True

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        known = _known(g, {n.inputs[k] for n in g.order for k in n.op.refers_to})
        for n in g.order:
            fact = known.get(n.inputs[0]) if isinstance(n.op, Log) else None
            if fact is None:
                continue
            if fact.asked is not None:
                yield Refused(n, f"a gradient is taken for %{g.names[fact.asked]}")
            else:
                yield Rewrite(n, fact.log, fact.law)


class _Known(NamedTuple):
    """The logarithm of a node above 0, computed without the node."""

    log: Node
    law: str
    rest: Node | None = None
    """That of 1 less the node, where it is known, too."""
    asked: Node | None = None
    """What a gradient is taken for, of the nodes that the logarithm no longer reads."""


def _known(g: Graph, referred: Container[Node]) -> dict[Node, _Known]:
    """What is known of the nodes that logarithms are taken of, and of what these move."""
    wanted: set[Node] = set()
    for n in reversed(g.order):
        if isinstance(n.op, Log):
            wanted.add(n.inputs[0])
        elif n in wanted:
            wanted.update(n.inputs[1:] if isinstance(n.op, Subtract) else _moved(n))
    known: dict[Node, _Known] = {}
    for n in g.order:
        fact = _law(n, known) if n in wanted else None
        if fact is not None:
            known[n] = fact._replace(asked=n) if n in referred else fact
    return known


def _law(n: Node, known: Mapping[Node, _Known]) -> _Known | None:
    """What is known of a node by its op, from what is known of its inputs."""
    x = n.inputs[-1] if n.inputs else n
    if isinstance(n.op, Exp):
        softmax = isinstance(x.op, LogSoftmax)
        return _Known(x, _OF_SOFTMAX if softmax else "log(exp(p)) = p")
    if isinstance(n.op, Sigmoid):
        return _Known(-softplus(-x), "log(sigmoid(x)) = -softplus(-x)", rest=-softplus(x))
    if isinstance(n.op, Subtract) and is_constant(n.inputs[0], 1) and x.type == n.type:
        less = known.get(x)
        if less is not None and less.rest is not None:
            law = "log(1 - sigmoid(x)) = -softplus(x)"
            return less._replace(log=less.rest, rest=less.log, law=law)
    return _moved_law(n, known)


def _moved_law(n: Node, known: Mapping[Node, _Known]) -> _Known | None:
    """What is known of a node that moves or chooses elements: the same of their logarithms."""
    moved = _moved(n)
    there = [known[x] for x in moved if x in known]
    left = [x for x in moved if x not in known]
    if not there or not n.type.is_float or not (n.op.moves or all(map(_is_positive, left))):
        return None
    others = n.inputs[: len(n.inputs) - len(moved)]
    logs = apply(n.op, *others, *[known[x].log if x in known else log(x) for x in moved])
    rests = [k.rest for k in there if k.rest is not None] if n.op.moves else []
    return _Known(
        logs,
        there[0].law,
        rest=apply(n.op, *rests) if len(rests) == len(moved) else None,
        asked=next((k.asked for k in there if k.asked is not None), None),
    )


def _moved(n: Node) -> tuple[Node, ...]:
    """The inputs one of whose elements each element of the result is, by a choice that is the same
    for their logarithms; none where the op computes."""
    if isinstance(n.op, (Where, Maximum, Minimum)):
        return n.inputs[-2:]
    return n.inputs if n.op.moves or isinstance(n.op, Max) else ()


def _is_positive(n: Node) -> bool:
    return isinstance(n.op, Constant) and bool(np.all(n.op.value.array > 0))

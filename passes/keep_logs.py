"""Takes the logarithm of a softmax for what it is, log_softmax."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, Node
from ..ops.likelihood import LogSoftmax
from ..ops.pointwise import Exp, Log
from .base import Numbers, Pass, Refused, Rewrite


@dataclass(frozen=True)
class KeepLogs(Pass):
    """log(exp(p)) becomes p, where p = log_softmax(x): log(softmax(x)) loses no small share.

    Before:

        graph net {
          %x: f32[N,4] = input
          %p: f32[N,4] = log_softmax(%x)
          %softmax: f32[N,4] = exp(%p)
          %y: f32[N,4] = log(%softmax)
          return y=%y
        }

    After:

        graph net {
          %x: f32[N,4] = input
          %p: f32[N,4] = log_softmax(%x)
          return y=%p
        }

    A share below the least float is 0, its logarithm -inf and its gradient NaN, where p is a
    number like any other; p is never so large that exp(p) overflows, and the law holds for NaN
    and -inf. Not of another p, for which it may, nor where a gradient is taken for what lies
    between. First, since the gradient of p is the better one, too.
    """

    name: ClassVar[str] = "keep_logs"
    needs: ClassVar[tuple[str, ...]] = ("forward", "differentiable")
    numbers: ClassVar[Numbers] = "reassociate"

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        referred = {n.inputs[k] for n in g.order for k in n.op.refers_to}
        for n in g.order:
            p = _log_softmax(n)
            if p is None:
                continue
            if n.inputs[0] in referred:
                yield Refused(n, f"a gradient is taken for %{g.names[n.inputs[0]]}")
            else:
                yield Rewrite(n, p, "the logarithm of softmax is log_softmax")


def _log_softmax(n: Node) -> Node | None:
    """p, where n is log(exp(p)) and p = log_softmax(x)."""
    if not isinstance(n.op, Log) or not isinstance(n.inputs[0].op, Exp):
        return None
    p = n.inputs[0].inputs[0]
    return p if isinstance(p.op, LogSoftmax) else None

"""Drops ops that do nothing, and merges those that do one thing in two steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from ..graph import Graph, GraphError, Node, apply
from ..ops import BroadcastTo, Cast, Copy, MatMul, Reshape, Transpose, add, reshape, subtract
from .base import Numbers, Pass, Rewrite, is_constant

Found = tuple[Node, str] | None

_SWAPPED: Final = Transpose((1, 0))


@dataclass(frozen=True)
class Simplify(Pass):
    """Local rewrites that hold for every number, NaN, infinity and -0 included.

    To the bit, but for a matmul that reads its operand transposed: BLAS may then add up in
    another order.

    Before:

        graph net {
          %x: f32[N,4] = input
          %c1: f32[] = constant{1.0}
          %a: f32[N,4] = multiply(%x, %c1)
          %b: f32[N,4] = reshape{[N,4]}(%a)
          %c: f32[N,4] = negative(%b)
          %y: f32[N,4] = subtract(%x, %c)
          return y=%y
        }

    After:

        graph net {
          %x: f32[N,4] = input
          %y: f32[N,4] = add(%x, %x)
          return y=%y
        }

    Not 0 x, x - x, x / x or x + 0, which are wrong for NaN, infinity or -0. With
    fold_constants, whose results it uses, and before fusion, which wants few readers.
    """

    name: ClassVar[str] = "simplify"
    breaks: ClassVar[tuple[str, ...]] = ("as declared",)
    numbers: ClassVar[Numbers] = "reassociate"
    repeated: ClassVar[bool] = True

    def rewrites(self, g: Graph) -> Iterator[Rewrite]:
        for n in g.order:
            for rule in _RULES.get(n.op.name, ()):
                replacement = rule(n)
                if replacement is not None:
                    yield Rewrite(n, *replacement)
                    break
            else:
                if n.op.elementwise and (replacement := _reads_broadcast(n)) is not None:
                    yield Rewrite(n, *replacement)


def _times_one(n: Node) -> Found:
    a, b = n.inputs
    for x, one in ((a, b), (b, a)):
        if x.type == n.type and is_constant(one, 1):
            return x, "x 1 = x"
    return None


def _right_neutral(value: float, reason: str) -> Callable[[Node], Found]:
    def rule(n: Node) -> Found:
        x, other = n.inputs
        return (x, reason) if x.type == n.type and is_constant(other, value) else None

    return rule


def _add_negative(n: Node) -> Found:
    a, b = n.inputs
    if b.op.name == "negative":
        return subtract(a, b.inputs[0]), "a + -b = a - b"
    if a.op.name == "negative":
        return subtract(b, a.inputs[0]), "-a + b = b - a"
    return None


def _subtract_negative(n: Node) -> Found:
    a, b = n.inputs
    return (add(a, b.inputs[0]), "a - -b = a + b") if b.op.name == "negative" else None


def _twice_negative(n: Node) -> Found:
    (x,) = n.inputs
    return (x.inputs[0], "-(-x) = x") if x.op.name == "negative" else None


def _same_type(n: Node) -> Found:
    (x,) = n.inputs
    does_nothing = isinstance(n.op, (Reshape, BroadcastTo, Cast, Copy)) and x.type == n.type
    return (x, f"{n.op.name} to its own type") if does_nothing else None


def _twice_reshape(n: Node) -> Found:
    (x,) = n.inputs
    if not isinstance(x.op, Reshape):
        return None
    return reshape(x.inputs[0], n.type.shape), "a reshape of a reshape is one"


def _transpose(n: Node) -> Found:
    (x,) = n.inputs
    assert isinstance(n.op, Transpose)
    if n.op.axes == tuple(range(len(n.op.axes))):
        return x, "the axes stay where they are"
    if isinstance(x.op, Transpose):
        inner = x.op.axes
        joined = tuple([inner[a] for a in n.op.axes])
        return apply(Transpose(joined), x.inputs[0]), "a transpose of a transpose is one"
    return None


def _matmul_transposed(n: Node) -> Found:
    a, b = n.inputs
    assert isinstance(n.op, MatMul)
    swap_a, swap_b = a.op == _SWAPPED, b.op == _SWAPPED
    if not (swap_a or swap_b):
        return None
    op = MatMul(n.op.transpose_a != swap_a, n.op.transpose_b != swap_b)
    new = apply(op, a.inputs[0] if swap_a else a, b.inputs[0] if swap_b else b)
    return new, "matmul reads its operand transposed"


def _same_branches(n: Node) -> Found:
    _, a, b = n.inputs
    return (a, "both branches are the same") if a is b and a.type == n.type else None


def _reads_broadcast(n: Node) -> Found:
    """An elementwise op that broadcasts by itself where another input has the full shape."""
    for k, x in enumerate(n.inputs):
        if isinstance(x.op, BroadcastTo):
            inputs = (*n.inputs[:k], x.inputs[0], *n.inputs[k + 1 :])
            try:
                keeps = n.op.infer(*(i.type for i in inputs)) == n.type
            except GraphError:
                keeps = False
            if keeps:
                return apply(n.op, *inputs), f"{n.op.name} broadcasts by itself"
    return None


_RULES: Final[dict[str, tuple[Callable[[Node], Found], ...]]] = {
    "multiply": (_times_one,),
    "divide": (_right_neutral(1.0, "x / 1 = x"),),
    "power": (_right_neutral(1.0, "x ** 1 = x"),),
    "add": (_right_neutral(-0.0, "x + -0 = x"), _add_negative),
    "subtract": (_right_neutral(0.0, "x - 0 = x"), _subtract_negative),
    "negative": (_twice_negative,),
    "reshape": (_same_type, _twice_reshape),
    "broadcast_to": (_same_type,),
    "cast": (_same_type,),
    "copy": (_same_type,),
    "transpose": (_transpose,),
    "matmul": (_matmul_transposed,),
    "where": (_same_branches,),
}

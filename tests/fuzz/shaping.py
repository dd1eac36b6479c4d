"""Random nodes of ops that reduce, move, take apart and join, and of matrix products."""

from __future__ import annotations

from math import prod

import verigrad as vg
from verigrad.graph import OPS, Dim, Node

from .pool import Pool


def reduced(p: Pool, name: str) -> Node:
    x, c = p.floats(), p.choices
    axes = None if c.flag() else tuple(c.some(range(x.type.rank)))
    kept = {} if name == "first_max" else {"keepdims": c.flag()}
    return vg.apply(OPS[name](axes, **kept), x)


def axis(p: Pool, x: Node) -> tuple[int, int] | None:
    """An axis whose size is a number, and the size; None where there is none."""
    numbers = [(k, d) for k, d in enumerate(x.type.shape) if isinstance(d, int)]
    return p.choices.one(numbers) if numbers else None


def reshape(p: Pool) -> Node:
    """Two axes of sizes in numbers become one, or an axis of 1 comes or goes."""
    x, c = p.anything(), p.choices
    shape: list[Dim] = [d for d in x.type.shape if d != 1 or c.flag()]
    k = c.number(0, len(shape))
    both = shape[k : k + 2]
    if len(both) == 2 and all(isinstance(d, int) for d in both) and c.flag():
        shape[k : k + 2] = [prod(both)] if c.flag() else both[::-1]
    elif len(shape) < 4:
        shape.insert(k, 1)
    return vg.reshape(x, shape)


def transpose(p: Pool) -> Node:
    x = p.floats(2) if p.choices.flag(0.8) else p.anything()
    return vg.transpose(x, tuple(p.choices.shuffled(range(x.type.rank))))


def broadcast_to(p: Pool) -> Node:
    x, c = p.anything(), p.choices
    shape = [c.one((2, "N")) if d == 1 and c.flag() else d for d in x.type.shape]
    front = c.one(((), (2,), ("N",), (1,))) if len(shape) < 3 else ()
    return vg.broadcast_to(x, (*front, *shape))


def part(p: Pool) -> Node | None:
    x = p.anything()
    found = axis(p, x)
    if found is None:
        return None
    k, size = found
    start = p.choices.number(0, max(size - 1, 0))
    least = start if p.choices.flag(0.05) else min(start + 1, size)  # seldom nothing
    return vg.slice(x, k, start, p.choices.number(least, size))


def pad(p: Pool) -> Node | None:
    x = p.anything()
    found = axis(p, x)
    if found is None:
        return None
    return vg.pad(x, found[0], p.choices.number(0, 1), p.choices.number(0, 2))


def concat(p: Pool) -> Node | None:
    x = p.anything()
    found = axis(p, x)
    if found is None:
        return None
    k, shape = found[0], x.type.shape

    def fits(t: vg.TensorType) -> bool:
        if t.dtype != x.type.dtype or t.rank != len(shape) or not isinstance(t.shape[k], int):
            return False
        return t.shape[:k] + t.shape[k + 1 :] == shape[:k] + shape[k + 1 :]

    others = [p.found(fits, x) for _ in range(p.choices.number(0, 2))]
    return vg.concat(x, *others, axis=k)


def matmul(p: Pool) -> Node | None:
    """A product that fits, either operand read transposed, or a transpose of one."""
    c, a, flip = p.choices, p.floats(2, 2), p.choices.flag()
    inner = a.type.shape[0 if flip else 1]
    b = p.pick(lambda t: t.rank == 2 and t.dtype == a.type.dtype and inner in t.shape)
    if b is None:
        return None
    other = b.type.shape[0] != inner or (b.type.shape[1] == inner and c.flag())
    if c.flag(0.3):
        a, flip = vg.transpose(a), not flip
    if c.flag(0.3):
        b, other = vg.transpose(b), not other
    return vg.matmul(a, b, transpose_a=flip, transpose_b=other)


def gemm(p: Pool) -> Node | None:
    product = matmul(p)
    if product is None:
        return None
    op = OPS["gemm"](product.op.transpose_a, product.op.transpose_b)
    c = p.like(product)
    c = vg.tanh(vg.copy(product)) if c is product else c
    return vg.apply(op, c, *product.inputs, p.number_like(c), p.number_like(c))


def linear(p: Pool, name: str = "linear") -> Node | None:
    x = p.floats(2, 2)
    inner = x.type.shape[1]
    weight = p.pick(lambda t: t.rank == 2 and t.dtype == x.type.dtype and inner in t.shape)
    if weight is None:
        return None
    rows, columns = weight.type.shape
    if rows != inner or (columns == inner and p.choices.flag(0.2)):
        weight = vg.transpose(weight)
    wanted = weight.type.with_shape(weight.type.shape[1:])
    bias = p.pick(lambda t: t == wanted)
    return None if bias is None else vg.apply(OPS[name](), x, weight, bias)

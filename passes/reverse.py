"""Symbolic reverse mode: the one place that accumulates cotangents, and un-broadcasts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..graph import (
    GraphError,
    Node,
    TensorType,
    apply,
    check_node,
    constant,
    created_at,
    depth_first,
    shown,
)
from ..ops import BroadcastTo, Gradient, add, broadcast_to, negative, reshape, sum
from ..ops.arithmetic import Negative


def grad(y: Node, xs: Sequence[Node]) -> list[Node]:
    """The gradient of a float scalar y for each of xs, as nodes that can be differentiated again.

    It is that of what the graph computes: in training, of the batch's statistics and with
    dropout's masks; in inference, of the running values and without. An x that y is made from,
    but that no gradient reaches, has zeros. Raises GraphError where y is no float scalar, or is
    not made from an x.
    """
    if not isinstance(y, Node) or not isinstance(xs, (list, tuple)):
        raise GraphError("grad takes a node and a list of nodes: write vg.grad(y, [x])")
    for x in xs:
        check_node("grad", "x", x)
    if y.type.rank or not y.type.is_float:
        raise GraphError(
            f"grad: y is {shown(y)}, where a float scalar is expected; take e.g. vg.sum(y)"
        )
    reached = set(depth_first([y]))
    for x in xs:
        if x not in reached:
            raise GraphError(f"grad: y is not made from {shown(x)}")
    return [_declared(y, x) for x in xs]


def _declared(y: Node, x: Node) -> Node:
    """The gradient under the name of x."""
    gradient, own = apply(Gradient(), y, x), f"{x.name}.grad" if x.name else "grad"
    name = own if x.asked_name else None
    return Node(gradient.op, gradient.inputs, gradient.type, name, x.layer, gradient.where)


def gradients(y: Node, xs: Mapping[Node, str], names: Mapping[Node, str]) -> dict[Node, Node]:
    """The nodes of the gradient of y for each of xs, zeros where none reaches it, under the names
    that `xs` gives them; `names` are those of what y is made from."""
    grads = backward(y, list(xs), names, xs)
    for x in xs:
        if x not in grads:
            grads[x] = broadcast_to(constant(0.0, x.type.dtype), x.type.shape)
    return grads


def backward(
    y: Node, xs: Sequence[Node], names: Mapping[Node, str], called: Mapping[Node, str] | None = None
) -> dict[Node, Node]:
    """The cotangent of each of xs that one reaches, for y's own cotangent 1.

    That of %x is named as `called` says, or x.grad; a part of a sum x.partial.
    """
    wanted = set(xs)
    return {n: dy for n, dy in all_cotangents(y, xs, names, called).items() if n in wanted}


def all_cotangents(
    y: Node, xs: Sequence[Node], names: Mapping[Node, str], called: Mapping[Node, str] | None = None
) -> dict[Node, Node]:
    """What `backward` gives, and the cotangents of all nodes on the way from y to xs."""
    titles = {n: f"{name}.grad" for n, name in names.items()} | dict(called or {})
    order = depth_first([y])
    forward = set(order)
    leads = set(xs)
    for n in order:
        if n.type.is_float and any(i in leads for i in n.inputs):
            leads.add(n)
    parts: dict[Node, list[Node]] = {y: [constant(1.0, y.type.dtype)]}
    grads: dict[Node, Node] = {}
    for n in reversed(order):
        if n not in leads or n not in parts:
            continue
        with created_at(n.where):
            received = parts.pop(n)
            if len(received) > 1 and n in names:
                received = [_named(p, f"{names[n]}.partial", forward) for p in received]
            dy = _accumulate(received)
            if n in titles:
                dy = _named(dy, titles[n], forward)
            grads[n] = dy
            if any(i in leads for i in n.inputs):
                for i, part in zip(n.inputs, cotangents(n, dy, names), strict=True):
                    if part is not None and i in leads:
                        parts.setdefault(i, []).append(part)
    return grads


def _named(n: Node, name: str, forward: set[Node]) -> Node:
    """The node under that name, where it has none and is new."""
    return n if n.name is not None or n.layer is not None or n in forward else n.but(name=name)


def cotangents(n: Node, dy: Node, names: Mapping[Node, str] | None = None) -> list[Node | None]:
    """The cotangent of each input, of its type, from that of the result; None where it is zero.

    What the op's `vjp` gives, summed where an elementwise op, or broadcast_to, repeated the input.
    Raises GraphError, naming op, input and types, where that is not one cotangent an input, each
    of its input's type; `names` are those of the graph.
    """
    parts = n.op.vjp(n, dy)
    label = f"%{names[n]}" if names and n in names else f"{n}"
    if not isinstance(parts, (tuple, list)):
        raise GraphError(
            f"{n.op.name}: vjp gives {shown(parts)}, where a tuple is expected, of one cotangent "
            f"an input, such as `return (dx,)`; for {label}"
        )
    if len(parts) != len(n.inputs):
        raise GraphError(
            f"{n.op.name}: vjp gives {len(parts)} cotangents for {len(n.inputs)} inputs of "
            f"{label}; give one an input, None where it is zero"
        )
    return [_checked(n, k, part, names or {}) for k, part in enumerate(parts)]


def _checked(n: Node, k: int, part: object, names: Mapping[Node, str]) -> Node | None:
    """A part of what a vjp gave, as the cotangent of input `k`."""
    if part is None:
        return None
    x = n.inputs[k]
    if isinstance(part, Node) and x.type.is_float:
        repeated = n.op.elementwise or isinstance(n.op, BroadcastTo)
        if part.type == x.type:
            return part
        if repeated and part.type == n.type.with_dtype(x.type.dtype):
            return _unbroadcast(part, x.type)
    actual = part.type if isinstance(part, Node) else repr(part)
    name = names.get(x, x.asked_name)
    at = f"\n  {n.op.name} at {n.where.described}" if n.where else ""
    raise GraphError(
        f"{n.op.name}: vjp gives {actual} for input {k}, which is {x.type}"
        f"{f' (%{name})' if name else ''}; a cotangent is a node of its input's type"
        f"{'' if x.type.is_float else ', and None where that is no float'}{at}"
    )


def _accumulate(parts: Sequence[Node]) -> Node:
    total = parts[0]
    for part in parts[1:]:
        total = add(total, part)
    return total


def _unbroadcast(dy: Node, to: TensorType) -> Node:
    """The cotangent of what was broadcast: summed over the axes along which it was repeated.

    Goes by types alone, so a symbol is never taken for a 1, also where its size is 1. What was
    subtracted is summed before its sign is changed: there is less of it then.
    """
    extra = dy.type.rank - to.rank
    repeated = [
        k + extra for k, d in enumerate(to.shape) if d == 1 and dy.type.shape[k + extra] != 1
    ]
    axes = [*range(extra), *repeated]
    dy = negative(sum(dy.inputs[0], axes)) if isinstance(dy.op, Negative) else sum(dy, axes)
    return dy if dy.type == to else reshape(dy, to.shape)

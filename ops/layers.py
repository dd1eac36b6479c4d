"""Layers: the parameters and ops that a user declares in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graph import (
    Array,
    GraphError,
    Initializer,
    Layer,
    Node,
    apply,
    check_flag,
    check_name,
    check_node,
    is_whole,
    op_function,
    parameter,
    shown,
)
from .linear import Linear, MatMul

Init = Initializer | str | Array


def dense(
    x: Node,
    units: int,
    *,
    name: str | None = None,
    init: Init = "he_normal",
    bias: bool = True,
    trainable: bool = True,
) -> Node:
    """x weight + bias for x [N,D]: declares `name.weight` [D,units] and `name.bias` [units].

    The weight is regularized, the bias is not and starts at 0; with `bias=False` there is none,
    as before batch normalization, which takes it away. `init` is the weight's: a name, an
    initializer or an array [D,units]. With `trainable=False` both are frozen. A layer without a
    name is numbered fc1, fc2, ... in the graph's order. Raises GraphError where x is not [N,D].
    """
    check_node("dense", "x", x)
    check_name(name)
    if x.type.rank != 2 or not isinstance(x.type.shape[1], int):
        label = f"%{x.asked_name}" if x.asked_name else "x"
        raise GraphError(
            f"dense{f' {name}' if name else ''}: {label} is {x.type}, where [N,D] with D a number "
            "is expected\n  fix: reshape x to one row a sample, e.g. vg.reshape(x, ('N', 784))"
        )
    if not is_whole(units, 1):
        raise GraphError(f"dense: units is {shown(units)}, where a number from 1 is expected")
    check_flag(bias=bias, trainable=trainable)
    layer = Layer("fc") if name is None else None
    prefix = "" if name is None else f"{name}."
    dtype = x.type.dtype
    weight = parameter(
        f"{prefix}weight", (x.type.shape[1], units), init,
        dtype=dtype, trainable=trainable, layer=layer,
    )  # fmt: skip
    if not bias:
        return apply(MatMul(), x, weight, name=name, layer=layer)
    added = parameter(
        f"{prefix}bias", (units,), "zeros", dtype=dtype, trainable=trainable, layer=layer
    )
    return apply(Linear(), x, weight, added, name=name, layer=layer)


def mlp(
    x: Node,
    units: Sequence[int],
    *,
    init: Init = "he_normal",
    activation: Callable[[Node], Node] | str = "relu",
) -> Node:
    """{linear, activation} x (L - 1) and a last linear: `vg.mlp(x, [100, 100, 10])`.

    x is [N,D]; the layers are numbered fc1, fc2, ... `activation` is a function of a node, such
    as vg.tanh, or the name of one, such as "leaky_relu".
    """
    if isinstance(units, Sequence) and not units:
        raise GraphError("mlp: units is empty; give the layers' sizes, e.g. [100, 100, 10]")
    if isinstance(units, (str, bytes)) or not isinstance(units, Sequence):
        raise GraphError(
            f"mlp: units is {shown(units)}, where the layers' sizes are expected, e.g. [100, 100, "
            "10]"
        )
    between = op_function(activation) if isinstance(activation, str) else activation
    if not callable(between):
        raise GraphError(f"mlp: activation is {shown(activation)}, where e.g. vg.tanh is expected")
    *hidden, last = units
    for size in hidden:
        x = between(dense(x, size, init=init))
    return dense(x, last, init=init)

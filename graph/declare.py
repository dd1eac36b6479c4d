"""Declaring what is given to a graph: inputs, parameters, state and constants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .errors import GraphError
from .fields import check_flag
from .layer import Layer
from .location import user_line
from .node import Node, apply, check_layer
from .op import Source
from .quoting import shown
from .shards import shard_symbol
from .sources import Initializer, Input, Parameter, State, constant_op
from .types import TensorType, check_shape, dtype_name, name_pattern

if TYPE_CHECKING:
    from .op import Array


def input(name: str, shape: Iterable[int | str], dtype: str = "f32") -> Node:
    """Declares what a step is fed with: `vg.input("x", ("N", 784))`.

    Raises GraphError on a name, dimension or dtype that cannot be used.
    """
    type = _declared_type("input", name, shape, dtype)
    for d in type.symbols:
        if (shard := shard_symbol(d)) is not None:
            raise GraphError(
                f"input {shown(name)} has the shape {type}: {d} counts rows of a shard, which "
                f"compile(..., shards=...) makes; give those of the whole batch, {shard.whole!r}"
            )
    return _source(Input(type), name)


def parameter(
    name: str | None,
    shape: Iterable[int],
    init: Initializer | str | Array = "he_normal",
    *,
    dtype: str = "f32",
    regularized: bool | None = None,
    trainable: bool = True,
    layer: Layer | None = None,
) -> Node:
    """Declares a trained value of a fixed shape; its first value comes from `init` and the seed.

    `init` is a name such as "he_normal", an initializer such as vg.init.normal(0.01), or an array.
    Penalties reach it where `regularized` says so; unsaid, where it has rank 2 or more. With
    `trainable=False` it is frozen: training reads it, and nothing but you changes it. It then has
    no gradient, no state of the optimizer, no decay and no penalty.
    """
    check_flag(trainable=trainable)
    type = _declared_type("parameter", name, shape, dtype)
    if type.symbols:
        raise GraphError(
            f"parameter {shown(name)} has the shape {type}: sizes of parameters are fixed; "
            f"put a number for {type.symbols[0]}"
        )
    return _source(Parameter(type, init, regularized, trainable), name, layer)


def state(
    name: str | None,
    shape: Iterable[int] = (),
    init: Initializer | str | Array = "zeros",
    *,
    dtype: str = "f32",
    layer: Layer | None = None,
) -> Node:
    """Declares a value that only updates change."""
    return _source(State(_declared_type("state", name, shape, dtype), init), name, layer)


def constant(value: Any, dtype: str | None = None, *, name: str | None = None) -> Node:
    """A fixed scalar or array; unless said, f32, i64 for integers, bool for truth values."""
    return apply(constant_op(value, dtype), name=name)


def _declared_type(
    kind: str, name: str | None, shape: Iterable[int | str], dtype: str
) -> TensorType:
    try:
        return TensorType(dtype_name(dtype), check_shape(shape))
    except GraphError as e:
        raise GraphError(f"{kind} {shown(name)}: {e}") from None


def _source(op: Source, name: str | None, layer: Layer | None = None) -> Node:
    check_layer(layer)
    if layer is None and not (isinstance(name, str) and name_pattern.fullmatch(name)):
        raise GraphError(
            f"{op.name} needs a name, not {shown(name)}: a letter or _, then letters, digits, _ . "
            "or -"
        )
    return Node(op, (), op.type, name, layer, user_line())

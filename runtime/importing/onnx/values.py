"""What a name in a file stands for while it is read: an array, a stored weight, or a node."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ....graph import Array, GraphError, Node, Shape, TensorType, constant
from ....ops import cast, concat, dim, reshape

FOLDED: Final = 1 << 26
"""Of how many bytes, at most, a result is computed while a file is read."""


class Known(NamedTuple):
    """An array that no feed changes; of objects where it holds sizes that are symbols."""

    array: Array

    @property
    def symbolic(self) -> bool:
        return self.array.dtype == object


class Weight(NamedTuple):
    """A float tensor that the file stores, before it is known whether it is trained.

    `alone` says that one node reads it, so that it may be kept in the order that this wants;
    `stored` that it is an initializer, and no constant of the graph.
    """

    name: str
    array: Array
    alone: bool
    stored: bool = True

    def turned(self, array: Array) -> Weight:
        """The same weight in another order or shape."""
        return self._replace(array=np.ascontiguousarray(array))


Value = Node | Known | Weight


class UnknownError(GraphError):
    """What a rule wants to know as it reads, and what depends on the feeds."""


def dims_array(shape: Shape) -> Known:
    """A shape as the array that ONNX's Shape gives; symbols make it one of objects."""
    kind = np.int64 if all(isinstance(d, int) for d in shape) else object
    return Known(np.array(shape, dtype=kind))


def known_node(value: Known) -> Node:
    """The constant of an array in the nearest of our dtypes."""
    array = value.array
    if value.symbolic:
        return sizes_node(array)
    if array.dtype.kind in "iu":
        return constant(array.astype(np.int64), "i64")
    if array.dtype.kind == "b":
        return constant(array, "bool")
    if array.dtype == np.float32:  # a number as its text would be: 0.1, and 0.1 in f64 as well
        return constant(array if array.ndim else float(str(array)), "f32")
    if array.dtype == np.float64:
        return constant(array, "f64")
    raise GraphError(
        f"a constant is of the type {array.dtype}, which is none of f32, f64, i64, bool"
    )


def sizes_node(array: Array, dtype: str = "i64") -> Node:
    """The sizes of an array of them; those that are symbols are read from the feeds."""
    each = [
        (dim(d) if dtype == "f64" else cast(dim(d), dtype))
        if isinstance(d, str)
        else constant(d, dtype)
        for d in array.reshape(-1)
    ]
    if array.ndim == 0:
        return each[0]
    return reshape(concat([reshape(n, (1,)) for n in each], axis=0), array.shape)


def is_small(t: TensorType) -> bool:
    """Whether a result of that type may be computed while a file is read."""
    return not t.symbols and t.nbytes({}) <= FOLDED

"""Tensors that a node makes of nothing or of a shape, and what stores them under other names."""

from __future__ import annotations

from typing import Final

import numpy as np

from .....graph import Array, GraphError
from .....ops import broadcast_to
from ..call import Call, Rules
from ..tensors import NUMPY_KINDS
from ..values import Known, Value, Weight, known_node
from .parts import LONGEST, few, numbered


def _constant(c: Call) -> Value:
    """A constant; a float one is a weight that is not trained unless `trainable` names it."""
    if (tensor := c.tensor("value")) is not None:
        return c.reader.sources.stored(c.outputs[0], tensor, initializer=False)
    for name, array in (
        ("value_float", lambda: np.array(c.number("value_float", 0), np.float32)),
        ("value_floats", lambda: np.array(c.numbers("value_floats"), np.float32)),
        ("value_int", lambda: np.array(c.integer("value_int", 0), np.int64)),
        ("value_ints", lambda: np.array(c.integers("value_ints"), np.int64)),
        ("value_string", lambda: np.array(c.text("value_string", ""))),
        ("value_strings", lambda: np.array(c.texts("value_strings"))),
    ):
        if name in c.attributes:
            return Known(array())
    raise GraphError("it says no value that is read")


def _constant_of_shape(c: Call) -> Value:
    value = c.tensor("value")
    filler = np.zeros(1, np.float32) if value is None else value
    return broadcast_to(known_node(Known(filler.reshape(()))), c.dims(0))


def _range(c: Call) -> Value:
    start, stop, step = (c.known(k).reshape(()) for k in range(3))
    if not step:
        raise GraphError("it counts in steps of 0")
    count = int(np.ceil((stop - start) / step))
    found: Array = start + step * np.arange(few(max(0, count), LONGEST), dtype=start.dtype)
    return Known(found.astype(start.dtype))


def _eye(c: Call) -> Value:
    rows, columns = (numbered(d) for d in c.node(0).shape)
    few(rows * columns, LONGEST)
    like = c.node(0).type.numpy
    kind = np.dtype(NUMPY_KINDS[c.integer("dtype", 1)]) if "dtype" in c.attributes else like
    return Known(np.eye(rows, columns, c.integer("k", 0), dtype=kind))


def _identity(c: Call) -> Value:
    """The input; a weight that nodes read becomes one of its own under the new name: PyTorch
    keeps weights once that are equal as it writes them."""
    value = c.value(0)
    if isinstance(value, Weight) and value.stored and c.outputs[0] not in c.reader.given:
        return c.reader.sources.stored(c.outputs[0], value.array)
    return value


RULES: Final[Rules] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "EyeLike": _eye,
    "Identity": _identity,
    "Range": _range,
}

"""Nodes of an ONNX graph as rules ask for them: values with operators, constants, sizes, names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from ....graph import Array, Dim, Shape, TensorType
from ....graph.types import NUMPY_DTYPES

DTYPES: Final[dict[str, np.dtype[Any]]] = {**NUMPY_DTYPES, "u64": np.dtype(np.uint64)}
"""Those of our graphs, and the one of random words."""


class Typed(NamedTuple):
    """The type of what is fed or given, where it may be none of ours: texts are "str"."""

    dtype: str
    shape: Shape


class Value:
    """A tensor of an ONNX graph; operators on it write nodes. A number takes its dtype.

    Its name is chosen when all are there, unless it is given one before.
    """

    __slots__ = ("at", "dtype", "name", "owner")

    def __init__(self, at: Builder, dtype: str, name: str | None = None, owner: str = "") -> None:
        self.at = at
        self.dtype = dtype
        self.name = name
        self.owner = owner

    def __add__(self, other: Operand) -> Value:
        return self.at.op("Add", self, other)

    def __radd__(self, other: Operand) -> Value:
        return self.at.op("Add", other, self)

    def __sub__(self, other: Operand) -> Value:
        return self.at.op("Sub", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return self.at.op("Sub", other, self)

    def __mul__(self, other: Operand) -> Value:
        return self.at.op("Mul", self, other)

    def __rmul__(self, other: Operand) -> Value:
        return self.at.op("Mul", other, self)

    def __truediv__(self, other: Operand) -> Value:
        return self.at.op("Div", self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self.at.op("Div", other, self)

    def __matmul__(self, other: Value) -> Value:
        return self.at.op("MatMul", self, other)

    def __pow__(self, exponent: Operand) -> Value:
        return self.at.op("Pow", self, exponent)

    def __neg__(self) -> Value:
        return self.at.op("Neg", self)

    def __gt__(self, other: Operand) -> Value:
        return self.at.op("Greater", self, other, dtype="bool")

    def __ge__(self, other: Operand) -> Value:
        return self.at.op("GreaterOrEqual", self, other, dtype="bool")

    def __lt__(self, other: Operand) -> Value:
        return self.at.op("Less", self, other, dtype="bool")

    def __le__(self, other: Operand) -> Value:
        return self.at.op("LessOrEqual", self, other, dtype="bool")

    def __xor__(self, other: Value) -> Value:
        return self.at.op("BitwiseXor", self, other)

    def __and__(self, other: Operand) -> Value:
        return self.at.op("BitwiseAnd", self, other)

    def __rshift__(self, other: Operand) -> Value:
        return self.at.op("BitShift", self, other, direction="RIGHT")

    def cast(self, dtype: str) -> Value:
        """The same numbers in another dtype."""
        return self.at.op("Cast", self, dtype=dtype, to=dtype)


Operand = Value | float


class Written(NamedTuple):
    """A node: the op's name, what it reads, its attributes, and what it gives."""

    kind: str
    inputs: tuple[Value, ...]
    attributes: Mapping[str, object]
    outputs: tuple[Value, ...]


class Builder:
    """Writes nodes one after another, each for the node of ours whose name is `owner`.

    An inner builder writes the body of a loop: its nodes may read what stands around it, where its
    constants are kept as well.
    """

    def __init__(self, outer: Builder | None = None) -> None:
        self.nodes: list[Written] = []
        self.fed: dict[str, Typed] = {}
        self.seeds: dict[int, Value] = {}
        """The seeds that are fed, by what they are where they are not."""
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.constants: dict[tuple[str, tuple[int, ...], bytes], tuple[Value, Array]] = (
            {} if outer is None else outer.constants
        )
        self.owner: str = "" if outer is None else outer.owner
        self._root: Builder = self if outer is None else outer._root
        self._binders: dict[str, tuple[Value, int]] = {}
        self._sizes: dict[str, Value] = {}

    # ---- what rules ask for --------------------------------------------------------------------

    def op(
        self, kind: str, *inputs: Operand, dtype: str | None = None, **attributes: object
    ) -> Value:
        """The result of an op of ONNX; unless said, it is of the first input's dtype.

        Numbers are constants of the dtype of the first input that is none.
        """
        return self.ops(kind, inputs, [dtype], **attributes)[0]

    def ops(
        self,
        kind: str,
        inputs: Sequence[Operand],
        dtypes: Sequence[str | None],
        **attributes: object,
    ) -> list[Value]:
        """The results of an op that has several."""
        like = next((x.dtype for x in inputs if isinstance(x, Value)), "f32")
        values = tuple([x if isinstance(x, Value) else self.number(x, like) for x in inputs])
        results = [Value(self, dtype or like, owner=self.owner) for dtype in dtypes]
        self.nodes.append(Written(kind, values, attributes, tuple(results)))
        return results

    def number(self, value: object, dtype: str) -> Value:
        """A constant, the same for equal ones."""
        array = np.asarray(value, DTYPES[dtype])
        key = (dtype, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = Value(self._root, dtype, owner=_spelled(array)), array
        return self.constants[key][0]

    def texts(self, texts: Sequence[str]) -> Value:
        """A constant vector of texts."""
        array = np.array([as_utf8(text) for text in texts], object)
        key = ("str", array.shape, "\0".join(array).encode())
        if key not in self.constants:
            self.constants[key] = Value(self._root, "str", owner="categories"), array
        return self.constants[key][0]

    def whole(self, *numbers: int) -> Value:
        """A vector of whole numbers, such as axes."""
        return self.number(numbers, "i64")

    def where(self, condition: Value, a: Operand, b: Operand) -> Value:
        """a where condition, else b."""
        like = next(x for x in (a, b) if isinstance(x, Value)).dtype
        chosen = [x if isinstance(x, Value) else self.number(x, like) for x in (a, b)]
        return self.op("Where", condition, *chosen, dtype=like)

    def size(self, dim: Dim) -> Value:
        """The size of a dimension, as a vector of one whole number."""
        if isinstance(dim, int):
            return self.whole(dim)
        if dim not in self._sizes:
            holder, axis = self._binders[dim]
            self._sizes[dim] = self.op("Shape", holder, dtype="i64", start=axis, end=axis + 1)
            self._sizes[dim].owner = dim
        return self._sizes[dim]

    def shape(self, shape: Shape) -> Value:
        """The sizes of a shape, as a vector."""
        if all(isinstance(d, int) for d in shape):
            return self.number(shape, "i64")
        if len(shape) == 1:
            return self.size(shape[0])
        return self.op("Concat", *[self.size(d) for d in shape], axis=0)

    def reshape(self, x: Value, shape: Shape) -> Value:
        """x in another shape; of one size at most it is found when the graph runs."""
        symbols = sum(isinstance(d, str) for d in shape)
        if symbols == 1 and 0 not in shape:
            wanted = self.whole(*[-1 if isinstance(d, str) else d for d in shape])
            return self.op("Reshape", x, wanted)
        return self.op("Reshape", x, self.shape(shape), allowzero=1)

    # ---- what models ask for -------------------------------------------------------------------

    def input(self, name: str, type: TensorType | Typed) -> Value:
        """What is fed; its symbols' sizes are read from it, unless another input has them."""
        value = Value(self, type.dtype, name)
        self.fed[name] = Typed(type.dtype, type.shape)
        for axis, d in enumerate(type.shape):
            if isinstance(d, str):
                self._binders.setdefault(d, (value, axis))
        return value

    def inner(self, **inputs: str) -> Builder:
        """What writes the body of a loop whose inputs are of these dtypes."""
        body = Builder(self)
        body.inputs = [Value(body, dtype, owner=f"{self.owner}.{k}") for k, dtype in inputs.items()]
        return body


def named(builder: Builder, taken: Iterable[str]) -> None:
    """Gives each value that has no name one: that of the node it was written for, and its op's."""
    used = set(taken)

    def give(value: Value, wanted: str) -> None:
        if value.name is not None:
            return
        name, k = wanted, 0
        while name in used:
            k += 1
            name = f"{wanted}.{k}"
        used.add(name)
        value.name = name

    def within(b: Builder) -> None:
        for value in b.inputs:
            give(value, value.owner)
        for n in b.nodes:
            for value in n.outputs:
                give(value, f"{value.owner}.{n.kind}" if value.owner else n.kind)
            for held in n.attributes.values():
                if isinstance(held, Builder):
                    within(held)

    within(builder)
    for value, _ in builder.constants.values():
        give(value, value.owner)


def as_utf8(text: str) -> str:
    """A text as messages hold it; code points that UTF-8 lacks are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _spelled(array: Array) -> str:
    """What a constant is called: c0.5, or shape and axes by what they hold."""
    if array.ndim == 0:
        return f"c{array[()]:g}" if array.dtype.kind == "f" else f"c{array[()]}"
    if array.ndim == 1 and array.dtype.kind == "i" and array.size <= 4:
        return "c" + "_".join(map(str, array.tolist()))
    return "constant"

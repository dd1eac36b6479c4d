"""One node of a file as its rule sees it: inputs by place, attributes by name, the opset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....graph import Array, Dim, GraphError, Node, shown
from .tensors import to_array
from .values import Known, UnknownError, Value

if TYPE_CHECKING:
    from .reader import Reader


class Call:
    """A node of ONNX whose inputs are read: what they are, and what its attributes say.

    `version` is that of its op's domain. Inputs that are left out are None.
    """

    def __init__(
        self,
        reader: Reader,
        proto: Any,
        inputs: Sequence[Value | None],
        names: Sequence[str],
        version: int,
    ) -> None:
        self.reader = reader
        self.op = str(proto.op_type)
        self.inputs = inputs
        self.names = names
        self.version = version
        self.outputs = [str(name) for name in proto.output]
        self.attributes: Mapping[str, Any] = {a.name: a for a in proto.attribute}

    # ---- inputs --------------------------------------------------------------------------------

    @property
    def is_known(self) -> bool:
        """Whether it reads something, and nothing that a feed decides on."""
        known = [isinstance(v, Known) and not v.symbolic for v in self.inputs if v is not None]
        return bool(known) and all(known)

    def has(self, k: int) -> bool:
        """Whether input k is given."""
        return k < len(self.inputs) and self.inputs[k] is not None

    def value(self, k: int) -> Value:
        """Input k as it is."""
        value = self.inputs[k] if k < len(self.inputs) else None
        if value is None:
            raise GraphError(f"its input {k} is left out, which it needs")
        return value

    def node(self, k: int) -> Node:
        """Input k as a node: a weight becomes a parameter, an array a constant."""
        return self.reader.node(self.value(k))

    def nodes(self) -> list[Node]:
        """All inputs as nodes."""
        return [self.node(k) for k in range(len(self.inputs))]

    def fixed(self, k: int) -> Node:
        """Input k as a node that is never trained, such as a bound or a running mean."""
        return self.reader.node(self.value(k), trained=False)

    def known(self, k: int) -> Array:
        """The array of input k; raises UnknownError where a feed decides on it."""
        value = self.value(k)
        if isinstance(value, Node):
            fed = self.reader.fed(value)
            told = ", ".join(f"{name!r}: array" for name in fed)
            raise UnknownError(
                f"its input {k}, {shown(self.names[k])}, has to be known as the file is read, and "
                f"depends on what is fed\nfix: from_onnx(..., constants={{{told}}})"
            )
        return value.array

    def whole(self, k: int) -> list[int]:
        """The whole numbers of input k, which has to be known."""
        array = self.known(k).reshape(-1)
        if array.dtype == object or array.dtype.kind not in "iu":
            raise UnknownError(
                f"its input {k} is {shown(array.tolist())}, where numbers are expected"
            )
        return [int(i) for i in array]

    def dims(self, k: int) -> list[Dim]:
        """The sizes of input k, which has to be known; symbols are names."""
        array = self.known(k).reshape(-1)
        return [d if isinstance(d, str) else int(d) for d in array.tolist()]

    # ---- attributes ----------------------------------------------------------------------------

    def number(self, name: str, default: float) -> float:
        """A float attribute, rounded as its text would be: 0.1 in f32 is 0.1 in ours."""
        a = self.attributes.get(name)
        return default if a is None else float(str(np.float32(a.f)))

    def integer(self, name: str, default: int) -> int:
        """A whole attribute."""
        a = self.attributes.get(name)
        return default if a is None else int(a.i)

    def integers(self, name: str) -> list[int] | None:
        """An attribute of whole numbers; None where it is left out."""
        a = self.attributes.get(name)
        return None if a is None else [int(i) for i in a.ints]

    def numbers(self, name: str) -> list[float]:
        """An attribute of floats; none where it is left out."""
        a = self.attributes.get(name)
        return [] if a is None else [float(f) for f in a.floats]

    def text(self, name: str, default: str) -> str:
        """An attribute of text."""
        a = self.attributes.get(name)
        return default if a is None else a.s.decode("utf-8", "replace")

    def texts(self, name: str) -> list[str]:
        """An attribute of texts; none where it is left out."""
        a = self.attributes.get(name)
        return [] if a is None else [s.decode("utf-8", "replace") for s in a.strings]

    def tensor(self, name: str) -> Array | None:
        """An attribute that is a tensor; None where it is left out."""
        a = self.attributes.get(name)
        return None if a is None else to_array(a.t, self.reader.sources.folder)

    def axes(self, k: int) -> list[int] | None:
        """The attribute `axes`, which newer opsets have as input k; None where it is left out."""
        if "axes" in self.attributes:
            return self.integers("axes")
        return self.whole(k) if self.has(k) else None

    def graph(self, name: str) -> Any:
        """An attribute that is a graph."""
        a = self.attributes.get(name)
        if a is None:
            raise GraphError(f"its attribute {name!r} is left out, which it needs")
        return a.g

    def axis(self, default: int, rank: int) -> int:
        """The attribute `axis`, counted from 0."""
        return counted(self.integer("axis", default), rank)


def counted(axis: int, rank: int) -> int:
    """An axis counted from 0; GraphError where there is none."""
    if not -rank <= axis < rank:
        raise GraphError(f"axis {axis} is none of the {rank} axes of its input")
    return axis % rank


Rule = Callable[[Call], Value | list[Value | None]]
"""What an op of ONNX is in ours: a value, or one for each output."""
Rules = Mapping[str, Rule]
"""The rules of a family, by the names of ops."""

"""Nodes: an application of an op, and the one tensor that it defines."""

from __future__ import annotations

from numbers import Number
from types import NoneType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .arguments import check_kind
from .arrays import has
from .errors import GraphError, ImmutableError
from .explain import explain
from .indexing import cuts
from .layer import Layer
from .location import Location, user_line
from .op import OPS, Op, Product
from .quoting import shown
from .sources import constant_op
from .types import Shape, TensorType, as_python, name_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Node:
    """An op applied to inputs, and the tensor that this defines.

    Immutable, and equal only to itself, which a copy of it is too. `name` is what the user asked
    for: its name in a graph is `g.names[node]`. Make one with `apply`, which infers the type.
    """

    __slots__ = ("__weakref__", "inputs", "layer", "name", "op", "type", "where")

    op: Op
    inputs: tuple[Node, ...]
    type: TensorType
    name: str | None
    layer: Layer | None
    where: Location | None

    # ndarray * node would otherwise be an array of nodes.
    __array_ufunc__ = None

    def __init__(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        type: TensorType,
        name: str | None = None,
        layer: Layer | None = None,
        where: Location | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "op", op)
        put(self, "inputs", inputs)
        put(self, "type", type)
        put(self, "name", name)
        put(self, "layer", layer)
        put(self, "where", where)

    def __setattr__(self, name: str, value: object) -> None:
        raise ImmutableError("a Node is immutable; use Graph.replace to change a graph")

    def __delattr__(self, name: str) -> None:
        raise ImmutableError("a Node is immutable; use Graph.replace to change a graph")

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: object) -> Node:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from .pickling import reduced_node

        return reduced_node(self)

    def but(
        self,
        *,
        inputs: tuple[Node, ...] | None = None,
        name: str | None = None,
        where: Location | None = None,
    ) -> Node:
        """A copy with other inputs of the same types, another name, or another line."""
        if inputs is not None and not _same_types(inputs, self.inputs):
            raise GraphError(
                f"but: inputs is {shown(inputs)}, where nodes of the same types are expected"
            )
        check_name(name)
        check_kind("but: where", where, (Location, NoneType), "a Location")
        return Node(
            self.op,
            self.inputs if inputs is None else inputs,
            self.type,
            self.name if name is None else name,
            self.layer if name is None else None,
            self.where if where is None else where,
        )

    def flops(self, sizes: Mapping[str, int]) -> int:
        """How many operations on numbers it takes with these sizes of the symbols: `Op.flops`."""
        return self.op.flops(self.type.bind(sizes), *[i.type.bind(sizes) for i in self.inputs])

    def product(self, sizes: Mapping[str, int]) -> Product | None:
        """The matrix product that it makes with these sizes, if it makes one."""
        return self.op.product(self.type.bind(sizes), *[i.type.bind(sizes) for i in self.inputs])

    @property
    def added_factors(self) -> tuple[Node, Node] | None:
        """The matrices whose product it adds to its first input; None of another node."""
        if self.op.adds is None:
            return None
        a, b = self.op.adds
        return self.inputs[a], self.inputs[b]

    @property
    def reusable(self) -> list[Node]:
        """The inputs in whose place the result may lie, best first: those that the op declares,
        but none that it reads twice, unless it does so element by element."""
        declared = [self.inputs[k] for k in self.op.inplace if k < len(self.inputs)]
        return [i for i in declared if self.op.elementwise or self.inputs.count(i) == 1]

    @property
    def asked_name(self) -> str | None:
        """The name that was asked for, with its layer's, as far as it is known yet."""
        if self.layer is None:
            return self.name
        layer = self.layer.name or f"({self.layer.kind})"
        return f"{layer}.{self.name}" if self.name else layer

    @property
    def shape(self) -> Shape:
        """The sizes of the axes: numbers, and symbols such as "N"."""
        return self.type.shape

    @property
    def dtype(self) -> str:
        return self.type.dtype

    @property
    def T(self) -> Node:  # noqa: N802 - NumPy's name
        """The node with its axes in reverse order."""
        return apply(_op("transpose", tuple(range(self.type.rank))[::-1]), self)

    def __repr__(self) -> str:
        name = self.asked_name
        return f"<{'%' + name + ': ' if name else ''}{self.type} = {self.op.name}>"

    # ---- what it is not: numbers ---------------------------------------------------------------

    def __bool__(self) -> NoReturn:
        raise GraphError(
            f"{self!r} has no truth value while the graph is declared; choose elements with "
            "vg.where(condition, a, b); in the place of `0 < x < 1` write vg.where(0 < x, x < 1, "
            "False)"
        )

    def __iter__(self) -> NoReturn:
        raise GraphError(
            f"{self!r} cannot be iterated over while the graph is declared; take a part of it "
            "with x[:, 0], and give several nodes as a list"
        )

    def __len__(self) -> int:
        """The size of the first axis, where it is a number."""
        if self.shape and isinstance(self.shape[0], int):
            return self.shape[0]
        raise GraphError(f"{self!r} has no length while the graph is declared; see x.shape")

    def __array__(self, dtype: object = None, copy: object = None) -> NoReturn:
        raise GraphError(
            f"{self!r} holds no numbers while the graph is declared: a compiled program computes "
            "them; use vg's functions on nodes, and not NumPy's"
        )

    # ---- operators, and what they stand for -----------------------------------------------------

    def __getitem__(self, key: object) -> Node:
        """A part, by whole numbers, slices without a step, `...` and None, as in NumPy."""
        parts, shape = cuts(self.type, key)
        n = self
        for part in parts:
            n = apply(_op("slice", *part), n)
        return n if n.shape == shape else apply(_op("reshape", shape), n)

    def __add__(self, other: Operand) -> Node:
        return _binary("add", self, other)

    def __radd__(self, other: Operand) -> Node:
        return _binary("add", other, self)

    def __sub__(self, other: Operand) -> Node:
        return _binary("subtract", self, other)

    def __rsub__(self, other: Operand) -> Node:
        return _binary("subtract", other, self)

    def __mul__(self, other: Operand) -> Node:
        return _binary("multiply", self, other)

    def __rmul__(self, other: Operand) -> Node:
        return _binary("multiply", other, self)

    def __truediv__(self, other: Operand) -> Node:
        return _binary("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Node:
        return _binary("divide", other, self)

    def __matmul__(self, other: Node) -> Node:
        return _binary("matmul", self, other)

    def __rmatmul__(self, other: Node) -> Node:
        return _binary("matmul", other, self)

    def __pow__(self, exponent: Operand) -> Node:
        """`power`, and `square` for an exponent of 2."""
        number = as_python(exponent)
        if isinstance(number, (int, float)) and not isinstance(number, bool) and number == 2:
            return apply(_op("square"), self)
        return _binary("power", self, exponent)

    def __rpow__(self, base: Operand) -> Node:
        return _binary("power", base, self)

    def __neg__(self) -> Node:
        return apply(_op("negative"), self)

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return apply(_op("absolute"), self)

    # == stays identity: nodes are keys, and equal only to themselves; see vg.equal.

    def __lt__(self, other: Node | float) -> Node:
        return _binary("less", self, other)

    def __le__(self, other: Node | float) -> Node:
        return _binary("less_equal", self, other)

    def __gt__(self, other: Node | float) -> Node:
        return _binary("greater", self, other)

    def __ge__(self, other: Node | float) -> Node:
        return _binary("greater_equal", self, other)


Operand = Node | float | int | np.floating[Any] | np.integer[Any]


def apply(op: Op, *inputs: Operand, name: str | None = None, layer: Layer | None = None) -> Node:
    """The node of `op` on `inputs`, its type inferred: an ill-typed node cannot exist.

    A number among the inputs becomes a constant of the first node's dtype. Raises GraphError
    naming the inputs, their types and the lines of the user's program that made them.
    """
    if not isinstance(op, Op):
        raise GraphError(f"apply takes an op and nodes, e.g. apply(Tanh(), x), not {shown(op)}")
    check_name(name)
    check_layer(layer)
    nodes = as_nodes(op, inputs)
    where = user_line()
    try:
        inferred = op.infer(*(n.type for n in nodes))
    except GraphError as e:
        raise GraphError(explain(str(e), op, nodes, where)) from None
    return Node(op, nodes, inferred, name, layer, where)


def _same_types(one: object, other: tuple[Node, ...]) -> bool:
    """Whether these are nodes of the types of the others."""
    if not isinstance(one, tuple) or len(one) != len(other):
        return False
    return all(isinstance(a, Node) and a.type == b.type for a, b in zip(one, other, strict=True))


def check_name(name: object) -> None:
    """Raises GraphError for what is neither None nor a text that may name a node."""
    if name is not None and not (isinstance(name, str) and name_pattern.fullmatch(name)):
        raise GraphError(
            f"name {shown(name)} cannot be used; a name is a letter or _, then letters, digits, "
            "_ . or -"
        )


def check_layer(layer: object) -> None:
    """Raises GraphError for what is neither None nor a layer without a name."""
    check_kind("layer", layer, (Layer, NoneType), "None, or a layer that its graph numbers,")


def check_node(kind: str, what: str, value: object) -> None:
    """Raises GraphError where `what`, an argument of `kind`, is no node."""
    if not isinstance(value, Node):
        raise GraphError(
            f"{kind}: {what} is {type(value).__name__}, where a node is expected\n  fix: declare "
            "what is fed, e.g. vg.input('x', ('N', 784)), or wrap an array as vg.constant(array)"
        )


def as_nodes(op: Op, inputs: Sequence[Operand]) -> tuple[Node, ...]:
    """The inputs with numbers made constants of the dtype of the first node."""
    nodes = [n for n in inputs if isinstance(n, Node)]
    if len(nodes) == len(inputs):
        return tuple(nodes)
    first = nodes[0] if nodes else None
    converted: list[Node] = []
    for n in map(as_python, inputs):
        if isinstance(n, Node):
            converted.append(n)
        elif isinstance(n, (int, float)) and not isinstance(n, bool) and first is not None:
            number = constant_op(n, first.type.dtype)
            converted.append(Node(number, (), number.type, where=user_line()))
        else:
            instead = (
                "compare nodes with vg.equal(a, b): == asks whether they are one"
                if isinstance(n, bool)
                else "wrap an array as vg.constant(array)"
            )
            raise GraphError(
                f"{op.name}: an input is {type(n).__name__}, where a node is expected; {instead}"
            )
    return tuple(converted)


def _op(name: str, *attributes: object) -> Op:
    kind: Any = OPS[name]
    op: Op = kind(*attributes)
    return op


def _binary(name: str, a: Operand, b: Operand) -> Node:
    operands: tuple[object, object] = (a, b)
    for x in operands:
        # A class with operators of its own may know what to do with a node; arrays and all else
        # go on, to the error that says how they become nodes.
        known = isinstance(x, (Node, Number)) or has(x, "__array__")
        if not known and hasattr(type(x), "__radd__"):
            return NotImplemented  # type: ignore[no-any-return]
    return apply(_op(name), a, b)

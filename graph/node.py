"""Nodes: an application of an op, and the one tensor that it defines."""

from __future__ import annotations

from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any

from .errors import GraphError
from .location import Location, user_line
from .op import OPS, Op
from .types import TensorType, name_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Layer:
    """A layer that its user did not name; the first Graph that holds it numbers it."""

    __slots__ = ("kind", "name")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name: str | None = None


class Node:
    """An op applied to inputs, and the tensor that this defines.

    Immutable, and equal only to itself. `name` is what the user asked for: its name in a graph is
    `g.names[node]`. Make one with `apply`, which infers the type.
    """

    __slots__ = ("inputs", "layer", "name", "op", "type", "where")

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
        raise AttributeError("a Node is immutable; use Graph.replace to change a graph")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a Node is immutable; use Graph.replace to change a graph")

    def but(self, *, inputs: tuple[Node, ...] | None = None, name: str | None = None) -> Node:
        """A copy with other inputs of the same types, or another name."""
        return Node(
            self.op,
            self.inputs if inputs is None else inputs,
            self.type,
            self.name if name is None else name,
            self.layer if name is None else None,
            self.where,
        )

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

    def __bool__(self) -> bool:
        raise GraphError(
            f"{self!r} has no truth value while the graph is declared; "
            "choose elements with vg.where(condition, a, b)"
        )

    def __repr__(self) -> str:
        name = self.asked_name
        return f"<{'%' + name + ': ' if name else ''}{self.type} = {self.op.name}>"

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

    def __matmul__(self, other: Operand) -> Node:
        return _binary("matmul", self, other)

    def __neg__(self) -> Node:
        return apply(OPS["negative"](), self)


Operand = Node | float | int


def apply(op: Op, *inputs: Operand, name: str | None = None, layer: Layer | None = None) -> Node:
    """The node of `op` on `inputs`, its type inferred: an ill-typed node cannot exist.

    A number among the inputs becomes a constant of the first node's dtype. Raises GraphError
    naming the inputs, their types and the lines of the user's program that made them.
    """
    if not isinstance(op, Op):
        raise GraphError(f"apply takes an op and nodes, e.g. apply(Tanh(), x), not {op!r}")
    if name is not None and not name_pattern.fullmatch(name):
        raise GraphError(
            f"name {name!r} cannot be used; a name is a letter or _, then letters, digits, _ . or -"
        )
    nodes = as_nodes(op, inputs)
    where = user_line()
    try:
        inferred = op.infer(*(n.type for n in nodes))
    except GraphError as e:
        raise GraphError(explain(str(e), op, nodes, where)) from None
    return Node(op, nodes, inferred, name, layer, where)


def op_function(name: str) -> Callable[..., Node] | None:
    """The function of an op by its name: inputs by place, attributes by name; None if unknown."""
    kind = OPS.get(name)
    if kind is None:
        return None

    def function(*inputs: Operand, name: str | None = None, **attributes: Any) -> Node:
        return apply(kind(**attributes), *inputs, name=name)

    function.__name__ = function.__qualname__ = kind.name
    function.__doc__ = kind.__doc__
    function.__signature__ = _signature(kind)  # type: ignore[attr-defined]
    return function


def _signature(kind: type[Op]) -> Signature:
    """The inputs as `run` calls them, by place, and the attributes by name."""
    _, *given = signature(kind.run).parameters.values()
    inputs = [
        p.replace(kind=p.POSITIONAL_ONLY if p.kind is p.POSITIONAL_OR_KEYWORD else p.kind)
        for p in given
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
    ]
    taken = {"name", *(p.name for p in inputs)}
    named = [
        p.replace(kind=p.KEYWORD_ONLY)
        for p in signature(kind).parameters.values()
        if p.name not in taken
    ]
    nodes = [p.replace(annotation="Operand") for p in inputs]
    name = Parameter("name", Parameter.KEYWORD_ONLY, default=None, annotation="str | None")
    return Signature([*nodes, *named, name], return_annotation="Node")


def as_nodes(op: Op, inputs: Sequence[Operand]) -> tuple[Node, ...]:
    """The inputs with numbers made constants of the dtype of the first node."""
    given = [n for n in inputs if isinstance(n, Node)]
    if len(given) == len(inputs):
        return tuple(given)
    from .sources import constant

    first = given[0] if given else None
    nodes: list[Node] = []
    for n in inputs:
        if isinstance(n, Node):
            nodes.append(n)
        elif isinstance(n, (int, float)) and not isinstance(n, bool) and first is not None:
            nodes.append(constant(n, first.type.dtype))
        else:
            raise GraphError(
                f"{op.name}: an input is {type(n).__name__}, where a node is expected; "
                "wrap an array as vg.constant(array)"
            )
    return tuple(nodes)


def explain(problem: str, op: Op, inputs: Sequence[Node], where: Location | None) -> str:
    """The problem with the operands, their types and the lines that made them."""
    layer = _layer_of(inputs)
    told = f"{op.name}{f' in layer {layer}' if layer else ''}"
    lines = [problem if problem.startswith(op.name) else f"{told}: {problem}"]
    head, *fix = lines[0].split("\nfix: ")
    lines = [head]
    if where is not None:
        lines.append(f"  {op.name} at {where.described}")
    for i, n in enumerate(inputs):
        made = f" at {n.where.described}" if n.where is not None else ""
        lines.append(f"  input {i}: %{n.asked_name or n.op.name}: {n.type}{made}")
    lines += [f"  fix: {f}" for f in fix]
    return "\n".join(lines)


def _layer_of(inputs: Sequence[Node]) -> str | None:
    """The layer that the first parameter among the inputs names, as `fc1` in `fc1.weight`."""
    names = (n.asked_name for n in inputs if n.op.name == "parameter")
    return next((name.rpartition(".")[0] for name in names if name and "." in name), None)


def _binary(name: str, a: Operand, b: Operand) -> Node:
    for x in (a, b):
        # An array goes on, to the error that says how it becomes a node.
        if not isinstance(x, (Node, int, float)) and not hasattr(x, "__array__"):
            return NotImplemented
    cls: Any = OPS[name]
    return apply(cls(), a, b)

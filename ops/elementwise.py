"""What elementwise ops share: one result element from the elements broadcast to it."""

from __future__ import annotations

from typing import ClassVar, Protocol, TypeVar

from ..graph import GraphError, Node, Op, Operand, TensorType, apply, broadcast


class Elementwise(Op):
    """An op on `arity` inputs of one dtype, broadcast against each other as NumPy does."""

    elementwise: ClassVar[bool] = True
    traceable: ClassVar[bool] = True
    arity: ClassVar[int]
    floats_only: ClassVar[bool] = True

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, self.arity)
        dtypes = dict.fromkeys([t.dtype for t in types])
        if len(dtypes) > 1:
            raise GraphError(
                f"inputs are of dtypes {' and '.join(dtypes)}, where one is expected"
                f"\nfix: cast one of them, e.g. vg.cast(x, {types[0].dtype!r})"
            )
        if types[0].dtype == "bool" or (self.floats_only and not types[0].is_float):
            wanted = "floats" if self.floats_only else "numbers"
            raise GraphError(
                f"input is {types[0]}, where {wanted} are expected\nfix: vg.cast(x, 'f32')"
            )
        return types[0].with_shape(broadcast(*types))


class Unary(Elementwise):
    """y = f(x), of x's type."""

    arity: ClassVar[int] = 1
    inplace: ClassVar[tuple[int, ...]] = (0,)


class Binary(Elementwise):
    """y = f(a, b), of one dtype, broadcast; an input of y's type may give its buffer."""

    arity: ClassVar[int] = 2
    inplace: ClassVar[tuple[int, ...]] = (0, 1)


class Slope(Op):
    """dx = dy f'(x) for a function f of each element, read from x or from what `reads` names."""

    elementwise: ClassVar[bool] = True
    traceable: ClassVar[bool] = True
    inplace: ClassVar[tuple[int, ...]] = (1, 0)
    reads: ClassVar[str] = "x"

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 2, self.reads, "dy")
        x, dy = types
        if x != dy or not x.is_float:
            raise GraphError(
                f"{self.reads} is {x} and dy is {dy}, where floats of one type are expected"
            )
        return dy


class UnaryFunction(Protocol):
    """The function of a unary op."""

    def __call__(self, x: Operand, *, name: str | None = None) -> Node: ...


class BinaryFunction(Protocol):
    """The function of a binary op."""

    def __call__(self, a: Operand, b: Operand, *, name: str | None = None) -> Node: ...


def unary(kind: type[Op]) -> UnaryFunction:
    """The function that applies a unary op without attributes, documented as the op is."""

    def function(x: Operand, *, name: str | None = None) -> Node:
        return apply(kind(), x, name=name)

    return _documented(function, kind)


def binary(kind: type[Op]) -> BinaryFunction:
    """The function that applies a binary op without attributes, documented as the op is."""

    def function(a: Operand, b: Operand, *, name: str | None = None) -> Node:
        return apply(kind(), a, b, name=name)

    return _documented(function, kind)


F = TypeVar("F")


def _documented(function: F, kind: type[Op]) -> F:
    function.__name__ = function.__qualname__ = kind.name  # type: ignore[attr-defined]
    function.__doc__ = kind.__doc__
    return function

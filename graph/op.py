"""What an op is, and the table of all ops."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, TypeVar

import numpy as np

from .errors import GraphError, NoRuleError
from .fields import checked
from .quoting import shown
from .record import Record
from .types import TensorType, name_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .modular.residues import Residues
    from .node import Node

Array = np.ndarray[Any, np.dtype[Any]]
IntShape = tuple[int, ...]
"""A shape whose symbols' sizes have been put in."""

OverRows = Literal["each", "sum", "mean", "max"]
"""How a result follows from blocks of rows: see `Op.over_rows`."""

TRANSCENDENTAL: Final = 4
"""What exp, log, tanh and their kin count as, in additions: their price in NumPy's loops."""

_SIMPLE: Final[dict[object, type]] = {"bool": bool, "float": float, "TensorType": TensorType}
"""Annotations that a value of one class fits, as most do, whatever it is."""

OPS: Final[dict[str, type[Op]]] = {}


class Product(NamedTuple):
    """A matrix product [rows,inner] x [inner,columns], either read transposed."""

    rows: int
    inner: int
    columns: int
    transpose_a: bool = False
    transpose_b: bool = False

    @property
    def of_vectors(self) -> bool:
        """Whether it is a sum of products only, such as a squared norm."""
        return self.rows == self.columns == 1

    @property
    def flops(self) -> int:
        return 2 * self.rows * self.inner * self.columns


class Op(Record):
    """A computation of one tensor from others; its fields are its attributes.

    A subclass under `@op` gives `infer`, `run`, and `vjp` where it has a gradient. `run` writes
    every element of `out`, never an input (unless `inplace` names it and the scheduler handed it
    over as `out`), and takes temporaries from `scratch` alone.
    """

    name: ClassVar[str]
    inplace: ClassVar[tuple[int, ...]] = ()
    """Inputs whose buffer the result may take over, best first."""
    refers_to: ClassVar[tuple[int, ...]] = ()
    """Inputs that the op stands for something of and does not read: a replacement that is made
    from such an input, and so stands behind it, is not for this op."""
    fused: ClassVar[bool] = False
    """Whether the op stands for several that a pass has joined; marked in pictures."""
    activation: ClassVar[bool] = False
    """Whether dropout belongs behind it."""
    elementwise: ClassVar[bool] = False
    """Whether each element of the result depends on the inputs' elements broadcast to it alone."""
    moves: ClassVar[bool] = False
    """Whether each element of the result is one of an input, at a place that no value decides; a
    cast's may be rounded."""
    traceable: ClassVar[bool] = False
    """Whether `run` makes the same NumPy calls, each with an `out`, whatever the values are: an
    executor may then make them itself."""
    row_local: ClassVar[bool] = False
    """Whether what `run` takes and puts by places of the flat array lies in the row that it makes:
    it can then make one row after another."""
    random: ClassVar[bool] = False
    """Whether each element of the result is drawn at random."""
    is_blas_call: ClassVar[bool] = False
    """Whether a call of the BLAS makes all of the result, and not a matrix product alone."""
    matrix_product: ClassVar[bool] = False
    """Whether the op is a matrix product, with whatever is fused to it: what costs the most to
    compute again, and has threads of its own."""
    adds: ClassVar[tuple[int, int] | None] = None
    """The two inputs whose matrix product the op adds to input 0, if it does: `run_product` gives
    that product."""
    eager: ClassVar[bool] = False
    """Whether it runs as soon as its inputs are there."""
    lazy: ClassVar[bool] = False
    """Whether it runs no sooner than its result is read."""
    flops_per_element: ClassVar[int] = 1
    """Operations for an element of the result, beside a matrix product; see `flops`."""
    _not_hooks: ClassVar[tuple[str, ...]] = ("takes",)
    _given_by_name: ClassVar[dict[str, str]] = {"run": "out", "run_product": "out"}

    def _told(self, values: dict[str, Any]) -> dict[str, Any]:
        types = self.field_types
        for n, v in values.items():
            if type(v) is not _SIMPLE.get(types[n]):
                values[n] = checked(self.name, n, v, types[n])
        return values

    def infer(self, *types: TensorType) -> TensorType:
        """The result's type; raises GraphError where the inputs' types do not fit."""
        raise GraphError(f"op {self.name} has no `infer`; give it one that returns a TensorType")

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        """The cotangent of each input, from that of the result; None where it is zero."""
        raise GraphError(
            f"{self.name} has no vector-Jacobian product: differentiate before the pass that "
            "made it, or give the op a `vjp`"
        )

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Computes the result: `run(*arrays, out=array)`, and `scratch=(array, ...)` if it asks."""
        raise GraphError(f"op {self.name} has no `run`; give it one that writes `out`")

    def exact(self, *args: Any, **kwargs: Any) -> Residues:
        """What the op means, in numbers modulo a prime, where nothing is rounded: `exact(at, *xs)`.

        One to three lines, written apart from `run`: `return a * b + c`; `at`, a Point, tells the
        result's shape and makes numbers. A certificate compares
        graphs by it, and derives by it along a direction, to compare that with `vjp`; what is no
        sum, product or quotient is `x.function(name, slope=...)`. Without it, whatever the op's
        result reaches is skipped.
        """
        raise NoRuleError(f"op {self.name} has no `exact`")

    def onnx(self, *args: Any, **kwargs: Any) -> Any:
        """What the op is in ONNX, where it is an op of the user's: `onnx(at, *xs)`.

        `at.op("Softsign", x, attribute=...)` writes a node; +, -, *, / and comparisons of inputs,
        and of what that gives, write others. Without it no graph with the op can be exported so.
        """
        raise NoRuleError(f"op {self.name} has no `onnx`")

    def c(self, *args: Any, **kwargs: Any) -> str:
        """An element of the result in C, where it is an elementwise op of the user's: `c(e, *xs)`.

        `xs` are the texts of the inputs' elements; `e.math("fabs", x)` calls a function of math.h
        for numbers of their width, `e.number(0.5)` writes one: `return f"{x} * {e.number(0.5)}"`.
        """
        raise NoRuleError(f"op {self.name} has no `c`")

    def numpy(self, *args: Any, **kwargs: Any) -> str:
        """The result as an expression of NumPy, where it is an op of the user's: `numpy(*xs)`.

        `xs` are the names of the inputs: `return f"np.tanh({x}) / 2"`.
        """
        raise NoRuleError(f"op {self.name} has no `numpy`")

    def passes_on(self, inputs: Sequence[object]) -> int | None:
        """The place of the input that the result is, whatever the others hold, where equal objects
        stand for equal inputs; None where it is none: of `where` with equal branches, one of them.
        """
        return None

    def run_product(self, *arrays: Array, out: Array) -> None:
        """Computes the product that `adds` names by itself, from the arrays that `run` takes."""
        raise GraphError(f"op {self.name} has no `run_product`; give it one, as it has `adds`")

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        """The temporaries that `run` wants, handed to it as `scratch=(array, ...)`."""
        return ()

    def product(self, result: IntShape, *inputs: IntShape) -> Product | None:
        """The matrix product that the op makes, if it makes one, for these shapes."""
        return None

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        """How many operations on numbers the op takes, for these shapes.

        An addition, a product, a quotient, a root, a comparison and a choice count one each;
        exp, log, tanh and their kin TRANSCENDENTAL; moving numbers counts nothing.
        """
        product = self.product(result, *inputs)
        return self.flops_per_element * prod(result) + (product.flops if product else 0)

    def kinks(self, *arrays: Array) -> Array | None:
        """Which smooth piece of the op each element of the result lies on; None where it has one.

        An array of the result's shape, such as x > 0 for relu. On a kink, it tells the piece whose
        derivative `vjp` gives there, or another number than those of all pieces where it gives 0.
        The gradient check reads it, to keep from differences that reach across a kink.
        """
        return None

    def over_rows(self, *types: TensorType) -> OverRows | None:
        """How the result for all rows is made of the results for blocks of them, one after another.

        Rows are the first axis of the inputs that have a symbol there. "each": row i of the result
        is of row i of these inputs. "sum", "mean" (weighed by the blocks' rows) and "max": there
        are no rows in the result, which joins them. None where it takes all rows at once.
        """
        return "each" if self.elementwise else None

    def bind(self, sizes: Mapping[str, int]) -> Op:
        """The op with the symbols' sizes put in, for one whose kernel needs them."""
        return self

    def free_symbols(self) -> tuple[str, ...]:
        """The symbols whose sizes `bind` puts in, where the types do not show them."""
        return ()

    def takes(self, types: tuple[TensorType, ...], count: int, *names: str) -> None:
        """Raises unless there are as many inputs as the op has operands."""
        if len(types) != count:
            wants = f"{count} input{'s' if count != 1 else ''}"
            listed = f" ({', '.join(names)})" if names else ""
            raise GraphError(f"{self.name} takes {wants}{listed}, {len(types)} given")


class Source(Op):
    """An op without inputs that stands for what is given: it carries its type."""

    flops_per_element: ClassVar[int] = 0
    type: TensorType

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 0)
        return self.type


Kind = TypeVar("Kind", bound=type[Op])


def op(cls: Kind) -> Kind:
    """Registers an op under its `name`, so that text and files can name it."""
    if not (isinstance(cls, type) and issubclass(cls, Op)):
        raise GraphError(f"@vg.op takes a subclass of vg.Op, not {shown(cls)}")
    name = cls.__dict__.get("name")
    if not (isinstance(name, str) and name_pattern.fullmatch(name)):
        raise GraphError(
            f'{cls.__name__} needs a name, such as `name: ClassVar[str] = "{cls.__name__.lower()}"`'
        )
    known = OPS.get(name)
    if known is not None and (known.__module__, known.__qualname__) != (
        cls.__module__,
        cls.__qualname__,
    ):
        raise GraphError(
            f"op {name!r} is already {known.__module__}.{known.__qualname__}; choose another name"
        )
    OPS[name] = cls
    return cls

"""What is given to a graph: inputs, parameters, state and constants, and their first values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from .arrays import as_array, exactly, has
from .errors import GraphError
from .op import Source, op
from .quoting import shown
from .record import Value
from .types import TensorType, dtype_name

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .node import Node
    from .op import Array

WRITTEN_OUT: Final = 16
"""Constants of more elements are named in text, and stored with the arrays of a file."""
STORED: Final = "stored-"
"""What the name of a stored array begins with, before its digest."""


def is_stored(value: object) -> bool:
    """Whether a text names an array that is stored elsewhere."""
    return isinstance(value, str) and value.startswith(STORED)


class ArrayValue:
    """A read-only array that compares and hashes by what it holds."""

    __slots__ = ("_key", "array")

    def __init__(self, array: Array) -> None:
        a = np.array(array, order="C")
        a.setflags(write=False)
        self.array = a
        self._key = (a.dtype.str, a.shape, a.tobytes())

    def __reduce__(self) -> tuple[Any, ...]:
        return ArrayValue, (self.array,)

    @property
    def digest(self) -> str:
        import hashlib

        return hashlib.sha256(repr(self._key[:2]).encode() + self._key[2]).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayValue) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"ArrayValue({self.array!r})"


class Initializer(Value):
    """How the first value of a parameter or a state is made."""

    name: ClassVar[str]
    random: ClassVar[bool] = True
    """Whether `sample` reads its words; none are drawn for one that does not."""

    def check(self, type: TensorType) -> None:
        """Raises GraphError where no value of that type can be made."""

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        """An f64 array of `shape`, from random u64 words, two for each element.

        Words, because NumPy promises the raw stream of a bit generator and no distribution's.
        """
        raise GraphError(f"initializer {self.name} has no `sample`")


class FromArray(Initializer):
    """The first value itself; written out in text up to 16 elements, else `stored-<digest>`."""

    name: ClassVar[str] = "array"
    random: ClassVar[bool] = False
    value: ArrayValue

    def __init__(self, value: ArrayLike | ArrayValue) -> None:
        super().__init__(value=value)

    def __post_init__(self) -> None:
        # Text gives a list, or the name of an array that the parser puts in its place.
        value: object = self.value
        if not (isinstance(value, ArrayValue) or is_stored(value)):
            self._set("value", ArrayValue(_floats(value)))

    def check(self, type: TensorType) -> None:
        if isinstance(self.value, ArrayValue):
            shape = self.value.array.shape
            empty = not self.value.array.size and 0 in type.shape
            if shape != type.shape and not empty:
                raise GraphError(
                    f"init is an array of shape {list(shape)}, where {type} is expected"
                    f"\nfix: declare the parameter as {list(shape)}, or reshape the array"
                )
            if not type.is_float:
                exactly(self.value.array, type.dtype, "init")

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return self.value.array.reshape(shape)


@op
class Input(Source):
    """What a step is fed with; its symbols bind the graph's sizes."""

    name: ClassVar[str] = "input"


@op
class Parameter(Source):
    """A trained value; penalties reach it where `regularized`: rank 2 and more, unless said.

    One that is not `trainable` is frozen: it has no gradient, no update, no state of the optimizer
    and no penalty, whatever `regularized` says.
    """

    name: ClassVar[str] = "parameter"
    init: Initializer | str | Array = "he_normal"
    regularized: bool | None = None
    trainable: bool = True

    def __post_init__(self) -> None:
        self._set("init", as_initializer(self.init, self.type))
        if self.regularized == (self.type.rank >= 2):
            self._set("regularized", None)

    @property
    def is_regularized(self) -> bool:
        """Whether penalties reach it while it is trained."""
        return self.type.rank >= 2 if self.regularized is None else self.regularized


def is_trained(n: Node) -> bool:
    """Whether a node is a parameter that training changes."""
    return isinstance(n.op, Parameter) and n.op.trainable


def is_frozen(n: Node) -> bool:
    """Whether a node is a parameter that training leaves as it is."""
    return isinstance(n.op, Parameter) and not n.op.trainable


@op
class State(Source):
    """A value that only updates change: momenta, running statistics, the step."""

    name: ClassVar[str] = "state"
    init: Initializer | str | Array = "zeros"

    def __post_init__(self) -> None:
        self._set("init", as_initializer(self.init, self.type))


@op
class Constant(Source):
    """A fixed value; it keeps the user's f64 until a kernel reads it in its dtype."""

    name: ClassVar[str] = "constant"
    value: ArrayValue

    @property
    def array(self) -> Array:
        """The value in the constant's dtype."""
        return self.value.array.astype(self.type.numpy)


def as_initializer(init: object, type: TensorType) -> Initializer:
    """The initializer that `init` names, or that gives an array, checked against the type."""
    if has(init, "__array__"):
        init = FromArray(ArrayValue(_floats(init)))
    if isinstance(init, str):
        kinds = Initializer.kinds()
        if init not in kinds:
            raise GraphError(
                f"initializer {shown(init)} is unknown; known are {', '.join(sorted(kinds))}"
            )
        try:
            init = kinds[init]()
        except TypeError as e:
            raise GraphError(f"initializer {shown(init)} has to be told more: {e}") from None
    if not isinstance(init, Initializer):
        raise GraphError(
            f"init is {shown(init)}; give a name such as 'he_normal', vg.init.normal(0.01), or an "
            "array"
        )
    if init.__class__.sample is Initializer.sample:
        raise GraphError(f"initializer {init.name} has no `sample`; give it one")
    init.check(type)
    return init


def _floats(value: object) -> Array:
    return as_array(value, "init", "an array of numbers", name="init", kind="f").astype(np.float64)


def constant_op(value: Any, dtype: str | None = None) -> Constant:
    """The op of a constant of that value; unless said, f32, i64 for integers, bool for truth
    values."""
    due = None if dtype is None else TensorType(dtype_name(dtype))
    of = "" if due is None else due.numpy.kind
    array = as_array(value, "a constant", name="value", kind=of)
    kind = {"f": "f32", "i": "i64", "u": "i64", "b": "bool"}[array.dtype.kind]
    t = TensorType(kind if due is None else due.dtype, array.shape)
    return Constant(t, ArrayValue(_held(array, t)))


def _held(array: Array, type: TensorType) -> Array:
    """What a constant of that type keeps of its value: floats in f64."""
    return array.astype(np.float64) if type.is_float else exactly(array, type.dtype, "a constant")


def written_constant(value: Any, type: TensorType) -> ArrayValue:
    """The value of a constant from what its text gave."""
    array = as_array(value, "the constant", type, name="value")
    if not array.size and 0 in type.shape and not type.symbols:
        array = array.reshape(type.bind({}))
    if array.shape != type.shape:
        raise GraphError(f"the constant has shape {list(array.shape)}, its type says {type}")
    return ArrayValue(_held(array, type))

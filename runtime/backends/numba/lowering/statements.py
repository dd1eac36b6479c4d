"""NumPy calls as statements: what a loop over rows i, and columns j within them, can compute.

For x [50,100], b [100] and out [50,100], np.add(x, b, out=out) is a statement of kind "map", with
the expression "{0} + {1}", the inputs x as "matrix" and b as "shared", and 50 rows of 100 columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from .....graph import Array
from .....ops import clip_by
from ...tracing import Call
from ..kernels.compiled import float_name
from ..kernels.kernel_math import exponentials

Role = Literal["matrix", "row", "shared", "scalar"]
"""How a statement reads an array: element [i, j], element [i], element [j], or its only one."""

Kind = Literal["map", "row_sum", "greatest", "reduce_column", "reduce_all", "take", "put"]
"""An element from elements; a row's sum or maximum; the sum over all rows, column by column, or
over all elements; one element of each row, by its place in the flat array, read or written."""

EXPRESSIONS: Final[Mapping[Callable[..., Any], str]] = {
    np.add: "{0} + {1}",
    np.subtract: "{0} - {1}",
    np.multiply: "{0} * {1}",
    np.divide: "{0} / {1}",
    np.negative: "-{0}",
    np.absolute: "abs({0})",
    np.sqrt: "sqrt({0})",
    np.maximum: "maximum({0}, {1})",
    np.minimum: "minimum({0}, {1})",
    np.greater: "{0} > {1}",
    np.greater_equal: "{0} >= {1}",
    np.less: "{0} < {1}",
    np.less_equal: "{0} <= {1}",
    np.equal: "{0} == {1}",
    np.not_equal: "{0} != {1}",
    np.logical_not: "not {0}",
    np.floor: "floor({0})",
    np.exp: "exp({0})",
    np.log: "log({0})",
    np.power: "{0} ** {1}",
    np.tanh: "tanh({0})",
    clip_by: "({0} * {1} * {1} if {1} < 0 else {0} * {1})",
}
"""How a loop computes an element of the result; a function that is not here stays a NumPy call."""

_QUICK: Final[Mapping[tuple[Callable[..., Any], str], str]] = {(np.exp, "f4"): "exp_f32({0})"}
"""Functions that `kernel_math.py` has for a dtype: they need no call of the C library."""
_TRUTHS: Final = frozenset(
    {
        np.greater,
        np.greater_equal,
        np.less,
        np.less_equal,
        np.equal,
        np.not_equal,
        np.logical_not,
    }
)
"""The only functions that loops compute for a result of bools, or where all inputs are bools."""
_NARROW: Final = 32
"""Below so many columns a loop over them is too short for SIMD to pay."""
_SLOW: Final = frozenset({np.exp, np.log, np.power, np.tanh})
_FEW: Final = 8_192
"""Up to so many elements, a call of the C library each is no slower than NumPy's SIMD loop."""


class Operand(NamedTuple):
    """An array of a statement, and how it is read or written."""

    array: Array
    role: Role

    @property
    def key(self) -> tuple[int, int]:
        """Where the array lies: its address, and its size in bytes."""
        return self.array.ctypes.data, self.array.nbytes


class Statement(NamedTuple):
    """One result from operands. `rows` and `columns` are how many it loops over: no columns where
    it has one element a row, no rows either for a single scalar. `expression` has a {k} for input
    k. With `calls`, each element costs a call of the C library. `call` is what it stands for.
    """

    kind: Kind
    expression: str
    inputs: tuple[Operand, ...]
    out: Operand
    rows: int | None
    columns: int | None
    calls: bool = False
    call: Call | None = None


def statement(call: Call) -> Statement | None:
    """The call as a statement; None where a loop cannot compute it, or is slower than NumPy."""
    stated = _stated(call)
    return stated._replace(call=call) if stated is not None else None


def _stated(call: Call) -> Statement | None:
    owner = getattr(call.function, "__self__", None)
    if isinstance(owner, np.ndarray):
        return _indexed(call, owner)
    if isinstance(owner, np.ufunc):
        return _reduction(call, owner)
    if call.function is np.copyto:
        return _copy(call)
    if call.function is np.einsum:
        return _column_product(call)
    if call.function is np.dot:
        return _inner_product(call)
    out = call.keywords.get("out")
    if call.function not in EXPRESSIONS or out is None or set(call.keywords) != {"out"}:
        return None
    if out.dtype.kind == "b" and call.function not in _TRUTHS:
        return None  # to NumPy, arithmetic of bools is logic
    quick = _QUICK.get((call.function, out.dtype.str[1:]))
    if call.function in _SLOW and quick is None and out.size > _FEW:
        return None
    inputs = [np.asarray(a) for a in call.arguments]
    if call.function not in _TRUTHS and all(a.dtype.kind == "b" for a in inputs):
        return None
    expression = quick or EXPRESSIONS[call.function]
    masked = _masked(call.function, inputs, out)
    if masked is not None:
        expression, inputs, out = masked
    mapped = _mapped(expression, inputs, out)
    return mapped._replace(calls=True) if mapped and call.function in _SLOW else mapped


def flattened(s: Statement) -> Statement:
    """A statement with a function of ours on a matrix of few columns as one on a vector of all its
    elements, so that its loop is long enough for SIMD; any other statement as it is."""
    whole = all(o.role in ("matrix", "scalar") for o in s.inputs)
    if s.expression not in _QUICK.values() or s.columns is None or not whole:
        return s
    if s.columns >= _NARROW:
        return s

    def flat(o: Operand) -> Operand:
        return Operand(o.array.reshape(-1), "row") if o.role == "matrix" else o

    inputs = tuple([flat(o) for o in s.inputs])
    return s._replace(inputs=inputs, out=flat(s.out), rows=s.out.array.size, columns=None)


def multiple(y: Array, x: Array, alpha: Array, out: Array) -> tuple[list[Call], Array]:
    """out = y + alpha x as calls that become loops, and the array that stands for alpha x between
    them: nothing is written to it."""
    y, x, out = (a.reshape(-1) for a in (y, x, out))
    times = np.empty_like(out)
    calls = [Call(np.multiply, (x, alpha), {"out": times}), Call(np.add, (y, times), {"out": out})]
    return calls, times


def quick_function(call: Call) -> Callable[..., None] | None:
    """For a call that stays with Python: our function for arrays that gives the bits which a loop
    would; None where loops use NumPy's or the C library's."""
    out = call.keywords.get("out")
    if not isinstance(out, np.ndarray):
        return None
    name = _QUICK.get((call.function, out.dtype.str[1:]))
    return exponentials if name is not None else None


def _mapped(expression: str, inputs: list[Array], out: Array) -> Statement | None:
    shape = _rows_and_columns(out)
    if shape is None:
        return None
    rows, columns = shape
    operands = [_operand(a, out) for a in inputs]
    if None in operands:
        return None
    role: Role = "scalar" if rows is None else "row" if columns is None else "matrix"
    read = tuple([o for o in operands if o is not None])
    return Statement("map", expression, read, Operand(out, role), rows, columns)


def _masked(
    function: Any, inputs: list[Array], out: Array
) -> tuple[str, list[Array], Array] | None:
    """For an integer product that masks floats (bits of x times a bool, as relu's gradient makes):
    expression, inputs and result of `x if bool else 0`, on floats; None for another call."""
    if function is not np.multiply or out.dtype.kind != "i" or inputs[1].dtype.kind != "b":
        return None
    number = np.dtype(f"f{out.itemsize}")
    if inputs[0].dtype != out.dtype:
        return None
    return "({0} if {1} else zero)", [inputs[0].view(number), inputs[1]], out.view(number)


def _rows_and_columns(out: Array) -> tuple[int | None, int | None] | None:
    if not out.flags.c_contiguous or out.ndim > 2:
        return None
    if out.ndim == 0:
        return None, None
    return (
        (out.shape[0], None) if out.ndim == 1 or out.shape[1] == 1 else (out.shape[0], out.shape[1])
    )


def _operand(a: Array, out: Array) -> Operand | None:
    """An input in the role in which it broadcasts to `out`; None where it has none of the four."""
    if not a.flags.c_contiguous:
        return None
    if a.shape == out.shape and out.ndim:
        one_column = out.ndim == 1 or out.shape[1] == 1
        return Operand(a, "row" if one_column else "matrix")
    if a.size == 1:
        return Operand(a, "scalar")
    if out.ndim != 2 or out.shape[1] == 1:
        return None
    if a.shape == (out.shape[0], 1):
        return Operand(a, "row")
    if a.shape in ((out.shape[1],), (1, out.shape[1])):
        return Operand(a, "shared")
    return None


def _copy(call: Call) -> Statement | None:
    out, source = call.arguments
    where = call.keywords.get("where")
    if set(call.keywords) - {"where", "casting"} or not isinstance(out, np.ndarray):
        return None
    if where is None:
        return _mapped("{0}", [np.asarray(source)], out)
    return _mapped("({0} if {1} else {2})", [np.asarray(source), where, out], out)


def _reduction(call: Call, ufunc: np.ufunc) -> Statement | None:
    (x, *others) = call.arguments
    if others or set(call.keywords) - {"out", "axis", "keepdims"} or float_name(x) is None:
        return None
    out, axis = call.keywords["out"], call.keywords.get("axis", 0)
    if not (ufunc in (np.add, np.maximum) and call.function.__name__ == "reduce"):
        return None
    if not (x.flags.c_contiguous and out.flags.c_contiguous and x.dtype == out.dtype):
        return None
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    if x.ndim == 2 and x.shape[1] > 1 and axis in (-1, 1):
        kind: Kind = "row_sum" if ufunc is np.add else "greatest"
        return Statement(kind, "", (Operand(x, "matrix"),), Operand(out, "row"), *x.shape)
    if x.ndim == 2 and x.shape[1] > 1 and axis == 0 and ufunc is np.add:
        read = (Operand(x, "matrix"),)
        return Statement("reduce_column", "{0}", read, Operand(out, "shared"), *x.shape)
    if x.ndim == 1 and axis in (None, 0) and ufunc is np.add:
        read = (Operand(x, "row"),)
        return Statement("reduce_all", "total({0})", read, Operand(out, "scalar"), x.shape[0], None)
    return None


def _column_product(call: Call) -> Statement | None:
    """np.einsum("nd,nd->d"): the sum over rows of a b, column by column."""
    if call.arguments[0] != "nd,nd->d" or set(call.keywords) != {"out"}:
        return None
    _, a, b = call.arguments
    if float_name(a) is None or a.dtype != b.dtype:
        return None
    if a.shape[1] < 2 or not (a.flags.c_contiguous and b.flags.c_contiguous):
        return None
    read = (Operand(a, "matrix"), Operand(b, "matrix"))
    out = Operand(call.keywords["out"], "shared")
    return Statement("reduce_column", "{0} * {1}", read, out, *a.shape)


def _inner_product(call: Call) -> Statement | None:
    """np.dot of vectors: the sum of a b over all elements."""
    a, b = call.arguments
    out = call.keywords.get("out")
    if out is None or a.ndim != 1 or b.ndim != 1 or float_name(a) is None:
        return None
    if not (a.flags.c_contiguous and b.flags.c_contiguous and a.dtype == b.dtype == out.dtype):
        return None
    read = (Operand(a, "row"), Operand(b, "row"))
    return Statement("reduce_all", "inner({0}, {1})", read, Operand(out, "scalar"), len(a), None)


def _indexed(call: Call, flat: Array) -> Statement | None:
    """`flat.take` or `flat.put` of one element a row, by its place in the flat array."""
    places = call.arguments[0]
    takes = call.function.__name__ == "take"
    other = call.arguments[2 if takes else 1]
    rows = places.shape[0]
    if flat.ndim != 1 or places.ndim != 1 or rows == 0 or flat.size % rows:
        return None
    if not all(a.flags.c_contiguous for a in (flat, places, other)):
        return None
    whole, at, row = Operand(flat, "matrix"), Operand(places, "row"), Operand(other, "row")
    if takes:
        return Statement("take", "", (whole, at), row, rows, flat.size // rows)
    return Statement("put", "", (at, row), whole, rows, flat.size // rows)

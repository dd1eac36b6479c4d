"""Tensor types: a dtype and a shape whose dimensions are ints or symbols."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Set
from typing import Final

import numpy as np

from .errors import GraphError
from .quoting import shown
from .record import Record
from .shards import size_of

type_pattern: Final = re.compile(r"(\w+)\[([^\]]*)\]")
name_pattern: Final = re.compile(r"[A-Za-z_][\w.-]*")

NUMPY_DTYPES: Final[dict[str, np.dtype[np.generic]]] = {
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "i64": np.dtype(np.int64),
    "bool": np.dtype(np.bool_),
}
LARGEST: Final = 2**60 - 1
"""How many elements a tensor may have: their bytes are counted in i64, as NumPy does."""
FLOATS: Final = ("f32", "f64")

Dim = int | str
Shape = tuple[Dim, ...]


class TensorType(Record):
    """`f32[N,784]`: a dtype of f32, f64, i64, bool and a shape of ints and symbols.

    A symbol equals only itself and never broadcasts as 1, also where its size is 1.
    """

    dtype: str
    shape: Shape = ()

    def __post_init__(self) -> None:
        if not isinstance(self.dtype, str) or self.dtype not in NUMPY_DTYPES:
            raise GraphError(
                f"dtype {shown(self.dtype)} is unknown; it is one of {', '.join(NUMPY_DTYPES)}"
            )
        self._set("shape", check_shape(self.shape))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TensorType):
            return False
        return self is other or (self.dtype == other.dtype and self.shape == other.shape)

    def __hash__(self) -> int:
        return hash((self.dtype, self.shape))

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    @property
    def numpy(self) -> np.dtype[np.generic]:
        return NUMPY_DTYPES[self.dtype]

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple([d for d in self.shape if isinstance(d, str)])

    def with_shape(self, shape: Iterable[Dim]) -> TensorType:
        dims = shape if isinstance(shape, tuple) else check_shape(shape)
        return self if dims == self.shape else TensorType(self.dtype, dims)

    def with_dtype(self, dtype: str) -> TensorType:
        return TensorType(dtype, self.shape)

    def bind(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The concrete shape, with each symbol's size put in."""
        try:
            return tuple([d if isinstance(d, int) else size_of(d, sizes) for d in self.shape])
        except KeyError as missing:
            raise GraphError(f"{self} needs the size of {missing.args[0]}, e.g. N=128") from None
        except (TypeError, IndexError):
            raise GraphError(
                f'sizes is {shown(sizes)}, where sizes such as {{"N": 128}} are expected'
            ) from None

    def nbytes(self, sizes: Mapping[str, int]) -> int:
        return math.prod(self.bind(sizes)) * self.numpy.itemsize

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


def check_shape(shape: Iterable[object]) -> Shape:
    """The shape as a tuple of ints and symbols, or an error that says which dimension is not."""
    if type(shape) is not tuple and (
        isinstance(shape, (str, bytes, bytearray, Set, Mapping))
        or not isinstance(shape, Iterable)
        or as_python(shape) is not shape
    ):
        raise GraphError(f"shape {shown(shape)} is no sequence of dimensions such as ('N', 784)")
    dims: list[Dim] = []
    elements = 1
    for d in shape:
        if type(d) is int and d >= 0:
            elements *= d or 1
            dims.append(d)
        elif isinstance(d, str) and name_pattern.fullmatch(d):
            dims.append(d)
        elif isinstance(d, (int, np.integer)) and not isinstance(d, bool) and d >= 0:
            elements *= int(d) or 1
            dims.append(int(d))
        else:
            raise GraphError(
                f"dimension {shown(d)} is neither a size (0 or more) nor a symbol such as 'N'"
            )
    if elements > LARGEST:
        raise GraphError(
            f"shape {shown(tuple(dims))} has more elements than any memory: {LARGEST:,} at most"
        )
    return tuple(dims)


def parse_type(text: str) -> TensorType:
    """The type that `f32[N,784]` names."""
    m = type_pattern.fullmatch(text.strip())
    if m is None:
        raise GraphError(f"{shown(text)} is not a type; write e.g. f32[N,784]")
    dims = [d.strip() for d in m[2].split(",")] if m[2].strip() else []
    return TensorType(m[1], tuple([whole(d) if d.isdecimal() else d for d in dims]))


def whole(text: str) -> int:
    """The whole number that a text gives; GraphError where it has more digits than any of ours."""
    if len(text) > 400:
        raise GraphError(f"{text[:10]}... is a number of {len(text)} digits, which none here has")
    return int(text)


def as_python(value: object) -> object:
    """A NumPy scalar or array of no dimensions as Python's number; all else as it is."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and not value.ndim):
        number: object = value.item()
        return number
    return value


def dtype_name(dtype: object) -> str:
    """Our name of a NumPy dtype, or of one of our own names."""
    if isinstance(dtype, str) and dtype in NUMPY_DTYPES:
        return dtype
    try:
        # NumPy takes None for float64, here and in comparisons.
        numpy_dtype = np.dtype(dtype) if dtype is not None else None  # type: ignore[call-overload]
    except Exception:  # NumPy reads texts, attributes and tuples, and fails in many ways
        numpy_dtype = None
    for name, known in NUMPY_DTYPES.items():
        if numpy_dtype is not None and numpy_dtype == known:
            return name
    raise GraphError(f"dtype {shown(dtype)} is unknown; it is one of {', '.join(NUMPY_DTYPES)}")


def broadcast(*types: TensorType) -> Shape:
    """The shape that NumPy's broadcasting gives; a symbol meets only itself or 1."""
    if len({t.shape for t in types}) == 1:
        return types[0].shape
    rank = max(t.rank for t in types)
    shape: list[Dim] = []
    for i in range(-rank, 0):
        dims = {t.shape[i] for t in types if t.rank >= -i} - {1}
        if len(dims) > 1:
            raise GraphError(
                f"shapes {' and '.join(_brackets(t.shape) for t in types)} do not broadcast: "
                f"dimension {i} is {' and '.join(map(str, sorted(dims, key=str)))}"
            )
        shape.append(dims.pop() if dims else 1)
    return tuple(shape)


def _brackets(shape: Shape) -> str:
    return f"[{','.join(map(str, shape))}]"

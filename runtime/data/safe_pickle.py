"""Pickles of arrays of integers, dicts, lists, numbers and texts, and of nothing else."""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np

from ...graph import Array, RunError, shortened, unwarned
from .kinds import kind_of

_OPCODES: Final = frozenset((
    "PROTO", "STOP", "MARK", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS",
    "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2",
    "TUPLE3", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "BYTEARRAY8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "FRAME",
    "GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT",
    "MEMOIZE", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
))  # fmt: skip
_MEMO: Final = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_GET: Final = ("GET", "BINGET", "LONG_BINGET")
_TUPLE: Final = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")


_INTEGERS: Final = frozenset(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8))


class _Kind:
    """What stands for the class `numpy.ndarray`, and for a type such as `numpy.dtype('u1')`."""

    def __init__(self, *arguments: object) -> None:
        name = arguments[0] if arguments else ""
        self.name = name.decode("latin1") if isinstance(name, bytes) else name
        self.order = "="

    def __setstate__(self, state: object) -> None:
        """A dtype's byte order; integers have no more to tell."""
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "="
        self.order = order.decode("latin1") if isinstance(order, bytes) else str(order)

    def numpy(self) -> np.dtype[np.generic]:
        """The dtype, where it is of integers."""
        if self.name not in _INTEGERS or self.order not in ("<", ">", "|", "="):
            raise ValueError("an array is not of unsigned bytes, nor of other integers")
        return np.dtype(f"{self.order}{self.name}")


class _Bytes:
    """What stands for an array until its shape and bytes are known."""

    def __init__(self, *arguments: object) -> None:
        self.array: Array | None = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise ValueError("an array's state has five parts")
        _, shape, kind, fortran, data = state
        if type(fortran) is not bool:
            raise ValueError("an array holds no bytes")
        self.array = _array(data, kind, shape, "F" if fortran else "C")


def _array(data: object, kind: object, shape: object, order: object) -> Array:
    if not isinstance(kind, _Kind):
        raise ValueError("an array is not of unsigned bytes, nor of other integers")
    dtype = kind.numpy()
    if not isinstance(data, (bytes, bytearray)) or not isinstance(shape, tuple):
        raise ValueError("an array holds no bytes")
    flat: Array = np.frombuffer(data, dtype)
    return flat.reshape(shape, order="F" if order in ("F", b"F") else "C")


def _from_buffer(data: object, kind: object, shape: object, order: object) -> _Bytes:
    """How NumPy's arrays are written from protocol 5 on."""
    buffer = _Bytes()
    buffer.array = _array(data, kind, shape, order)
    return buffer


def _scalar(kind: object, data: object) -> int:
    """A number of NumPy's own types."""
    return int(_array(data, kind, (), "C"))


def _no_bytes(*arguments: object) -> bytes:
    """How it writes none."""
    if arguments:
        raise ValueError("it asks for bytes of something")
    return b""


_STANDINS: Final[dict[tuple[str, str], Callable[..., object]]] = {
    ("numpy.core.multiarray", "_reconstruct"): _Bytes,
    ("numpy._core.multiarray", "_reconstruct"): _Bytes,
    ("numpy", "ndarray"): _Kind,
    ("numpy", "dtype"): _Kind,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("__builtin__", "bytes"): _no_bytes,
    ("builtins", "bytes"): _no_bytes,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes) -> None:
        super().__init__(BytesIO(data), encoding="bytes")
        self._left = len(data)

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        if (module, name) == ("_codecs", "encode"):
            return self._encoded
        try:
            return _STANDINS[module, name]
        except KeyError:
            raise ValueError(f"it asks for {shortened(module)}.{shortened(name)}") from None

    def _encoded(self, text: object, codec: object = "") -> bytes:
        """How Python 3 writes bytes up to protocol 2: as a text, and each but once."""
        if not isinstance(text, str) or codec not in ("latin1", b"latin1"):
            raise ValueError("it asks for another encoding than that of bytes")
        self._left -= len(text)
        if self._left < 0:
            raise ValueError("it makes bytes of one text again and again")
        return text.encode("latin1")


def read_pickled(data: bytes, path: Path) -> object:
    """What a pickle holds, texts of Python 2 as bytes; arrays are made from its bytes here.

    No function or class that the pickle names is called, and what it may ask memory for is
    bounded by its length. Raises RunError for a pickle that holds anything else.
    """
    try:
        with unwarned():  # of escapes that a text of a damaged pickle holds
            _check(data)
            return _arrays(_Unpickler(data).load())
    except (ValueError, TypeError, KeyError, EOFError, pickle.UnpicklingError) as e:
        kind = kind_of(data)
        reason = e if kind in ("a pickle", "a text") or kind.startswith("no ") else f"it is {kind}"
        raise RunError(
            f"{path} is not a pickle of arrays, dicts, lists and texts alone: {reason}; nothing in "
            "it was run"
        ) from None
    except (AttributeError, IndexError, RecursionError, OverflowError, MemoryError) as e:
        raise RunError(f"{path} is a damaged pickle: {type(e).__name__}: {e}") from None


def _check(data: bytes) -> None:
    """Raises ValueError for an instruction or a number that no pickle of such values needs.

    A tuple that is read twice is one: the hash of tuples of tuples, as keys, would take forever.
    """
    numbered: set[int] = set()
    tuples: set[int] = set()
    before = ""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name not in _OPCODES:
            raise ValueError(f"it holds the instruction {opcode.name}")
        if opcode.name in _MEMO:
            number = len(numbered) if argument is None else int(argument)
            if number > count:
                raise ValueError(f"it numbers a value {argument}")
            numbered.add(number)
            if before in _TUPLE:
                tuples.add(number)
            continue
        if opcode.name in _GET and int(argument or 0) in tuples:
            raise ValueError("it holds a tuple twice")
        if opcode.name not in ("FRAME", "PROTO"):  # which leave the stack as it is
            before = opcode.name


def _arrays(value: object) -> object:
    """The value, and those of a dict, with arrays in place of what stood for them."""
    if isinstance(value, dict):
        return {k: v.array if isinstance(v, _Bytes) else v for k, v in value.items()}
    return value.array if isinstance(value, _Bytes) else value

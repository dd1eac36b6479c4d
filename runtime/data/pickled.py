"""Pickles of arrays of bytes, dicts, lists, numbers and texts, and of nothing else."""

from __future__ import annotations

import pickle
import pickletools
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np

from ...graph import Array, RunError

_OPCODES: Final = frozenset((
    "PROTO", "STOP", "MARK", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS",
    "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2",
    "TUPLE3", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG1",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINUNICODE",
    "SHORT_BINUNICODE", "FRAME", "GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT",
    "MEMOIZE", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
))  # fmt: skip
_MEMO: Final = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_GET: Final = ("GET", "BINGET", "LONG_BINGET")
_TUPLE: Final = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")


class _Kind:
    """What stands for the class `numpy.ndarray`, and for the type `numpy.dtype('u1')`."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None:
        """A dtype's byte order and fields: bytes have neither."""


class _Bytes:
    """What stands for an array until its shape and bytes are known."""

    def __init__(self, *arguments: object) -> None:
        self.array: Array | None = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise ValueError("an array's state has five parts")
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _Kind) or kind.arguments[:1] not in ((b"u1",), ("u1",)):
            raise ValueError("an array is not of unsigned bytes")
        if not isinstance(data, bytes) or not isinstance(shape, tuple) or type(fortran) is not bool:
            raise ValueError("an array holds no bytes")
        order = "F" if fortran else "C"
        self.array = np.frombuffer(data, np.uint8).reshape(shape, order=order)  # type: ignore[call-overload]


_STANDINS: Final[dict[tuple[str, str], Callable[..., object]]] = {
    ("numpy.core.multiarray", "_reconstruct"): _Bytes,
    ("numpy._core.multiarray", "_reconstruct"): _Bytes,
    ("numpy", "ndarray"): _Kind,
    ("numpy", "dtype"): _Kind,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        try:
            return _STANDINS[module, name]
        except KeyError:
            raise ValueError(f"it asks for {module}.{name}") from None


def read_pickled(data: bytes, path: Path) -> object:
    """What a pickle holds, texts of Python 2 as bytes; arrays are made from its bytes here.

    No function or class that the pickle names is called, and what it may ask memory for is
    bounded by its length. Raises RunError for a pickle that holds anything else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that a text of a damaged pickle holds
            _check(data)
            return _arrays(_Unpickler(BytesIO(data), encoding="bytes").load())
    except (ValueError, TypeError, KeyError, EOFError, pickle.UnpicklingError) as e:
        raise RunError(
            f"{path} is not a pickle of arrays, dicts, lists and texts alone: {e}; nothing in it "
            "was run"
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

"""Recording the NumPy calls that a kernel makes, so that a step can make them itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ...graph import Array, Op
from ...ops import clip_by


class Call(NamedTuple):
    """One NumPy call: a function, what it reads, and its keywords, `out` among them."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]

    @property
    def rows(self) -> int:
        """The rows that NumPy walks one by one: of a reduction along some axes, and of a matrix
        with a row or a column; 0 of another call."""
        if isinstance(self.function, np.ufunc):
            out: Array = self.keywords["out"]
            shapes = {np.shape(a) for a in self.arguments} - {(), out.shape}
            return _rows(out) if shapes and out.ndim > 1 else 0
        ufunc = getattr(self.function, "__self__", None)
        if not isinstance(ufunc, np.ufunc) or self.keywords.get("axis") is None:
            return 0
        (x,) = self.arguments
        return _rows(x)

    @property
    def cast(self) -> int:
        """The elements that NumPy converts to another type on the way: what bools multiply."""
        if not isinstance(self.function, np.ufunc):
            return 0
        arrays = [a for a in self.arguments if isinstance(a, np.ndarray)]
        if len(arrays) < self.function.nin or len({a.dtype for a in arrays}) == 1:
            return 0
        used = self.function.resolve_dtypes(
            (*[a.dtype for a in arrays], *[None] * self.function.nout)
        )
        return sum(int(a.size) for a, t in zip(arrays, used, strict=False) if a.dtype != t)


def record(
    op: Op, inputs: Sequence[Array], out: Array, scratch: Sequence[Array] = ()
) -> list[Call] | None:
    """The calls that `op.run` makes on these arrays, none of which is made; None where it cannot
    be told.

    Only an op that says that it is `traceable` is recorded, and not on arrays without elements,
    whose addresses tell nothing.
    """
    arrays = [*inputs, out, *scratch]
    if not op.traceable or not all(a.size for a in arrays):
        return None
    tape = _Tape([], arrays)
    noted = [_Noted.of(a, tape) for a in arrays]
    keywords: dict[str, Any] = {"out": noted[len(inputs)]}
    if scratch:
        keywords["scratch"] = tuple(noted[len(inputs) + 1 :])
    try:
        op.run(*noted[: len(inputs)], **keywords)
        calls = [*tape.calls]
    except Exception:  # what a kernel raises it raises again where it runs, and is named there
        return None
    finally:
        # The noted arrays hold the tape, and its arrays are views of them, which no garbage
        # collector looks through: the memory would never be freed.
        tape.calls.clear()
    return calls


def _rows(a: Array) -> int:
    return int(a.size // max(1, a.shape[-1] if a.ndim else 1))


class _UnrecordableError(Exception):
    """The kernel did what a line of calls cannot say."""


class _Tape(NamedTuple):
    """The calls so far, and the arrays on whose memory they may work."""

    calls: list[Call]
    arrays: Sequence[Array]


class _Noted(np.ndarray[Any, np.dtype[Any]]):
    """An array whose NumPy calls are noted on a tape instead of being made.

    It is read-only, so that a call that NumPy makes all the same is an error and changes nothing.
    """

    _tape: _Tape | None

    @classmethod
    def of(cls, array: Array, tape: _Tape) -> _Noted:
        noted = array.view(cls)
        noted._tape = tape
        noted.flags.writeable = False
        return noted

    def __array_finalize__(self, obj: Any) -> None:
        self._tape = getattr(obj, "_tape", None)

    def __array_ufunc__(self, ufunc: Any, method: Any, *inputs: Any, **keywords: Any) -> Any:
        (out,) = keywords.pop("out", None) or (None,)
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        if method == "__call__":
            inputs = tuple(_materialised(ufunc, inputs))
        return self._note(function, inputs, keywords, out)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.copyto:
            destination, source = args
            converted = _of_dtype(source, destination.dtype)
            return self._note(func, (destination, converted), kwargs, None)
        if func in (np.dot, np.einsum, clip_by) and kwargs.get("out") is not None:
            keywords = dict(kwargs)
            return self._note(func, args, keywords, keywords.pop("out"))
        raise _UnrecordableError

    def take(self, places: Any, axis: Any, out: Any, mode: Any) -> Any:  # type: ignore[override]
        self._append(self._plain(self).take, (places, axis, out, mode), {})
        return out

    def put(self, places: Any, values: Any, mode: Any) -> None:  # type: ignore[override]
        self._append(self._plain(self).put, (places, values, mode), {})

    def fill(self, value: Any) -> None:
        self._note(np.copyto, (self, _of_dtype(value, self.dtype)), {}, None)

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if not isinstance(part, _Noted):
            raise _UnrecordableError  # a number, which the next step would find changed
        return part

    def _note(
        self, function: Any, arguments: Sequence[Any], keywords: Mapping[str, Any], out: Any
    ) -> Any:
        if out is None and function is not np.copyto:
            raise _UnrecordableError
        self._append(function, arguments, keywords if out is None else {**keywords, "out": out})
        return out

    def _append(self, function: Any, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> None:
        plain = {k: self._plain(v) for k, v in keywords.items()}
        assert self._tape is not None
        noted = Call(function, tuple([self._plain(a) for a in arguments]), plain)
        self._tape.calls.append(noted)

    def _plain(self, value: Any) -> Any:
        """The array itself; only a number may be no part of what the kernel was given."""
        if not isinstance(value, np.ndarray) or (value.ndim == 0 and type(value) is np.ndarray):
            return value
        assert self._tape is not None
        plain = value.view(np.ndarray)
        owners = [a for a in self._tape.arrays if np.may_share_memory(a, plain)]
        if not owners:
            raise _UnrecordableError
        if any(a.flags.writeable for a in owners):
            plain.flags.writeable = True
        return plain

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise _UnrecordableError

    __setitem__ = __iter__ = __bool__ = __float__ = __int__ = __index__ = _refuse
    item = tolist = tobytes = sort = partition = _refuse
    argmax = argmin = argsort = nonzero = searchsorted = _refuse


def _materialised(ufunc: np.ufunc, inputs: Sequence[Any]) -> list[Any]:
    """The inputs with numbers as arrays without axes, of the dtype in which the call uses them:
    NumPy converts a number anew in each call."""
    if all(isinstance(i, np.ndarray) for i in inputs):
        return list(inputs)
    dtypes = [type(i) if type(i) in (int, float) else np.asarray(i).dtype for i in inputs]
    used = ufunc.resolve_dtypes((*dtypes, *[None] * ufunc.nout))
    return [_of_dtype(i, dtype) for i, dtype in zip(inputs, used, strict=False)]


def _of_dtype(value: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(value, np.ndarray):
        return value
    number = np.asarray(value, dtype)
    number.setflags(write=False)
    return number

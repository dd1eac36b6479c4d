"""Recording the NumPy calls that a kernel makes, so that a step can make them itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..graph import Array, Op


class Call(NamedTuple):
    """One NumPy call: a function, what it reads, and its keywords, `out` among them."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]

    @property
    def rows(self) -> int:
        """The rows that a reduction along some axes walks one by one; 0 of another call."""
        ufunc = getattr(self.function, "__self__", None)
        if not isinstance(ufunc, np.ufunc) or self.keywords.get("axis") is None:
            return 0
        (x,) = self.arguments
        return int(x.size // max(1, x.shape[-1]))


def record(
    op: Op, inputs: Sequence[Array], out: Array, scratch: Sequence[Array] = ()
) -> list[Call] | None:
    """The calls that `op.run` makes on these arrays, none of which is made; None where it cannot
    be told.

    Only an op that says that it is `straight` is recorded, and not on arrays without elements,
    whose addresses tell nothing.
    """
    arrays = [*inputs, out, *scratch]
    if not op.straight or not all(a.size for a in arrays):
        return None
    tape: list[Call] = []
    noted = [_Noted.of(a, tape) for a in arrays]
    given: dict[str, Any] = {"out": noted[len(inputs)]}
    if scratch:
        given["scratch"] = tuple(noted[len(inputs) + 1 :])
    try:
        op.run(*noted[: len(inputs)], **given)
    except _UnrecordableError:
        return None
    calls = list(tape)
    tape.clear()  # the arrays know the tape: what is noted on it would never be freed
    return calls


class _UnrecordableError(Exception):
    """The kernel did what a line of calls cannot say."""


class _Noted(np.ndarray[Any, np.dtype[Any]]):
    """An array whose NumPy calls are noted on a tape instead of being made."""

    _tape: list[Call]

    @classmethod
    def of(cls, array: Array, tape: list[Call]) -> _Noted:
        noted = array.view(cls)
        noted._tape = tape
        return noted

    def __array_finalize__(self, obj: Any) -> None:
        self._tape = getattr(obj, "_tape", [])

    def __array_ufunc__(self, ufunc: Any, method: Any, *inputs: Any, **keywords: Any) -> Any:
        (out,) = keywords.pop("out", None) or (None,)
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        if method == "__call__":
            inputs = tuple(_materialised(inputs))
        return self._note(function, inputs, keywords, out)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.copyto:
            destination, source = args
            held = _of_dtype(source, destination.dtype)
            return self._note(func, (destination, held), kwargs, None)
        if func in (np.dot, np.einsum) and kwargs.get("out") is not None:
            keywords = dict(kwargs)
            return self._note(func, args, keywords, keywords.pop("out"))
        raise _UnrecordableError

    def take(self, places: Any, axis: Any, out: Any, mode: Any) -> Any:  # type: ignore[override]
        held = self.view(np.ndarray)
        self._tape.append(Call(held.take, (_plain(places), axis, _plain(out), mode), {}))
        return out

    def put(self, places: Any, values: Any, mode: Any) -> None:  # type: ignore[override]
        held = self.view(np.ndarray)
        self._tape.append(Call(held.put, (_plain(places), _plain(values), mode), {}))

    def fill(self, value: Any) -> None:
        self._note(np.copyto, (self, _of_dtype(value, self.dtype)), {}, None)

    def _note(
        self, function: Any, arguments: Sequence[Any], keywords: Mapping[str, Any], out: Any
    ) -> Any:
        if out is None and function is not np.copyto:
            raise _UnrecordableError
        plain = {k: _plain(v) for k, v in keywords.items()}
        if out is not None:
            plain["out"] = _plain(out)
        self._tape.append(Call(function, tuple([_plain(a) for a in arguments]), plain))
        return out

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise _UnrecordableError

    __setitem__ = __bool__ = __float__ = __int__ = __index__ = _refuse
    item = tolist = sort = partition = _refuse


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, _Noted) else value


def _materialised(inputs: Sequence[Any]) -> list[Any]:
    """The inputs with numbers as arrays without axes, of the dtype in which the call uses them:
    NumPy converts a number anew in each call."""
    dtype = np.result_type(*[i.dtype if isinstance(i, np.ndarray) else i for i in inputs])
    return [_of_dtype(i, dtype) for i in inputs]


def _of_dtype(value: Any, dtype: np.dtype[Any]) -> Any:
    return value if isinstance(value, np.ndarray) else np.asarray(value, dtype)

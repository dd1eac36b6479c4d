"""The parameters, or the state, of a program, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np

from ..graph import Array, RunError, TensorType, suggest


class Held(dict[str, Array]):
    """The arrays of a program's parameters and state; `version` counts the times they changed."""

    version: int = 0


class Values(MutableMapping[str, Array]):
    """Named arrays that a program holds: read as read-only copies, set with a check."""

    def __init__(self, what: str, types: Mapping[str, TensorType], held: Held) -> None:
        self._what = what
        self._types = types
        self._arrays = held

    def __getitem__(self, name: str) -> Array:
        """A read-only copy of the value; raises RunError where there is none of that name."""
        copy = self._arrays[self._known(name)].copy()
        copy.setflags(write=False)
        return copy

    def __setitem__(self, name: str, value: Any) -> None:
        """Sets the value; raises RunError where shape or dtype do not fit."""
        t = self._types[self._known(name)]
        try:
            array = np.asarray(value)
        except ValueError as e:
            raise RunError(f"{name!r} is set to no array, where {t} is expected: {e}") from None
        whole = array.dtype.kind in "biu" or t.is_float
        if array.shape != t.bind({}) or array.dtype.kind not in "biuf" or not whole:
            raise RunError(
                f"{name!r} is set to {array.dtype}{list(array.shape)}, where {t} is expected"
            )
        with np.errstate(over="ignore"):
            cast = array.astype(t.numpy)
        if t.is_float and (np.isinf(cast) & ~np.isinf(array)).any():
            raise RunError(f"{name!r} is set to a value that is too large for {t}")
        np.copyto(self._arrays[name], cast)
        self._arrays.version += 1

    def __delitem__(self, name: str) -> None:
        raise RunError(f"{name!r} is part of the graph and cannot be removed")

    def __contains__(self, name: object) -> bool:
        return name in self._types

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name}: {t}' for name, t in self._types.items())}}}"

    def _known(self, name: str) -> str:
        if name not in self._types:
            raise RunError(f"there is no {self._what} {name!r}{suggest(name, self._types)}")
        return name

"""The parameters, or the state, of a program, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from threading import RLock
from typing import Any

import numpy as np

from ..graph import (
    Array,
    Initializer,
    Node,
    Parameter,
    RunError,
    State,
    TensorType,
    exactly,
    suggest,
)
from ..ops import first_value
from .inputs import given


class Held(Mapping[str, Array]):
    """The arrays of a program's parameters and state; `version` counts the times they changed.

    Their first values are drawn, all of them, when the first is read: what is loaded from a file
    before that is never drawn. What cannot be drawn, such as by a user's initializer that raises,
    is an error of that read, and of each after it. `memory` is where the values lie, drawn or not.
    """

    def __init__(self, sources: Mapping[str, Node], memory: Mapping[str, Array], seed: int) -> None:
        self.memory = memory
        self.version = 0
        self._sources = sources
        self._seed = seed
        self._drawn = False
        # Two threads that read first may not draw at once: one would read what the other writes.
        self._lock = RLock()

    def __getitem__(self, name: str) -> Array:
        if not self._drawn:
            self._draw()
        return self.memory[name]

    def __contains__(self, name: object) -> bool:
        return name in self.memory

    def __iter__(self) -> Iterator[str]:
        return iter(self.memory)

    def __len__(self) -> int:
        return len(self.memory)

    def fill(self, values: Iterable[tuple[str, Array]]) -> None:
        """Sets all values, each under its name, in the place of first ones."""
        with self._lock:
            for name, value in values:
                np.copyto(self.memory[name], value, casting="no")
            self._drawn = True
            self.version += 1

    def _draw(self) -> None:
        with self._lock:
            if self._drawn:
                return
            for name, n in self._sources.items():
                assert isinstance(n.op, (Parameter, State)) and isinstance(n.op.init, Initializer)
                np.copyto(self.memory[name], first_value(n.op.init, n.type, self._seed, name))
            self._drawn = True


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
        what = f"the new value of {self._what} {name!r}"
        array = given(value, what, t, "value")
        whole = array.dtype.kind in "biu" or t.is_float
        if array.shape != t.bind({}) or not whole:
            raise RunError(f"{what} is {array.dtype}{list(array.shape)}, where {t} is expected")
        np.copyto(self._arrays[name], exactly(array, t.dtype, what, RunError))
        self._arrays.version += 1

    def __delitem__(self, name: str) -> None:
        raise RunError(f"{name!r} is part of the graph and cannot be removed")

    def __contains__(self, name: object) -> bool:
        return name in self._types

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)

    def __reduce__(self) -> tuple[Any, ...]:
        """A dict of the values as they are: no program goes with them."""
        return dict, (dict(self),)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name}: {t}' for name, t in self._types.items())}}}"

    def _known(self, name: str) -> str:
        if name not in self._types:
            raise RunError(f"there is no {self._what} {name!r}{suggest(name, self._types)}")
        return name

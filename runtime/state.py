"""The parameters, or the state, of a program, by name."""

from __future__ import annotations

from collections import deque
from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    ValuesView,
)
from itertools import repeat
from operator import setitem
from typing import Any, Protocol

import numpy as np

from ..graph import (
    Array,
    Frozen,
    Graph,
    Initializer,
    MissingError,
    Node,
    Parameter,
    RunError,
    State,
    TensorType,
    exactly,
    shown,
    suggest,
)
from ..ops import first_value
from .forks import LOCKS, alone
from .inputs import given
from .planning.buffers import aligned_bytes


class Stepping(Protocol):
    """What steps: `writing` is true from the first write of state to the last."""

    writing: bool


class StateArrays(Mapping[str, Array]):
    """The arrays of a program's parameters and state; `version` counts the times they changed.

    Their first values are drawn, all of them, when the first is read: what is loaded from a file
    before that is never drawn. What cannot be drawn, such as by a user's initializer that raises,
    is an error of that read, and of each after it. `memory` is where the values lie, drawn or not.

    Whoever runs on the values, reads or writes them has the `lock`. `last` is what made the last
    step: where that was cut off, no value is read until all are set again.
    """

    def __init__(self, g: Graph, sources: Mapping[str, Node], seed: int) -> None:
        self.memory = packed(g, sources)
        self.version = 0
        self.lock = LOCKS.new()
        self.taken: Callable[[], bool] = self.lock._is_owned  # type: ignore[attr-defined]
        """Whether this very thread has the lock already."""
        self.last: Stepping | None = None
        self._g = g
        self._sources = sources
        self._seed = seed
        self._drawn = False

    @property
    def cut(self) -> bool:
        """Whether the last step has begun to write and has not ended: cut off, or not done yet."""
        return self.last is not None and self.last.writing

    def check_whole(self) -> None:
        """Raises RunError where a step was cut off while it wrote."""
        if self.cut:
            raise RunError("a step was cut off while it wrote the state; load the program again")

    def check_free(self, what: str) -> None:
        """Raises RunError where this thread is within a call already, which `what` interrupts."""
        if self.taken():
            raise RunError(
                f"{what} in the middle of a step or another call of the same program: of a signal "
                "handler, or of an op of your own; do it when that call is over"
            )

    def read(self, names: Iterable[str]) -> dict[str, Array]:
        """Copies of these values, all of one moment."""
        if self.cut:
            self.check_free(f"{', '.join(names)} cannot be read")
        return alone(self.lock, self._read, names)

    def write(self, values: Mapping[str, Array]) -> None:
        """Sets these values, of their shapes and dtypes: all or none, whoever interrupts."""
        self.check_free(f"{', '.join(values)} cannot be set")
        alone(self.lock, self._write, values)

    def twin(self) -> StateArrays:
        """The same values in memory of their own, laid out alike."""
        other = StateArrays(self._g, self._sources, self._seed)
        other.fill(self.read(self).items())
        return other

    def __getitem__(self, name: str) -> Array:
        if not self._drawn:  # two threads may not draw at once
            alone(self.lock, self._draw)
        return self.memory[name]

    def __contains__(self, name: object) -> bool:
        return name in self.memory

    def __iter__(self) -> Iterator[str]:
        return iter(self.memory)

    def __len__(self) -> int:
        return len(self.memory)

    def reset(self) -> None:
        """Sets all values to their first ones, which are drawn again."""
        self.write(self._first())

    def fill(self, values: Iterable[tuple[str, Array]]) -> None:
        """Sets all values, one after another, each under its name, in the place of first ones."""
        for name, value in values:
            np.copyto(self.memory[name], value, casting="no")
        self._drawn = True
        self.version += 1

    def _read(self, names: Iterable[str]) -> dict[str, Array]:
        self.check_whole()
        return {name: self[name].copy() for name in names}

    def _write(self, values: Mapping[str, Array]) -> None:
        places: list[Any] = [self[name] for name in values]
        self.version += 1
        # One call of C, within which no signal is acted on.
        deque(map(setitem, places, repeat(...), values.values()), maxlen=0)
        if len(values) == len(self):
            self.last = None

    def _draw(self) -> None:
        if self._drawn:
            return
        for name, value in self._first().items():
            np.copyto(self.memory[name], value)
        self._drawn = True

    def _first(self) -> dict[str, Array]:
        """The first value of each."""
        values: dict[str, Array] = {}
        for name, n in self._sources.items():
            assert isinstance(n.op, (Parameter, State)) and isinstance(n.op.init, Initializer)
            values[name] = first_value(n.op.init, n.type, self._seed, name)
        return values


class Values(Frozen, MutableMapping[str, Array]):
    """Named arrays that a program holds: read as read-only copies, set with a check."""

    def __init__(self, what: str, types: Mapping[str, TensorType], arrays: StateArrays) -> None:
        self._what = what
        self._types = types
        self._held = arrays
        self._made = True

    def _instead(self, name: str) -> str:
        attribute = "parameters" if self._what == "parameter" else self._what
        return f"values are set by name, as in program.{attribute}[{name!r}] = array"

    def __getitem__(self, name: str) -> Array:
        """A read-only copy of the value; raises RunError where there is none of that name."""
        return self._copies([self._known(name)])[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """Sets the value; raises RunError where shape or dtype do not fit."""
        self.update({self._known(name): value})

    def update(self, other: Any = (), /, **named: Any) -> None:
        """Sets several values at once: none, where one does not fit."""
        try:
            values = dict(other, **named)
        except Exception:  # whatever the user's own `keys` raises
            raise RunError(
                f"update takes a dict of arrays by their names, and not {shown(other)}"
            ) from None
        self._held.write({name: self._fitting(name, value) for name, value in values.items()})

    def items(self) -> ItemsView[str, Array]:
        """Read-only copies of all values, of one moment, with their names."""
        return self._copies(self._types).items()

    def values(self) -> ValuesView[Array]:
        """Read-only copies of all values, of one moment."""
        return self._copies(self._types).values()

    def _copies(self, names: Iterable[str]) -> dict[str, Array]:
        copies = self._held.read(names)
        for copy in copies.values():
            copy.setflags(write=False)
        return copies

    def _fitting(self, name: str, value: Any) -> Array:
        """The value in the dtype that is due."""
        t = self._types[self._known(name)]
        what = f"the new value of {self._what} {name!r}"
        array = given(value, what, t, "value")
        whole = t.is_float or array.dtype.kind in ("b" if t.dtype == "bool" else "iu")
        if array.shape != t.bind({}) or not whole:
            raise RunError(f"{what} is {array.dtype}{list(array.shape)}, where {t} is expected")
        return exactly(array, t.dtype, what, RunError)

    def __delitem__(self, name: str) -> None:
        raise RunError(f"{name!r} is part of the graph and cannot be removed")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._types

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
        if not isinstance(name, str) or name not in self._types:
            raise MissingError(
                f"there is no {self._what} {shown(name)}{suggest(name, self._types)}"
            )
        return name


def packed(g: Graph, sources: Mapping[str, Node]) -> dict[str, Array]:
    """An array for each source, those of a pack one after another in one piece of memory."""
    schedule = g.schedule
    packs = [[g.names[n] for n in pack] for pack in (schedule.packs if schedule else ())]
    packs = [names for names in packs if names[0] in sources]
    together = {name for names in packs for name in names}
    arrays: dict[str, Array] = {}
    for names in (*packs, *[[name] for name in sources if name not in together]):
        types = [sources[name].type for name in names]
        more = ", ..." if len(names) > 3 else ""
        what = f"the values of {', '.join(names[:3])}{more}"
        memory = aligned_bytes(sum(t.nbytes({}) for t in types), what)
        start = 0
        for name, t in zip(names, types, strict=True):
            piece = memory[start : start + t.nbytes({})]
            arrays[name] = piece.view(t.numpy).reshape(t.bind({}))
            start += piece.nbytes
    return {name: arrays[name] for name in sources}

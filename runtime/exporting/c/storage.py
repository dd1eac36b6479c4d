"""What an exported file holds: the state between calls, and arrays that no call changes."""

from __future__ import annotations

import numpy as np

from ....graph import Array, Constant, Node, Parameter, State
from ..graphs import Exported
from ..identifiers import Names
from .names import comment, reserved
from .numbers import TYPES, listed, literal


class Storage:
    """The names and the text of all values of a program; `names` are those of the file.

    With a training step, parameters and state are fields of a struct, which `init` sets; without
    one, they are constants. Equal constants are one, and those that nothing reads are none.
    """

    def __init__(self, e: Exported, prefix: str, names: Names) -> None:
        self._e, self._state, self._names = e, f"{prefix}_state", names
        self._called = {n: g.names[n] for g in e.graphs for n in g.sources}
        self._fields: dict[str, tuple[str, Node]] = {}  # by a value's name: its field, and a node
        self._constants: dict[tuple[str, bytes], str] = {}  # their names, by what they hold
        self._texts: dict[str, str] = {}  # of those that are read
        if e.step is not None:
            fields = Names(reserved)
            for n, name in self._called.items():
                if isinstance(n.op, (Parameter, State)) and name not in self._fields:
                    self._fields[name] = fields.new(name), n
        # Before any function, whose names then are others.
        self.init = self._init(prefix) if e.step is not None else ""
        for n, name in self._called.items():
            if n.type.rank and (value := self._fixed(n)) is not None:
                self._named(name, n, value)

    def held(self, n: Node) -> str:
        """What holds a parameter, a state or a constant: an array, or a number."""
        name, value = self._called[n], self._fixed(n)
        if value is None:
            return f"{self._state}.{self._fields[name][0]}"
        return literal(value, n.type.dtype) if not n.type.rank else self._constant(name, n, value)

    @property
    def constants(self) -> list[str]:
        """The arrays that are read, as definitions."""
        return [*self._texts.values()]

    @property
    def fields(self) -> list[str]:
        """The fields of the state, as declarations."""
        lines = []
        for name, (field, n) in self._fields.items():
            size = f"[{max(1, int(np.prod(n.type.bind({}))))}]" if n.type.rank else ""
            said = comment(f"%{name}: {n.type}")
            lines.append(f"    {TYPES[n.type.dtype]} {field}{size}; {said}")
        return lines

    @property
    def state_nbytes(self) -> int:
        """The bytes of all fields."""
        return sum(n.type.nbytes({}) for _, n in self._fields.values())

    @property
    def constant_nbytes(self) -> int:
        """The bytes of the arrays that are read."""
        return sum(len(held) for (_, held), own in self._constants.items() if own in self._texts)

    def _fixed(self, n: Node) -> Array | None:
        """The value of what no function changes; None for what is fed, or part of the state."""
        if isinstance(n.op, Constant):
            return n.op.array
        held = isinstance(n.op, (Parameter, State)) and self._e.step is None
        return self._e.values[self._called[n]] if held else None

    def _named(self, name: str, n: Node, value: Array) -> str:
        """The name of a constant array."""
        key = n.type.dtype, value.tobytes()
        if key not in self._constants:
            self._constants[key] = self._names.new(name)
        return self._constants[key]

    def _constant(self, name: str, n: Node, value: Array) -> str:
        """The same of one that is read, so that the file holds it."""
        own = self._named(name, n, value)
        if own not in self._texts:
            said = comment(f"%{name}: {n.type}")
            kind, count = TYPES[n.type.dtype], max(1, value.size)
            numbers = listed(value if value.size else np.zeros(1), n.type.dtype)
            self._texts[own] = f"{said}\nstatic const {kind} {own}[{count}] = {numbers};"
        return own

    def _init(self, prefix: str) -> str:
        """The function that sets the state: all of it to 0, then what is not."""
        lines = [f"    memset(&{self._state}, 0, sizeof {self._state});"]
        for name, (field, n) in self._fields.items():
            value, place = self._e.values[name], f"{self._state}.{field}"
            if not np.frombuffer(value.tobytes(), np.uint8).any():
                continue
            if not n.type.rank:
                lines.append(f"    {place} = {literal(value, n.type.dtype)};")
            elif (value == value.flat[0]).all():
                lines.append(f"    for (size_t i = 0; i < {value.size}; i++)")
                lines.append(f"        {place}[i] = {literal(value.flat[0], n.type.dtype)};")
            else:
                first = self._constant(f"{name}.first", n, value)
                lines.append(f"    memcpy({place}, {first}, sizeof {first});")
        return "\n".join([f"void {prefix}_init(void) {{", *lines, "}"])

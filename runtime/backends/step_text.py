"""The text of a step: its lines, the objects that they name, and whose kernel each line calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any, Final, NamedTuple

from ...graph import Node
from ..planning.buffers import Buffers
from .names import Names

STEP_FILE: Final = "<step of verigrad>"
"""What errors in a step name as its file."""

Calling = Callable[[Node, Any], Callable[..., Any] | None]

Kernel = int | str
"""A part of a step: the number of a group, or CHECK, or COPIES."""


class Calls(NamedTuple):
    """What the lines of a kernel make: calls, tile by tile, the rows that reductions walk, and the
    elements that are converted to another type."""

    number: int = 0
    rows: int = 0
    cast: int = 0


class StepText:
    """Lines that become the functions of a step; `calls` counts those of each kernel."""

    def __init__(self, memory: Buffers) -> None:
        self.lines: list[str] = []
        self.calls: dict[Kernel, Calls] = {}
        self.names = Names([memory.arrays[n] for n in memory.feeds])
        self.given = ", ".join([f"feed{i}" for i in range(len(memory.feeds))])
        """What each function takes."""
        self._functions: list[str] = []
        self._nodes: dict[int, Node] = {}

    def begin(self, name: str) -> None:
        """`def name(feed0, ...)`: lines that are added from here on are its own."""
        self._functions.append(name)
        self.lines += ["", f"    def {name}({self.given}):"]

    def add(self, line: str, n: Node | None = None) -> None:
        """A line of a function, which may belong to a node."""
        self.lines.append(f"        {line}")
        if n is not None:
            self._nodes[len(self.lines)] = n

    def name(self, name: str, value: str) -> None:
        """A function that is no more than another name of a bound object."""
        self._functions.append(name)
        self.lines += ["", f"    {name} = {value}"]

    def count(self, kernel: Kernel, number: int, rows: int = 0, cast: int = 0) -> None:
        """Adds to the calls of a kernel."""
        before = self.calls.get(kernel, Calls())
        self.calls[kernel] = Calls(before.number + number, before.rows + rows, before.cast + cast)

    def text(self) -> str:
        """The whole text: `make(objects)` gives the functions."""
        entries = ", ".join([f"{name!r}: {name}" for name in self._functions])
        return "\n".join([*self._head(), *self.lines, "", f"    return {{{entries}}}", ""])

    def made(self, file: str, calling: Calling | None = None) -> dict[str, Callable[..., Any]]:
        """The functions that the text defines; errors in them name the file.

        `calling` gives, for a node and the function that a line of its kernel calls, what this
        calls instead; None for the same.
        """
        objects, lines = {**self.names.objects}, self.text().split("\n")
        for at, n in self.nodes().items() if calling is not None else ():
            called = re.match(r"\s+(\w+)\(", lines[at - 1])
            function = calling(n, objects.get(called[1])) if called and calling else None
            if called and function is not None:
                objects[f"{called[1]}_{at}"] = function
                lines[at - 1] = lines[at - 1].replace(called[1], f"objects['{called[1]}_{at}']", 1)
        space: dict[str, Any] = {}
        exec(_code("\n".join(lines), file), space)
        functions: dict[str, Callable[..., Any]] = space["make"](objects)
        return functions

    def nodes(self) -> dict[int, Node]:
        """The node whose kernel each line of the text calls, by the line's number."""
        before = len(self._head())
        return {before + line: n for line, n in self._nodes.items()}

    def _head(self) -> list[str]:
        used = set(re.findall(r"\w+", "\n".join(self.lines)))
        named = [f"    {name} = objects[{name!r}]" for name in self.names.objects if name in used]
        return ["def make(objects):", *named]


@lru_cache(maxsize=32)
def _code(text: str, file: str) -> CodeType:
    """The text, compiled: programs of the same graph and size have the same."""
    return compile(text, file, "exec")

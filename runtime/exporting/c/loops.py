"""Loops over the elements of tensors, and where an element lies in its array."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from ....graph import Dim, Node, Shape

_LETTERS: Final = "ijkl"
_WIDTH: Final = 100


class Text:
    """Lines of C with their indentation; `sizes` are the names of the symbols' sizes."""

    def __init__(self, sizes: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self._sizes = sizes
        self._depth = 1

    def add(self, *lines: str) -> None:
        """Adds lines at the depth that has been reached; long ones go on in the next."""
        indent = "    " * self._depth
        for line in lines:
            self.lines += wrapped(f"{indent}{line}").split("\n") if line else [""]

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """A head, and what is added within it between braces."""
        self.add(f"{head} {{")
        self._depth += 1
        yield
        self._depth -= 1
        self.add("}")

    def size(self, d: Dim) -> str:
        """A dimension as C reads it."""
        return str(d) if isinstance(d, int) else self._sizes[d]

    def count(self, shape: Sequence[Dim]) -> str:
        """How many elements a shape has, as a product of its dimensions."""
        known, symbols = 1, []
        for d in shape:
            if isinstance(d, int):
                known *= d
            else:
                symbols.append(self._sizes[d])
        if known == 0:
            return "0"
        return " * ".join([*symbols, *([str(known)] if known != 1 or not symbols else [])])

    def head(self, variable: str, size: str) -> str:
        """A loop over so many; over none, one that compilers do not take for a mistake."""
        first, end = ("1", "1") if size == "0" else ("0", size)
        return f"for (size_t {variable} = {first}; {variable} < {end}; {variable}++)"

    @contextmanager
    def loops(self, shape: Sequence[Dim], variables: Sequence[str]) -> Iterator[None]:
        """One loop inside of another over a shape; an axis of size 1 has none."""
        depth = self._depth
        for d, v in zip(shape, variables, strict=True):
            if d != 1:
                self.add(f"{self.head(v, self.size(d))} {{")
                self._depth += 1
        yield
        while self._depth > depth:
            self._depth -= 1
            self.add("}")

    @contextmanager
    def scope(self, shape: Sequence[Dim], variables: Sequence[str]) -> Iterator[None]:
        """The same, in braces also where there is no loop: what is declared there ends there."""
        if any(d != 1 for d in shape):
            with self.loops(shape, variables):
                yield
            return
        self.add("{")
        self._depth += 1
        yield
        self._depth -= 1
        self.add("}")

    def place(self, shape: Sequence[Dim], variables: Sequence[str]) -> str:
        """Where an element lies: an axis of size 1 counts nothing. `variables` are of the last
        axes, where there are more of them than axes, as in broadcasting."""
        text = ""
        for d, v in zip(shape, variables[len(variables) - len(shape) :], strict=True):
            if d == 1:
                continue
            text = f"({text}) * {self.size(d)} + {v}" if " " in text else (
                f"{text} * {self.size(d)} + {v}" if text else v
            )  # fmt: skip
        return text or "0"


def variables(rank: int, taken: int = 0) -> list[str]:
    """The names of so many loop variables, behind those that are taken."""
    numbers = range(taken, taken + rank)
    return [_LETTERS[k] if k < len(_LETTERS) else f"i{k}" for k in numbers]


def in_one_loop(shape: Shape, operands: Sequence[Node]) -> bool:
    """Whether all operands are scalars or of this very shape."""
    return all(not n.type.rank or n.type.shape == shape for n in operands)


def wrapped(line: str) -> str:
    """A line of C, its rest in further ones where it is long."""
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line.lstrip(),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}        ",
        break_long_words=False,
        break_on_hyphens=False,
    )

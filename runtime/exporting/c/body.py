"""The body of a function: the kernels of a planned graph, one after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from ....graph import (
    Constant,
    Graph,
    Node,
    Nodes,
    RunError,
    Source,
    TensorType,
    holder,
    inside,
    lanes,
)
from ....graph.text.printer import statement
from ...planning.typed_arrays import TypedArrays
from ..identifiers import Names
from .elements import expression, has_expression
from .helpers import Helpers
from .loops import Text, in_one_loop, variables
from .names import comment
from .numbers import TYPES, literal

_OPERATOR: Final = re.compile(r" [-+?<>=!]")
_BRACKETS: Final = re.compile(r"[(\[][^()\[\]]*[)\]]")

Held = Callable[[Node], str]
"""The array, or the number, that holds a parameter, a state or a constant."""


class Body:
    """Writes the kernels of one function, and knows where each value lies.

    `arrays` says where results lie in the arrays of the arena, of which `arena` is the name; `held`
    names what is there before the function is called, `fed` its arguments. `refused` is what the
    function returns where sizes or labels do not fit.
    """

    def __init__(
        self,
        g: Graph,
        text: Text,
        arrays: TypedArrays,
        arena: str,
        names: Names,
        helpers: Helpers,
        held: Held,
        fed: dict[Node, str],
        refused: str,
        kernels: Mapping[str, Callable[[Body, Node], None]],
    ) -> None:
        assert g.schedule is not None
        self.g, self.schedule, self.text, self.helpers = g, g.schedule, text, helpers
        self._arrays, self._arena = arrays, arena
        self._names, self._held, self._refused = names, held, refused
        self._kernels = kernels
        self._called = dict(fed)
        self._inside: frozenset[Node] = frozenset()

    def kernels(self, groups: Sequence[Nodes]) -> None:
        """The kernels of some groups, each behind its graph text."""
        for group in groups:
            self.text.lines.append("")
            said = "\n".join([statement(self.g, n) for n in group])
            self.text.lines += comment(said, "    ").split("\n")
            parts = lanes(group)
            self._inside = inside(self.g, group) if parts is not None else frozenset()
            for lane in parts if parts is not None else [(n,) for n in group]:
                self._lane(lane)

    def _lane(self, lane: Nodes) -> None:
        if has_expression(lane[0].op):
            self._elementwise(lane)
            return
        (n,) = lane
        write = self._kernels.get(n.op.name)
        if write is None:
            at = f" ({n.where.described})" if n.where else ""
            raise RunError(
                f"%{self.g.names[n]}: the op {n.op.name} has no form in C{at}\n  fix: where it "
                "works element by element, say `elementwise = True`, and give it a method `c`"
            )
        if n.type.rank:
            self.define(n)
        write(self, n)

    def _elementwise(self, lane: Nodes) -> None:
        """One loop for all nodes of a lane; a scalar is a variable."""
        shape = lane[0].type.shape
        if not shape:
            for n in lane:
                self.put(
                    n, "", expression(n, [self.element(i, "") for i in n.inputs], self.helpers)
                )
            return
        for n in lane:
            if n not in self._inside:
                self.define(n)
        operands = [i for n in lane for i in n.inputs]
        if in_one_loop(shape, operands):
            index = ["i"]
            loop = self.text.block(self.text.head("i", self.text.count(shape)))
        else:
            index = variables(len(shape))
            loop = self.text.loops(shape, index)
        with loop:
            for n in lane:
                read = [self.element(i, self._place(i, shape, index)) for i in n.inputs]
                self.put(n, self._place(n, shape, index), expression(n, read, self.helpers))

    def _place(self, n: Node, shape: Sequence[object], index: Sequence[str]) -> str:
        """Where the element of a loop over `shape` lies in a tensor that broadcasts to it."""
        if len(index) < len(shape):
            return index[0]
        return self.text.place(n.type.shape, index)

    # ---- what kernels are written with -------------------------------------------------------

    def define(self, n: Node) -> None:
        """Names the array of a result, or the variable of a scalar, where it has no name yet."""
        if n in self._called:
            return
        first = holder(self.schedule, n)
        if isinstance(first.op, Source):
            self._called[n] = self._held(first)
            return
        kind = TYPES[n.type.dtype]
        name = self._called[n] = self._names.new(self.g.names[n])
        if not n.type.rank:
            self.text.add(f"{kind} {name};")
            return
        at = self._arrays.first[n]
        array = f"{self._arena}.{n.type.dtype}" + (f" + {at}" if at else "")
        self.text.add(f"{kind} *const {name} = {array};")

    def array(self, n: Node) -> str:
        """The array of a value that is no scalar."""
        if n not in self._called:
            self._called[n] = self._held(n)
        return self._called[n]

    def element(self, n: Node, place: str) -> str:
        """An element of a value, or the scalar."""
        number = self.uniform(n)
        if number is not None:
            return number
        if n in self._inside or not n.type.rank:
            return self.array(n)
        return f"{self.array(n)}[{place}]"

    def uniform(self, n: Node) -> str | None:
        """The number that all elements of a constant are; None of another value."""
        if not isinstance(n.op, Constant):
            return None
        flat = n.op.array.reshape(-1)
        same = flat.size and flat.tobytes() == np.repeat(flat[:1], flat.size).tobytes()
        return literal(flat[0], n.type.dtype) if same else None

    def put(self, n: Node, place: str, text: str) -> None:
        """Writes an element of a result, or a scalar that has been defined; what has no name yet, a
        scalar or what stays inside of a loop, becomes a variable."""
        if n.type.rank and n not in self._inside:
            self.text.add(assigned(f"{self.array(n)}[{place}]", text))
            return
        if isinstance(holder(self.schedule, n).op, Source):
            self.define(n)
        if n in self._called:
            self.text.add(assigned(self._called[n], text))
            return
        name = self._called[n] = self._names.new(self.g.names[n])
        self.text.add(f"const {TYPES[n.type.dtype]} {name} = {text};")

    def helper(self, name: str, t: TensorType) -> str:
        """The name of a helper for numbers of a type."""
        return self.helpers.call(name, t.dtype)

    def refuse(self, condition: str, status: str) -> None:
        """Returns from the function where a condition holds."""
        self.text.add(f"if ({condition})", f"    return {self._refused}_{status};")


def assigned(place: str, text: str) -> str:
    """An assignment; `a += b` where it is one of `a + b`, and b is one term."""
    sign, term = text[len(place) + 1 : len(place) + 2], text[len(place) + 3 :]
    if text.startswith(f"{place} ") and sign in "+-" and not _OPERATOR.search(_outer(term)):
        return f"{place} {sign}= {term};"
    return f"{place} = {text};"


def _outer(term: str) -> str:
    """What of an expression stands in no brackets."""
    before = ""
    while term != before:
        before, term = term, _BRACKETS.sub("", term)
    return term

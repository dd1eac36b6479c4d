"""Reading a graph from its text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from ..arrays import as_array
from ..errors import GraphError, suggest
from ..explain import explain
from ..graph import Graph
from ..node import Node
from ..op import OPS, Op, Source
from ..quoting import cut, pointed, shown
from ..record import Record
from ..sources import (
    ArrayValue,
    Constant,
    FromArray,
    Input,
    Parameter,
    State,
    is_stored,
    written_constant,
)
from ..types import TensorType, parse_type, type_pattern
from .attributes import Reader, made, print_value
from .notes import Notes

if TYPE_CHECKING:
    from ..op import Array

_HEADER: Final = re.compile(r"graph\s+([A-Za-z_][\w.-]*)\s*\{")
_NAME: Final = re.compile(r"%([A-Za-z_][\w.-]*)")
_NODE: Final = re.compile(rf"{_NAME.pattern}\s*:\s*({type_pattern.pattern})\s*=\s*(.*)")
_CALLED: Final = re.compile(r"([A-Za-z_][\w.-]*)\s*")
_UPDATE: Final = re.compile(rf"update\s+{_NAME.pattern}\s*=\s*{_NAME.pattern}")
_OUTPUT: Final = re.compile(rf"([A-Za-z_][\w.-]*)\s*=\s*{_NAME.pattern}")


class _ConstantText(Record):
    """What stands between the braces of a constant, before its type is known to fit."""

    value: object


def parse(text: str, arrays: Mapping[str, Array] | None = None) -> Graph:
    """The graph of a text such as `str(g)`; `arrays` holds the constants that are not written out.

    Raises GraphError with the line where the text cannot be read, names what does not exist or
    is made from itself, or lies about a type.
    """
    if not isinstance(text, str):
        raise GraphError(f"parse takes the text of a graph, not {type(text).__name__}")
    if arrays is not None and not isinstance(arrays, Mapping):
        raise GraphError(f"arrays is {type(arrays).__name__}, where arrays by name are expected")
    return _Parser(text, {} if arrays is None else arrays).graph()


class _Parser:
    def __init__(self, text: str, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays
        self.nodes: dict[str, Node] = {}
        self.notes = Notes()
        self.updates: dict[Node, Node] = {}
        self.line = 0
        self.start = self.column = 0  # of the statement, and of what is read of it
        self.lines = re.split(r"\r\n?|\n", text)  # within quotes, other separators are characters

    def graph(self) -> Graph:
        try:
            return self._graph()
        except GraphError as e:
            line = self.lines[self.line - 1] if 0 < self.line <= len(self.lines) else ""
            problem = f"line {self.line}: {cut(str(e), 1000)}"
            raise GraphError(f"{problem}{pointed(line, self.column)}") from None

    def _graph(self) -> Graph:
        statements = self._statements()
        header = _HEADER.fullmatch(next(statements, ("", ""))[0])
        if header is None:
            raise GraphError("a text begins with `graph NAME {`")
        outputs: dict[str, Node] | None = None
        for code, note in statements:
            if code == "}":
                break
            if outputs is not None:
                raise GraphError("after `return` only `}` may stand")
            if code.startswith("%"):
                self._node(code, note)
            elif code.startswith("update "):
                self._update(code)
            elif re.match(r"return\b", code):
                outputs = self._return(code)
            else:
                raise GraphError(
                    "a statement is expected: `%name: type = op(...)`, `update %w = %v` or `return`"
                )
        else:
            raise GraphError(
                "the text ends without `}`"
                if outputs is not None
                else "the text ends without `return`"
            )
        if outputs is None:
            raise GraphError("the graph has no `return`")
        for code, _ in statements:
            raise GraphError(f"nothing may stand after the closing brace, found {shown(code)}")
        return self._finish(header[1], outputs)

    def _finish(self, name: str, outputs: dict[str, Node]) -> Graph:
        inputs = [n for n in self.nodes.values() if isinstance(n.op, Input)]
        g = Graph(name, outputs, updates=self.updates, inputs=inputs)
        order = [n for n in self.nodes.values() if not isinstance(n.op, Source)]
        schedule = self.notes.schedule(order, set(g.order))
        return g.but(schedule=schedule) if schedule is not None else g

    def _statements(self) -> Iterator[tuple[str, str]]:
        for line, raw in enumerate(self.lines, 1):
            self.line = line
            self.start = self.column = len(raw) - len(raw.lstrip())
            code, _, note = _split_note(raw)
            if code:
                yield code, note

    def _node(self, code: str, note: str) -> None:
        m = _NODE.fullmatch(code)
        if m is None:
            raise GraphError("a node is written `%name: f32[N,4] = op(%input, ...)`")
        name, at = m[1], m.start(m.lastindex or 0)
        if name in self.nodes:
            raise GraphError(f"%{name} is defined twice")
        self._read_at(m.start(2))
        written = parse_type(m[2])
        op, behind = self._op(code, at, written)
        inputs = self._inputs(op, code, behind)
        self._read_at(at)
        try:
            inferred = op.infer(*(i.type for i in inputs))
        except GraphError as e:
            raise GraphError(explain(str(e), op, inputs, None)) from None
        except Exception as e:
            raise GraphError(f"{op.name}: `infer` fails with {type(e).__name__}: {e}") from e
        if inferred != written:
            self._read_at(m.start(2))
            raise GraphError(f"%{name} is written as {written}, but {op.name} gives {inferred}")
        n = self.nodes[name] = Node(op, inputs, inferred, name)
        self.notes.read(n, note, self._read)

    def _read_at(self, place: int) -> None:
        """What is read stands at this place of the statement."""
        self.column = self.start + place

    def _op(self, code: str, at: int, type: TensorType) -> tuple[Op, int]:
        """The op that stands at a place of a statement, and the place behind it."""
        self._read_at(at)
        m = _CALLED.match(code, at)
        if m is None:
            raise GraphError(f"an op is expected, found {shown(code[at:])}")
        kind = OPS.get(m[1])
        if kind is None:
            raise GraphError(
                f"op {m[1]!r} is unknown{suggest(m[1], OPS)}; "
                "import the module that defines it first"
            )
        reader = Reader(code)
        reader.at = m.end()
        known = {"type": type} if issubclass(kind, Source) else {}
        try:
            if issubclass(kind, Constant):
                return self._constant(reader, type), reader.at
            if reader.take("{"):
                return self._stored(reader.fields(kind, "}", **known)), reader.at
            return made(kind, **known), reader.at
        except GraphError:
            if not code[: reader.at].endswith("}"):  # else it is about the op as a whole
                self._read_at(reader.at)
            raise

    def _constant(self, reader: Reader, type: TensorType) -> Constant:
        reader.expect("{")
        value: object = reader.fields(_ConstantText, "}").value
        if is_stored(value):
            value = self._array(str(value), "the constant")
        return Constant(type, written_constant(value, type))

    def _stored(self, op: Op) -> Op:
        """The op with its first value's array put in, where its text only names that."""
        if isinstance(op, (Parameter, State)) and isinstance(op.init, FromArray):
            spelled: object = op.init.value
            if isinstance(spelled, str):
                return op.but(init=FromArray(ArrayValue(self._array(spelled, "the first value"))))
        return op

    def _array(self, spelled: str, what: str) -> Array:
        """The array of a file that is stored under that name."""
        if spelled not in self.arrays:
            raise GraphError(
                f"{what} {spelled} is stored with the arrays of a file; "
                "give them as parse(text, arrays)"
            )
        array = as_array(self.arrays[spelled], f"the array {spelled}", name="array")
        if print_value(ArrayValue(array)) != spelled:
            raise GraphError(f"the array stored as {spelled} is another one")
        return array

    def _inputs(self, op: Op, code: str, at: int) -> tuple[Node, ...]:
        """The inputs of an op, which stand at a place of a statement."""
        text = code[at:].strip()
        at = len(code) - len(text)
        self._read_at(at)
        if isinstance(op, Source):
            if text:
                raise GraphError(f"{op.name} has no inputs, found {shown(text)}")
            return ()
        if not (text.startswith("(") and text.endswith(")")):
            raise GraphError(f"the inputs of {op.name} are written `(%a, %b)`, found {shown(text)}")
        return tuple([self._read(word) for word in self._words(code, at + 1, len(code) - 1)])

    def _words(self, code: str, start: int, end: int) -> Iterator[str]:
        """What stands between commas in a part of a statement; nothing where it is empty."""
        listed = code[start:end]
        for word in listed.split(",") if listed.strip() else ():
            self._read_at(start + len(word) - len(word.lstrip()))
            yield word.strip()
            start += len(word) + 1

    def _read(self, word: str) -> Node:
        m = _NAME.fullmatch(word)
        if m is None:
            raise GraphError(f"an input is written %name, found {shown(word)}")
        if m[1] in self.nodes:
            return self.nodes[m[1]]
        reads = self._made_from()
        cycle = _path(reads, m[1], self._defined())
        if cycle:
            raise GraphError("cycle: " + " reads ".join(f"%{n}" for n in cycle))
        if m[1] in reads:
            raise GraphError(f"%{m[1]} is read before the line that defines it")
        raise GraphError(f"%{m[1]} is not defined{suggest(m[1], self.nodes)}")

    def _defined(self) -> str:
        m = _NAME.match(self.lines[self.line - 1].strip())
        return m[1] if m else ""

    def _made_from(self) -> dict[str, list[str]]:
        """Which names each statement of the text reads, for errors about their order."""
        reads: dict[str, list[str]] = {}
        for raw in self.lines:
            m = _NODE.fullmatch(_split_note(raw)[0])
            if m is not None:
                reads[m[1]] = _NAME.findall(m[m.lastindex or 0])
        return reads

    def _update(self, code: str) -> None:
        m = _UPDATE.fullmatch(code)
        if m is None:
            raise GraphError("an update is written `update %w = %value`")
        self._read_at(m.start(1) - 1)
        target = self._read("%" + m[1])
        if target in self.updates:
            raise GraphError(f"%{m[1]} is updated twice")
        self._read_at(m.start(2) - 1)
        self.updates[target] = self._read("%" + m[2])

    def _return(self, code: str) -> dict[str, Node]:
        outputs: dict[str, Node] = {}
        for word in self._words(code, len("return"), len(code)):
            m = _OUTPUT.fullmatch(word)
            if m is None:
                raise GraphError(f"an output is written `key=%name`, found {shown(word)}")
            if m[1] in outputs:
                raise GraphError(f"the output {m[1]!r} is given twice")
            outputs[m[1]] = self._read("%" + m[2])
        return outputs


def _split_note(raw: str) -> tuple[str, str, str]:
    """Code and note of a line; `//` inside a string is no note."""
    m = re.match(r'((?:"(?:[^"\\]|\\.)*"|(?!//).)*)(//)?(.*)', raw)
    assert m is not None
    return m[1].strip(), m[2] or "", (m[3] or "").strip()


def _path(reads: Mapping[str, list[str]], start: str, goal: str) -> list[str]:
    """How `start` is made from `goal`, as goal, start, ..., goal; nothing where it is not."""
    came: dict[str, str] = {start: goal}
    queue = [start]
    for n in queue:
        if n == goal:
            path = [goal]
            n = came[goal]
            while n != goal:
                path.append(n)
                n = came[n]
            return [goal, *reversed(path[1:]), goal] if len(path) > 1 else [goal, goal]
        for i in reads.get(n, ()):
            if i not in came or (i == goal and goal not in came):
                came[i] = n
                queue.append(i)
    return []

"""The text of a program as one file of Python: values, functions, a line for each node."""

from __future__ import annotations

import builtins
import json
import keyword
import textwrap
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from ....graph import NUMPY_DTYPES, Array, Constant, Graph, Node, RunError, Source
from ....graph.quoting import quoted
from ....graph.writing import write_whole
from ...planning.phases import late_products, phases, watched
from ...variants import Variants
from ..graphs import Exported, checked_path, exported
from ..identifiers import Names
from ..table import Told, told
from .expressions import MEETING, dtype_text, expression, number_text
from .helpers import NAMES, Helpers

_OWN: Final = frozenset(
    [
        "np",
        "b64decode",
        "array",
        "first",
        "state",
        "init",
        "predict",
        "step",
        "given",
        "check",
        "columns",
        "fill",
        "classes",
    ]
)
_WIDTH: Final = 100
_MARGIN: Final = 40
"""Of a line, what a name before an array may take."""
_VIEWS: Final = frozenset(["dropout", "broadcast_to"])
"""Ops that may give their input as it is, beside those that move its elements."""
_SHOWN: Final = 16
"""Arrays of so many elements are written out; of more, as base64."""


def write_numpy(variants: Variants, path: str | Path, training: bool) -> None:
    """Writes the file; RunError before anything is written."""
    target = checked_path(path, ".py", "Python")
    write_whole(target, numpy_text(exported(variants, training), variants.metadata))


def numpy_text(e: Exported, metadata: Mapping[str, str]) -> str:
    """A program as Python."""
    return _File(e, told(metadata)).text()


def _reserved(text: str) -> bool:
    return (
        keyword.iskeyword(text)
        or keyword.issoftkeyword(text)
        or hasattr(builtins, text)
        or text in _OWN
        or text in NAMES
    )


class _File:
    """One file while it is gathered."""

    def __init__(self, e: Exported, table: Told) -> None:
        self._e, self._table = e, table
        self._helpers, self._names = Helpers(), Names(_reserved)
        self._constants: dict[tuple[str, tuple[int, ...], bytes], tuple[str, str]] = {}

    def text(self) -> str:
        """The whole file."""
        e = self._e
        functions = []
        if e.predict is not None:
            functions.append("\n".join(self._predict(e.predict)))
        if e.step is not None:
            functions.append("\n".join(self._step(e.step)))
        held = dict.fromkeys([g.names[n] for g in e.graphs for n in (*g.parameters, *g.state)])
        values = [f"    {quoted(name)}: {_value(e.values[name])}," for name in held]
        constants = [f"{name} = {text}" for name, text in self._constants.values()]
        parts = [_HEAD.format(name=e.name), "\n".join(constants) if constants else "", _ARRAY]
        parts += ["\n".join(["# The values of all parameters and states, by name.",
                             "first = {", *values, "}"])]  # fmt: skip
        parts += [_STATE, *self._helpers.texts(), _GIVEN, *functions]
        order = [parts[0], *self._names_told(), parts[2], parts[1], *parts[3:]]
        return "\n\n\n".join([p for p in order if p]) + "\n"

    def _names_told(self) -> Iterator[str]:
        """The names of a table's features and classes, where there are some."""
        if self._table.columns:
            said = "# What the numbers of a row are; and what stands for a missing one."
            columns = f"columns = {_texts(self._table.columns)}"
            yield f"{said}\n{columns}\nfill = {list(self._table.fill)}"
        if self._table.classes:
            yield f"classes = {_texts(self._table.classes)}"

    def _predict(self, g: Graph) -> Iterator[str]:
        inputs = self._inputs(g)
        yield f"def predict({', '.join([*inputs.values(), '*', 'state=state'])}):"
        yield f'    """{self._fed(g)}: a dict of {", ".join(g.outputs)}."""'
        body = _Lines(self, g, inputs)
        yield from body.lines(g.order)
        told = ", ".join([f"{quoted(k)}: {body.called[n]}" for k, n in g.outputs.items()])
        yield f"    return {{{told}}}"

    def _step(self, g: Graph) -> Iterator[str]:
        inputs = self._inputs(g)
        yield f"def step({', '.join([*inputs.values(), '*', 'state=state'])}):"
        yield f'    """One training step on {self._fed(g)}: the loss before it; updates the state.'
        yield ""
        yield "    Raises FloatingPointError where numbers are not finite; the state is as it was."
        yield '    """'
        body = _Lines(self, g, inputs)
        yield from body.lines(g.order)
        late = dict.fromkeys([n for group in phases(g)[2] for n in group])
        factors = dict.fromkeys([i for pair in late_products(late).values() for i in pair])
        seen = dict.fromkeys([*watched(g, late, factors), *g.updates.values()])
        floats = dict.fromkeys([body.called[n] for n in seen if n.type.is_float])
        yield from _wrapped(f"    check({', '.join(floats)})")
        yield "    # All at once: every new value was made of old ones."
        for w, n in g.updates.items():
            yield f"    state[{quoted(g.names[w])}] = {_own_array(n, body.called[n])}"
        assert g.loss is not None
        yield f"    return float({body.called[g.loss]})"

    def _inputs(self, g: Graph) -> dict[Node, str]:
        names = Names(_reserved)
        return {n: names.new(g.names[n]) for n in g.inputs}

    def _fed(self, g: Graph) -> str:
        return ", ".join([f"{g.names[n]} {n.type}" for n in g.inputs]) or "nothing"

    def constant(self, name: str, n: Node) -> str:
        """The name of a constant array of the file; equal ones are one."""
        assert isinstance(n.op, Constant)
        value = n.op.array
        key = n.type.dtype, value.shape, value.tobytes()
        if key not in self._constants:
            self._constants[key] = self._names.new(name), _value(value)
        return self._constants[key][0]

    def node(self, g: Graph, n: Node, inputs: list[str], sizes: dict[str, str]) -> str:
        """The expression of a node."""
        text = expression(n, inputs, sizes, self._helpers)
        if text is None:
            where = f" ({n.where.described})" if n.where else ""
            raise RunError(
                f"%{g.names[n]}: the op {n.op.name} has no form in NumPy{where}\n"
                "  fix: give it a method `numpy`, which returns an expression as text"
            )
        return text

    def names(self) -> Names:
        """Those of a function, which hide none of the file's."""
        return self._names.inner()


class _Lines:
    """The lines of one function; `called` tells what each value is called there."""

    def __init__(self, file: _File, g: Graph, inputs: Mapping[Node, str]) -> None:
        self._file, self._g = file, g
        self._names = file.names()
        for name in inputs.values():
            self._names.new(name)
        self.called: dict[Node, str] = dict(inputs)
        self._sizes: dict[str, str] = {}

    def lines(self, order: tuple[Node, ...]) -> Iterator[str]:
        """What is read, and then a line for each node."""
        g = self._g
        for n in g.inputs:
            name = self.called[n]
            due = f"{dtype_text(n.type.dtype)}, {n.type.rank}"
            yield f"    {name} = given({quoted(name)}, {name}, {due})"
        for s in g.symbols:
            n = next(n for n in g.inputs if s in n.type.symbols)
            own = self._names.new("n" if len(g.symbols) == 1 else f"n_{s}")
            self._sizes[s] = own
            yield f"    {own} = {self.called[n]}.shape[{n.type.shape.index(s)}]"
        read = {i for n in order for i in n.inputs} | {*g.outputs.values(), *g.updates.values()}
        for n in (*g.parameters, *g.state):
            if n not in read:
                continue
            self.called[n] = self._names.new(g.names[n])
            yield f"    {self.called[n]} = state[{quoted(g.names[n])}]"
        for n in g.constants:
            assert isinstance(n.op, Constant)
            self.called[n] = (
                self._file.constant(g.names[n], n)
                if n.type.rank
                else number_text(n.op.array, n.type.dtype)
            )
        for n in order:
            inputs = [self._input(n, i) for i in n.inputs]
            text = self._file.node(g, n, inputs, self._sizes)
            name = self._names.new(g.names[n])
            self.called[n] = name
            yield from _wrapped(f"    {name} = {text}  # {n.type}")

    def _input(self, n: Node, i: Node) -> str:
        """A value as a node reads it: a number meets an array, or has a dtype of its own."""
        if isinstance(i.op, Constant) and not i.type.rank:
            others = [o for o in n.inputs if not (isinstance(o.op, Constant) and not o.type.rank)]
            met = n.op.name in MEETING and any(o.type.dtype == i.type.dtype for o in others)
            if not met:
                return f"{dtype_text(i.type.dtype)}({self.called[i]})"
        return self.called[i]


def _texts(names: list[str]) -> str:
    """A list of texts; in ASCII, so that no name ends a line or hides."""
    return f"[{', '.join([json.dumps(name) for name in names])}]"


def _value(value: Array) -> str:
    """An array as an expression."""
    kind = {v: k for k, v in NUMPY_DTYPES.items()}[value.dtype]
    if value.size <= _SHOWN:
        numbers = [number_text(v, kind).strip("()") for v in value.reshape(-1)]
        shaped = "" if value.ndim == 1 else f".reshape({value.shape})"
        listed = f"np.array([{', '.join(numbers)}], {dtype_text(kind)}){shaped}"
        if len(listed) <= _WIDTH - _MARGIN:
            return listed
        lines = textwrap.wrap(", ".join(numbers), _WIDTH - 12, break_on_hyphens=False)
        inner = "\n".join([f"        {line}" for line in lines])
        return f"np.array([\n{inner}\n    ], {dtype_text(kind)}){shaped}"
    little = value.astype(value.dtype.newbyteorder("<"))
    if not little.view(np.uint8).any():
        return f"np.zeros({value.shape}, {dtype_text(kind)})"
    text = b64encode(little.tobytes()).decode()
    width = _WIDTH - 12
    lines = [f'        "{text[k : k + width]}"' for k in range(0, len(text), width)]
    return "\n".join([f"array({value.shape}, {quoted(little.dtype.str)},", *lines, "    )"])


def _wrapped(line: str) -> Iterator[str]:
    """A line, its comment in front where it is long."""
    if len(line) > _WIDTH and "  # " in line:
        line, _, said = line.rpartition("  # ")
        yield f"    # {said}"
    if len(line) <= _WIDTH or not line.endswith(")"):
        yield line
        return
    head, _, arguments = line.partition("(")
    yield f"{head}("
    yield from textwrap.wrap(
        arguments[:-1],
        _WIDTH,
        initial_indent=" " * 8,
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield "    )"


def _own_array(n: Node, text: str) -> str:
    """A new value that no other array is a view of, and that is none of another."""
    moved = isinstance(n.op, Source) or n.op.moves or n.op.name in _VIEWS
    return f"np.array({text})" if moved else text


_HEAD: Final = '''"""{name}, as verigrad compiled it; needs NumPy 2 alone."""

from base64 import b64decode

import numpy as np'''
_ARRAY: Final = '''def array(shape, dtype, text):
    """An array from its bytes in base64."""
    return np.frombuffer(b64decode(text), dtype).reshape(shape).astype(dtype[1:])'''
_STATE: Final = '''# What the functions read and the step updates; set it, copy it, save it.
state = {}


def init(state=state):
    """Sets the state to what it was when this file was written."""
    state.update({name: value.copy() for name, value in first.items()})


init()'''
_GIVEN: Final = '''def given(name, value, dtype, rank):
    """What is given, as an array of the dtype that is due."""
    value = np.asarray(value).astype(dtype, casting="same_kind", copy=False)
    if value.ndim != rank:
        raise ValueError(f"{name} has {value.ndim} dimensions, where {rank} are expected")
    return value


def check(*values):
    """Raises FloatingPointError where a number is infinite or NaN."""
    if not all(np.isfinite(v).all() for v in values):
        raise FloatingPointError("the loss, a gradient or a new value is not finite")'''

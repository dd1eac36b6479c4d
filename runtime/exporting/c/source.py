"""Both files of an exported program: the header that a user reads, and the C behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ....graph import NUMPY_DTYPES, Array, Constant, Node, Parameter, RunError, State
from ....graph.writing import write_whole
from ...planning.typed_arrays import TypedArrays, typed_arrays
from ...variants import Variants
from ..graphs import Exported, checked_path, exported, planned
from ..identifiers import Names
from .functions import Function, Writer
from .helpers import Helpers
from .names import comment, public, reserved
from .numbers import TYPES, listed, literal


class StaticMemory(NamedTuple):
    """The bytes that a program in C takes beside its code: to work in, of state, of constants.

    The arena and the state are written to; constants, such as parameters that are not trained and
    first values of those that are, may lie in read-only memory.
    """

    arena: int
    state: int
    constants: int

    def __str__(self) -> str:
        return (
            f"{self.arena:,} bytes of arena, {self.state:,} of state, {self.constants:,} constant"
        )


class Files(NamedTuple):
    """A header and a source, as text; and what they take of memory."""

    header: str
    source: str
    memory: StaticMemory


def write_c(
    variants: Variants, path: str | Path, training: bool, sizes: Mapping[str, int] | None = None
) -> StaticMemory:
    """Writes the .c file and, beside it, its header; RunError before anything is written."""
    source = checked_path(path, ".c", "C")
    header = checked_path(source.with_suffix(".h"), ".h", "its header")
    files = c_files(
        planned(exported(variants, training), variants, sizes), source.stem, variants.metadata
    )
    write_whole(header, files.header)
    write_whole(source, files.source)
    return files.memory


def c_files(e: Exported, name: str, metadata: Mapping[str, str]) -> Files:
    """The texts of a program in C, in files of that name."""
    return _File(e, name, metadata).files()


class _File:
    """What a pair of files holds, while it is gathered."""

    def __init__(self, e: Exported, name: str, metadata: Mapping[str, str]) -> None:
        self._e, self._name = e, name
        self._prefix = public(name)
        self._upper = self._prefix.upper()
        self._names, self._helpers = Names(reserved), Helpers()
        for own in ("state", "before", "arena", "status", "init", "predict", "step", "classes"):
            self._names.new(f"{self._prefix}_{own}")
        self._fields: dict[str, tuple[str, Node]] = {}  # by name: its field, and a node of it
        self._constants: dict[tuple[str, bytes], tuple[str, str]] = {}  # the name, and the text
        self._classes = _class_names(metadata)
        if e.step is not None:
            own_names = Names(reserved)
            for g in e.graphs:
                for n in (*g.parameters, *g.state):
                    if g.names[n] not in self._fields:
                        self._fields[g.names[n]] = own_names.new(g.names[n]), n
        self._called = {n: g.names[n] for g in e.graphs for n in g.sources}

    def files(self) -> Files:
        """Header and source."""
        writer = Writer(self._prefix, self._e.sizes, self._names, self._helpers, self._held)
        arrays = {id(g): typed_arrays(g, self._sizes_of(g)) for g in self._e.graphs}
        functions = []
        if self._e.predict is not None:
            functions.append(writer.predict(self._e.predict, arrays[id(self._e.predict)]))
        if self._e.step is not None:
            functions.append(writer.step(self._e.step, arrays[id(self._e.step)]))
        arena = _joined(list(arrays.values()))
        header, source = self._header(writer, functions, arena), self._source(functions, arena)
        memory = StaticMemory(
            sum(NUMPY_DTYPES[d].itemsize * count for d, count in arena.items()),
            sum(n.type.nbytes({}) for _, n in self._fields.values()),
            sum(len(numbers) for _, numbers in self._constants),
        )
        return Files(header, source, memory)

    def _sizes_of(self, g: object) -> dict[str, int]:
        return {s: self._e.sizes[s] for s in g.symbols}  # type: ignore[attr-defined]

    # ---- values ------------------------------------------------------------------------------

    def _held(self, n: Node) -> str:
        """What holds a parameter, a state or a constant."""
        name = self._called[n]
        if isinstance(n.op, (Parameter, State)):
            if self._e.step is not None:
                return f"{self._prefix}_state.{self._fields[name][0]}"
            value = self._e.values[name]
        else:
            assert isinstance(n.op, Constant)
            value = n.op.array
        return literal(value, n.type.dtype) if not n.type.rank else self._constant(name, n, value)

    def _constant(self, name: str, n: Node, value: Array) -> str:
        """The name of an array that is part of the program; equal ones are one."""
        key = n.type.dtype, value.tobytes()
        if key not in self._constants:
            own = self._names.new(name)
            said = comment(f"%{name}: {n.type}")
            kind, count = TYPES[n.type.dtype], max(1, value.size)
            numbers = listed(value if value.size else np.zeros(1), n.type.dtype)
            text = f"{said}\nstatic const {kind} {own}[{count}] = {numbers};"
            self._constants[key] = own, text
        return self._constants[key][0]

    # ---- text --------------------------------------------------------------------------------

    def _header(self, writer: Writer, functions: list[Function], arena: Mapping[str, int]) -> str:
        up = self._upper
        parts = [
            comment(f"{self._e.name}, as verigrad compiled it: C99, of math.h alone."),
            f"#ifndef {up}_H\n#define {up}_H\n\n#include <stddef.h>\n#include <stdint.h>",
            '#ifdef __cplusplus\nextern "C" {\n#endif',
        ]
        if self._e.sizes:
            largest = [f"#define {writer.most(s)} {size}" for s, size in self._e.sizes.items()]
            parts.append("\n".join([comment("The most rows of a call."), *largest]))
        parts += [self._statuses(), *self._state_declared(), *self._arena_declared(arena)]
        if self._classes:
            parts.append(
                f"/* The names of the classes, in the order of their scores. */\n"
                f"extern const char *const {self._prefix}_classes[{len(self._classes)}];"
            )
        parts += [
            f"{comment(_DOCUMENTED[k])}\n{f.declared}" for k, f in self._documented(functions)
        ]
        parts += ["#ifdef __cplusplus\n}\n#endif", f"#endif /* {up}_H */"]
        return "\n\n".join(parts) + "\n"

    def _documented(self, functions: list[Function]) -> list[tuple[str, Function]]:
        kinds = [k for k, g in (("predict", self._e.predict), ("step", self._e.step)) if g]
        named = list(zip(kinds, functions, strict=True))
        if self._e.step is not None:
            named.insert(0, ("init", Function(f"void {self._prefix}_init(void)", ())))
        return named

    def _statuses(self) -> str:
        told = ["OK = 0", "SIZE = 1", "LABEL = 2"]
        told += ["NOT_FINITE = 3", "OVERFLOW = 4"] if self._e.step is not None else []
        said = comment("\n".join([_RETURNED, *_STATUSES[: len(told) - 1]]).format(up=self._upper))
        members = ",\n".join([f"    {self._upper}_{t}" for t in told])
        return f"{said}\nenum {self._prefix}_status {{\n{members}\n}};"

    def _state_declared(self) -> list[str]:
        if self._e.step is None:
            return []
        lines = []
        for name, (field, n) in self._fields.items():
            size = f"[{max(1, int(np.prod(n.type.bind({}))))}]" if n.type.rank else ""
            said = comment(f"%{name}: {n.type}")
            lines.append(f"    {TYPES[n.type.dtype]} {field}{size}; {said}")
        name = f"{self._prefix}_state"
        return [
            "\n".join(
                [
                    comment(_STATE),
                    f"struct {name} {{",
                    *lines,
                    "};",
                    f"extern struct {name} {name};",
                ]
            )
        ]

    def _arena_declared(self, arena: Mapping[str, int]) -> list[str]:
        if not arena:
            return []
        name = f"{self._prefix}_arena"
        lines = [f"    {TYPES[d]} {d}[{max(1, count)}];" for d, count in arena.items()]
        said = comment(_ARENA.format(up=self._upper))
        return ["\n".join([said, f"struct {name} {{", *lines, "};"])]

    def _source(self, functions: list[Function], arena: Mapping[str, int]) -> str:
        up, low = self._upper, self._prefix
        parts = [
            comment(
                f"{self._e.name}, as verigrad compiled it; {self._name}.h says how to call it."
            ),
            f'#include "{self._name}.h"\n\n#include <math.h>\n#include <string.h>',
        ]
        if arena:
            parts.append(
                f"#ifdef {up}_ARENA\nextern struct {low}_arena {up}_ARENA;\n#else\n"
                f"static struct {low}_arena {low}_arena;\n#define {up}_ARENA {low}_arena\n#endif"
            )
        init = []
        if self._e.step is not None:
            init = [self._init()]
            parts.append(
                f"struct {low}_state {low}_state;\n\n#ifdef {up}_ROLLBACK\n"
                f"static struct {low}_state {low}_before;\n#endif"
            )
        if self._classes:
            names = ", ".join([_string(c) for c in self._classes])
            parts.append(f"const char *const {low}_classes[{len(self._classes)}] = {{{names}}};")
        parts += [text for _, text in self._constants.values()]
        parts += [*self._helpers.texts(), *init, *[f.text for f in functions]]
        return "\n\n".join(parts) + "\n"

    def _init(self) -> str:
        state = f"{self._prefix}_state"
        lines = [f"    memset(&{state}, 0, sizeof {state});"]
        for name, (field, n) in self._fields.items():
            value = self._e.values[name]
            place = f"{state}.{field}"
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
        return "\n".join([f"void {self._prefix}_init(void) {{", *lines, "}"])


_RETURNED = "What a call returns: 0, or why it did nothing."
_STATUSES = [
    "SIZE: more rows than the most, or so few that a mean or a variance of them is none.",
    "LABEL: a label is none of the classes.",
    "NOT_FINITE: the loss or a gradient is infinite or NaN; the state is as it was.",
    "OVERFLOW: what an update wrote is not finite; where {up}_ROLLBACK is defined for the .c\n"
    "file, which then keeps a second state, the state is as it was.",
]
_STATE = (
    "All that is trained and kept between steps: read and set it as you like, copy it to save it.\n"
    "It holds no values before init, or before you have set all of them."
)
_ARENA = (
    "The memory that calls work in; what it holds means nothing between two calls. The .c file\n"
    "has one of its own, or takes yours: define {up}_ARENA as the name of a global of this type."
)
_DOCUMENTED = {
    "init": "Sets the state to what it was when this file was written.",
    "predict": "Computes the outputs, row by row, into arrays of the caller.",
    "step": "Makes a training step, and gives the loss, as it was before, where it is not NULL.",
}


def _joined(arrays: list[TypedArrays]) -> dict[str, int]:
    """One arena that serves each of several functions."""
    dtypes = dict.fromkeys([d for a in arrays for d in a.counts])
    return {d: max(a.counts.get(d, 0) for a in arrays) for d in dtypes}


def _class_names(metadata: Mapping[str, str]) -> list[str]:
    """The names of classes that a program tells, where it does."""
    try:
        names = json.loads(metadata.get("classes", "[]"))
    except ValueError:
        raise RunError("the program's metadata 'classes' is no JSON") from None
    return [str(name) for name in names] if isinstance(names, list) else []


def _string(text: str) -> str:
    """A text as C has it, in UTF-8, each byte beyond plain letters by its number."""
    data = text.encode("utf-8", "surrogatepass")
    plain = [
        chr(c) if (chr(c).isalnum() and c < 128) or chr(c) in " .,_-" else f"\\{c:03o}"
        for c in data
    ]
    return '"' + "".join(plain) + '"'

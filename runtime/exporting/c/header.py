"""The header of an exported program: what may be called, and what each call means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from ....graph.quoting import on_one_line
from ..table import Told
from .functions import Function
from .names import comment
from .numbers import TYPES

_STATUSES: Final = {
    "OK": "",
    "SIZE": "more rows than the most, or so few that a mean or a variance of them is none.",
    "LABEL": "a label is none of the classes.",
    "NOT_FINITE": "the loss or a gradient is infinite or NaN; the state is as it was.",
    "OVERFLOW": (
        "what an update wrote is not finite; where {up}_ROLLBACK is defined for the .c\n"
        "file, which then keeps a second state, the state is as it was."
    ),
}
_IN_STEPS: Final = ("NOT_FINITE", "OVERFLOW")
_STATE: Final = (
    "All that is trained and kept between steps, {nbytes:,} bytes: read and set it as you like,\n"
    "copy it to save it. It holds no values before init, or before you have set all of them."
)
_COLUMNS: Final = "What the numbers of a row are, in order; none may be NaN."
_ARENA: Final = (
    "The {nbytes:,} bytes that a call works in, one call at a time; between two calls they mean\n"
    "nothing. The .c file has an arena of its own, or takes yours: define {up}_ARENA for it as\n"
    "the name of a global of this type."
)
_CHECKED: Final = (
    "Whether this device computes what was computed where this file was written: 0, or 1 where\n"
    "the predictions of some rows are others, 2 where the loss of a step is, and 3 where the\n"
    "predictions behind that step are."
)
_DOCUMENTED: Final = {
    "init": "Sets the state to what it was when this file was written.",
    "predict": "Computes the outputs, row by row, into arrays of the caller.",
    "step": "Makes a training step, and gives the loss before it, where that pointer is not NULL.",
}


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


class Header(NamedTuple):
    """What a header declares; `prefix` is what all its names begin with.

    `most` are the macros of the largest sizes, `arena` the elements of each dtype, `state` the
    fields of the state (none without a step), and `checked` whether there is a check of the device.
    """

    title: str
    prefix: str
    most: Mapping[str, int]
    arena: Mapping[str, int]
    state: Iterable[str]
    table: Told
    functions: Mapping[str, Function]
    memory: StaticMemory
    checked: bool

    @property
    def text(self) -> str:
        """The whole header."""
        return "\n\n".join(self._parts()) + "\n"

    def _parts(self) -> Iterator[str]:
        up, low = self.prefix.upper(), self.prefix
        yield comment(f"{self.title}, as verigrad compiled it: C99, of math.h alone.")
        yield f"#ifndef {up}_H\n#define {up}_H\n\n#include <stddef.h>\n#include <stdint.h>"
        yield '#ifdef __cplusplus\nextern "C" {\n#endif'
        if self.most:
            largest = [f"#define {macro} {size}" for macro, size in self.most.items()]
            yield "\n".join([comment("The most rows of a call."), *largest])
        yield self._status(up)
        if "step" in self.functions:
            fields = [f"struct {low}_state {{", *self.state, "};"]
            named = f"extern struct {low}_state {low}_state;"
            said = comment(_STATE.format(nbytes=self.memory.state))
            yield "\n".join([said, *fields, named])
        if self.arena:
            arrays = [f"    {TYPES[d]} {d}[{max(1, count)}];" for d, count in self.arena.items()]
            said = comment(_ARENA.format(up=up, nbytes=self.memory.arena))
            yield "\n".join([said, f"struct {low}_arena {{", *arrays, "};"])
        if self.table.columns:
            yield comment("\n".join([_COLUMNS, *self._columns()]))
        if self.table.classes:
            said = comment("The names of the classes, in the order of their scores.")
            yield f"{said}\nextern const char *const {low}_classes[{len(self.table.classes)}];"
        for kind, function in self.functions.items():
            yield f"{comment(_DOCUMENTED[kind])}\n{function.head};"
        if self.checked:
            said = comment(_CHECKED)
            yield f"#ifdef {up}_CHECK\n{said}\nint {low}_check(void);\n#endif"
        yield f"#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {up}_H */"

    def _columns(self) -> Iterator[str]:
        """A line for each number of a row."""
        fill = self.table.fill
        for k, name in enumerate(self.table.columns):
            missing = f" (where it is missing, {fill[k]:g})" if k < len(fill) else ""
            yield f"  {k}: {on_one_line(name)}{missing}"

    def _status(self, up: str) -> str:
        told = [s for s in _STATUSES if "step" in self.functions or s not in _IN_STEPS]
        said = [f"{s}: {_STATUSES[s].format(up=up)}" for s in told if _STATUSES[s]]
        members = ",\n".join([f"    {up}_{s} = {k}" for k, s in enumerate(told)])
        documented = comment("\n".join(["What a call returns: 0, or why it did nothing.", *said]))
        return f"{documented}\nenum {self.prefix}_status {{\n{members}\n}};"

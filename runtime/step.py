"""Writing a step: a plan as Python text, a straight line of NumPy calls on its buffers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np

from ..graph import Array, Graph, Node, Nodes, Source, kernel_groups
from .filled import Filled
from .headroom import SQUARES
from .names import Key, Names, key
from .parts import Memory, Part, joined, parts
from .recording import Call, record
from .tiling import tiling

Kernel = int | str
"""A part of a step: the number of a group, or CHECK, or COPIES."""
Stamp = tuple[Kernel, float]
"""What has just ended, and when."""
Stamps = list[Stamp | Callable[[], list[Stamp]]]
"""The stamps that a step has made; some are told when they are asked for."""


class Calls(NamedTuple):
    """What the lines of a kernel make: calls, tile by tile, the rows that reductions walk, and the
    elements that are converted to another type."""

    number: int = 0
    rows: int = 0
    cast: int = 0


CHECK: Final = "check"
COPIES: Final = "copies"


class Writer:
    """The lines of a step, and the objects that they name.

    A kernel that is a straight line of NumPy calls is written as those calls; another is called
    by its name, as `k0`. An elementwise group runs tile by tile, in a loop where there are many.
    `calls` counts those of each kernel. With `stamps`, each ends with a line that notes the time
    there.
    """

    def __init__(self, g: Graph, memory: Memory, stamps: Stamps | None = None) -> None:
        assert g.schedule is not None
        self.g = g
        self.schedule = g.schedule
        self.memory = memory
        self.lines: list[str] = []
        self.calls: dict[Kernel, Calls] = {}
        self._stamps = stamps
        self._nodes: dict[int, Node] = {}
        self._functions: list[str] = []
        self.names = Names([memory.arrays[n] for n in memory.feeds])
        self._filled = Filled()

    # ---- the parts of the text ---------------------------------------------------------------

    def function(
        self, name: str, groups: Sequence[Nodes], copies: Sequence[str] = (), after: str = ""
    ) -> None:
        """`def name(feed0, ...)`, which runs the groups and then the lines of `copies`.

        `after` is what has ended when it begins.
        """
        self._functions.append(name)
        self.lines += ["", f"    def {name}({self._given()}):"]
        before = len(self.lines)
        self._stamp(after)
        for group in groups:
            self.group(group)
            self._stamp(self.schedule.groups[group[0]])
        self.end()
        if copies:
            self.lines += [f"        {line}" for line in copies]
            self._count(COPIES, len(copies))
            self._stamp(COPIES)
        if len(self.lines) == before:
            self.lines.append("        pass")

    def end(self) -> None:
        """Called at the end of a function."""

    def line(self, n: Node, text: str) -> None:
        """A line that belongs to a node."""
        self.lines.append(f"        {text}")
        self._nodes[len(self.lines)] = n

    def finite(self, arrays: Sequence[Array], fed: Sequence[Array]) -> None:
        """`def finite(feed0, ...)`: whether the sum of all squares, of what lies in the arena and
        of what is fed, is below SQUARES: then all is finite, and the headroom holds."""
        terms = []
        for flat in joined(arrays):
            name = self.names.value(flat)
            terms.append(f"dot({name}, {name})" if flat.ndim else f"abs({name}.item())")
        for feed in fed:
            name = self.names.value(feed)
            terms.append(f"vdot({name}, {name})")
        for function in (np.dot, np.vdot):
            if any(t.startswith(function.__name__) for t in terms):
                self.names.function(function)
        self._count(CHECK, len(terms))
        self._functions.append("finite")
        self.lines += ["", f"    def finite({self._given()}):"]
        self.lines.append(f"        return bool({' + '.join(terms) or '0.0'} < {SQUARES!r})")

    def _given(self) -> str:
        return ", ".join([f"feed{i}" for i in range(len(self.memory.feeds))])

    def group(self, group: Nodes) -> None:
        """The lines of one kernel call."""
        tiles = tiling(self.g, group, self.memory.sizes)
        if tiles is None:
            for n in group:
                inputs = [self.memory.arrays[i] for i in n.inputs]
                scratch = self.memory.scratch.get(n, ())
                self._kernel(n, inputs, self.memory.arrays[n], scratch, self.names.value, "")
        else:
            for part in parts(self.g, group, tiles, self.memory):
                self._tiled(part)

    def text(self) -> str:
        """The whole text: `make(objects)` gives the functions."""
        made = ", ".join([f"{name!r}: {name}" for name in self._functions])
        return "\n".join([*self._head(), *self.lines, "", f"    return {{{made}}}", ""])

    def made(self, file: str) -> dict[str, Callable[..., Any]]:
        """The functions that the text defines; errors in them name the file."""
        space: dict[str, Any] = {}
        exec(compile(self.text(), file, "exec"), space)
        functions: dict[str, Callable[..., Any]] = space["make"](self.names.objects)
        return functions

    def nodes(self) -> dict[int, Node]:
        """The node whose kernel each line of the text calls, by the line's number."""
        before = len(self._head())
        return {before + line: n for line, n in self._nodes.items()}

    def _head(self) -> list[str]:
        used = set(re.findall(r"\w+", "\n".join(self.lines)))
        named = [f"    {name} = objects[{name!r}]" for name in self.names.objects if name in used]
        return ["def make(objects):", *named]

    def _count(self, kernel: Kernel, number: int, rows: int = 0, cast: int = 0) -> None:
        before = self.calls.get(kernel, Calls())
        self.calls[kernel] = Calls(before.number + number, before.rows + rows, before.cast + cast)

    def _stamp(self, ended: Kernel) -> None:
        if self._stamps is not None:
            self.names.objects.update(stamp=self._stamps.append, now=perf_counter)
            self.lines.append(f"        stamp(({ended!r}, now()))")

    # ---- lines -------------------------------------------------------------------------------

    def _kernel(
        self,
        n: Node,
        inputs: Sequence[Array],
        out: Array,
        scratch: Sequence[Array],
        name: Callable[[Any], str | None],
        indent: str,
        times: int = 1,
    ) -> None:
        """The calls of a node's kernel on these arrays, which a loop makes so many times."""
        op = n.op.bind(self.memory.sizes)
        calls = record(op, inputs, out, scratch)
        lines = [self._call(c, name) for c in calls or ()]
        if calls is None or None in lines:
            whole = {"out": out, "scratch": tuple(scratch)} if scratch else {"out": out}
            lines = [self._call(Call(op.run, tuple(inputs), whole), name)]
        ours = type(n.op).__module__.split(".")[0] == __name__.split(".")[0]
        note = f"  # {n.op.name}" if ours else ""
        rows, cast = sum(c.rows for c in calls or ()), sum(c.cast for c in calls or ())
        self._count(self.schedule.groups[n], times * len(lines), times * rows, times * cast)
        for line in lines:
            self.line(n, f"{indent}{line}{note}")
            note = ""

    def _call(self, call: Call, name: Callable[[Any], str | None]) -> str | None:
        def argument(value: Any) -> str | None:
            if isinstance(value, tuple) and any(isinstance(v, np.ndarray) for v in value):
                parts = [name(v) for v in value]
                return None if None in parts else f"({''.join(f'{p}, ' for p in parts)})"
            return name(value)

        arguments = [argument(a) for a in self._arguments(call)]
        keywords = {k: argument(v) for k, v in call.keywords.items()}
        owner = getattr(call.function, "__self__", None)
        numpys = isinstance(owner, np.ufunc) or call.function.__module__ == "numpy"
        if isinstance(owner, np.ndarray):
            held = name(owner)
            function = f"{held}.{call.function.__name__}" if held else None
        elif isinstance(call.function, np.ufunc) or numpys:
            function = self.names.function(call.function)
        else:
            function = self.names.bound("k", id(owner or call.function), call.function)
        if None in (function, *arguments, *keywords.values()):
            return None
        given = [*[a for a in arguments if a], *[f"{k}={v}" for k, v in keywords.items()]]
        return f"{function}({', '.join(given)})"

    def _arguments(self, call: Call) -> Sequence[Any]:
        """What the call is given, in the form that is fastest."""
        return self._filled.arguments(call)

    def _tiled(self, part: Part) -> None:
        if part.rows <= part.step:
            for n, inputs, out, scratch in part.kernels(0, part.rows):
                self._kernel(n, inputs, out, scratch, self.names.value, "")
            return
        loop = _Loop(part, self.names.value)
        header = len(self.lines)
        self.lines.append("")
        for n, inputs, out, scratch in part.kernels(0, part.step):
            self._kernel(n, inputs, out, scratch, loop.name, "    ", part.rows // part.step)
        tiles = self.names.bound("tiles", loop, loop.tiles())
        variables = "".join([f"{v}, " for v in loop.variables])
        self.lines[header] = f"        for {variables} in {tiles}:".replace(",  in", ", in")
        rest = part.rows % part.step
        if rest:
            for n, inputs, out, scratch in part.kernels(part.rows - rest, part.rows):
                self._kernel(n, inputs, out, scratch, self.names.value, "")


class _Loop:
    """The names of a tile's arrays, and these arrays for every whole tile."""

    def __init__(self, part: Part, otherwise: Callable[[Any], str | None]) -> None:
        self.part = part
        self.variables: dict[str, tuple[Array, np.dtype[Any]]] = {}
        self._whole = {a[: part.step].ctypes.data: a for a in part.cut.values()}
        self._shapes = {a.ctypes.data: a[: part.step].shape for a in part.cut.values()}
        self._names: dict[Key, str] = {}
        self._otherwise = otherwise

    def name(self, value: Any) -> str | None:
        if not isinstance(value, np.ndarray):
            return self._otherwise(value)
        at = value.ctypes.data
        if at not in self._whole:
            # A part of a tile lies elsewhere in the next: only the kernel can take it.
            cut = any(np.may_share_memory(value, a) for a in self._whole.values())
            return None if cut else self._otherwise(value)
        base, same = self._whole[at], key(value)
        if value.shape != self._shapes[at] or value.itemsize != base.itemsize:
            return None
        if same not in self._names:
            self._names[same] = f"t{len(self._names)}"
            self.variables[self._names[same]] = base, value.dtype
        return self._names[same]

    def tiles(self) -> list[tuple[Array, ...]]:
        step = self.part.step
        whole = range(0, self.part.rows - step + 1, step)
        return [
            tuple([base[at : at + step].view(t) for base, t in self.variables.values()])
            for at in whole
        ]


def phases(g: Graph) -> tuple[list[Nodes], list[Nodes], list[Nodes]]:
    """The groups that run once, those up to the first write of state, and the rest."""
    assert g.schedule is not None
    s = g.schedule
    groups = kernel_groups(s)
    once = [group for group in groups if group[0] in s.once]
    rest = groups[len(once) :]
    for k, group in enumerate(rest):
        if any(n in s.takeovers and isinstance(s.takeovers[n].op, Source) for n in group):
            return once, rest[:k], rest[k:]
    return once, rest, []

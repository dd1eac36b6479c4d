"""Writing a step: a plan as Python text, a straight line of NumPy calls on its buffers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from ....graph import Array, Node, Nodes, is_ours
from ...planning.tiling import tiling
from ..backend import CHECK, SQUARES, StepWriter, WritingTask
from ..freivalds import multiplication
from ..step_text import Kernel
from ..tiles import TiledLane, TileLoop, joined, parts
from ..tracing import Call, record
from .splats import Filled

Spelling = Callable[[Call], Call]
"""The call that is written for one that a kernel makes: the same numbers in less time."""
Name = Callable[[Any], str | None]
"""What the text says for a value; None where it cannot say it."""


class NumpyWriter(StepWriter):
    """A step as a straight line of NumPy calls.

    A kernel that is a straight line of NumPy calls is written as those calls; another is called
    by its name, as `k0`. An elementwise group runs tile by tile, in a loop where there are many.
    """

    def __init__(self, task: WritingTask, spelling: Spelling | None = None) -> None:
        super().__init__(task)
        self._spelling = spelling or Filled().spelled

    def finite(self, arrays: Sequence[Array], fed: Sequence[Array]) -> None:
        names, terms = self.step.names, []
        for flat in joined(arrays):
            name = names.value(flat)
            terms.append(f"dot({name}, {name})" if flat.ndim else f"abs({name}.item())")
        for feed in fed:
            name = names.value(feed)
            terms.append(f"vdot({name}, {name})")
        for function in (np.dot, np.vdot):
            if any(t.startswith(function.__name__) for t in terms):
                names.function(function)
        self.step.count(CHECK, len(terms))
        self.step.begin("finite")
        self.step.add(f"return bool({' + '.join(terms) or '0.0'} < {SQUARES!r})")

    def stamp(self, ended: Kernel) -> None:
        if self.stamps is not None:
            self.step.names.objects.update(stamp=self.stamps.append, now=perf_counter)
            self.step.add(f"stamp(({ended!r}, now()))")

    def group(self, group: Nodes) -> None:
        tiles = tiling(self.g, group, self.memory.sizes)
        if tiles is None:
            for n in group:
                inputs = [self.memory.arrays[i] for i in n.inputs]
                scratch = self.memory.scratch.get(n, ())
                self.kernel(n, inputs, self.memory.arrays[n], scratch)
        else:
            for part in parts(self.g, group, tiles, self.memory):
                self.tiled(part)

    def kernel(
        self,
        n: Node,
        inputs: Sequence[Array],
        out: Array,
        scratch: Sequence[Array],
        name: Name | None = None,
        times: int = 0,
    ) -> None:
        """The calls of a node's kernel on these arrays; with `name`, within a loop that is made
        so many times."""
        op = n.op.bind(self.memory.sizes)
        calls = record(op, inputs, out, scratch)
        lines = [self.call(c, name) for c in calls or ()]
        made = calls or []
        if calls is None or None in lines:
            whole = {"out": out, "scratch": tuple(scratch)} if scratch else {"out": out}
            made = [Call(op.run, tuple(inputs), whole)]
            lines = [self.call(made[0], name)]
        note = f"  # {n.op.name}" if is_ours(type(n.op)) else ""
        rows, cast = sum(c.rows for c in calls or ()), sum(c.cast for c in calls or ())
        count = times or 1
        self.step.count(self.schedule.groups[n], count * len(lines), count * rows, count * cast)
        indent = "    " if times else ""
        for call, line in zip(made, lines, strict=True):
            product = multiplication(call) if self.verify else None
            before, behind = self.product_checks(product) if product is not None else ([], [])
            for check in before:
                self.step.add(check, n)
            self.step.add(f"{indent}{line}{note}", n)
            for check in behind:
                self.step.add(check, n)
            note = ""

    def call(self, call: Call, name: Name | None = None) -> str | None:
        """A call as text, its values named by `name`, or as the step names them; None where one of
        them cannot be named."""
        names = self.step.names
        name = name or names.value
        call = self._spelling(call)

        def argument(value: Any) -> str | None:
            if isinstance(value, tuple) and any(isinstance(v, np.ndarray) for v in value):
                parts = [name(v) for v in value]
                return None if None in parts else f"({''.join(f'{p}, ' for p in parts)})"
            return name(value)

        arguments = [argument(a) for a in call.arguments]
        keywords = {k: argument(v) for k, v in call.keywords.items()}
        owner = getattr(call.function, "__self__", None)
        numpys = isinstance(owner, np.ufunc) or call.function.__module__ == "numpy"
        if isinstance(owner, np.ndarray):
            array = name(owner)
            function = f"{array}.{call.function.__name__}" if array else None
        elif isinstance(call.function, np.ufunc) or numpys:
            function = names.function(call.function)
        else:
            function = names.bound("k", id(owner or call.function), call.function)
        if None in (function, *arguments, *keywords.values()):
            return None
        texts = [*[a for a in arguments if a], *[f"{k}={v}" for k, v in keywords.items()]]
        return f"{function}({', '.join(texts)})"

    def tiled(self, part: TiledLane) -> None:
        """A part of an elementwise group, tile by tile."""
        if part.rows <= part.step:
            for n, inputs, out, scratch in part.kernels(0, part.rows):
                self.kernel(n, inputs, out, scratch)
            return
        step = self.step
        loop = TileLoop(part, step.names.value)
        header = len(step.lines)
        step.lines.append("")
        for n, inputs, out, scratch in part.kernels(0, part.step):
            self.kernel(n, inputs, out, scratch, loop.name, part.rows // part.step)
        tiles = step.names.bound("tiles", loop, loop.tiles())
        variables = "".join([f"{v}, " for v in loop.variables])
        step.lines[header] = f"        for {variables} in {tiles}:".replace(",  in", ", in")
        rest = part.rows % part.step
        if rest:
            for n, inputs, out, scratch in part.kernels(part.rows - rest, part.rows):
                self.kernel(n, inputs, out, scratch)

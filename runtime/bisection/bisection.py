"""`program.bisect()`: the pass, the rewrite or the kernel at fault, and a test that shows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...graph import Array, Graph, VerigradError
from ...graph.notebook import Table, as_html, page
from ...graph.writing import write_whole
from ...passes import Pipeline
from ..certificate.same import Disagreement, values_of
from ..execution.twin import Twin
from .kernels import GuiltyKernel, guilty_kernel
from .passes import GuiltyPass, guilty_pass
from .reproduction import gradient_test, pass_test, step_test
from .shrinking import shrunk

Compiled = Callable[[Graph, Mapping[str, Array]], Twin]
"""Compiles a declared graph as the program is, and gives a step of it on a batch."""


class Bisection(NamedTuple):
    """Who is guilty where a program does not compute what was declared."""

    graph_name: str
    guilty: str
    """The pass, the plan or the kernel; nothing where none was found."""
    rewrite: str = ""
    """Of a pass, what it does to which node, and why."""
    found: Disagreement | None = None
    small: Graph | None = None
    """The smallest graph that was found to show it."""
    test: str = ""
    """A pytest file that fails as long as the fault is there."""
    seconds: float = 0.0

    def write(self, path: str | Path) -> None:
        """Writes the test to a file; RunError where it cannot be written."""
        write_whole(path, self.test)

    def as_dict(self) -> dict[str, Any]:
        """All that the text tells, in types that JSON has, and the test."""
        found = self.found._asdict() if self.found is not None else None
        small = None if self.small is None else str(self.small)
        return {**self._asdict(), "found": found, "small": small}

    def __bool__(self) -> bool:
        return bool(self.guilty)

    def __str__(self) -> str:
        head = f"bisection of {self.graph_name}, in {self.seconds:.1f} s:"
        if self.found is None or self.small is None:
            return (
                f"{head} nobody is guilty; each pass keeps what it is given, and so does the plan"
            )
        rewrite = [f"  rewrite  {self.rewrite}"] if self.rewrite else []
        graph = [f"  {line}" for line in str(self.small).splitlines()]
        lines = [
            f"{head} {self.guilty} is guilty",
            *rewrite,
            f"  {self.found.layer:<9}{self.found.words}",
            f"  the smallest graph that shows it, of {len(self.small.order)} nodes:",
            *graph,
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    @as_html
    def _repr_mimebundle_(self) -> str:
        title = f"bisection of {self.graph_name}, in {self.seconds:.1f} s"
        found = [
            ("guilty", self.guilty or "nobody"),
            ("rewrite", self.rewrite),
            ("found", self.found.words if self.found is not None else ""),
            ("the smallest graph that shows it", str(self.small or "")),
        ]
        return page(title, Table(("", ""), [row for row in found if row[1]]))


def bisect_program(
    declared: Graph,
    pipelines: Sequence[tuple[Pipeline, Graph]],
    options: Mapping[str, Any],
    compiled: Compiled,
    feeds: Mapping[str, Array],
) -> Bisection:
    """Who is guilty: the first pass that does not keep what it is given, of one of the pipelines,
    each with its graph; or a kernel call of the plan. `options` are those of `compile` that are not
    the usual ones."""
    start = time.perf_counter()
    guilty = (guilty_pass(g, pipeline, feeds) for pipeline, g in pipelines)
    found = next(filter(None, guilty), None)
    result = _of_pass(declared.name, found) if found is not None else None
    if result is None:
        values = values_of(declared, feeds)
        kernel = guilty_kernel(compiled(declared, values))
        result = Bisection(declared.name, "")
        if kernel is not None:
            result = _of_kernel(declared, kernel, options, compiled, feeds)
    return result._replace(seconds=time.perf_counter() - start)


def _of_pass(name: str, g: GuiltyPass) -> Bisection:
    if g.found.layer == "derivatives":
        words = f"{g.found.tensor} are wrong, by {g.found.words}"
        test = gradient_test(g.before, g.values, words)
        return Bisection(name, g.found.words, "", g.found, g.before, test)
    test = pass_test(g.guilty, g.before, g.values, f"{g.found.tensor} differs")
    return Bisection(name, f"the pass {g.guilty.name}", g.rewrite, g.found, g.before, test)


def _of_kernel(
    declared: Graph,
    kernel: GuiltyKernel,
    options: Mapping[str, Any],
    compiled: Compiled,
    feeds: Mapping[str, Array],
) -> Bisection:
    def same(g: Graph) -> GuiltyKernel | None:
        try:
            now = guilty_kernel(compiled(g, values_of(g, feeds)))
        except VerigradError:
            return None
        return now if now is not None and now.found[:2] == kernel.found[:2] else None

    small = shrunk(declared, lambda g: same(g) is not None)
    last = same(small) or kernel
    backend = options.get("backend", "numpy")
    guilty = kernel.found.tensor
    if kernel.node:
        guilty = f"the kernel of {kernel.node}, on {backend}"
    elif kernel.found.layer == "floats":
        guilty = f"the step of the {backend} backend"
    test = step_test(small, values_of(small, feeds), options, f"{last.found.tensor} is off")
    return Bisection(declared.name, guilty, last.words, last.found, small, test)

"""What a backend gives: the writer of a step, and what a step tells while it is profiled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ...graph import Array, Graph, Nodes
from ..planning.buffers import Buffers
from .freivalds import Freivalds, Multiplication
from .step_text import Kernel, StepText
from .tracing import Call

Probe = Callable[[], object]
"""Calls of NumPy in a function that makes them, to be timed."""
Prepare = Callable[[Sequence[Call]], Probe]
"""Makes calls of NumPy what the steps of a backend make of them."""
Stamp = tuple[Kernel, float]
"""What has just ended, and when."""
Stamps = list[Stamp | Callable[[], list[Stamp]]]
"""The stamps that a step has made; some are told when they are asked for."""
SQUARES: Final = 1e24
"""The sum of squares, of all that a step looks at, up to which its headroom holds."""
CHECK: Final = "check"
COPIES: Final = "copies"


class WritingTask(NamedTuple):
    """What a step is written of: a planned graph, where its values lie, and the text.

    With `stamps`, each kernel call ends with a line that notes the time there. `threads` is the
    most that a step may take. `first` is what runs before each kernel call, in their order, where
    something does. With `verify`, each product of matrices is checked behind it.
    """

    g: Graph
    memory: Buffers
    step: StepText
    stamps: Stamps | None
    threads: int | None
    first: Sequence[Callable[[], None]] = ()
    verify: bool = False


class StepWriter(ABC):
    """Writes a planned graph as the text of a step, kernel call by kernel call."""

    def __init__(self, task: WritingTask) -> None:
        assert task.g.schedule is not None
        self.g = task.g
        self.schedule = task.g.schedule
        self.memory = task.memory
        self.step = task.step
        self.stamps = task.stamps
        self._first = task.first
        self.verify = task.verify

    def function(
        self, name: str, groups: Sequence[Nodes], copies: Sequence[str] = (), after: str = ""
    ) -> None:
        """`def name(feed0, ...)`, which runs the groups and then the lines of `copies`.

        `after` is what has ended when it begins.
        """
        self.step.begin(name)
        before = len(self.step.lines)
        self.stamp(after)
        self.groups(groups)
        if copies:
            for line in copies:
                self.step.add(line)
            self.step.count(COPIES, len(copies))
            self.stamp(COPIES)
        if len(self.step.lines) == before:
            self.step.add("pass")

    def groups(self, groups: Sequence[Nodes]) -> None:
        """The lines of kernel calls, one after another."""
        for group in groups:
            number = self.schedule.groups[group[0]]
            if self._first:
                self.call_first(self._first[number])
            self.group(group)
            self.stamp(number)

    def call_first(self, call: Callable[[], None]) -> None:
        """A line that calls a function before a kernel call."""
        self.step.add(f"{self.step.names.bound('first', id(call), call)}()")

    def product_checks(self, p: Multiplication) -> tuple[list[str], list[str]]:
        """The lines before and behind a product that check it."""
        names, values = self.step.names, [self.step.names.value(x) for x in p[:3]]
        check = Freivalds(p)
        before: list[str] = []
        if p.before is not None:
            begin = names.bound("begin", (id(check), "begin"), check.begin)
            before.append(f"{begin}({names.value(p.before)}, {names.value(p.beta)})")
            values.append(names.value(p.alpha))
        behind = names.bound("check", (id(check), "check"), check.check)
        return before, [f"{behind}({', '.join(map(str, values))})"]

    @abstractmethod
    def group(self, group: Nodes) -> None:
        """The lines of one kernel call."""

    @abstractmethod
    def finite(self, arrays: Sequence[Array], fed: Sequence[Array]) -> None:
        """`def finite(feed0, ...)`: whether the sum of all squares, of what lies in the arena and
        of what is fed, is below SQUARES: then all is finite, and the headroom holds."""

    @abstractmethod
    def stamp(self, ended: Kernel) -> None:
        """A line that notes when a kernel has ended, where this is asked for."""

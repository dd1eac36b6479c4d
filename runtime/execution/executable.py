"""A scheduled graph that can run at any batch size: its plans, kept, and its executors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from ...graph import Array, Graph, Node, RunError, whole_number
from ..backends.registry import Backend
from ..planning.limit import MemoryLimit
from ..planning.plan import Plan
from ..state import StateArrays
from .executor import Executor, Headrooms
from .twin import Twin

_KEPT: Final = 8
"""How many arenas are kept, of the sizes that were used last."""

_CHECKED: Final = 16
"""So many plans are checked on numbers: who predicts any number of rows has a plan for each."""
_WIDENED: Final = 3
_CHECKING: Final = 1 << 30
_LEAST: Final = 1 << 26
"""A check holds every result of a graph, once as it is and once in f64, so three times its bytes:
at most so many, or where there is a memory limit that many or _LEAST."""

SizeKey = tuple[tuple[str, int], ...]


class Certifier(Protocol):
    """Checks a graph before it first runs, and each plan on the first batch that it sees."""

    @property
    def certificate(self) -> Any: ...

    def check_graph(self) -> None: ...

    def check_placement(self, plan: Plan) -> None: ...

    def skip_plan(self, sizes: Mapping[str, int], reason: str) -> None: ...

    def check_plan(self, step: Twin) -> None: ...


class Reader(Protocol):
    """Makes of feeds the arrays of a graph's inputs, and the sizes that they bind."""

    @property
    def inputs(self) -> list[tuple[str, Node]]: ...

    def read(self, feeds: Mapping[str, Any]) -> tuple[list[Array], dict[str, int]]: ...


class Executable:
    """A scheduled graph on the values of a program: every batch size has a plan of its own.

    Of a `shared` one, ranks make a part each, and none of them has a step to compare with.
    """

    def __init__(
        self,
        g: Graph,
        unoptimised: Graph,
        values: StateArrays,
        memory: MemoryLimit,
        reader: Reader,
        backend: Backend,
        threads: int | None = None,
        certifier: Certifier | None = None,
        shared: bool = False,
    ) -> None:
        self.graph = g
        self.certifier = certifier
        self._certified: set[SizeKey] = set()
        self.reader = reader
        self._unoptimised = unoptimised
        self._values = values
        self._memory = memory
        self._backend: Backend = backend
        self._threads = threads
        self._plans: dict[SizeKey, Plan] = {}
        self._executors: dict[SizeKey, Executor] = {}
        self._headrooms: Headrooms = {}
        self._shared = shared
        self._verify = False
        self._last: Executor | None = None
        self.look: Callable[[Mapping[str, Array]], None] | None = None
        """Looks at the first feeds by their names, once."""
        self._sizes: Mapping[str, int] | None = None  # those of the last, as the reader gave them

    def again(self, values: StateArrays, reader: Reader) -> Executable:
        """The same graph on other values; what is planned and certified is so for both."""
        how = self._backend, self._threads, self.certifier
        other = Executable(self.graph, self._unoptimised, values, self._memory, reader, *how)
        other._plans, other._certified = self._plans, self._certified
        return other

    def plan(self, sizes: Mapping[str, int]) -> Plan:
        """The plan for these sizes, e.g. {"N": 128}; RunError where it is over the limit."""
        symbols = self.graph.symbols
        if set(sizes) != set(symbols):
            wanted = ", ".join(f"{s}=128" for s in symbols) or "no size"
            listed = ", ".join(f"{s}={n}" for s, n in sizes.items()) or "none"
            raise RunError(f"a plan of {self.graph.name} takes {wanted}; given: {listed}")
        for s, n in sizes.items():
            whole_number(s, n, error=RunError)
        key = tuple([(s, int(sizes[s])) for s in symbols])
        if key not in self._plans:
            self._plans[key] = self._memory.plan(self.graph, dict(key), self._unoptimised)
        return self._plans[key]

    def rows_within_limit(self, most: int) -> int:
        """The most rows, of `most`, that a call can take within the memory limit; at least 1."""
        return self._memory.rows(self.graph, self._unoptimised, most)

    def ready(self, feeds: Mapping[str, Any]) -> tuple[Executor, list[Array]]:
        """The executor for the feeds' sizes, and the feeds in the order of the inputs."""
        arrays, sizes = self.reader.read(feeds)
        if sizes is not self._sizes:
            executor = self.executor(sizes)
            if self.certifier is not None:
                self._certify(self.certifier, executor, arrays)
            self._last, self._sizes = executor, sizes
            if self.look is not None:
                look, self.look = self.look, None
                look({k: a for (k, _), a in zip(self.reader.inputs, arrays, strict=True)})
        return self.last, arrays

    def _certify(self, certifier: Certifier, executor: Executor, feeds: Sequence[Array]) -> None:
        """Raises RefutedError where the graph, or its plan for these feeds, is not as it should be;
        once for each."""
        plan = executor.plan
        key = tuple(plan.sizes.items())
        if key in self._certified:
            return
        if not self._certified:
            certifier.check_graph()
        self._check_plan(certifier, plan, feeds)
        self._certified.add(key)

    def _check_plan(self, certifier: Certifier, plan: Plan, feeds: Sequence[Array]) -> None:
        """Raises RefutedError where a plan is unsound, or its step gives other numbers."""
        certifier.check_placement(plan)
        limit = max(self._memory.limit or _CHECKING, _LEAST)
        skipped = "ranks make it together" if self._shared else ""
        if _WIDENED * plan.unplanned_nbytes > limit:
            skipped = f"a check would take more than {limit:,} bytes"
        elif len(self._certified) >= _CHECKED:
            skipped = f"{_CHECKED} sizes before it were checked"
        if skipped:
            certifier.skip_plan(plan.sizes, skipped)
            return
        certifier.check_plan(self._twin(plan, feeds))

    def twin(self, feeds: Mapping[str, Any]) -> Twin:
        """A step on these feeds and values of its own."""
        arrays, sizes = self.reader.read(feeds)
        return self._twin(self.plan(sizes), arrays)

    def _twin(self, plan: Plan, feeds: Sequence[Array]) -> Twin:
        return Twin(plan, self._values, feeds, self._backend, self._threads)

    @contextmanager
    def verifying(self, verify: bool) -> Iterator[None]:
        """Within the block, where asked for, each product of a step is checked behind it."""
        before = self._verify
        self._put(verify or before)
        try:
            yield
        finally:
            self._put(before)

    def _put(self, verify: bool) -> None:
        """From the next call on, products are checked or are not."""
        if verify != self._verify:
            self._verify, self._sizes = verify, None
            self._executors.clear()

    @property
    def last(self) -> Executor:
        """The executor that was made ready last."""
        assert self._last is not None
        return self._last

    def executor(self, sizes: Mapping[str, int]) -> Executor:
        """The executor for these sizes; those used last are kept."""
        key = tuple(sizes.items())
        executor = self._executors.pop(key, None)
        if executor is None:
            executor = self._made(self.plan(sizes))
            while len(self._executors) >= _KEPT:
                del self._executors[next(iter(self._executors))]
        self._executors[key] = executor
        return executor

    def _made(self, plan: Plan) -> Executor:
        try:
            how = self._headrooms, self._threads, self._verify
            return Executor(plan, self._values, self._backend, *how)
        except MemoryError:
            raise RunError(f"{self.graph.name} takes more memory than this machine has") from None

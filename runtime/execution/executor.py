"""Running a plan: a straight line of kernel calls on buffers that exist before it starts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import Context
from functools import partial
from typing import Any, Final

import numpy as np

from ...graph import (
    Array,
    Node,
    NonFiniteError,
    RunError,
    VerigradError,
    kernel_groups,
)
from ...ops import LabelError, Receive, Send
from ..backends.backend import CHECK, Stamps, WritingTask
from ..backends.registry import BACKENDS, Backend
from ..backends.step_text import STEP_FILE, StepText
from ..planning.buffers import Buffers, aligned_bytes, bound, temporaries
from ..planning.phases import is_wrong, late_products, phases, read_late, watched
from ..planning.plan import Plan
from .blas_threads import Threads
from .headroom import Headroom
from .in_batch import rows_in_words
from .poison import is_wanted, poison

# NumPy takes a buffer of so many elements for a broadcast operand or a cast: small, for no gain in
# speed was measured above it.
_BUFFER: Final = 512


Watch = Callable[["Executor", int], None]
"""Is called before each kernel call, with its number."""
Headrooms = dict[tuple[Node, ...], Headroom]
"""What is proved of the updates, by the nodes that make them."""


class Executor:
    """One plan, its arena, and the step made from it.

    `source` is the step as Python text, in names of its own: `prepare` computes what is the same
    at every step, `compute` all else that writes no state, `commit` the rest. A step that fails
    before it has changed nothing. Executors on the same values share `headrooms`; with None, what
    is written may overflow, where nobody keeps it. With `verify`, each product of matrices is
    checked behind it.
    """

    def __init__(
        self,
        plan: Plan,
        values: Mapping[str, Array],
        backend: Backend = "numpy",
        headrooms: Headrooms | None = None,
        threads: int | None = None,
        verify: bool = False,
        watch: Watch | None = None,
    ) -> None:
        self.plan = plan
        self.graph = plan.graph
        self._arena = aligned_bytes(plan.nbytes, f"the results of {plan.graph.name}")
        self._arrays = bound(self.graph, plan, self._arena, values)
        self._backend = backend
        self._verify = verify
        self._watch = watch
        # NumPy keeps its settings in the context: to set them for each step would take longer
        # than a small product.
        self._context = Context()
        self._context.run(np.seterr, all="ignore")
        self._context.run(np.setbufsize, _BUFFER)
        self._threads = Threads(
            plan.graph, plan.sizes, self._context, threads, BACKENDS[backend].sets_threads
        )
        late = dict.fromkeys([n for group in phases(self.graph)[2] for n in group])
        self._added = late_products(late)
        factors = dict.fromkeys([i for pair in self._added.values() for i in pair])
        self.watched = watched(self.graph, late, factors)
        self._wrong = [n for n in dict.fromkeys(read_late(self.graph, late)) if is_wrong(n)]
        self._headroom = self._shared(headrooms, late) if headrooms is not None else None
        step = self.written()
        self.source, self._lines = step.text(), step.nodes()
        functions = step.made(STEP_FILE)
        self._take(functions)
        # What was sent cannot be sent again, to say what was refused.
        sends = any(isinstance(n.op, Send) for n in self.graph.order)
        self._whole: Callable[..., bool] | None = None if sends else functions.get("step")
        self._threads.begin(step, functions, self._take)
        self._prepared: int | None = None
        self._feeds: Sequence[Array] = ()
        self.writing = False

    def written(self, stamps: Stamps | None = None) -> StepText:
        """The step's text and what it names; with `stamps`, it notes there what ends when."""
        g, plan = self.graph, self.plan
        fed = {n: np.empty(n.type.bind(plan.sizes), n.type.numpy) for n in g.inputs}
        arrays = {**self._arrays, **fed}
        memory = Buffers(arrays, temporaries(g, plan, self._arena), g.inputs, plan.sizes)
        first: Sequence[Callable[[], None]] = poison(plan, self._arena) if is_wanted() else ()
        if self._watch is not None:
            assert g.schedule is not None
            first = [partial(self._watch, self, k) for k in range(len(kernel_groups(g.schedule)))]
        how = stamps, self._threads.limit, first, self._verify
        task = WritingTask(g, memory, StepText(memory), *how)
        return _write(task, self._backend, self.watched)

    def _shared(self, headrooms: Headrooms, late: Collection[Node]) -> Headroom:
        """The headroom of the updates: what writes the state is the same at most sizes, and so is
        what was proved of it."""
        same = tuple(late)
        if same not in headrooms:
            headrooms[same] = Headroom(self.graph, self._arrays, late, self.watched)
        return headrooms[same]

    def _take(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        """From now on a step is made of these."""
        self._prepare: Callable[..., None] = functions["prepare"]
        self._compute: Callable[..., None] = functions["compute"]
        self._finite: Callable[..., bool] = functions["finite"]
        self._commit: Callable[..., None] = functions["commit"]

    def array(self, n: Node) -> Array:
        """Where a node's value lies; of an input, the last feed."""
        if n in self._arrays:
            return self._arrays[n]
        return self._feeds[self.graph.inputs.index(n)]

    def compute(self, feeds: Sequence[Array], version: int = 0) -> None:
        """Runs everything up to the first write of state; feeds are in the order of the inputs.

        What depends on no feed is computed anew only where `version`, that of the values, has
        changed since.
        """
        if self._threads.free:
            self._context.run(self._run_compute, feeds, version)
        else:
            self._threads.run(self._run_compute, feeds, version)

    def step(self, feeds: Sequence[Array], version: int = 0) -> None:
        """Computes, and writes the state where the loss and all that it would hold is finite.

        Raises NonFiniteError, the state as it was, where it is not. `writing` is true only
        between the first write and the last, so it stays true in a step that was cut off there.
        `version` is that of the values, see `Headroom.proved`.
        """
        headroom = self._headroom
        proved = not self._wrong and (headroom is None or headroom.proved(version))
        if proved and self._whole is not None and self._prepared is not None:
            self._feeds = feeds
            if self._whole(*feeds):
                return
            # Something was refused before a write: once more, to say what.
        if self._threads.free:
            self._context.run(self._run_step, feeds, proved)
        else:
            self._threads.run(self._run_step, feeds, proved)

    def _run_step(self, feeds: Sequence[Array], proved: bool) -> None:
        self._run_compute(feeds, 0)
        before: dict[Node, Array] = {}
        # A sum of squares is cheaper than a look at each element; a large one is looked at.
        if not (self._finite(*feeds) and proved):
            self._check_finite()
            before = {w: self._arrays[w].copy() for w in self.graph.updates}
        self.writing = True
        try:
            self._commit(*feeds)
        except Exception as e:
            raise self._located(e) from e
        bad = [w for w in before if w.type.is_float and not np.isfinite(self._arrays[w]).all()]
        if bad:
            for w, value in before.items():
                np.copyto(self._arrays[w], value)
        self.writing = False
        if bad:
            listed = ", ".join([f"%{self.graph.names[w]}" for w in bad])
            raise NonFiniteError(f"not finite: the new {listed}")

    def _run_compute(self, feeds: Sequence[Array], version: int) -> None:
        self._feeds = feeds
        try:
            if self._prepared != version:
                self._prepare(*feeds)
                self._prepared = version
            self._compute(*feeds)
        except Exception as e:
            raise self._located(e) from e

    def _check_finite(self) -> None:
        """Raises NonFiniteError with the names of what is not finite, if anything is."""
        names = self.graph.names
        seen = [n for n in self.watched if not np.isfinite(self.array(n)).all()]
        bad = [names[n] for n in (*self._wrong, *seen)]
        bad = bad or [names[n] for n in self._added if not np.isfinite(self._product(n)).all()]
        if bad:
            loss = self.graph.loss
            value = f"the loss is {float(self.array(loss)):g}" if loss is not None else "no loss"
            raise NonFiniteError(f"{value}; not finite: {', '.join('%' + b for b in bad)}")

    def explained(self, e: NonFiniteError, step: int | None) -> NonFiniteError:
        """The error of the last step, with the first node that is not finite, and its cause."""
        from .diagnosis import explained

        return explained(e, self.graph, self.array, self.plan.sizes, step, self.watched)

    def _product(self, n: Node) -> Array:
        """The product that a node adds in place, by itself."""
        product = np.empty_like(self.array(n))
        n.op.bind(self.plan.sizes).run_product(*map(self.array, n.inputs), out=product)
        return product

    def output(self, key: str) -> Array:
        """A copy of an output."""
        return self.array(self.graph.outputs[key]).copy()

    def scalar(self, key: str) -> float:
        """A scalar output as a float."""
        return float(self.array(self.graph.outputs[key]))

    def _located(self, e: Exception) -> VerigradError:
        """The error, with the node whose kernel raised it, found by its line in the step."""
        trace = e.__traceback__
        line = None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == STEP_FILE:
                line = trace.tb_lineno
            trace = trace.tb_next
        n = self._lines.get(line or 0)
        # Where ranks wait for each other, no node is at fault.
        if n is None or isinstance(n.op, (Send, Receive)):
            return e if isinstance(e, VerigradError) else RunError(f"{type(e).__name__}: {e}")
        names = self.graph.names
        if isinstance(e, LabelError):
            return e.located(n, names, self.plan.sizes)
        call = f"{n.op.name}({', '.join('%' + names[i] for i in n.inputs)})"
        kind = type(e) if isinstance(e, VerigradError) else RunError
        what = str(e) if isinstance(e, VerigradError) else f"{type(e).__name__}: {e}"
        rows = rows_in_words(n, self.plan.sizes)
        return kind("\n  ".join([what, f"in %{names[n]} = {call}", *([rows] if rows else [])]))


def _write(task: WritingTask, backend: Backend, checked: Sequence[Node]) -> StepText:
    """The text of a step; `checked` is looked at before the first write."""
    g, step, arrays = task.g, task.step, task.memory.arrays
    once, early, late = phases(g)
    names, writer = step.names, BACKENDS[backend].writer()(task)
    copies = []
    for w, n in g.updates.items():
        if n in g.inputs or arrays[w] is not arrays[n]:
            copies.append(f"copyto({names.value(arrays[w])}, {names.value(arrays[n])})")
    if copies:
        names.function(np.copyto)
    writer.function("prepare", once)
    writer.function("compute", early)
    fed = task.memory.feeds
    fixed = [arrays[n] for n in checked if n not in fed]
    writer.finite(fixed, [arrays[n] for n in checked if n in fed])
    writer.function("commit", late, copies, after=CHECK)
    return step

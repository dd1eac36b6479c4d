"""Running a plan: a straight line of kernel calls on buffers that exist before it starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..graph import Array, Constant, Graph, Node, NonFiniteError, RunError, Source, VerigradError
from .plan import ALIGNMENT, Plan

_FILE: Final = "<step of verigrad>"
# NumPy takes a buffer of so many elements for a broadcast operand: small, for no gain in speed
# was measured above it. It is set inside `errstate`, whose end restores the caller's.
_BUFFER: Final = 256


class Executor:
    """One plan, its arena, and the step made from it.

    `source` is the step as Python text, in names of its own: `compute` is all that writes no
    state, `commit` the rest. A step that fails before it has changed nothing.
    """

    def __init__(self, plan: Plan, values: Mapping[str, Array]) -> None:
        self.plan = plan
        self.graph = plan.graph
        self._arena = aligned_bytes(plan.nbytes)
        self._arrays = _bind(self.graph, plan, self._arena, values)
        self.source, self._lines, kernels, arrays = _write(self.graph, plan, self)
        space: dict[str, Any] = {}
        exec(compile(self.source, _FILE, "exec"), space)
        self._compute: Callable[..., None]
        self._commit: Callable[..., None]
        self._compute, self._commit = space["make"](kernels, arrays)
        self.writing = False
        self._watched = [self._arrays[n] for n in _watched(self.graph)]

    def scratch(self, n: Node) -> tuple[Array, ...]:
        """The temporaries of a node's kernel, in the arena."""
        types = n.op.scratch(*(i.type for i in n.inputs))
        schedule = self.graph.schedule
        assert schedule is not None
        places = schedule.scratch.get(n, ())
        sizes = self.plan.sizes
        return tuple(
            [
                _view(self._arena, place, t.bind(sizes), t.numpy)
                for t, place in zip(types, places, strict=True)
            ]
        )

    def array(self, n: Node) -> Array:
        """Where a node's value lies."""
        return self._arrays[n]

    def compute(self, feeds: Sequence[Array]) -> None:
        """Runs everything up to the first write of state; feeds are in the order of the inputs."""
        with np.errstate(all="ignore"):
            np.setbufsize(_BUFFER)
            self._run_compute(feeds)

    def step(self, feeds: Sequence[Array]) -> None:
        """Computes, and writes the state where the loss and all that updates read is finite.

        Raises NonFiniteError, the state as it was, where it is not. `writing` is true only
        between the first write and the last, so it stays true in a step that was cut off there.
        """
        with np.errstate(all="ignore"):
            np.setbufsize(_BUFFER)
            self._run_compute(feeds)
            self._check_finite()
            self.writing = True
            self._commit(*feeds)
            self.writing = False

    def _run_compute(self, feeds: Sequence[Array]) -> None:
        self._arrays.update(zip(self.graph.inputs, feeds, strict=True))
        try:
            self._compute(*feeds)
        except Exception as e:
            raise self._located(e) from e

    def _check_finite(self) -> None:
        for array in self._watched:
            # A sum is cheaper than a look at each element; one that overflows is looked at.
            total = np.add.reduce(array, axis=None)
            if not math.isfinite(total) and not np.isfinite(array).all():
                self._raise_non_finite()

    def _raise_non_finite(self) -> None:
        names = self.graph.names
        bad = [names[n] for n in _watched(self.graph) if not np.isfinite(self._arrays[n]).all()]
        loss = self.graph.loss
        value = f"the loss is {float(self._arrays[loss]):g}" if loss is not None else "no loss"
        raise NonFiniteError(f"{value}; not finite: {', '.join('%' + b for b in bad)}")

    def output(self, key: str) -> Array:
        """A copy of an output."""
        return self._arrays[self.graph.outputs[key]].copy()

    def scalar(self, key: str) -> float:
        """A scalar output as a float."""
        return float(self._arrays[self.graph.outputs[key]])

    def _located(self, e: Exception) -> VerigradError:
        """The error, with the node whose kernel raised it, found by its line in the step."""
        trace = e.__traceback__
        line = None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == _FILE:
                line = trace.tb_lineno
            trace = trace.tb_next
        n = self._lines.get(line or 0)
        if n is None:
            return e if isinstance(e, VerigradError) else RunError(f"{type(e).__name__}: {e}")
        names = self.graph.names
        call = f"{n.op.name}({', '.join('%' + names[i] for i in n.inputs)})"
        kind = type(e) if isinstance(e, VerigradError) else RunError
        what = str(e) if isinstance(e, VerigradError) else f"{type(e).__name__}: {e}"
        return kind(f"{what}\n  in %{names[n]} = {call}")


def aligned_bytes(nbytes: int) -> Array:
    """Bytes that begin where a cache line does."""
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]


def _view(arena: Array, place: tuple[int, int], shape: tuple[int, ...], dtype: Any) -> Array:
    offset, nbytes = place
    view: Array = arena[offset : offset + nbytes].view(dtype).reshape(shape)
    return view


def _bind(g: Graph, plan: Plan, arena: Array, values: Mapping[str, Array]) -> dict[Node, Array]:
    """Where each value lies but the inputs', which are where the user has them."""
    schedule = g.schedule
    assert schedule is not None
    arrays: dict[Node, Array] = {}
    for n in g.sources:
        if isinstance(n.op, Constant):
            arrays[n] = n.op.array
        elif n not in g.inputs:
            arrays[n] = values[g.names[n]]
    for n in schedule.order:
        if n in schedule.places:
            arrays[n] = _view(arena, schedule.places[n], n.type.bind(plan.sizes), n.type.numpy)
        else:
            arrays[n] = arrays[schedule.takeovers[n]]
    return arrays


def _late(g: Graph) -> tuple[Node, ...]:
    """The nodes from the first that writes state on: the schedule puts all others before it."""
    schedule = g.schedule
    assert schedule is not None
    for i, n in enumerate(schedule.order):
        if n in schedule.takeovers and isinstance(schedule.takeovers[n].op, Source):
            return schedule.order[i:]
    return ()


def _watched(g: Graph) -> list[Node]:
    """The loss, and the computed floats that updates read or are."""
    late = set(_late(g))
    read = [i for n in g.order if n in late for i in n.inputs]
    read += [n for n in g.updates.values() if n not in late]
    if g.loss is not None and g.updates:
        read.insert(0, g.loss)
    return [
        n
        for n in dict.fromkeys(read)
        if n not in late and n.type.is_float and not isinstance(n.op, Source)
    ]


def _write(
    g: Graph, plan: Plan, executor: Executor
) -> tuple[str, dict[int, Node], list[Callable[..., None]], list[Array]]:
    """The step's text, the node of each of its lines, and the kernels and arrays that it names."""
    schedule = g.schedule
    assert schedule is not None
    kernels: list[Callable[..., None]] = []
    arrays: list[Any] = []
    array_name: dict[int, str] = {}

    def array_of(array: Any) -> str:
        if id(array) not in array_name:
            array_name[id(array)] = f"a{len(arrays)}"
            arrays.append(array)
        return array_name[id(array)]

    feed_name = {n: f"feed{i}" for i, n in enumerate(g.inputs)}

    def value(n: Node) -> str:
        return feed_name[n] if n in feed_name else array_of(executor.array(n))

    def call(n: Node) -> str:
        kernels.append(n.op.bind(plan.sizes).run)
        arguments = [value(i) for i in n.inputs]
        arguments.append(f"out={value(n)}")
        temporaries = executor.scratch(n)
        if temporaries:
            arguments.append(f"scratch={array_of(temporaries)}")
        ours = type(n.op).__module__.split(".")[0] == __name__.split(".")[0]
        note = f"  # {n.op.name}" if ours else ""
        return f"        k{len(kernels) - 1}({', '.join(arguments)}){note}"

    late = set(_late(g))
    bodies = [
        [(n, call(n)) for n in schedule.order if n not in late],
        [(n, call(n)) for n in schedule.order if n in late],
    ]
    copies = []
    for w, n in g.updates.items():
        if n in feed_name or executor.array(w) is not executor.array(n):
            copies.append(f"        copy({value(w)}, {value(n)})")
    feeds = ", ".join(feed_name.values())
    names = [f"k{i}" for i in range(len(kernels))], [f"a{i}" for i in range(len(arrays))]
    lines = ["from numpy import copyto as copy", "", "", "def make(kernels, arrays):"]
    lines += [
        f"    ({''.join(n + ', ' for n in group)}) = {of}"
        for group, of in zip(names, ("kernels", "arrays"), strict=True)
        if group
    ]
    where: dict[int, Node] = {}
    for title, body, rest in (("compute", bodies[0], []), ("commit", bodies[1], copies)):
        lines += ["", f"    def {title}({feeds}):"]
        for n, text in body:
            lines.append(text)
            where[len(lines)] = n
        lines += rest or ([] if body else ["        pass"])
    lines += ["", "    return compute, commit", ""]
    return "\n".join(lines), where, kernels, arrays

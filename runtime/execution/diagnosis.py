"""Why a step is not finite: the first node, in order, that spoils it, and what made it so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import (
    UNCHANGED,
    Array,
    Diagnosis,
    Graph,
    Input,
    Node,
    NonFiniteError,
    Parameter,
    Reading,
    Source,
    compute,
    roles,
)
from ...ops import Receive, Shard
from .in_batch import Batch, InBatch

_LARGE: Final = 50.0
"""From here on exponentials and squares leave f32: what fails below does not by its size."""


class Finding(NamedTuple):
    """A tensor that is not finite, of the first node in order that is to blame for it; what it
    reads, input by input; and where all tensors lie in the batch."""

    g: Graph
    node: Node
    made: InBatch
    read: tuple[InBatch, ...]
    batch: Batch

    @property
    def at(self) -> tuple[int, ...]:
        """Where the first element lies that is not finite."""
        return _first(self.made.array)

    @property
    def value(self) -> float:
        """That element."""
        return float(self.made.array[self.at])

    @property
    def operands(self) -> list[float]:
        """The elements that it was computed from, where these are one of each input."""
        if not self.node.op.elementwise:
            return []
        arrays = [t.array for t in self.read]
        full = np.broadcast_shapes(*[a.shape for a in arrays])
        assert len(full) == self.node.type.rank
        return [float(np.broadcast_to(a, full)[self.at]) for a in arrays]

    @property
    def rows(self) -> tuple[int, ...]:
        """The rows of the batch that hold such an element, where the node has rows."""
        if not self.made.batch:
            return ()
        bad = ~np.isfinite(self.made.array).reshape(len(self.made.array), -1)
        return tuple((self.made.first + np.flatnonzero(bad.any(axis=1))).tolist())


def explained(
    e: NonFiniteError,
    g: Graph,
    value: Callable[[Node], Array],
    sizes: Mapping[str, int],
    step: int | None,
    checked: Iterable[Node],
) -> NonFiniteError:
    """The error of a step, told by what its graph computes, node by node, from these sources.

    `value` gives the array of each source as it was before the step, and of each node that is
    `checked` what the step has made of it; `step` is None where no optimizer counts them.
    """
    try:
        finding = first_not_finite(g, value, sizes, checked)
    except Exception as other:  # memory may be short, and a user's op may raise any
        return _unexplained(e, step, f"why cannot be looked at: {other or type(other).__name__}")
    if finding is None:
        return _unexplained(e, step, "the interpreter finds no node that makes one")
    diagnosis = _diagnosis(finding, value, step)
    return NonFiniteError(str(diagnosis), diagnosis)


def _unexplained(e: NonFiniteError, step: int | None, why: str) -> NonFiniteError:
    which = "the step" if step is None else f"step {step}"
    return NonFiniteError(f"{which} is not finite: {e}\n  {why}\n  {UNCHANGED}")


def first_not_finite(
    g: Graph,
    value: Callable[[Node], Array],
    sizes: Mapping[str, int],
    checked: Iterable[Node],
) -> Finding | None:
    """The first computed node in order whose tensor is not finite and makes so one that has to be.

    An infinity that is masked on the way is none. Where the interpreter computes finite numbers,
    as it rounds otherwise, it is the first of the checked ones in which the step has none.
    """
    values = {n: value(n) for n in g.sources}
    for n in g.order:
        values[n] = compute(n, [values[i] for i in n.inputs], sizes)
    guilty: set[Node] = set()
    checked = [n for n in checked if n.inputs or not isinstance(n.op, Source)]
    stack = [*checked, *g.updates.values()]
    while stack:
        n = stack.pop()
        if n not in guilty and _is_bad(values[n]):
            guilty.add(n)
            stack += _made_of(n)
    if not guilty:
        made = {n: value(n) for n in checked}
        guilty = {n for n in checked if _is_bad(made[n])}
        values |= made
    # A shard's rows of an input are as they are fed.
    first = next((n for n in g.order if n in guilty and not isinstance(n.op, Shard)), None)
    if first is None:
        return None
    batch = Batch(g, values, sizes)
    return Finding(g, first, *batch.computed(first), batch)


def _made_of(n: Node) -> Sequence[Node]:
    """What a node is made of; what is received, of what this rank has sent to it."""
    if isinstance(n.op, Receive):
        (sent,) = n.inputs
        return [sent.inputs[n.op.part]]
    return n.inputs


def _diagnosis(finding: Finding, value: Callable[[Node], Array], step: int | None) -> Diagnosis:
    """All that is told of a finding."""
    g, n, made = finding.g, finding.node, finding.made
    return Diagnosis(
        step=step,
        node=made.name,
        place=g.order.index(n),
        op=n.op.name,
        layer=g.layer(n),
        phase=roles(g)[n],
        where=n.where.described if n.where is not None else None,
        value=f"{finding.value:g}",
        at=made.place(finding.at),
        rows=finding.rows,
        batch=made.batch,
        reads=tuple(map(_reading, {t.name: t for t in finding.read}.values())),
        causes=tuple(_causes(finding)),
        remedies=tuple(_remedies(finding, value, step)),
    )


def _reading(t: InBatch) -> Reading:
    """The range of a tensor that a node reads."""
    name, a = t.name, t.array
    finite = np.isfinite(a)
    count = int(np.count_nonzero(finite))
    if not count:
        return Reading(name, None, None, a.size, None)
    least = float(np.min(a, where=finite, initial=_end(a, 1)))
    most = float(np.max(a, where=finite, initial=_end(a, -1)))
    row = None
    if t.batch and least < most:
        size = np.where(finite, np.abs(a.astype(np.float64)), -1.0)
        row = t.first + int(np.unravel_index(int(size.argmax()), a.shape)[0])
    return Reading(name, least, most, a.size - count, row)


def _end(a: Array, sign: int) -> Any:
    """The largest value of an array's dtype, or the least."""
    if a.dtype.kind == "b":
        return sign > 0
    limits = np.finfo(a.dtype) if a.dtype.kind == "f" else np.iinfo(a.dtype)
    return limits.max if sign > 0 else limits.min


def _is_bad(a: Array) -> bool:
    return a.dtype.kind == "f" and not bool(np.isfinite(a).all())


def _first(a: Array) -> tuple[int, ...]:
    """Where the first element lies that is not finite."""
    return tuple(map(int, np.unravel_index(int(np.isfinite(a).argmin()), a.shape)))


def _place(t: InBatch) -> str:
    """Where the first element lies that is not finite."""
    at = t.place(_first(t.array))
    if not at:
        return ""
    row = f" in row {at[0]}," if t.batch else ""
    return f"{row} at [{','.join(map(str, at))}]"


def _causes(finding: Finding) -> Iterator[str]:
    """What the node has read: the sources that are not finite, or else the numbers."""
    sources = _sources(finding)
    for t, source in sources:
        kind = "input" if isinstance(source.op, Input) else f"the {source.op.name}"
        name = finding.batch.name(source)
        yield f"{kind} {name!r} holds {t.array[_first(t.array)]}{_place(t)}"
    if not sources and finding.operands:
        numbers = ", ".join([f"{x:g}" for x in finding.operands])
        yield f"{finding.node.op.name}({numbers}) is {finding.value:g}"


def _sources(finding: Finding) -> list[tuple[InBatch, Node]]:
    """What the node reads that is fed or kept, and not finite."""
    read = {t.name: t for t in finding.read}.values()
    return [(t, t.source) for t in read if t.source is not None and _is_bad(t.array)]


def _remedies(finding: Finding, value: Callable[[Node], Array], step: int | None) -> Iterator[str]:
    """What may help against numbers that have become too large."""
    g = finding.g
    read = finding.operands or [_largest(t.array) for t in finding.read]
    if _sources(finding) or max(map(abs, read), default=0.0) < _LARGE:
        return
    updated = next((w for w, n in g.updates.items() if n is finding.node), None)
    large: dict[str, float] = {}
    for n in g.inputs:
        if (most := _largest(value(n))) >= _LARGE:
            name = finding.batch.name(n)
            large[name] = max(most, large.get(name, 0.0))
    if updated is not None and not isinstance(updated.op, Parameter):
        yield "its gradient is too large: clip=vg.ClipNorm(1.0) would bound it"
    elif step or updated is not None:
        yield "no feed holds NaN or infinity: a smaller lr may help"
    for name, most in large.items():
        yield f"input {name!r} holds numbers up to {most:g}: scale it"


def _largest(a: Array) -> float:
    """The largest magnitude in an array of floats; 0 of others, and of none."""
    return float(np.abs(a).max()) if a.dtype.kind == "f" and a.size else 0.0

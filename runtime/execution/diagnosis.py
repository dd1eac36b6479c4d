"""Why a step is not finite: the first node that is not, in order, and what made it so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, Graph, Input, Node, NonFiniteError, Parameter, Source, compute

_LARGE: Final = 50.0
"""From here on exponentials and squares leave f32: what fails below does not by its size."""


class Finding(NamedTuple):
    """An element that is not finite, of the first node in order that has one."""

    node: Node
    at: tuple[int, ...]
    value: float
    inputs: tuple[Array, ...]

    @property
    def operands(self) -> list[float]:
        """The elements that it was computed from, where these are one of each input."""
        if not self.node.op.elementwise:
            return []
        shape = self.node.type.shape
        full = np.broadcast_shapes(*[a.shape for a in self.inputs])
        assert len(full) == len(shape)
        return [float(np.broadcast_to(a, full)[self.at]) for a in self.inputs]


def explained(
    e: NonFiniteError,
    g: Graph,
    value: Callable[[Node], Array],
    sizes: Mapping[str, int],
    step: int | None,
) -> NonFiniteError:
    """The error of a step, told by what its graph computes, node by node, from these sources.

    `value` gives the array of each source as it was before the step; `step` is None where no
    optimizer counts them.
    """
    which = "the step" if step is None else f"step {step}"
    last = "the state is as it was before the step"
    finding = first_not_finite(g, value, sizes)
    if finding is None:  # the kernels of the backend round otherwise
        return NonFiniteError(f"{which} is not finite: {e}\n  {last}")
    what = f"%{g.names[finding.node]} is {finding.value:g}{_place(finding.node, finding.at)}"
    lines = [
        f"{which} is not finite: {what}",
        _origin(g, finding.node),
        *_causes(g, finding),
        *_remedies(g, finding, value, step),
        last,
    ]
    return NonFiniteError("\n  ".join(lines))


def first_not_finite(
    g: Graph, value: Callable[[Node], Array], sizes: Mapping[str, int]
) -> Finding | None:
    """The first computed node in order with an element that is not finite; None where all are."""
    values = {n: value(n) for n in g.sources}
    for n in g.order:
        values[n] = compute(n, [values[i] for i in n.inputs], sizes)
        at = _first(values[n])
        if at is not None:
            inputs = tuple([values[i] for i in n.inputs])
            return Finding(n, at, float(values[n][at]), inputs)
    return None


def _first(a: Array) -> tuple[int, ...] | None:
    """Where the first element lies that is not finite, if there is one."""
    bad = ~np.isfinite(a) if a.dtype.kind == "f" else np.zeros((), bool)
    return tuple(map(int, np.argwhere(bad)[0])) if bad.any() else None


def _origin(g: Graph, n: Node) -> str:
    """What made a node: its op, its layer and the line of the user's program."""
    layer = g.layer(n)
    origin = f"made by {n.op.name}{f' in layer {layer}' if layer else ''}"
    return f"{origin} at {n.where.described}" if n.where is not None else origin


def _place(n: Node, at: tuple[int, ...]) -> str:
    """Where an element lies; the batch's symbol counts rows."""
    if not at:
        return ""
    row = f" in row {at[0]}," if isinstance(n.type.shape[0], str) else ""
    return f"{row} at [{','.join(map(str, at))}]"


def _causes(g: Graph, finding: Finding) -> Iterator[str]:
    """What the node has read: the sources that are not finite, or else the numbers."""
    sources = _sources(finding)
    for n, a, at in sources:
        kind = "input" if isinstance(n.op, Input) else f"the {n.op.name}"
        yield f"{kind} {g.names[n]!r} holds {a[at]}{_place(n, at)}"
    if not sources and finding.operands:
        numbers = ", ".join([f"{x:g}" for x in finding.operands])
        yield f"{finding.node.op.name}({numbers}) is {finding.value:g}"


def _sources(finding: Finding) -> list[tuple[Node, Array, tuple[int, ...]]]:
    """The sources that the node reads and that are not finite, and where."""
    read = dict(zip(finding.node.inputs, finding.inputs, strict=True))
    placed = [(n, a, _first(a)) for n, a in read.items() if isinstance(n.op, Source)]
    return [(n, a, at) for n, a, at in placed if at is not None]


def _remedies(
    g: Graph, finding: Finding, value: Callable[[Node], Array], step: int | None
) -> Iterator[str]:
    """What may help against numbers that have become too large."""
    read = finding.operands or [_largest(a) for a in finding.inputs]
    if _sources(finding) or max(map(abs, read), default=0.0) < _LARGE:
        return
    updated = next((w for w, n in g.updates.items() if n is finding.node), None)
    large = {g.names[n]: most for n in g.inputs if (most := _largest(value(n))) >= _LARGE}
    if updated is not None and not isinstance(updated.op, Parameter):
        yield "its gradient is too large: clip=vg.ClipNorm(1.0) would bound it"
    elif step or updated is not None:
        yield "no feed holds NaN or infinity: a smaller lr may help"
    for name, most in large.items():
        yield f"input {name!r} holds numbers up to {most:g}: scale it"


def _largest(a: Array) -> float:
    """The largest magnitude in an array of floats; 0 of others, and of none."""
    return float(np.abs(a).max()) if a.dtype.kind == "f" and a.size else 0.0

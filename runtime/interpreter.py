"""The reference: one node after another, every result in an array of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..graph import SETTINGS, Array, Constant, Graph, Node, RunError, Source, compute, whole_sizes
from ..ops import LabelError
from ..passes import unrolled
from ..passes.expand_gradients import expansion
from .inputs import given


class Interpretation(NamedTuple):
    """What a graph computed: every value by name, the outputs, and the updates' new values."""

    values: dict[str, Array]
    outputs: dict[str, Array]
    updates: dict[str, Array]


def interpret(g: Graph, values: Mapping[str, Array]) -> Interpretation:
    """Runs a graph node by node; `values` holds an array for each input, parameter and state.

    Nothing is changed: the updates' new values are returned. Gradients that are only declared are
    those of the ops as declared, as in inference. Raises RunError where a value is missing or has
    another type than the graph says.
    """
    if not isinstance(g, Graph) or not isinstance(values, Mapping):
        raise RunError("interpret takes a Graph and a mapping of names to arrays")
    g = unrolled(g)
    became = expansion(g)
    if became:
        return _as_declared(g, became, values)
    if not isinstance(values, Mapping):
        raise RunError(
            f"values are {type(values).__name__}, where a dict of arrays by name is expected"
        )
    arrays = evaluated(g, values, {})
    return Interpretation(
        {g.names[n]: a for n, a in arrays.items()},
        {key: arrays[n] for key, n in g.outputs.items()},
        {g.names[w]: arrays[n] for w, n in g.updates.items()},
    )


def evaluated(
    g: Graph, values: Mapping[str, Array], known: Mapping[Node, Array]
) -> dict[Node, Array]:
    """The array of each node of a graph without declared gradients; those that are known are not
    computed again."""
    arrays: dict[Node, Array] = {}
    sizes: dict[str, int] = {}
    for n in g.sources:
        arrays[n] = _source(g, n, values, sizes)
    sizes |= whole_sizes(sizes)
    with SETTINGS:
        for n in g.order:
            try:
                arrays[n] = (
                    known[n] if n in known else compute(n, [arrays[i] for i in n.inputs], sizes)
                )
            except LabelError as e:
                raise e.located(n, g.names, sizes) from None
    return arrays


def sizes_of(g: Graph, values: Mapping[str, Array]) -> dict[str, int]:
    """What each symbol of a graph counts, by the arrays that it was interpreted with."""
    shapes = [zip(n.type.shape, values[g.names[n]].shape, strict=True) for n in g.sources]
    return {d: size for shape in shapes for d, size in shape if isinstance(d, str)}


def _as_declared(
    g: Graph, became: Mapping[Node, Node], values: Mapping[str, Array]
) -> Interpretation:
    """What a graph with declared gradients computes, under its own names."""
    graph = Graph(g.name, {f"n{k}": became[n] for k, n in enumerate(g.nodes)})
    outputs = interpret(graph, values).outputs
    arrays = {n: outputs[f"n{k}"] for k, n in enumerate(g.nodes)}
    return Interpretation(
        {g.names[n]: a for n, a in arrays.items()},
        {key: arrays[n] for key, n in g.outputs.items()},
        {g.names[w]: arrays[n] for w, n in g.updates.items()},
    )


def _source(g: Graph, n: Node, values: Mapping[str, Array], sizes: dict[str, int]) -> Array:
    assert isinstance(n.op, Source)
    if isinstance(n.op, Constant):
        return n.op.array
    name = g.names[n]
    if name not in values:
        raise RunError(f"{n.op.name} {name!r} has no value; {n.type} is expected")
    what = f"{n.op.name} {name!r}"
    array = given(values[name], what, n.type, name)
    fits = array.dtype == n.type.numpy and array.ndim == n.type.rank
    if fits:
        for d, size in zip(n.type.shape, array.shape, strict=True):
            fits = fits and size == (sizes.setdefault(d, size) if isinstance(d, str) else d)
    if not fits:
        raise RunError(f"{what} is {array.dtype}{list(array.shape)}, where {n.type} is expected")
    return array

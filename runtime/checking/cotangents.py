"""What an op's `vjp` is held to: its types, and its values against differences."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

import numpy as np

from ...graph import Array, Graph, GraphError, Input, Node, verify
from ...passes import cotangents
from ..interpreter import interpret
from .entries import largest
from .numeric import derivative
from .sample import Sample

_TOLERANCE: Final = 1e-7


def cotangent_types(sample: Sample) -> Iterator[str]:
    """What is wrong with the types of the vjp, in the sample's own dtype."""
    y = sample.graph().outputs["y"]
    try:
        cotangents(y, Node(Input(y.type), (), y.type, "dy"))
    except GraphError as e:
        yield str(e)
    except Exception as e:
        yield f"the vjp cannot be checked: {type(e).__name__}: {e}"


def cotangent_checks(
    sample: Sample, sizes: Mapping[str, int], stopped: Collection[int]
) -> Iterator[str | None]:
    """<u, J v> by differences against <J'u, v> by the vjp, for each input; in f64.

    `stopped` are the inputs that the op keeps gradients from on purpose.
    """
    arrays = sample.draw(sizes)
    if sample.expected(arrays) is None:
        return
    g = sample.graph()
    y = g.outputs["y"]
    u = sample.rng.standard_normal(y.type.bind(sizes))
    dy = Node(Input(y.type), (), y.type, "dy")
    try:
        parts = cotangents(y, dy)
    except GraphError as e:
        yield str(e)
        return
    feeds = {f"x{k}": a for k, a in enumerate(arrays)}
    for k, (t, part) in enumerate(zip(sample.types, parts, strict=True)):
        if part is not None and k in stopped:
            yield f"vjp gives a cotangent for input {k}, which is stopped"
        elif t.is_float and k not in stopped:
            v = sample.rng.standard_normal(t.bind(sizes))
            numeric = derivative(_along(g, feeds, f"x{k}", v, u))
            try:
                products = _products(g, part, {**feeds, "dy": u}, v)
            except GraphError as e:
                yield f"the vjp of input {k} is no gradient of its type {t}: {e}"
                continue
            symbolic = float(products.sum())
            size = max(abs(symbolic) + abs(numeric.value), 1e-3 * largest(products))
            yield (
                f"the vjp of input {k} is wrong: {symbolic:.9g} along a random direction, by "
                f"differences {numeric.value:.9g}"
                if numeric.contradicts(symbolic, size, _TOLERANCE)
                else None
            )


def _products(g: Graph, part: Node | None, feeds: Mapping[str, Array], v: Array) -> Array:
    """J'u v element by element, by the op's own vjp; their sum is <J'u, v>."""
    if part is None:
        return np.zeros(())
    inputs = {key: n for key, n in g.outputs.items() if key != "y"}
    graph = Graph("vjp", {"dx": part, **inputs})
    verify(graph)
    products: Array = interpret(graph, feeds).outputs["dx"] * v
    return products


def _along(
    g: Graph, feeds: Mapping[str, Array], name: str, v: Array, u: Array
) -> Callable[[float], float]:
    """h -> <u, f(x + h v)>."""

    def phi(h: float) -> float:
        moved = {**feeds, name: feeds[name] + h * v}
        return float((interpret(g, moved).outputs["y"] * u).sum())

    return phi

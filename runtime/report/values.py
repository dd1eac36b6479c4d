"""What the nodes hold for one batch: range, mean, share of zeros, a small histogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from ...graph import SETTINGS, Array, Graph, Node
from ...ops import Gradient
from ...passes.sharding import laid_out
from ..interpreter import evaluated, interpret

BINS: Final = 16


def values_of(graphs: Sequence[Graph], arrays: Mapping[str, Array]) -> dict[Node, dict[str, Any]]:
    """A summary for each node of the graphs, by the interpreter; of a graph whose inputs are not
    all among `arrays`, none."""
    found: dict[Node, dict[str, Any]] = {}
    known: dict[Node, Array] = {}
    for k, g in enumerate(graphs):
        if not all(g.names[n] in arrays for n in g.inputs):
            continue
        computed = _computed(g, arrays, known)
        found |= {n: summary(a) for n, a in computed.items() if n not in found}
        needed = {n for later in graphs[k + 1 :] for n in later.order}
        known = {n: a for n, a in (known | computed).items() if n in needed}
    return found


def _computed(
    g: Graph, arrays: Mapping[str, Array], known: Mapping[Node, Array]
) -> dict[Node, Array]:
    """What the nodes of a graph hold; of one shard's graph, in all shards, one after another."""
    whole, became = laid_out(g)
    if any(isinstance(n.op, Gradient) for n in whole.order):
        by_name = interpret(whole, arrays).values
        computed = {n: by_name[whole.names[n]] for n in whole.nodes}
    else:
        computed = evaluated(whole, arrays, known)
    if whole is g:
        return computed
    return {n: _joined([computed[part] for part in parts]) for n, parts in became.items()}


def _joined(parts: Sequence[Array]) -> Array:
    """The numbers of some arrays in one."""
    return parts[0] if len(parts) == 1 else np.concatenate([a.reshape(-1) for a in parts])


def summary(a: Array) -> dict[str, Any]:
    """The numbers of an array in a few: those that are not finite are left out, and told."""
    with SETTINGS:
        numbers = np.asarray(a, np.float64).reshape(-1)
        finite = numbers[np.isfinite(numbers)]
        told: dict[str, Any] = dict.fromkeys(("least", "most", "mean", "deviation", "zeros"))
        counts = [0] * BINS
        if finite.size:
            least, most = float(finite.min()), float(finite.max())
            # Halved, since the distance of the largest numbers is none that f64 holds.
            width = most / 2 - least / 2
            place = (finite / 2 - least / 2) / width * BINS if width else np.zeros(finite.size)
            bins = np.minimum(place.astype(np.int64), BINS - 1)
            counts = np.bincount(bins, minlength=BINS).tolist()
            scale = max(abs(least), abs(most)) or 1.0
            scaled = finite / scale
            told = {
                "least": _short(least),
                "most": _short(most),
                "mean": _short(float(scaled.mean()) * scale),
                "deviation": _short(float(scaled.std()) * scale),
                "zeros": _short(float(np.mean(numbers == 0))),
            }
    return {**told, "finite": finite.size == numbers.size, "histogram": counts}


def _short(number: float) -> float:
    """To six digits: more are noise to who looks, and twice the bytes."""
    return float(f"{number:.6g}")

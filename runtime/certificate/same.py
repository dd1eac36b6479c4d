"""Whether two graphs compute the same, exactly and in numbers: what each pass has to keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np

from ...graph import Array, Graph, Node, RefutedError, RunError, check_kind, shown, suggest
from ...passes import unrolled
from ..inputs import given
from ..interpreter import interpret
from .exact import Exact, compare
from .floats import Floats, check_values, draw
from .points import STEP, classes_of

_ROWS: Final = 3
"""What the first symbol counts; the others one more each."""


class Disagreement(NamedTuple):
    """A tensor that two graphs give, and that is not the same."""

    layer: str
    """exact, or floats."""
    tensor: str
    words: str


def check_same(before: Graph, after: Graph, values: Mapping[str, Any] | None = None) -> None:
    """Raises RefutedError where a graph does not give what another gives: every output, and the new
    value of each parameter and state.

    Both are compared exactly, at random points modulo two primes, and then in numbers at `values`,
    arrays by name for the inputs, parameters and state (drawn where there are none), within a
    multiple of what rounding takes the interpreter's off. What an own op does not say exactly is
    compared in numbers alone; RunError where that cannot be done either. It is for passes:

        check_same(g, MyPass().apply(g))
    """
    for name, g in (("before", before), ("after", after)):
        check_kind(f"check_same: {name}", g, Graph, "a Graph", RefutedError)
    before, after = unrolled(before), unrolled(after)
    held = {before.names[n]: n for n in (*before.inputs, *before.parameters, *before.state)}
    fed: dict[str, Array] = {}
    for name, value in (values or {}).items():
        if name not in held:
            raise RunError(f"there is no input {shown(name)}{suggest(name, held)}")
        fed[name] = given(value, repr(name), held[name].type, name)
    drawn = {**values_of(before, fed), **fed}
    if fed:
        interpret(before, drawn)  # raises where a value does not fit
    exact = compare(before, after)
    floats = None if exact.differences else check_values(before, after, drawn)
    found = _first(exact, floats)
    if found is not None:
        raise RefutedError(f"graph {after.name} is not what {before.name} was: {found.words}")
    if exact.skipped and floats is not None and floats.verdict == "skipped":
        raise RunError(
            f"graph {after.name} could not be compared with {before.name}: not exactly, "
            f"{exact.skipped[0]}; nor in numbers, {floats.reason}"
        )


def disagreement(reference: Graph, g: Graph, values: Mapping[str, Array]) -> Disagreement | None:
    """The first tensor that a graph gives otherwise than another means it; None where they agree
    as far as can be told."""
    reference, g = unrolled(reference), unrolled(g)
    exact = compare(reference, g)
    return _first(exact, None if exact.differences else check_values(reference, g, values))


def _first(exact: Exact, floats: Floats | None) -> Disagreement | None:
    if exact.differences:
        first = exact.differences[0]
        return Disagreement("exact", first.tensor, str(first))
    if floats is not None and floats.verdict == "refuted":
        return Disagreement("floats", floats.tensor, floats.reason)
    return None


def values_of(g: Graph, feeds: Mapping[str, Array] | None = None) -> dict[str, Array]:
    """A value for each source: what is fed, where it fits, and else what is drawn by its name."""
    feeds, classes = feeds or {}, classes_of(g)
    sizes = {s: _ROWS + k for k, s in enumerate(g.symbols)}
    for n in g.inputs:
        fed = feeds.get(g.names[n])
        if fed is not None and fed.ndim == n.type.rank:
            sizes |= {s: d for s, d in zip(n.type.shape, fed.shape, strict=True) if s in sizes}
    values: dict[str, Array] = {}
    for n in (*g.inputs, *g.parameters, *g.state):
        name, like = g.names[n], np.zeros(n.type.bind(sizes), n.type.numpy)
        fed = feeds.get(name)
        if n not in g.inputs:
            values[name] = draw(g, name, like, 0)
        elif fed is not None and fed.shape == like.shape:
            values[name] = fed.astype(like.dtype)
        else:
            values[name] = _drawn(n, name, like, classes.get(n))
    return values


def _drawn(n: Node, name: str, like: Array, classes: int | None) -> Array:
    rng = np.random.default_rng(crc32(name.encode()))
    if n.type.is_float:
        return np.asarray(rng.standard_normal(like.shape), like.dtype)
    most = 2 if n.type.dtype == "bool" else classes or STEP
    return np.asarray(rng.integers(0, most, like.shape), like.dtype)

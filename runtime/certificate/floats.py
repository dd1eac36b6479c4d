"""The float layer: a compiled step's own numbers, against those of the interpreter in f64.

Kernels, plan, packing, threads and all are compared here, on a batch of the user's, from a state of
its own: every parameter and state drawn, none 0, as from the usual start zero velocities and biases
would hide faults. How far rounding may take a tensor is measured at that very point: by how far it
takes the interpreter's, node by node in the dtype of the step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from math import prod
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np

from ...graph import SETTINGS, Array, Graph, Node, NonFiniteError, Parameter, VerigradError
from ...passes import with_dtype
from ...passes.tensor_names import named_gradients, named_tensors
from ..interpreter import Interpretation, interpret, sizes_of
from .bounds import Values, bound_of, norm, nudged, off, scatter
from .kernels import wrong_kernel
from .kinks import near_kinks, other_sides
from .points import STEP

_TRIES: Final = 3
_LONG: Final = 0.03
"""So many states are drawn, or within so many seconds, until no value is near a kink."""
_DRAWN: Final = 16_411
"""So many numbers are drawn of a tensor, and then repeated, as to draw takes longer than to copy:
a prime, so that no two rows or columns of a matrix are alike."""
_SIDES: Final = 2.0
"""So many times as far may values near a kink take a tensor as when all are on one side of it."""

Run = Callable[[Values], dict[str, Array]]
"""Runs the compiled step once from a state, and gives all tensors by their names."""


class Floats(NamedTuple):
    """What the float layer found for one plan."""

    verdict: str
    """within bounds, refuted or skipped."""
    sizes: Mapping[str, int]
    compared: int = 0
    tensor: str = ""
    """The one that is farthest off, for its bound."""
    ratio: float = 0.0
    """How far that is, as a part of its bound."""
    reason: str = ""
    seconds: float = 0.0

    @property
    def at(self) -> str:
        """The sizes, such as N=50."""
        return ", ".join([f"{s}={n}" for s, n in self.sizes.items()])

    def __str__(self) -> str:
        what = f"{self.at}: {self.verdict}" if self.at else self.verdict
        if self.reason:
            return f"{what}: {self.reason}"
        far = (
            f"{self.tensor} at {self.ratio:.2g} of its bound" if self.tensor else "none off at all"
        )
        return f"{what}: {self.compared} tensors, {far}, in {1e3 * self.seconds:.0f} ms"


def check_floats(
    reference: Graph, state: Values, feeds: Values, sizes: Mapping[str, int], run: Run
) -> Floats:
    """Whether a compiled step gives the numbers of what it means, within a multiple of rounding.

    `state` holds arrays of the types of all that a state is drawn for, `feeds` those of a batch.
    """
    start = time.perf_counter()

    def skipped(reason: str) -> Floats:
        return Floats("skipped", sizes, reason=reason, seconds=time.perf_counter() - start)

    try:
        with SETTINGS, np.errstate(all="ignore"):
            point = probe(reference, state, feeds)
            wrong = wrong_kernel(point.g, point.exactly.values, sizes)
            values = {} if wrong else run(point.state)
    except NonFiniteError:
        return skipped("what is computed from the drawn state is not finite")
    except (VerigradError, MemoryError) as e:
        return skipped(str(e).splitlines()[0] if str(e) else type(e).__name__)
    if wrong:
        seconds = time.perf_counter() - start
        return Floats("refuted", sizes, reason=wrong, seconds=seconds)
    return _judged(point, sizes, values, start)


def check_values(reference: Graph, other: Graph, values: Values) -> Floats:
    """Whether the interpreter makes the same of another graph at these values, within the same
    bounds; `values` are arrays for the sources of both."""
    start = time.perf_counter()
    try:
        with SETTINGS, np.errstate(all="ignore"):
            point = _measured(reference, values)
            i = interpret(other, values)
            made = {k: i.values[other.names[n]] for k, n in named_tensors(other).items()}
    except VerigradError as e:
        reason = str(e).splitlines()[0]
        return Floats("skipped", {}, reason=reason, seconds=time.perf_counter() - start)
    return _judged(point, {}, made, start)


def _judged(point: Probe, sizes: Mapping[str, int], values: Values, start: float) -> Floats:
    """What is found of tensors that should be those of a probe."""
    farthest = _compared(point, values, {})
    reason = ""
    if not farthest.ratio <= 1:
        # Only now, since it takes some more evaluations.
        try:
            with np.errstate(all="ignore"):
                farthest = _compared(point, values, _allowances(point))
        except VerigradError as e:
            reason = f"how far rounding takes it is not known: {str(e).splitlines()[0]}"
    verdict = "skipped" if reason else "within bounds" if farthest.ratio <= 1 else "refuted"
    if not farthest.compared:
        verdict, reason = "skipped", "no tensor is finite at the drawn state"
    elif verdict == "refuted":
        reason = f"{farthest.tensor} {farthest.words}"
    compared, tensor, ratio, _ = farthest
    seconds = time.perf_counter() - start
    return Floats(verdict, sizes, compared, tensor, ratio, reason, seconds)


class _Farthest(NamedTuple):
    """Of the tensors that were compared, the one that is farthest off for its bound."""

    compared: int = 0
    tensor: str = ""
    ratio: float = 0.0
    words: str = ""


def _compared(point: Probe, values: Values, allowances: Mapping[str, float]) -> _Farthest:
    """Compares what a step made with what is due; some tensors are allowed more than rounding."""
    found, rounded, made = _Farthest(), point.named(point.rounded), named_gradients(point.g)
    exactly = point.named(point.exactly)
    largest = max([norm(exactly[k]) for k in made], default=0.0)
    for tensor, due in exactly.items():
        if tensor not in values or not np.isfinite(due).all():
            continue
        with np.errstate(all="ignore"):
            # A gradient may cancel: it is rounded as those beside it.
            bound = bound_of(due, rounded[tensor], largest if tensor in made else 0.0)
            far, words = off(values[tensor], due, bound + allowances.get(tensor, 0.0))
        found = found._replace(compared=found.compared + 1)
        if not far <= found.ratio:
            found = _Farthest(found.compared, tensor, far, words)
    return found


def _allowances(point: Probe) -> dict[str, float]:
    """How far rounding takes each tensor in some more runs, and values near a kink, by the side of
    it that they are on."""
    exactly = point.named(point.exactly)
    nodes = {k: n for k, n in point.nodes.items() if n.type.is_float}
    how = point.exactly.values, point.rounded.values, point.sizes
    farthest = scatter(point.g, *how)
    allowed = {k: farthest[point.g.names[n]] for k, n in point.nodes.items()}
    for values in other_sides(point.g, point.near, *how) if point.near else ():
        for k, n in nodes.items():
            allowed[k] += _SIDES * norm(values[n] - exactly[k])
    return allowed


def first_off(
    g: Graph, state: Values, feeds: Values, results: Callable[[Values], Mapping[Node, Array]]
) -> tuple[Node | None, str]:
    """The first node of a planned graph whose result is off by more than rounding allows, and how
    far; `results` gives from a state what each kernel call has written, in their order."""
    try:
        with SETTINGS, np.errstate(all="ignore"):
            point = probe(g, state, feeds)
            made = results(point.state)
            values = point.exactly.values, point.rounded.values
            farthest = scatter(point.g, *values, point.sizes)
    except VerigradError:
        return None, ""
    for n, value in made.items():
        due, rounded = (i.values[g.names[n]] for i in (point.exactly, point.rounded))
        with np.errstate(all="ignore"):
            bound = bound_of(due, rounded) + farthest[g.names[n]]
            far, words = off(value, due, bound)
        if np.isfinite(due).all() and not far <= 1:
            return n, f"%{g.names[n]} = {n.op.name} {words}"
    return None, ""


class Probe(NamedTuple):
    """A state, and what the interpreter makes of it: in f64, of the graph `g`, and rounded; `near`
    are the results that hang on values near a kink."""

    state: dict[str, Array]
    g: Graph
    exactly: Interpretation
    rounded: Interpretation
    near: Mapping[Node, Array]

    @property
    def ties(self) -> int:
        """How many values are near a kink."""
        return sum([int(np.count_nonzero(near)) for near in self.near.values()])

    @property
    def sizes(self) -> dict[str, int]:
        """What each symbol counts."""
        return sizes_of(self.g, self.exactly.values)

    @property
    def nodes(self) -> dict[str, Node]:
        """What is compared: gradients, outputs and new values."""
        return {**named_gradients(self.g), **named_tensors(self.g)}

    def named(self, i: Interpretation) -> dict[str, Array]:
        """The values of what is compared."""
        return {tensor: i.values[self.g.names[n]] for tensor, n in self.nodes.items()}


def probe(reference: Graph, state: Values, feeds: Values) -> Probe:
    """Of some states, that at which the fewest values are near a kink, as gradients jump there;
    `state` holds arrays of its types."""
    start, best = time.perf_counter(), None
    for number in range(_TRIES if named_gradients(reference) else 1):
        drawn = {name: draw(reference, name, a, number) for name, a in state.items()}
        point = _measured(reference, {**drawn, **feeds})._replace(state=drawn)
        if best is None or point.ties < best.ties:
            best = point
        if not best.ties or time.perf_counter() - start > _LONG:
            break
    assert best is not None
    return best


def _measured(reference: Graph, values: Values) -> Probe:
    """What the interpreter makes of values."""
    wide = with_dtype(reference, "f64")
    exactly = interpret(wide, _widened(values))
    # In f64, numbers that rounding might have made of them stand for what is rounded.
    same = all(n.type.dtype != "f32" for n in reference.nodes)
    held = {reference.names[n] for n in (*reference.parameters, *reference.state)}
    rng, by = np.random.default_rng(0), 4 * np.finfo(float).eps
    moved = {k: nudged(a, by, rng) if same and k in held else a for k, a in values.items()}
    rounded = interpret(reference, moved)
    return Probe({}, wide, exactly, rounded, near_kinks(wide, exactly.values, rounded.values))


def draw(g: Graph, name: str, like: Array, number: int) -> Array:
    """A value of a parameter or a state: no element is 0, and those of a state are positive."""
    if like.dtype.kind != "f":
        return np.full_like(like, STEP) if name == "step" else like.copy()
    rng = np.random.default_rng([crc32(name.encode()), number])
    count = min(like.size, _DRAWN)
    n = g.named.get(name)
    if n is not None and isinstance(n.op, Parameter):
        rows = prod(like.shape[:-1]) if like.ndim > 1 else 9
        value = rng.standard_normal(count, np.float32) / np.sqrt(max(rows, 1))
    else:
        value = 0.01 * (0.5 + rng.random(count, np.float32))
    return np.resize(value.astype(like.dtype), like.shape)


def _widened(values: Values) -> dict[str, Array]:
    return {k: a.astype(np.float64) if a.dtype.kind == "f" else a for k, a in values.items()}

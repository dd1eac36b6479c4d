"""The float layer: a compiled step's own numbers, against those of the interpreter in f64.

Kernels, plan, packing, threads and all are compared here, on a batch of the user's, from a state of
its own: every parameter and state drawn, none 0, as from the usual start zero velocities and biases
would hide faults. How far rounding may take a tensor is measured at that very point: by how far it
takes the interpreter's, node by node in the dtype of the step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np

from ...graph import SETTINGS, Array, Graph, Node, NonFiniteError, Op, Parameter, VerigradError
from ...passes import with_dtype
from ..interpreter import Interpretation, interpret
from .points import STEP

MULTIPLE: Final = 64
"""So many times as far may a compiled tensor be off as rounding takes the interpreter's."""
_TRIES: Final = 3
_LONG: Final = 0.1
"""So many states are drawn, or within so many seconds, until no value is near a kink."""
_NEAR: Final = 2
"""A value is near a kink where so many times its rounding takes it across."""
_EPS: Final = {"f32": 2.0**-23, "f64": 2.0**-52}

Values = Mapping[str, Array]
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
        return (
            f"{what}: {self.compared} tensors, {self.tensor} at {self.ratio:.2g} of its bound, "
            f"in {1e3 * self.seconds:.0f} ms"
        )


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
            values = run(point.state)
    except NonFiniteError:
        return skipped("what is computed from the drawn state is not finite")
    except (VerigradError, MemoryError) as e:
        return skipped(str(e).splitlines()[0] if str(e) else type(e).__name__)
    return _judged(point, sizes, values, start)


def check_values(reference: Graph, other: Graph, values: Values) -> Floats:
    """Whether the interpreter makes the same of another graph at these values, within the same
    bounds; `values` are arrays for the sources of both."""
    start = time.perf_counter()
    try:
        with SETTINGS, np.errstate(all="ignore"):
            point = _measured(reference, values)
            made = _tensors(interpret(other, values))
    except VerigradError as e:
        reason = str(e).splitlines()[0]
        return Floats("skipped", {}, reason=reason, seconds=time.perf_counter() - start)
    return _judged(point, {}, made, start)


def _judged(point: Probe, sizes: Mapping[str, int], values: Values, start: float) -> Floats:
    """What is found of tensors that should be those of a probe."""
    rounded = _tensors(point.rounded)
    worst, ratio, compared, numbers = "", 0.0, 0, ""
    for tensor, due in _tensors(point.exactly).items():
        if tensor not in values or not np.isfinite(due).all():
            continue
        with np.errstate(all="ignore"):
            far, numbers_here = off(values[tensor], due, rounded[tensor])
        compared += 1
        if not far <= ratio:
            worst, ratio, numbers = tensor, far, numbers_here
    seconds = time.perf_counter() - start

    def found(verdict: str, reason: str = "") -> Floats:
        return Floats(verdict, sizes, compared, worst, ratio, reason, seconds)

    if not compared:
        return found("skipped", "no tensor is finite at the drawn state")
    if ratio <= 1:
        return found("within bounds")
    if point.ties:
        near = f"{point.ties} values are near a kink, and {worst} may lie on its other side"
        return found("skipped", near)
    return found("refuted", f"{worst} {numbers}")


def first_off(
    g: Graph, state: Values, feeds: Values, results: Callable[[Values], Mapping[Node, Array]]
) -> tuple[Node | None, str]:
    """The first node of a planned graph whose result is off by more than rounding allows, and how
    far; `results` gives from a state what each kernel call has written, in their order."""
    try:
        with SETTINGS, np.errstate(all="ignore"):
            point = probe(g, state, feeds)
            made = results(point.state)
    except VerigradError:
        return None, ""
    for n, value in made.items():
        due, rounded = (i.values[g.names[n]] for i in (point.exactly, point.rounded))
        with np.errstate(all="ignore"):
            far, words = off(value, due, rounded)
        if np.isfinite(due).all() and not far <= 1:
            return n, f"%{g.names[n]} = {n.op.name} {words}"
    return None, ""


class Probe(NamedTuple):
    """A state, and what the interpreter makes of it: in f64, and rounded; `ties` of the values are
    near a kink."""

    state: dict[str, Array]
    exactly: Interpretation
    rounded: Interpretation
    ties: int


def probe(reference: Graph, state: Values, feeds: Values) -> Probe:
    """A state that is near no kink, if one is found; `state` holds arrays of its types."""
    start = time.perf_counter()
    for number in range(_TRIES):
        drawn = {name: draw(reference, name, a, number) for name, a in state.items()}
        point = _measured(reference, {**drawn, **feeds})
        if not point.ties or time.perf_counter() - start > _LONG:
            break
    return point._replace(state=drawn)


def _measured(reference: Graph, values: Values) -> Probe:
    """What the interpreter makes of values."""
    exactly = interpret(with_dtype(reference, "f64"), _widened(values))
    # In f64, numbers that rounding might have made of them stand for what is rounded.
    same = all(n.type.dtype != "f32" for n in reference.nodes)
    held = {reference.names[n] for n in (*reference.parameters, *reference.state)}
    moved = {k: _moved(k, a) if same and k in held else a for k, a in values.items()}
    rounded = interpret(reference, moved)
    ties = sum(_ties(reference, exactly.values, rounded.values))
    return Probe({}, exactly, rounded, ties)


def _tensors(i: Interpretation) -> dict[str, Array]:
    outputs = {f"output {key}": a for key, a in i.outputs.items()}
    return outputs | {f"the new {name}": a for name, a in i.updates.items()}


def draw(g: Graph, name: str, like: Array, number: int) -> Array:
    """A value of a parameter or a state: no element is 0, and those of a state are positive."""
    if like.dtype.kind != "f":
        return np.full_like(like, STEP) if name == "step" else like.copy()
    rng = np.random.default_rng([crc32(name.encode()), number])
    n = g.named.get(name)
    if n is not None and isinstance(n.op, Parameter):
        rows = prod(like.shape[:-1]) if like.ndim > 1 else 9
        value = rng.standard_normal(like.shape, np.float32) / np.sqrt(max(rows, 1))
    else:
        value = 0.01 * (0.5 + rng.random(like.shape, np.float32))
    return np.asarray(value, like.dtype)


def _widened(values: Values) -> dict[str, Array]:
    return {k: a.astype(np.float64) if a.dtype.kind == "f" else a for k, a in values.items()}


def _moved(name: str, a: Array) -> Array:
    """The value, each element moved by some units in the last place."""
    if a.dtype.kind != "f":
        return a
    rng = np.random.default_rng(crc32(name.encode()) + 1)
    moved: Array = a * (1 + 4 * _EPS["f64"] * rng.choice([-1.0, 1.0], a.shape))
    return moved


def _ties(g: Graph, exactly: Values, rounded: Values) -> Iterator[int]:
    """How many elements of each op lie near a kink of it, or on another side when rounded."""
    for n in g.order:
        if type(n.op).kinks is Op.kinks:
            continue
        at = [exactly[g.names[i]] for i in n.inputs]
        there = [rounded[g.names[i]].astype(a.dtype) for i, a in zip(n.inputs, at, strict=True)]
        piece = _piece(n, at)
        if piece is None:
            continue
        near = np.zeros(np.shape(piece), bool)
        for sign in (1, -1):
            pushed = [
                _pushed(x, sign * _NEAR * np.abs(y - x).max(initial=0))
                for x, y in zip(at, there, strict=True)
            ]
            near |= _piece(n, pushed) != piece
        yield int(np.count_nonzero(near | (_piece(n, there) != piece)))


def _pushed(x: Array, by: float) -> Array:
    """Elements moved up and down in turns; one that is 0 exactly is meant to be."""
    if x.dtype.kind != "f":
        return x
    moved = x.reshape(-1).copy()
    moved[::2] += by
    moved[1::2] -= by
    pushed: Array = np.where(x == 0, x, moved.reshape(x.shape))
    return pushed


def _piece(n: Node, arrays: list[Array]) -> Array | None:
    return n.op.kinks(*arrays)


def off(actual: Array, due: Array, rounded: Array) -> tuple[float, str]:
    """How far a tensor is off, as a part of its bound, and in words."""
    if actual.dtype.kind != "f":
        equal = np.array_equal(actual, due)
        return (0.0 if equal else np.inf), "is another whole number than it should be"
    size = float(np.linalg.norm(due.reshape(-1)))
    unit = float(np.linalg.norm((rounded.astype(np.float64) - due).reshape(-1)))
    eps = _EPS["f32" if actual.dtype == np.float32 else "f64"]
    bound = MULTIPLE * max(unit, eps * size)
    far = float(np.linalg.norm((actual.astype(np.float64) - due).reshape(-1)))
    if far == 0:
        return 0.0, ""
    place = np.unravel_index(int(np.abs(actual - due).argmax()), due.shape) if due.ndim else ()
    at = f" at [{', '.join(str(int(i)) for i in place)}]" if due.ndim else ""
    words = (
        f"is off by {far:.2g} in norm, where rounding allows {bound:.2g};{at} it is "
        f"{float(actual[place]):.9g}, and {float(due[place]):.9g} in f64"
    )
    return far / bound if bound else np.inf, words

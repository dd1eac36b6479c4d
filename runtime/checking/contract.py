"""The contract of an op, checked: what every op of ours is held to, for a user's own too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from ...graph import (
    OPS,
    Array,
    Graph,
    GraphError,
    Input,
    Node,
    Op,
    RunError,
    TensorType,
    VerigradError,
    apply,
    parse,
)
from ...graph.types import parse_type
from ...passes import op_with_dtype, unbroadcast
from ..interpreter import interpret
from .numeric import derivative

_TOLERANCE: Final = {"f32": 2e-5, "f64": 1e-11, "i64": 0.0, "bool": 0.0}
_GRADIENT_TOLERANCE: Final = 1e-7
_SIZES: Final = (3, 1, 0)

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]


class OpReport:
    """What an op's check found; true where it found nothing."""

    def __init__(self, op: Op, checks: int, violations: tuple[str, ...]) -> None:
        self.op = op
        self.checks = checks
        self.violations = violations

    @property
    def ok(self) -> bool:
        return not self.violations

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        head = f"op {self.op.name}: {self.checks} checks, {len(self.violations)} violations"
        return "\n".join([head, *(f"  - {v}" for v in self.violations)])

    __repr__ = __str__


def check_op(
    op: Op,
    types: Sequence[str | TensorType],
    reference: Callable[..., object],
    *,
    errors: Sequence[Sequence[str | TensorType]] = (),
    values: Mapping[int, Draw] | None = None,
    seed: int = 0,
) -> OpReport:
    """Checks an op against everything that the rest of the system relies on.

    `types` are those of a sample's inputs, such as "f32[N,3]"; `reference` computes the result
    from the arrays by another way; `errors` are types that `infer` must refuse; `values` draws
    an input whose elements are restricted, by its place: `{1: labels}` with
    `labels(rng, shape)`. Inputs are standard normal otherwise.

    Checked, at batch sizes 3, 1 and 0, in f32 and f64: type, shape and value; that `out` is
    fully written, inputs and scratch are treated as they must be, and a take-over gives the same
    bits; the vector-Jacobian product against a Jacobian-vector product by differences, in f64,
    and its types; the text; the errors; the registration.
    """
    check = _Check(op, [_type(t) for t in types], reference, values or {}, seed)
    found = list(check.violations([[_type(t) for t in row] for row in errors]))
    return OpReport(op, check.count, tuple(found))


def _type(t: str | TensorType) -> TensorType:
    return t if isinstance(t, TensorType) else parse_type(t)


class _Check:
    def __init__(
        self,
        op: Op,
        types: list[TensorType],
        reference: Callable[..., object],
        values: Mapping[int, Draw],
        seed: int,
    ) -> None:
        self.op, self.types, self.reference, self.values = op, types, reference, values
        self.rng = np.random.default_rng(seed)
        self.count = 0

    def violations(self, errors: list[list[TensorType]]) -> Iterator[str]:
        if OPS.get(self.op.name) is not type(self.op):
            yield "it is not registered; put @vg.op before its class"
            return
        yield from self._errors(errors)
        for dtype in ("f32", "f64"):
            op, types = self._in(dtype)
            try:
                inferred = op.infer(*types)
            except GraphError as e:
                yield f"infer refuses the sample: {e}"
                return
            yield from self._text(op, types)
            for size in _SIZES:
                sizes = {s: size for t in (*types, inferred) for s in t.symbols}
                label = f"{dtype}, " + (", ".join(f"{s}={n}" for s, n in sizes.items()) or "fixed")
                for problem in self._run(op, types, inferred, sizes):
                    yield f"{label}: {problem}"
                if not sizes:
                    break
        if self._in("f64")[0].infer(*self._in("f64")[1]).is_float and _has_vjp(self.op):
            yield from self._gradient(*self._in("f64"))

    def _in(self, dtype: str) -> tuple[Op, list[TensorType]]:
        """Op and types in a dtype; a sample in f64 alone stays as it is."""
        op = self.op if dtype == "f32" else op_with_dtype(self.op, dtype)
        return op, [t.with_dtype(dtype) if t.dtype == "f32" else t for t in self.types]

    def _draw(self, types: list[TensorType], sizes: Mapping[str, int]) -> list[Array]:
        arrays = []
        for k, t in enumerate(types):
            shape = t.bind(sizes)
            draw = self.values.get(k)
            if draw is not None:
                drawn = draw(self.rng, shape)
            elif t.dtype == "bool":
                drawn = self.rng.random(shape) < 0.5
            else:
                drawn = self.rng.standard_normal(shape) * (1 if t.is_float else 10)
            arrays.append(np.asarray(drawn).astype(t.numpy))
        return arrays

    def _errors(self, errors: list[list[TensorType]]) -> Iterator[str]:
        for row in errors:
            self.count += 1
            try:
                t = self.op.infer(*row)
            except GraphError:
                continue
            except Exception as e:
                yield f"infer({_listed(row)}) raises {type(e).__name__}, not GraphError: {e}"
                continue
            yield f"infer({_listed(row)}) gives {t}, where an error is expected"

    def _text(self, op: Op, types: list[TensorType]) -> Iterator[str]:
        self.count += 1
        g = _graph(op, types)
        try:
            again = parse(str(g))
        except VerigradError as e:
            yield f"its text cannot be read: {e}"
            return
        if str(again) != str(g) or again.outputs["y"].op != op:
            yield f"its text reads as another op:\n{g}\n{again}"

    def _run(
        self, op: Op, types: list[TensorType], inferred: TensorType, sizes: Mapping[str, int]
    ) -> Iterator[str]:
        inputs = self._draw(types, sizes)
        bound = op.bind(sizes)
        shape = inferred.bind(sizes)
        temporaries = [(t.bind(sizes), t.numpy) for t in op.scratch(*types)]

        def run(poison: int, out: Array | None = None) -> Array:
            out = _poisoned(shape, inferred.numpy, poison) if out is None else out
            given = [out if a is alias else a for a in inputs]
            if temporaries:
                scratch = tuple([_poisoned(s, d, 255 - poison) for s, d in temporaries])
                bound.run(*given, out=out, scratch=scratch)
            else:
                bound.run(*given, out=out)
            return out

        alias: Array | None = None
        for a in inputs:
            a.setflags(write=False)
        kept = [a.tobytes() for a in inputs]
        self.count += 3
        with np.errstate(all="ignore"):
            try:
                first = run(0)
            except RunError as e:
                if 0 not in sizes.values():
                    yield f"run fails: {e}"
                return  # an op may refuse an empty batch
            except ValueError as e:
                yield f"run writes to an input, or cannot compute: {e}"
                return
            if run(255).tobytes() != first.tobytes():
                yield "the result depends on what was in `out` or in scratch: write every element"
            if [a.tobytes() for a in inputs] != kept:
                yield "run changes an input"
            yield from self._value(inputs, first, inferred)
            for k in op.inplace:
                if k < len(types) and types[k] == inferred:
                    self.count += 1
                    alias = inputs[k]
                    if run(0, inputs[k].copy()).tobytes() != first.tobytes():
                        yield f"taking over input {k} gives other bits; it must not be `inplace`"

    def _value(self, inputs: list[Array], result: Array, t: TensorType) -> Iterator[str]:
        self.count += 1
        exact = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in inputs]
        expected = np.asarray(self.reference(*exact))
        if expected.shape != result.shape:
            yield f"the shape is {list(result.shape)}, the reference's {list(expected.shape)}"
            return
        tolerance = _TOLERANCE[t.dtype]
        close = np.isclose(result, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
        if not close.all():
            at = tuple(int(i) for i in np.argwhere(~close)[0])
            yield f"at {list(at)} the value is {result[at]}, the reference's {expected[at]}"

    def _gradient(self, op: Op, types: list[TensorType]) -> Iterator[str]:
        """<u, J v> by differences against <J'u, v> by the op's own vjp."""
        sizes = {s: 3 for t in types for s in t.symbols}
        inputs = self._draw(types, sizes)
        g = _graph(op, types)
        y = g.outputs["y"]
        u = self.rng.standard_normal(y.type.bind(sizes))
        dy = Node(Input(y.type), (), y.type, "dy")
        parts = op.vjp(y, dy)
        if len(parts) != len(types):
            yield f"vjp gives {len(parts)} cotangents for {len(types)} inputs"
            return
        feeds = {f"x{k}": a for k, a in enumerate(inputs)}
        for k, (t, part) in enumerate(zip(types, parts, strict=True)):
            self.count += 2
            if not t.is_float:
                if part is not None:
                    yield f"vjp gives a cotangent for input {k}, which is {t}"
                continue
            if part is not None and part.type.dtype != t.dtype:
                yield f"vjp gives {part.type} for input {k}, which is {t}"
                continue
            v = self.rng.standard_normal(t.bind(sizes))
            numeric = derivative(_along(g, feeds, f"x{k}", v, u))
            symbolic = 0.0
            if part is not None:
                outputs = {
                    "dx": unbroadcast(part, t),
                    **{f"x{i}": x for i, x in enumerate(y.inputs)},
                }
                held = Graph("vjp", {**outputs, "dy": dy})
                symbolic = float((interpret(held, {**feeds, "dy": u}).outputs["dx"] * v).sum())
            size = max(abs(symbolic) + abs(numeric.value), 1e-3)
            if not abs(symbolic - numeric.value) <= _GRADIENT_TOLERANCE * size:
                yield (
                    f"the vjp of input {k} is wrong: {symbolic:.9g} along a random direction, by "
                    f"differences {numeric.value:.9g}"
                )


def _graph(op: Op, types: list[TensorType]) -> Graph:
    inputs = [Node(Input(t), (), t, f"x{k}") for k, t in enumerate(types)]
    return Graph("sample", {"y": apply(op, *inputs), **{f"x{k}": x for k, x in enumerate(inputs)}})


def _along(
    g: Graph, feeds: Mapping[str, Array], name: str, v: Array, u: Array
) -> Callable[[float], float]:
    """h -> <u, f(x + h v)>."""

    def phi(h: float) -> float:
        moved = {**feeds, name: feeds[name] + h * v}
        return float((interpret(g, moved).outputs["y"] * u).sum())

    return phi


def _poisoned(shape: tuple[int, ...], dtype: np.dtype[np.generic], byte: int) -> Array:
    """An array whose every byte is the given one: 255 is NaN, or -1, or a bool that is no bool."""
    out: Array = np.empty(shape, dtype)
    if dtype.kind == "b":
        out.fill(byte != 0)
    else:
        out.reshape(-1).view(np.uint8).fill(byte)
    return out


def _has_vjp(op: Op) -> bool:
    return type(op).vjp is not Op.vjp


def _listed(types: Sequence[TensorType]) -> str:
    return ", ".join(map(str, types))

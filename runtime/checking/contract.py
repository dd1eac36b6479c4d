"""The contract of an op, checked: what every op of ours is held to, for a user's own too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from ...graph import (
    OPS,
    GraphError,
    Op,
    RunError,
    TensorType,
    VerigradError,
    all_of,
    check_callable,
    check_kind,
    parse,
    shown,
    whole_number,
)
from ...graph.types import parse_type
from ...ops import check_seed
from .cotangents import cotangent_checks, cotangent_types
from .exact_meaning import exact_checks
from .kernel import kernel_checks
from .sample import Draw, Reference, Sample

_SIZES: Final = (3, 1, 0)


_HINT: Final = """  no `exact`: certificates skip what the op reaches; say what it means, such as
  def exact(self, at, x): return x * x, or: return x.function("exp", slope=lambda y: y)"""


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
        hint = [_HINT] if type(self.op).exact is Op.exact else []
        return "\n".join([head, *(f"  - {v}" for v in self.violations), *hint])

    __repr__ = __str__


def check_op(
    op: Op,
    types: Sequence[str | TensorType],
    reference: Reference,
    *,
    errors: Sequence[Sequence[str | TensorType]] = (),
    values: Mapping[int, Draw] | None = None,
    stopped: Collection[int] = (),
    seed: int = 0,
) -> OpReport:
    """Checks an op against everything that the rest of the system relies on.

    `types` are those of a sample's inputs, such as "f32[N,3]"; `reference` computes the result
    from the arrays by another way, and gives None where `run` must raise RunError; `errors` are
    types that `infer` must refuse; `values` draws an input whose elements are restricted, by its
    place: `{1: labels}` with `labels(rng, shape)`; `stopped` are the places of inputs that the
    op keeps gradients from on purpose. Inputs are standard normal otherwise.

    Checked, at batch sizes 3, 1 and 0, in f32 and f64: type, shape and value; that `out` is
    fully written, inputs and scratch are treated as they must be, and a take-over gives the same
    bits; the shape of what `kinks` gives; that a result of nothing is the reference's, or a
    RunError where it has none; NaN, infinity and -0, for an elementwise op whose inputs are not
    restricted. Then the vector-Jacobian product against a Jacobian-vector product by differences,
    in f64, and its types; an `exact` against `run`, where numbers are exact, and against the
    vector-Jacobian product, where nothing is rounded; that `flops` counts; the text; that the
    attributes can be hashed; the errors; the registration.
    """
    check_kind("op", op, Op, "an op, e.g. MyOp(),", RunError)
    check_callable("reference", reference, "a function of the inputs' arrays", RunError)
    values = {} if values is None else values
    check_kind("values", values, Mapping, "a dict of functions by their inputs' places", RunError)
    for k, draw in values.items():
        place = whole_number("values: the place of an input", k, error=RunError)
        check_callable(f"values: {shown(place)}", draw, "draw(rng, shape)", RunError)
    stopped = [whole_number("stopped", k) for k in all_of("stopped", stopped, object, "a place")]
    refused = [_types("errors", row) for row in all_of("errors", errors, object, "types")]
    rng = np.random.default_rng(check_seed(seed))
    sample = Sample(op, _types("types", types), reference, values, rng)
    outcomes = list(_checks(sample, refused, stopped))
    return OpReport(op, len(outcomes), tuple(v for v in outcomes if v is not None))


def _types(what: str, items: Sequence[str | TensorType]) -> list[TensorType]:
    types = all_of(what, items, (str, TensorType), 'a type such as "f32[N,3]"', RunError)
    return [t if isinstance(t, TensorType) else parse_type(t) for t in types]


def _checks(
    sample: Sample, refused: list[list[TensorType]], stopped: Collection[int]
) -> Iterator[str | None]:
    """A violation in words, or None, for each thing that was looked at."""
    op = sample.op
    if OPS.get(op.name) is not type(op):
        yield "it is not registered; put @vg.op before its class"
        return
    yield from _errors(op, refused)
    for dtype in ("f32", "f64"):
        one = sample.with_dtype(dtype)
        try:
            one.inferred()
        except GraphError as e:
            yield f"infer refuses the sample: {e}"
            return
        yield from _text(one)
        for size in _SIZES if one.sizes(1) else (1,):
            sizes = one.sizes(size)
            label = f"{dtype}, " + (", ".join(f"{s}={n}" for s, n in sizes.items()) or "fixed")
            for problem in (*_counts(one, sizes), *kernel_checks(one, sizes)):
                yield problem and f"{label}: {problem}"
    in_f64 = sample.with_dtype("f64")
    for size in (3, 1) if in_f64.sizes(1) else (1,):
        yield from exact_checks(in_f64, in_f64.sizes(size), stopped)
    if type(op).vjp is not Op.vjp and in_f64.inferred().is_float:
        yield from cotangent_types(sample)
        for size in (3, 1) if in_f64.sizes(1) else (1,):
            try:
                yield from cotangent_checks(in_f64, in_f64.sizes(size), stopped)
            except Exception as e:
                yield f"the vjp cannot be checked: {type(e).__name__}: {e}"


def _errors(op: Op, refused: list[list[TensorType]]) -> Iterator[str | None]:
    for row in refused:
        listed = ", ".join(map(str, row))
        try:
            t = op.infer(*row)
        except GraphError:
            yield None
        except Exception as e:
            yield f"infer({listed}) raises {type(e).__name__}, not GraphError: {e}"
        else:
            yield f"infer({listed}) gives {t}, where an error is expected"


def _counts(sample: Sample, sizes: Mapping[str, int]) -> Iterator[str | None]:
    """What the cost model reads."""
    result = sample.inferred().bind(sizes)
    try:
        flops = sample.op.flops(result, *[t.bind(sizes) for t in sample.types])
    except Exception as e:
        yield f"flops fails with {type(e).__name__}: {e}"
        return
    whole = isinstance(flops, int) and flops >= 0
    yield None if whole else f"flops gives {shown(flops)}, where a whole number from 0 is expected"


def _text(sample: Sample) -> Iterator[str | None]:
    op, g = sample.op, sample.graph()
    try:
        hash(op)
    except TypeError as e:
        yield f"its attributes cannot be hashed ({e}); use tuples"
    try:
        again = parse(str(g))
    except VerigradError as e:
        yield f"its text cannot be read: {e}"
        return
    same = str(again) == str(g) and again.outputs["y"].op == op
    yield None if same else f"its text reads as another op:\n{g}\n{again}"

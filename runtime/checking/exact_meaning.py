"""An op's exact meaning: against its kernel where numbers are exact, and against its vjp."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import numpy as np

from ...graph import Array, Op, Point, Residues, RunError
from ...graph.modular.arithmetic import PRIMES, random_residues, residues
from ...graph.modular.modulus import Modulus
from ..certificate.derivatives import vjp_holds
from ..certificate.evaluation import exact
from ..certificate.points import At
from .kernel import run
from .sample import Sample

_EXACT: Final = (-4.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0)
"""Sums and products of these are exact, and so are many quotients."""
_BITS: Final = 2.0**20
_KEY: Final = 1


class _FunctionError(Exception):
    """A random function was asked for, which no kernel's result can be compared with."""


class _Algebra(Residues):
    """Residues that know sums, products and quotients alone."""

    __slots__ = ()

    def function(self, name: str, *others: Residues, slope: Any = None) -> Residues:
        raise _FunctionError

    def function_of_rows(self, name: str) -> Residues:
        raise _FunctionError

    def __gt__(self, other: Any) -> Residues:
        raise _FunctionError  # residues have another order than numbers

    def first_max(self, axes: Any = None) -> Residues:
        raise _FunctionError


def exact_checks(
    sample: Sample, sizes: Mapping[str, int], stopped: Collection[int]
) -> Iterator[str | None]:
    """A violation in words, or None, where the op has an exact meaning; for f64."""
    if type(sample.op).exact is Op.exact:
        return
    at = At(dict(sizes), Modulus(PRIMES[0]), _KEY, {})
    yield from _as_the_kernel(sample, at)
    n = sample.graph().outputs["y"]
    values = []
    for k, (t, drawn) in enumerate(zip(sample.types, sample.draw(sizes), strict=True)):
        value = (
            random_residues(k + 1, np.arange(drawn.size), at.modulus).reshape(drawn.shape)
            if t.is_float
            else drawn
        )
        values.append(Residues(value, t.dtype, at.modulus))
    if type(sample.op).vjp is not Op.vjp and n.type.is_float:
        try:
            holds = vjp_holds(n, values, at, stopped)
        except Exception as e:
            yield f"the vjp cannot be compared with `exact`: {type(e).__name__}: {e}"
            return
        yield (
            None
            if holds
            else (
                "the vjp is not the derivative of `exact`: <dy, J u> differs from <vjp(dy), u> "
                f"modulo {at.modulus}"
            )
        )
    else:
        try:
            exact(n, values, at)
        except Exception as e:
            yield f"exact: {e}"
        else:
            yield None


def _is_exact(attribute: object) -> bool:
    """Whether sums and products with an attribute are exact."""
    return not isinstance(attribute, float) or (attribute * _BITS).is_integer()


def _as_the_kernel(sample: Sample, at: At) -> Iterator[str | None]:
    """Against `run`, on numbers whose sums and products are exact, where only such are taken."""
    if not all(_is_exact(getattr(sample.op, name)) for name in sample.op.field_names):
        return
    rng = np.random.default_rng(0)
    arrays: list[Array] = [
        rng.choice(_EXACT, drawn.shape) if t.is_float else drawn
        for t, drawn in zip(sample.types, sample.draw(at.sizes), strict=True)
    ]
    op = sample.op.bind(at.sizes)
    inputs = [
        _Algebra(residues(a, at.modulus), t.dtype, at.modulus)
        for a, t in zip(arrays, sample.types, strict=True)
    ]
    result = sample.inferred()
    point = Point(result.bind(at.sizes), result.dtype, at.modulus, at.sizes, _Algebra)
    try:
        with np.errstate(all="ignore"):
            meant = op.exact(point, *inputs)
            out = run(sample, at.sizes, arrays)
    except (_FunctionError, RunError):
        return  # the kernel refuses what has no result
    except Exception as e:
        yield f"exact fails with {type(e).__name__}: {e}"
        return
    if meant.value.shape != out.shape:
        yield f"exact gives the shape {list(meant.value.shape)}, `run` {list(out.shape)}"
        return
    scaled = out.astype(np.float64) * _BITS
    sure = np.isfinite(scaled) & (scaled == np.floor(scaled)) & (np.abs(scaled) < 2.0**50)
    wrong = sure & (residues(out, at.modulus) != meant.value)
    where = np.argwhere(wrong)
    yield (
        None
        if not where.size
        else (
            f"exact differs from `run` at {[int(i) for i in where[0]]}, where this gives "
            f"{out[tuple(where[0])]}"
        )
    )

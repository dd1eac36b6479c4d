"""An op on inputs of given types: what its checks draw, run and compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from ...graph import (
    Array,
    Graph,
    Input,
    Node,
    Op,
    RunError,
    TensorType,
    apply,
    as_array,
    exactly,
    unwarned,
    whole_symbols,
)
from ...passes import op_with_dtype

TOLERANCE: Final = {"f32": 2e-5, "f64": 1e-11, "i64": 0.0, "bool": 0.0}
"""By how much a value may differ from the reference's, relative to it or to `Sample.size`."""
_NUDGE: Final = 1e-3
_SPECIAL: Final = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0)

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
Reference = Callable[..., object]


class Sample:
    """An op, the types of its inputs, how these are drawn, and what must come out."""

    def __init__(
        self,
        op: Op,
        types: Sequence[TensorType],
        reference: Reference,
        values: Mapping[int, Draw],
        rng: np.random.Generator,
    ) -> None:
        self.op = op
        self.types = tuple(types)
        self.reference = reference
        self.values = values
        self.rng = rng

    def with_dtype(self, dtype: str) -> Sample:
        """The sample in f32 as it is, or with every f32 made f64."""
        if dtype == "f32":
            return self
        types = [t.with_dtype(dtype) if t.dtype == "f32" else t for t in self.types]
        return Sample(op_with_dtype(self.op, dtype), types, self.reference, self.values, self.rng)

    def inferred(self) -> TensorType:
        """The result's type; raises GraphError where `infer` refuses the sample."""
        return self.op.infer(*self.types)

    def sizes(self, size: int) -> dict[str, int]:
        """Every symbol of the sample at one size."""
        of_types = [s for t in (*self.types, self.inferred()) for s in t.symbols]
        return dict.fromkeys(whole_symbols((*of_types, *self.op.free_symbols())), size)

    def draw(self, sizes: Mapping[str, int]) -> list[Array]:
        """Arrays for the inputs: standard normal, unless `values` draws them."""
        arrays = []
        for k, t in enumerate(self.types):
            shape = t.bind(sizes)
            draw = self.values.get(k)
            if draw is not None:
                arrays.append(_given(draw(self.rng, shape), k, t, shape))
            elif t.dtype == "bool":
                arrays.append(self.rng.random(shape) < 0.5)
            else:
                drawn = self.rng.standard_normal(shape) * (1 if t.is_float else 10)
                arrays.append(np.asarray(drawn).astype(t.numpy))
        return arrays

    def draw_special(self, sizes: Mapping[str, int]) -> list[Array]:
        """The same with NaN, the infinities, both zeros and both ones for every float."""
        arrays = self.draw(sizes)
        return [
            self.rng.choice(_SPECIAL, a.shape).astype(a.dtype) if a.dtype.kind == "f" else a
            for a in arrays
        ]

    def expected(self, arrays: Sequence[Array]) -> Array | None:
        """What the reference gives, floats in f64; None where it has no answer: where it gives
        None, or fails or gives NaN for no elements."""
        exact = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
        empty = any(a.size == 0 for a in arrays)
        with unwarned(), np.errstate(all="ignore"):
            try:
                answer = self.reference(*exact)
            except Exception:
                if empty:
                    return None
                raise
        if answer is None:
            return None
        array = as_array(answer, "what the reference gives", name="result", error=RunError)
        return None if empty and array.dtype.kind == "f" and np.isnan(array).any() else array

    def size(self, arrays: Sequence[Array], expected: Array) -> float:
        """How large what a float result is made of is: as the largest of its elements, or as what
        a small share of the inputs changes it by, times as much.

        In a sum of numbers that cancel, their rounding is far larger than the result's.
        """
        rng = np.random.default_rng(0)
        nudged = [
            a * (1 + _NUDGE * rng.choice([-1.0, 1.0], a.shape)) if a.dtype.kind == "f" else a
            for a in arrays
        ]
        exact, other = expected.astype(np.float64), self.expected(nudged)
        with np.errstate(all="ignore"):
            sizes = [abs(exact)]
            if other is not None and other.shape == exact.shape:
                sizes.append(abs(other - exact) / _NUDGE)
            return float(max([f[np.isfinite(f)].max(initial=0.0) for f in sizes]))

    def graph(self) -> Graph:
        """The op as a graph: inputs `x0`, `x1`, ... and the output `y`."""
        inputs = [Node(Input(t), (), t, f"x{k}") for k, t in enumerate(self.types)]
        outputs = {f"x{k}": x for k, x in enumerate(inputs)}
        return Graph("sample", {"y": apply(self.op, *inputs), **outputs})


def _given(drawn: object, k: int, t: TensorType, shape: tuple[int, ...]) -> Array:
    """What a user's function draws for an input."""
    what = f"what `values` draws for input {k}"
    array = as_array(drawn, what, t, name="drawn", error=RunError)
    if array.shape != shape:
        raise RunError(f"{what} has the shape {list(array.shape)}, where {list(shape)} is expected")
    return exactly(array, t.dtype, what, RunError)


def different(result: Array, expected: Array, t: TensorType, size: float) -> str | None:
    """Where a result of type `t`, made of what is of that size, is not what is expected, in
    words."""
    if expected.shape != result.shape:
        return f"the shape is {list(result.shape)}, the reference's {list(expected.shape)}"
    kinds = {"b": "bool", "i": "i64", "u": "i64", "f": "a float"}
    if kinds.get(expected.dtype.kind) != ("a float" if t.is_float else t.dtype):
        return f"the type is {t}, but the reference gives {expected.dtype}"
    tolerance = TOLERANCE[t.dtype]
    least = 4 * float(np.finfo(result.dtype).smallest_subnormal) if t.is_float else 0.0
    within = tolerance * size + least
    close = np.isclose(result, expected, rtol=tolerance, atol=within, equal_nan=True)
    if close.all():
        return None
    at = tuple(int(i) for i in np.argwhere(~close)[0])
    return f"at {list(at)} the value is {result[at]}, the reference's {expected[at]}"

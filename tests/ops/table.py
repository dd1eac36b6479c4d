"""One row or more for every op: a sample, what it must give by another formula, what it refuses.

References compute in f64 and avoid the kernel's own formula where there is another.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

import verigrad as vg
from verigrad.graph import OPS
from verigrad.runtime.checking.sample import Draw

Types = list[str]
Arrays = np.ndarray


class Row(NamedTuple):
    """A sample of an op, and what it must give and refuse."""

    op: vg.Op
    types: Types
    reference: Callable[..., object]
    errors: list[Types] = []  # noqa: RUF012
    values: Mapping[int, Draw] = {}
    stopped: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        fields = ",".join(f"{k}={v}" for k, v in self.op.changed().items())
        return f"{self.op.name}{{{fields}}}({','.join(self.types)})"


def row(name: str, types: str, reference: Callable[..., object], **rest: object) -> Row:
    """A row of the op of that name; what is no column of the table is an attribute."""
    columns = {k: rest.pop(k) for k in ("errors", "values", "stopped") if k in rest}
    columns["errors"] = [e.split() for e in columns.get("errors", [])]
    return Row(OPS[name](**rest), types.split(), reference, **columns)


def clip_factor(limit: float) -> Callable[..., object]:
    def factor(*xs: np.ndarray) -> object:
        norm = math.hypot(*(float(v) for x in xs for v in np.ravel(x)))
        found = min(1.0, limit / (norm + 1e-6))
        return np.array(found if found > 2.0**-126 else -math.sqrt(found))

    return factor


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0.5, 2.0, shape)


def classes(count: int) -> Draw:
    return lambda rng, shape: rng.integers(0, count, shape)


def places(count: int) -> Draw:
    """The flat place of a class in each row of that many."""
    return lambda rng, shape: count * np.arange(shape[0]) + rng.integers(0, count, shape)


def whole(low: int, high: int) -> Draw:
    """Whole numbers as floats: equal ones are frequent."""
    return lambda rng, shape: rng.integers(low, high, shape).astype(float)


def step_number(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(7)


# ---- references that take more than a line --------------------------------------------------


def at_first(x: np.ndarray, axes: tuple[int, ...] | None) -> np.ndarray:
    """1 at the first maximum, by a search through every element in order."""
    y, found = np.zeros(x.shape), {}
    axes = tuple(range(x.ndim)) if axes is None else axes
    for at in np.ndindex(x.shape):
        kept = tuple(i for k, i in enumerate(at) if k not in axes)
        if kept not in found or x[at] > x[found[kept]]:
            found[kept] = at
    for at in found.values():
        y[at] = 1
    return y


def log_softmax(x: np.ndarray) -> np.ndarray:
    """ln of the shares, each as 1 / (the sum of exp of differences)."""
    differences = x[..., None, :] - x[..., :, None]
    return -np.log(np.exp(differences).sum(axis=-1))


def one_hot(labels: np.ndarray, count: int) -> np.ndarray:
    return (labels[:, None] == np.arange(count)).astype(float)


def mask(seed: int, key: str, keep: float, scale: float, shape: tuple[int, ...]):
    """The dropout mask by hand, word by word, from the stream that NumPy promises."""

    def reference(step: np.ndarray) -> np.ndarray:
        digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
        philox = np.random.Philox(
            key=np.array([seed, int.from_bytes(digest, "little")], np.uint64),
            counter=np.array([0, 0, int(step), 0], np.uint64),
        )
        size = math.prod(shape)
        drawn = [int(w) for w in philox.random_raw(-(-size // 4))]
        halves = [(w >> (16 * k)) & 0xFFFF for w in drawn for k in range(4)]
        below = round(keep * 65536)
        return np.array([scale * (h < below) for h in halves[:size]], float).reshape(shape)

    return reference


def slow_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix product, as a sum of outer products."""
    y = np.zeros((a.shape[0], b.shape[1]))
    for k in range(a.shape[1]):
        y += np.multiply.outer(a[:, k], b[k])
    return y


def scaled_sum(c: Arrays, a: Arrays, b: Arrays, alpha: float, beta: float) -> Arrays:
    return beta * c + alpha * slow_product(a, b)


def each(f: Callable[[float], float]) -> Callable[[Arrays], Arrays]:
    """A function of numbers, element by element."""
    return lambda x: np.array([f(float(v)) for v in x.reshape(-1)]).reshape(x.shape)


def selu(x: Arrays) -> Arrays:
    """From the closed forms of its two constants (Klambauer et al. 2017, equation 14)."""
    e, c1, c2 = math.e, math.erfc(math.sqrt(0.5)), math.erfc(math.sqrt(2))
    alpha = -math.sqrt(2 / math.pi) / (c1 * math.sqrt(e) - 1)
    under = 2 * c2 * e**2 + math.pi * c1**2 * e - 2 * (2 + math.pi) * c1 * math.sqrt(e)
    scale = (1 - c1 * math.sqrt(e)) * math.sqrt(2 * math.pi / (under + math.pi + 2))
    return np.where(x <= 0, scale * alpha * (np.exp(x) - 1), scale * x)


def gelu_by_tanh(x: Arrays) -> Arrays:
    """x sigmoid(2 u), which is x (1 + tanh(u)) / 2."""
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return x / (1 + np.exp(-2 * u))


def silu_slope(x: Arrays) -> Arrays:
    s, r = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))
    return s + np.minimum(x, 700) * s * r


def gelu_slope(x: Arrays) -> Arrays:
    x = np.clip(x, -50, 50)
    below = each(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)))(x)
    return below + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def gelu_slope_by_tanh(x: Arrays) -> Arrays:
    """By the slope of tanh, 1 - t t."""
    x = np.clip(x, -50, 50)
    root = math.sqrt(2 / math.pi)
    t = np.tanh(root * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * root * (1 + 0.134145 * x * x)


def by_running_values(x: Arrays, w: Arrays, b: Arrays, m: Arrays, v: Arrays) -> Arrays:
    """Batch normalization in inference, one column after another."""
    columns = [(x[:, k] - m[k]) * (v[k] + 1e-5) ** -0.5 * w[k] + b[k] for k in range(len(w))]
    return np.stack(columns, axis=1)


def rows_variance(c: Arrays) -> Arrays | None:
    """The mean square of each column; of one row there is none."""
    return None if len(c) < 2 else np.linalg.norm(c, axis=0) ** 2 / len(c)


def descended(w: Arrays, d: Arrays, s: Arrays, rate: Arrays, eps: Arrays) -> Arrays:
    return w - rate * d / (s**0.5 + eps)


# ---- the rows -------------------------------------------------------------------------------

COMPARISONS = {
    "greater": lambda a, b: np.logical_not(a <= b) & (a == a) & (b == b),
    "greater_equal": lambda a, b: (a > b) | (a == b),
    "less": lambda a, b: b > a,
    "less_equal": lambda a, b: (a < b) | (a == b),
    "equal": lambda a, b: (a >= b) & (a <= b),
    "not_equal": lambda a, b: np.logical_not((a >= b) & (a <= b)),
}
BINARY_ERRORS = [
    "f32[N]",
    "f32[N] f32[N] f32[N]",
    "f32[N] f64[N]",
    "bool[N] bool[N]",
    "f32[N,2] f32[N,3]",
    "f32[N] f32[M]",
    "f32[N] f32[2]",
]
FLOATS_ONLY = ["i64[N] i64[N]"]
UNARY_ERRORS = ["", "f32[N] f32[N]", "bool[N]"]
SLOPE_ERRORS = [
    "f32[N]",
    "f32[N] f32[N] f32[N]",
    "f32[N] f64[N]",
    "i64[N] i64[N]",
    "f32[N,3] f32[3]",
]
REDUCTION_ERRORS = ["", "f32[N] f32[N]", "i64[N]", "bool[N]"]
SUM = lambda x: np.einsum("i->", x.reshape(-1))  # noqa: E731

TABLE: list[Row] = [
    row("add", "f32[N,3] f32[N,3]", lambda a, b: a - (0 - b), errors=BINARY_ERRORS),
    row("add", "f32[N,3] f32[3]", lambda a, b: a - (0 - b)),
    row("add", "f32[] f32[N,1]", lambda a, b: a - (0 - b)),
    row("add", "i64[N] i64[]", lambda a, b: a - (0 - b)),
    row("subtract", "f32[N,3] f32[N,3]", lambda a, b: a + -1 * b, errors=BINARY_ERRORS),
    row("subtract", "f32[3] f32[N,3]", lambda a, b: a + -1 * b),
    row("subtract", "f32[N,1] f32[N,3]", lambda a, b: a + -1 * b),
    row("subtract", "i64[N] i64[N]", lambda a, b: a + -1 * b),
    row(
        "multiply",
        "f32[N,3] f32[N,3]",
        lambda a, b: np.einsum("ij,ij->ij", a, b),
        errors=BINARY_ERRORS,
    ),
    row("multiply", "f32[N,3] f32[]", lambda a, b: a * b),
    row("multiply", "f32[N,1] f32[1,3]", lambda a, b: a @ b, values={0: positive, 1: positive}),
    row("multiply", "i64[N] i64[N]", lambda a, b: a * b),
    row("divide", "f32[N,3] f32[N,3]", lambda a, b: a / b, errors=BINARY_ERRORS + FLOATS_ONLY),
    row("divide", "f32[N,3] f32[N,1]", lambda a, b: a * b**-1, values={1: positive}),
    row("divide", "f32[] f32[N]", lambda a, b: a * b**-1, values={1: positive}),
    row(
        "power",
        "f32[N,3] f32[N,3]",
        lambda a, b: np.exp(b * np.log(a)),
        values={0: positive},
        errors=BINARY_ERRORS + FLOATS_ONLY,
    ),
    row("power", "f32[N,3] f32[]", lambda a, b: np.exp(b * np.log(a)), values={0: positive}),
    row(
        "maximum",
        "f32[N,3] f32[N,3]",
        lambda a, b: np.where((a >= b) | (a != a), a, b),
        errors=BINARY_ERRORS,
    ),
    row("maximum", "f32[N,3] f32[]", lambda a, b: np.where((a >= b) | (a != a), a, b)),
    row("maximum", "i64[N] i64[N]", lambda a, b: np.where(a >= b, a, b)),
    row(
        "minimum",
        "f32[N,3] f32[N,3]",
        lambda a, b: np.where((a <= b) | (a != a), a, b),
        errors=BINARY_ERRORS,
    ),
    row("minimum", "f32[3] f32[N,3]", lambda a, b: np.where((a <= b) | (a != a), a, b)),
    row("negative", "f32[N,3]", lambda x: 0 - x, errors=UNARY_ERRORS),
    row("negative", "i64[N]", lambda x: 0 - x),
    *(
        row(name, types, reference, errors=BINARY_ERRORS)
        for name, reference in COMPARISONS.items()
        for types in ("f32[N,3] f32[N,3]", "f32[N,3] f32[]", "i64[N] i64[N]")
    ),
    row(
        "greater",
        "f32[N,9] f32[N,9]",
        COMPARISONS["greater"],
        values={0: whole(0, 3), 1: whole(0, 3)},
    ),
    row(
        "where",
        "bool[N,3] f32[N,3] f32[N,3]",
        lambda c, a, b: np.choose(c, [b, a]),
        errors=[
            "f32[N] f32[N] f32[N]",
            "bool[N] f32[N]",
            "bool[N] f32[N] f64[N]",
            "bool[2] f32[3] f32[3]",
            "bool[N] f32[M] f32[M]",
            "bool[N] f32[N] i64[N]",
        ],
    ),
    row("where", "bool[N,1] f32[N,3] f32[]", lambda c, a, b: np.where(~c, b, a)),
    row("where", "bool[] f32[3] f32[N,1]", lambda c, a, b: np.where(~c, b, a)),
    row("where", "bool[N] i64[N] i64[]", lambda c, a, b: np.where(~c, b, a)),
    row("exp", "f32[N,3]", lambda x: 2.0 ** (x / np.log(2)), errors=[*UNARY_ERRORS, "i64[N]"]),
    row(
        "log",
        "f32[N,3]",
        lambda x: np.log2(x) * np.log(2),
        errors=[*UNARY_ERRORS, "i64[N]"],
        values={0: positive},
    ),
    row(
        "sqrt", "f32[N,3]", lambda x: x**0.5, errors=[*UNARY_ERRORS, "i64[N]"], values={0: positive}
    ),
    row("square", "f32[N,3]", lambda x: abs(x) ** 2, errors=[*UNARY_ERRORS, "i64[N]"]),
    row("absolute", "f32[N,3]", lambda x: np.where(x < 0, -x, x), errors=[*UNARY_ERRORS, "i64[N]"]),
    row(
        "sign",
        "f32[N,3]",
        lambda x: np.where(x != x, x, 1.0 * (x > 0) - (x < 0)),
        errors=[*UNARY_ERRORS, "i64[N]"],
    ),
    row(
        "tanh", "f32[N,3]", lambda x: 1 - 2 / (np.exp(2 * x) + 1), errors=[*UNARY_ERRORS, "i64[N]"]
    ),
    row("sigmoid", "f32[N,3]", lambda x: 1 / (1 + np.exp(-x)), errors=[*UNARY_ERRORS, "i64[N]"]),
    row("cos", "f32[N,3]", lambda x: np.exp(1j * x).real, errors=[*UNARY_ERRORS, "i64[N]"]),
    row("sin", "f32[N,3]", lambda x: np.exp(1j * x).imag, errors=[*UNARY_ERRORS, "i64[N]"]),
    row("floor", "f32[N,3]", lambda x: -np.ceil(-x), errors=[*UNARY_ERRORS, "i64[N]"]),
    row("stop_gradient", "f32[N,3]", lambda x: x, errors=[*UNARY_ERRORS, "i64[N]"], stopped=(0,)),
    row("relu", "f32[N,3]", lambda x: np.where(x < 0, 0.0, x), errors=[*UNARY_ERRORS, "i64[N]"]),
    row(
        "relu_grad",
        "f32[N,3] f32[N,3]",
        lambda y, dy: np.where(y <= 0, 0.0, dy),
        errors=SLOPE_ERRORS,
    ),
    row("sum", "f32[N,3]", SUM, errors=REDUCTION_ERRORS),
    row("sum", "f32[N,3]", lambda x: np.ones(len(x)) @ x, axes=(0,), errors=["f32[]"]),
    row(
        "sum",
        "f32[N,3]",
        lambda x: (x @ np.ones(3))[:, None],
        axes=(1,),
        keepdims=True,
        errors=["f32[N]"],
    ),
    row("sum", "f32[2,N,3]", lambda x: np.einsum("ijk->j", x), axes=(0, 2)),
    row(
        "sum",
        "f32[2,N,3]",
        lambda x: np.einsum("ijk->j", x)[None, :, None],
        axes=(2, 0),
        keepdims=True,
    ),
    row("sum", "f32[N,3]", lambda x: SUM(x).reshape(1, 1), keepdims=True),
    row("sum", "f32[N,3]", lambda x: x, axes=()),
    row("sum", "f32[]", lambda x: x),
    row("mean", "f32[N,3]", lambda x: SUM(x) / x.size, errors=REDUCTION_ERRORS),
    row("mean", "f32[N,3]", lambda x: np.ones(len(x)) @ x / len(x), axes=(0,), errors=["f32[]"]),
    row("mean", "f32[N,3]", lambda x: x @ np.ones(3) / 3, axes=(1,), errors=["f32[N]"]),
    row(
        "mean",
        "f32[2,N,3]",
        lambda x: np.einsum("ijk->k", x)[None, None] / x[..., 0].size,
        axes=(0, 1),
        keepdims=True,
    ),
    row("mean", "f32[N,M]", lambda x: SUM(x) / x.size),
    row("mean", "f32[]", lambda x: x),
    row("max", "f32[N,3]", lambda x: sorted(x.reshape(-1))[-1], errors=REDUCTION_ERRORS),
    row("max", "f32[N,3]", lambda x: np.sort(x, 0)[-1], axes=(0,), errors=["f32[]"]),
    row(
        "max",
        "f32[N,3]",
        lambda x: np.sort(x, 1)[:, -1:],
        axes=(1,),
        keepdims=True,
        errors=["f32[N]"],
    ),
    row("max", "f32[2,N,3]", lambda x: np.sort(np.sort(x, 0)[-1], 1)[:, -1], axes=(0, 2)),
    row(
        "first_max",
        "f32[N,3]",
        lambda x: at_first(x, None),
        errors=REDUCTION_ERRORS,
        values={0: whole(0, 3)},
        stopped=(0,),
    ),
    row(
        "first_max",
        "f32[N,4]",
        lambda x: at_first(x, (0,)),
        axes=(0,),
        errors=["f32[]"],
        values={0: whole(0, 2)},
        stopped=(0,),
    ),
    row(
        "first_max",
        "f32[2,N,4]",
        lambda x: at_first(x, (0, 2)),
        axes=(0, 2),
        values={0: whole(0, 3)},
        stopped=(0,),
    ),
    row("first_max", "f32[N,4]", lambda x: at_first(x, ()), axes=()),
    row("squared_norm", "f32[N,3]", lambda x: np.trace(x @ x.T), errors=REDUCTION_ERRORS),
    row("squared_norm", "f32[4]", lambda x: np.linalg.norm(x) ** 2),
    *(
        row(
            "clip_factor",
            types,
            clip_factor(limit),
            limit=limit,
            errors=["", "i64[N]", "f32[N] f64[N]"],
        )
        for types in ("f32[N,3] f32[2] f32[]", "f64[N]", "f32[2] f32[2]")
        for limit in (0.5, 1e-40)
    ),
    *(
        row(
            "clip_by",
            types,
            lambda x, factor: x * abs(factor) ** (1 if factor > 0 else 2),
            values={1: factor},
            errors=["f32[3]", "f32[3] f32[3]", "f32[3] f64[]", "i64[3] i64[]"],
        )
        for types in ("f32[3,2] f32[]", "f32[] f32[]", "f32[40000] f32[]")
        for factor in (positive, lambda rng, shape: -positive(rng, shape))
    ),
    row("copy", "f32[N,3]", lambda x: x, errors=["", "f32[N] f32[N]"]),
    row("copy", "bool[N]", lambda x: x),
    row("cast", "f32[N,3]", lambda x: x, dtype="f32", errors=["", "f32[N] f32[N]"]),
    row("cast", "f64[N,3]", lambda x: x, dtype="f32"),
    row("cast", "f32[N,3]", lambda x: x, dtype="f64"),
    row("cast", "bool[N]", lambda x: x.astype(int) * 1.0, dtype="f32"),
    row("cast", "i64[N]", lambda x: x * 1.0, dtype="f64"),
    row("cast", "f32[N]", lambda x: np.trunc(x).astype(np.int64), dtype="i64"),
    row("cast", "f32[N]", lambda x: x != 0, dtype="bool", values={0: whole(-1, 2)}),
    row("dim", "", lambda: 7.0, symbol=7, errors=["f32[N]"]),
    row(
        "reshape",
        "f32[N,4]",
        lambda x: np.stack([x[:, :2], x[:, 2:]], 1),
        shape=("N", 2, 2),
        errors=["", "f32[N,3]", "f32[M,4]", "f32[4]", "f32[N,4] f32[N,4]"],
    ),
    row("reshape", "f32[]", lambda x: np.array([[x]]), shape=(1, 1)),
    row("reshape", "i64[2,3]", lambda x: np.concatenate([x[0], x[1]]), shape=(6,)),
    row(
        "transpose",
        "f32[N,3]",
        lambda x: np.einsum("ij->ji", x),
        axes=(1, 0),
        errors=["", "f32[N]", "f32[N,3,2]", "f32[N,3] f32[N,3]"],
    ),
    row("transpose", "f32[2,N,3]", lambda x: np.einsum("abc->cab", x), axes=(2, 0, 1)),
    row("transpose", "f32[]", lambda x: x, axes=()),
    row(
        "broadcast_to",
        "f32[3]",
        lambda x: x + np.zeros((2, 3)),
        shape=(2, 3),
        errors=["", "f32[2]", "f32[N]", "f32[2,2,3]", "f32[3] f32[3]"],
    ),
    row("broadcast_to", "f32[2,1]", lambda x: x + np.zeros((4, 2, 3)), shape=(4, 2, 3)),
    row("broadcast_to", "bool[]", lambda x: np.array([x, x]), shape=(2,)),
    row(
        "slice",
        "f32[N,5]",
        lambda x: np.delete(x, [0, 3, 4], 1),
        axis=1,
        start=1,
        stop=3,
        errors=["", "f32[N]", "f32[N,2]", "f32[5,N]", "f32[N,5] f32[N,5]"],
    ),
    row("slice", "i64[4]", lambda x: x[:0], axis=0, start=2, stop=2),
    row("slice", "f32[3,N]", lambda x: x[:2], axis=0, start=0, stop=2),
    row(
        "pad",
        "f32[N,2]",
        lambda x: np.pad(x, ((0, 0), (1, 2))),
        axis=1,
        before=1,
        after=2,
        errors=["", "f32[N]", "f32[2,N]", "f32[N,2] f32[N,2]"],
    ),
    row("pad", "i64[2]", lambda x: np.pad(x, (0, 3)), axis=0, before=0, after=3),
    row(
        "concat",
        "f32[N,2] f32[N,3] f32[N,1]",
        lambda *xs: np.hstack(xs),
        axis=1,
        errors=[
            "",
            "f32[N]",
            "f32[N,2] f64[N,3]",
            "f32[N,2] f32[M,3]",
            "f32[2,N] f32[2,N]",
            "f32[N,2] f32[N]",
        ],
    ),
    row("concat", "i64[2] i64[3]", lambda *xs: np.hstack(xs), axis=0, errors=["i64[2] i64[N]"]),
    row("concat", "f32[N,2]", lambda x: x, axis=0),
    *(
        row(
            "matmul",
            f"{a} {b}",
            lambda a, b, ta=ta, tb=tb: slow_product(a.T if ta else a, b.T if tb else b),
            transpose_a=ta,
            transpose_b=tb,
            errors=[
                "f32[N,4]",
                "f32[N,4] f32[4]",
                f"{a} f32[7,7]",
                f"{a} f64[4,4]",
                "i64[4,4] i64[4,4]",
                "f32[N,M] f32[K,L]",
                f"{a} {b} {b}",
            ],
        )
        for ta, a in ((False, "f32[N,4]"), (True, "f32[4,N]"))
        for tb, b in ((False, "f32[4,2]"), (True, "f32[2,4]"))
    ),
    row("matmul", "f32[N,4] f32[N,2]", lambda a, b: slow_product(a.T, b), transpose_a=True),
    *(
        row(
            "gemm",
            f"{dtype}[3,2] {a.replace('f32', dtype)} {b.replace('f32', dtype)} {dtype}[] {dtype}[]",
            lambda c, a, b, alpha, beta, ta=ta, tb=tb: (
                beta * c + alpha * slow_product(a.T if ta else a, b.T if tb else b)
            ),
            transpose_a=ta,
            transpose_b=tb,
            errors=[
                f"f32[3,2] {a} {b} f32[]",
                f"f32[2,3] {a} {b} f32[] f32[]",
                f"f64[3,2] {a} {b} f32[] f32[]",
                f"f32[3,2] {a} {b} f64[] f32[]",
                f"f32[3,2] {a} {b} f32[] f32[1]",
                f"f32[3,2] {a} f32[5,5] f32[] f32[]",
            ],
        )
        for dtype in ("f32", "f64")
        for ta, a in ((False, "f32[3,N]"), (True, "f32[N,3]"))
        for tb, b in ((False, "f32[N,2]"), (True, "f32[2,N]"))
    ),
    row("gemm", "f32[N,2] f32[N,4] f32[4,2] f32[] f32[]", scaled_sum),
    row("gemm", "f32[0,2] f32[0,4] f32[4,2] f32[] f32[]", scaled_sum),
    *(
        row(
            name,
            "f32[N,4] f32[4,3] f32[3]",
            reference,
            errors=[
                "f32[N,4] f32[4,3]",
                "f32[N,4] f32[5,3] f32[3]",
                "f32[N,4] f32[4,3] f32[4]",
                "f32[N,4] f64[4,3] f32[3]",
                "f32[4] f32[4,3] f32[3]",
                "f32[N,4] f32[4,3] f32[1,3]",
                "i64[N,4] i64[4,3] i64[3]",
                "f32[4,N] f32[4,3] f32[3]",
            ],
        )
        for name, reference in (
            ("linear", lambda x, w, b: slow_product(np.c_[x, np.ones(len(x))], np.vstack([w, b]))),
            ("linear_relu", lambda x, w, b: np.clip(slow_product(x, w) + b, 0, None)),
        )
    ),
    row(
        "log_softmax",
        "f32[N,5]",
        log_softmax,
        errors=["", "f32[]", "f32[N,0]", "i64[N,5]", "f32[N,5] f32[N,5]"],
    ),
    row("log_softmax", "f32[4]", log_softmax),
    row("log_softmax", "f32[2,N,3]", log_softmax),
    row(
        "nll",
        "f32[N,4] i64[N]",
        lambda p, y: -(p * one_hot(y, 4)).sum(1),
        values={1: classes(4)},
        errors=[
            "f32[N,4]",
            "f32[N,4] f32[N]",
            "f32[N,4] i64[M]",
            "f32[N] i64[N]",
            "f32[N,0] i64[N]",
            "i64[N,4] i64[N]",
            "f32[N,4] i64[N,1]",
        ],
    ),
    row(
        "nll_grad",
        "f32[N] i64[N]",
        lambda dy, y: -dy[:, None] * one_hot(y, 4),
        classes=4,
        values={1: classes(4)},
        errors=["f32[N]", "f32[N] f32[N]", "f32[N,4] i64[N]", "i64[N] i64[N]", "f32[N] i64[M]"],
    ),
    row("row_starts", "", lambda: 4 * np.arange(7), rows=7, classes=4, errors=["i64[N]"]),
    row(
        "label_places",
        "i64[N] i64[N]",
        lambda starts, y: starts - (0 - y),
        classes=4,
        values={1: classes(4)},
        errors=[
            "i64[N]",
            "f32[N] i64[N]",
            "i64[N,4] i64[N]",
            "i64[N] i64[M]",
            "i64[N] f32[N]",
        ],
    ),
    row(
        "nll_at",
        "f32[N,4] i64[N]",
        lambda p, places: -(p * one_hot(places % 4, 4)).sum(1),
        values={1: places(4)},
        errors=["f32[N,4]", "f32[N,4] f32[N]", "f32[N,4] i64[M]", "f32[N] i64[N]"],
    ),
    row(
        "softmax_nll_grad",
        "f32[N,4] i64[N] f32[N]",
        lambda p, places, dy: (np.e**p - one_hot(places % 4, 4)) * dy[:, None],
        values={1: places(4)},
        errors=[
            "f32[N,4] i64[N]",
            "f32[N,4] i64[N] f64[N]",
            "f32[N,4] i64[N] f32[N,4]",
            "f32[N,4] i64[M] f32[N]",
            "f32[N] i64[N] f32[N]",
        ],
    ),
    row(
        "dropout",
        "f32[N,3]",
        lambda x: x,
        keep=0.5,
        errors=["", "i64[N]", "bool[N]", "f32[N] f32[N]"],
    ),
    row("dropout", "f32[N,3]", lambda x: x * 0.25, keep=0.25, mode="vanilla"),
    row(
        "dropout_mask",
        "i64[]",
        mask(0, "fc1", 0.5, 2.0, (3, 5)),
        key="fc1",
        keep=0.5,
        shape=(3, 5),
        scale=2.0,
        values={0: step_number},
        errors=["", "i64[1]", "f32[]", "i64[] i64[]"],
    ),
    row(
        "dropout_mask",
        "i64[]",
        mask(2**64 - 1, "größe", 0.3, 1.0, (70, 61)),
        key="größe",
        keep=0.3,
        shape=(70, 61),
        seed=2**64 - 1,
        values={0: step_number},
    ),
    row(
        "dropout_mask",
        "i64[]",
        mask(5, "h", 1.0, 1.0, (2,)),
        key="h",
        keep=1.0,
        shape=(2,),
        seed=5,
        values={0: step_number},
    ),
    row(
        "dropout_mask",
        "i64[]",
        mask(5, "h", 0.5, 1.0, (0, 4)),
        key="h",
        keep=0.5,
        shape=(0, 4),
        values={0: step_number},
    ),
    row(
        "decay_add",
        "f32[3,2] f32[3,2]",
        lambda v, g: 0.9 * v + g,
        decay=0.9,
        errors=["f32[3]", "f32[3] f32[2]", "f32[3] f64[3]", "i64[3] i64[3]"],
    ),
    row(
        "decay_add", "f32[40000] f32[40000]", lambda v, g: 0.5 * v + 0.25 * g, decay=0.5, scale=0.25
    ),
    row(
        "decay_add_square",
        "f32[3,2] f32[3,2]",
        lambda s, g: 0.9 * s + 0.1 * g**2,
        decay=0.9,
        scale=0.1,
        errors=["f32[3]", "f32[3] f32[2]", "f32[3] f64[3]", "i64[3] i64[3]"],
    ),
    *(
        row(
            name,
            "f32[3,2] f32[3,2] f32[]",
            reference,
            errors=[
                "f32[3] f32[3]",
                "f32[3] f32[3] f32[1]",
                "f32[3] f32[2] f32[]",
                "f32[3] f32[3] f64[]",
                "i64[3] i64[3] i64[]",
            ],
        )
        for name, reference in (
            ("descend", lambda w, d, rate: w - rate * d),
            ("axpy", lambda y, x, alpha: y + alpha * x),
        )
    ),
    row("descend", "f32[0] f32[0] f32[]", lambda w, d, rate: w),
    row("axpy", "f64[40000] f64[40000] f64[]", lambda y, x, alpha: y + alpha * x),
    row("axpy", "f32[0] f32[0] f32[]", lambda y, x, alpha: y),
    row("axpy", "f32[] f32[] f32[]", lambda y, x, alpha: y + alpha * x),
    row(
        "descend_scaled",
        "f32[3,2] f32[3,2] f32[3,2] f32[] f32[]",
        descended,
        values={2: positive, 4: positive},
        errors=[
            "f32[3] f32[3] f32[3] f32[]",
            "f32[3] f32[3] f32[2] f32[] f32[]",
            "f32[3] f32[3] f32[3] f32[3] f32[]",
            "i64[3] i64[3] i64[3] i64[] i64[]",
        ],
    ),
    row(
        "descend_scaled",
        "f32[3,2] f32[3,2] f32[3,2] f32[] f32[] f32[]",
        lambda w, d, s, rate, eps, kept: descended(w, d, s, rate, eps) - (1 - kept) * w,
        values={2: positive, 4: positive},
        errors=[
            "f32[3] f32[3] f32[3] f32[] f32[] f32[3]",
            "f32[3] f32[3] f32[3] f32[] f32[] f64[]",
            "f32[3] f32[3] f32[3] f32[] f32[] f32[] f32[]",
        ],
    ),
    row(
        "descend_scaled",
        "f32[40000] f32[40000] f32[40000] f32[] f32[]",
        descended,
        values={2: positive, 4: positive},
    ),
    row(
        "batch_norm",
        "f32[N,3] f32[3] f32[3] f32[3] f32[3]",
        by_running_values,
        values={4: positive},
        stopped=(3, 4),
        errors=[
            "f32[N,3]",
            "f32[N,3] f32[3] f32[3] f32[3]",
            "f32[N,3] f32[3] f32[3] f32[3] f32[2]",
            "f32[N,3] f32[3] f32[1,3] f32[3] f32[3]",
            "f32[N,3] f32[3] f64[3] f32[3] f32[3]",
            "f32[3] f32[3] f32[3] f32[3] f32[3]",
            "f32[2,N,3] f32[3] f32[3] f32[3] f32[3]",
            "i64[N,3] i64[3] i64[3] i64[3] i64[3]",
        ],
    ),
    row(
        "batch_variance",
        "f32[N,3]",
        rows_variance,
        errors=["", "f32[N]", "f32[N,3] f32[3]", "i64[N,3]"],
    ),
    row("batch_variance", "f32[7,2]", rows_variance),
    row(
        "shard",
        "f32[N,3]",
        lambda x: np.array_split(x, 8)[3],
        of=8,
        shard=3,
        errors=["", "f32[]", "f32[4,3]", "f32[N] f32[N]"],
    ),
    row("shard", "i64[N]", lambda x: np.array_split(x, 2)[0], of=2, shard=0),
    row(
        "gather_rows",
        "f32[N.0of2,3] f32[N.1of2,3]",
        lambda a, b: np.vstack([a, b]),
        of=2,
        errors=[
            "",
            "f32[N.0of2]  f32[N.1of2,3]",
            "f32[N.0of2,3] f64[N.1of2,3]",
            "f32[N.1of2,3] f32[N.0of2,3]",
            "f32[N.0of2,3] f32[M.1of2,3]",
            "f32[N.of2] f32[N.of2]",
            "f32[N.0of4] f32[N.1of4]",
            "f32[N] f32[N]",
            "f32[4]",
            "f32[]",
        ],
    ),
    row(
        "gather_rows",
        "i64[N.0of4] i64[N.1of4] i64[N.2of4] i64[N.3of4]",
        lambda *parts: np.hstack(parts),
        of=4,
    ),
    row(
        "total_variance",
        "f32[3]",
        lambda x: x / 7,
        rows=7,
        errors=["", "f32[N]", "i64[3]", "f32[3] f32[3]"],
    ),
    row("erf", "f32[N,3]", each(math.erf), errors=[*UNARY_ERRORS, "i64[N]"]),
    row("erf", "f32[20000]", each(math.erf), values={0: lambda rng, s: rng.uniform(-7, 7, s)}),
    row("expm1", "f32[N,3]", lambda x: np.exp(x) - 1, errors=[*UNARY_ERRORS, "i64[N]"]),
    row(
        "leaky_relu",
        "f32[N,3]",
        lambda x: np.where(x <= 0, x / 100, x),
        errors=[*UNARY_ERRORS, "i64[N]"],
    ),
    row("leaky_relu", "f32[N,3]", lambda x: np.where(x <= 0, 3 * x, x), slope=3.0),
    row(
        "elu",
        "f32[N,3]",
        lambda x: np.where(x <= 0, np.exp(x) - 1, x),
        errors=[*UNARY_ERRORS, "i64[N]"],
    ),
    row("elu", "f32[N,3]", lambda x: np.where(x <= 0, 0.25 * (np.exp(x) - 1), x), alpha=0.25),
    row("selu", "f32[N,3]", selu, errors=[*UNARY_ERRORS, "i64[N]"]),
    row(
        "gelu",
        "f32[N,3]",
        lambda x: np.maximum(x, -50) * each(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)))(x),
        errors=[*UNARY_ERRORS, "i64[N]"],
    ),
    row("gelu", "f32[N,3]", gelu_by_tanh, form="tanh"),
    row("softplus", "f32[N,3]", lambda x: np.logaddexp(0, x), errors=[*UNARY_ERRORS, "i64[N]"]),
    row("silu", "f32[N,3]", lambda x: x / (1 + np.exp(-x)), errors=[*UNARY_ERRORS, "i64[N]"]),
    row("gaussian", "f32[N,3]", lambda x: np.exp(-(abs(x) ** 2)), errors=[*UNARY_ERRORS, "i64[N]"]),
    *(
        row(
            name,
            "f32[N,3] f32[N,3]",
            lambda x, dy, slope=slope: slope(x) * dy,
            errors=SLOPE_ERRORS,
            **attributes,
        )
        for name, slope, attributes in (
            ("silu_grad", silu_slope, {}),
            ("gelu_grad", gelu_slope, {}),
            ("gelu_grad", gelu_slope_by_tanh, {"form": "tanh"}),
        )
    ),
]

OF_SHARDS = {
    name
    for name, kind in OPS.items()
    if kind.__module__ in ("verigrad.ops.sharding", "verigrad.ops.messages")
}
EXPORTED = [row for row in TABLE if row.op.name not in OF_SHARDS]
"""The rows of ops that exports meet: a step of shards is exported as that of the whole batch."""

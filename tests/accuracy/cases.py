"""The ops of several operands: what a result is the sum of, and how far it may be off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import mpmath as mp
import numpy as np

import verigrad as vg
from verigrad.graph import OPS, apply

from .operands import (
    CLASSES,
    Draw,
    labelled,
    likelihoods,
    logits,
    normal,
    positive,
    powers,
    quotients,
    rates,
    two,
)

At = tuple[int, ...]
Terms = Callable[..., Iterable[mp.mpf]]
Reals = np.ndarray
"""Operands as numbers of mpmath; labels and places stay as they are."""


class Case(NamedTuple):
    """An op, a layer or a loss, operands for it, and the bound of its error on each.

    `terms` takes where in the result an element stands, and the operands; the element is the sum,
    behind `last`, and may be off by `units` in the last place of the sum of the terms' sizes. What
    gives one number for all rows is given a row at a time: `by_row`.
    """

    name: str
    build: Callable[..., vg.Node]
    draw: Draw
    terms: Terms
    units: float
    by_row: bool = False
    last: Callable[[mp.mpf], mp.mpf] = lambda value: value


def op(name: str, **attributes: Any) -> Callable[..., vg.Node]:
    """What makes a node of an op that has no function of its own."""
    return lambda *inputs: apply(OPS[name](**attributes), *inputs)


def each(formula: Callable[..., Iterable[mp.mpf]]) -> Terms:
    """The terms of an element, from the operands' elements at its place, or scalars."""
    return lambda at, *xs: formula(*(x[at] if x.ndim else x[()] for x in xs))


def mean_of(formula: Callable[..., Iterable[mp.mpf]]) -> Terms:
    """The terms of a row's mean, from those of its elements."""

    def terms(at: At, *xs: Reals) -> list[mp.mpf]:
        found = [t for elements in zip(*(x[at[0]] for x in xs), strict=True)
                 for t in formula(*elements)]  # fmt: skip
        return [t / len(xs[0][at[0]]) for t in found]

    return terms


# ---- terms that take more than a line --------------------------------------------------------


def log_total(row: Reals) -> mp.mpf:
    """ln of the sum of exp."""
    return mp.log(mp.fsum(mp.exp(v) for v in row))


def share(at: At, x: Reals) -> list[mp.mpf]:
    """A share, and what the rounding of its logarithm is worth."""
    log = x[at] - log_total(x[at[0]])
    return [mp.exp(log), mp.exp(log) * log, -mp.exp(log) * log]


def flowing(at: At, p: Reals, places: np.ndarray, dy: Reals) -> list[mp.mpf]:
    """The gradient of a likelihood to the scores."""
    row = at[0]
    label = int(places[row]) == row * p.shape[1] + at[1]
    return [dy[row] * mp.exp(p[at]), -dy[row] if label else mp.mpf(0)]


def layer_normalized(at: At, x: Reals) -> list[mp.mpf]:
    """The element over the deviation, and those that its mean is made of."""
    row = x[at[0]]
    mean = mp.fsum(row) / len(row)
    scale = 1 / mp.sqrt(mp.fsum((v - mean) ** 2 for v in row) / len(row) + mp.mpf(1e-5))
    return [row[at[1]] * scale, *(-v * scale / len(row) for v in row)]


def batch_normalized(at: At, x: Reals, w: Reals, b: Reals, mean: Reals, var: Reals) -> list[mp.mpf]:
    k = at[1]
    return [(x[at] - mean[k]) * w[k] / mp.sqrt(var[k] + mp.mpf(1e-5)), b[k]]


def softplus(x: mp.mpf) -> mp.mpf:
    return max(x, mp.mpf(0)) + mp.log1p(mp.exp(-abs(x)))


def over_the_margin(at: At, scores: Reals, labels: np.ndarray) -> list[mp.mpf]:
    """The scores that are above the label's less 1; the label's own 1 comes and goes."""
    row, label = scores[at[0]], int(labels[at[0]])
    above = [v for j, v in enumerate(row) if j != label and v - row[label] + 1 > 0]
    return [mp.mpf(1), mp.mpf(-1), *(t for v in above for t in (v, -row[label], mp.mpf(1)))]


def huber(p: mp.mpf, t: mp.mpf) -> list[mp.mpf]:
    distance = abs(p - t)
    near = min(distance, mp.mpf(1))
    return [near * distance, -near * near / 2]


def shrinking(at: At, x: Reals) -> list[mp.mpf]:
    """The factor that brings a norm to 1."""
    norm = mp.sqrt(mp.fsum(v * v for v in x[at[0]]))
    return [min(mp.mpf(1), 1 / (norm + mp.mpf(1e-6)))]


# ---- the cases -------------------------------------------------------------------------------

ROW = normal((0, 33))
TWO_ROWS = normal((0, 9), (0, 9))
AFFINE = normal((0, 40), (40, 5), (5,))

PAIRS: Final = (
    Case("add", vg.add, two, each(lambda a, b: [a + b]), 0.5),
    Case("subtract", vg.subtract, two, each(lambda a, b: [a - b]), 0.5),
    Case("multiply", vg.multiply, two, each(lambda a, b: [a * b]), 0.5),
    Case("divide", vg.divide, quotients, each(lambda a, b: [a / b]), 0.5),
    Case("maximum", vg.maximum, two, each(lambda a, b: [max(a, b)]), 0),
    Case("minimum", vg.minimum, two, each(lambda a, b: [min(a, b)]), 0),
    Case("power", vg.power, powers, each(lambda a, b: [mp.power(a, b)]), 4),
)
UPDATES: Final = (
    Case("descend", op("descend"), normal((0,), (0,), scalars=1),
         each(lambda w, d, rate: [w, -d * rate]), 1.5),
    Case("axpy", op("axpy"), normal((0,), (0,), scalars=1),
         each(lambda y, x, alpha: [y, alpha * x]), 1.5),
    Case("decay_add", op("decay_add", decay=0.875, scale=0.375), normal((0,), (0,)),
         each(lambda v, g: [v * 7 / 8, g * 3 / 8]), 1.5),
    Case("decay_add_square", op("decay_add_square", decay=0.96875, scale=0.03125),
         positive(normal((0,), (0,)), 0), each(lambda s, g: [s * 31 / 32, g * g / 32]), 2),
    Case("descend_scaled", op("descend_scaled"),
         positive(normal((0,), (0,), (0,), scalars=2), 2),
         each(lambda w, d, s, rate, eps: [w, -rate * d / (mp.sqrt(s) + eps)]), 3),
    Case("clip_by", op("clip_by"), normal((0,), scalars=1), each(lambda x, f: [x * f]), 0.5),
    Case("clip_factor", op("clip_factor", limit=1.0), ROW, shrinking, 8, by_row=True),
)  # fmt: skip
SUMS: Final = (
    Case("sum along rows", lambda x: vg.sum(x, 1), ROW, lambda at, x: x[at], 4),
    Case("sum along columns", lambda x: vg.sum(x, 0), normal((33, 0)),
         lambda at, x: x[:, at[0]], 8),
    Case("mean", lambda x: vg.mean(x, 1), ROW, lambda at, x: x[at] / x.shape[1], 4),
    Case("max", lambda x: vg.max(x, 1), ROW, lambda at, x: [max(x[at])], 0),
    Case("squared_norm", vg.squared_norm, ROW, lambda at, x: x[at[0]] ** 2, 8, by_row=True),
    Case("batch_variance", op("batch_variance"), normal((33, 0)),
         lambda at, x: x[:, at[0]] ** 2 / len(x), 8),
    Case("total_variance", op("total_variance", rows=7), normal((0,)),
         each(lambda x: [x / 7]), 0.5),
    Case("log_softmax", vg.log_softmax, ROW, lambda at, x: [x[at], -log_total(x[at[0]])], 3),
    Case("softmax", vg.softmax, ROW, share, 4),
    Case("softmax_nll_grad", op("softmax_nll_grad"), likelihoods, flowing, 4),
)  # fmt: skip
PRODUCTS: Final = (
    Case("matmul", vg.matmul, normal((0, 40), (40, 5)),
         lambda at, a, b: a[at[0]] * b[:, at[1]], 8),
    Case("matmul of 2,000 terms", vg.matmul, normal((0, 2000), (2000, 5)),
         lambda at, a, b: a[at[0]] * b[:, at[1]], 16),
    Case("linear", vg.linear, AFFINE,
         lambda at, x, w, b: [*(x[at[0]] * w[:, at[1]]), b[at[1]]], 8),
    Case("linear_relu", op("linear_relu"), AFFINE,
         lambda at, x, w, b: [*(x[at[0]] * w[:, at[1]]), b[at[1]]], 8,
         last=lambda value: max(value, mp.mpf(0))),
    Case("gemm", op("gemm"), normal((0, 5), (0, 40), (40, 5), scalars=2),
         lambda at, c, a, b, alpha, beta:
             [c[at] * beta[()], *(a[at[0]] * b[:, at[1]] * alpha[()])], 8),
)  # fmt: skip
LAYERS: Final = (
    Case("batch_norm", op("batch_norm"), positive(normal((0, 5), (5,), (5,), (5,), (5,)), 4),
         batch_normalized, 4),
    Case("layer_norm", vg.layer_norm, ROW, layer_normalized, 8),
    Case("softmax_cross_entropy", vg.softmax_cross_entropy, labelled,
         lambda at, x, y: [-x[at[0], int(y[at[0]])], log_total(x[at[0]])], 3, by_row=True),
    Case("binary_cross_entropy_with_logits", vg.binary_cross_entropy_with_logits, logits,
         mean_of(lambda x, t: [t * softplus(-x), (1 - t) * softplus(x)]), 6, by_row=True),
    Case("hinge", vg.hinge, labelled, over_the_margin, 6, by_row=True),
    Case("huber", vg.huber, TWO_ROWS, mean_of(huber), 6, by_row=True),
    Case("mean_squared_error", vg.mean_squared_error, TWO_ROWS,
         mean_of(lambda p, t: [(p - t) ** 2]), 6, by_row=True),
    Case("mean_absolute_error", vg.mean_absolute_error, TWO_ROWS,
         mean_of(lambda p, t: [abs(p - t)]), 4, by_row=True),
    Case("poisson_nll", vg.poisson_nll, rates,
         mean_of(lambda r, c: [mp.exp(r), -c * r]), 6, by_row=True),
)  # fmt: skip
CASES: Final = (*PAIRS, *UPDATES, *SUMS, *PRODUCTS, *LAYERS)
assert len({case.name for case in CASES}) == len(CASES) and CLASSES == 33

EXACT: Final = frozenset((
    "all_reduce", "broadcast_to", "cast", "concat", "constant", "copy", "dim", "dropout",
    "dropout_mask", "equal", "first_max", "gather_rows", "gradient", "greater", "greater_equal",
    "input", "label_places", "less", "less_equal", "nll", "nll_at", "nll_grad", "not_equal", "pad",
    "parameter", "receive", "relu_grad", "reshape", "row_starts", "send", "shard", "slice", "state",
    "to_shards", "transpose", "where",
))  # fmt: skip
"""Ops that declare, move, send, choose, compare or count: nothing in them rounds, but for a cast,
which gives the nearest number; a sum over shards is made of additions."""

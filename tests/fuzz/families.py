"""How a random node of each op is made, of operands that its type rule takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Final

import verigrad as vg
from verigrad.graph import OPS, Dim, Node, Op, Source, depth_first
from verigrad.ops import MODES, Update
from verigrad.ops.comparison import Comparison
from verigrad.ops.elementwise import Binary, Slope, Unary
from verigrad.ops.reductions import Reduction

from .elementwise import binary, cast, compared, dropout_mask, slope, unary, update, where
from .pool import Pool
from .shaping import (
    broadcast_to,
    concat,
    gemm,
    linear,
    matmul,
    pad,
    part,
    reduced,
    reshape,
    transpose,
)  # fmt: skip

Make = Callable[[Pool], Node | None]
MOST: Final = 200
"""A node has at most so many elements, each symbol counted as 5."""


# ---- classes --------------------------------------------------------------------------------


def scores(p: Pool) -> Node:
    """Scores of a number of classes, or the logarithms of their shares."""
    x = p.matrix()
    return vg.log_softmax(x) if p.choices.flag() else x


def nll(p: Pool) -> Node:
    s = scores(p)
    return vg.nll(s, p.labels_for(s.type.shape[0]))


def nll_grad(p: Pool) -> Node:
    dy = p.found(lambda t: t.is_float and t.rank == 1, vg.sum(p.x, axes=[1]))
    op = OPS["nll_grad"](p.choices.number(1, 5))
    return vg.apply(op, dy, p.labels_for(dy.type.shape[0]))


def places(p: Pool, rows: Dim, classes: int) -> Node:
    """Where the labels' scores lie, counted flat."""
    starts = vg.apply(OPS["row_starts"](rows, classes))
    return vg.apply(OPS["label_places"](classes), starts, p.labels_for(rows))


def some_places(p: Pool) -> Node:
    return places(p, "N", p.choices.number(1, 5))


def nll_at(p: Pool) -> Node:
    s = scores(p)
    return vg.apply(OPS["nll_at"](), s, places(p, *s.type.shape))


def softmax_nll_grad(p: Pool) -> Node:
    s = scores(p)
    wanted = s.type.with_shape(s.type.shape[:1])
    dy = p.found(lambda t: t == wanted, vg.sum(s, axes=[1]))
    return vg.apply(OPS["softmax_nll_grad"](), s, places(p, *s.type.shape), dy)


# ---- all else -------------------------------------------------------------------------------


def batch_norm(p: Pool) -> Node:
    c = p.choices
    x = p.matrix()
    form = {"eps": c.one((1e-5, 0.1)), "momentum": c.one((0.9, 0.5, 0.0)), "unbiased": c.flag(0.3)}
    return vg.batch_norm(x, **form)


def gradient(p: Pool) -> Node:
    """The gradient of something smooth for any float that it is made from."""
    c = p.choices
    smooth = [n for n in p.nodes if n in p.smooth and n.type.is_float]
    n = c.one(smooth[-6:])
    y = n if not n.type.rank and c.flag() else vg.sum(vg.tanh(n))
    made_from = [m for m in depth_first([y]) if m.type.is_float]
    return vg.grad(y, [c.one(made_from)])[0]


def clip_factor(p: Pool) -> Node:
    x = p.floats()
    others = [p.found(lambda t: t.dtype == x.type.dtype, x) for _ in range(p.choices.number(0, 2))]
    return vg.apply(OPS["clip_factor"](p.choices.one((0.5, 1e6))), x, *others)


BY_NAME: Final[Mapping[str, Make]] = {
    "batch_norm": batch_norm,
    "batch_variance": lambda p: vg.apply(OPS["batch_variance"](), p.floats(2, 2)),
    "broadcast_to": broadcast_to,
    "cast": cast,
    "clip_factor": clip_factor,
    "concat": concat,
    "copy": lambda p: vg.copy(p.anything()),
    "dim": lambda p: vg.dim(p.choices.one(p.symbols)),
    "dropout": lambda p: vg.dropout(
        p.floats(), keep=p.choices.one((0.5, 0.75, 1.0)), mode=p.choices.one(MODES)
    ),
    "dropout_mask": dropout_mask,
    "elu": lambda p: unary(p, "elu", alpha=p.choices.one((0.5, 1.0))),
    "first_max": lambda p: reduced(p, "first_max"),
    "gelu": lambda p: unary(p, "gelu", form=p.choices.one(("exact", "tanh"))),
    "gemm": gemm,
    "gradient": gradient,
    "label_places": some_places,
    "leaky_relu": lambda p: unary(p, "leaky_relu", slope=p.choices.one((0.01, 0.5, 1.0, 2.0))),
    "linear": linear,
    "linear_relu": lambda p: linear(p, "linear_relu"),
    "log_softmax": lambda p: vg.log_softmax(
        p.found(lambda t: t.is_float and t.rank > 0 and t.shape[-1] != 0, p.x)
    ),
    "matmul": matmul,
    "nll": nll,
    "nll_at": nll_at,
    "nll_grad": nll_grad,
    "pad": pad,
    "relu_grad": lambda p: slope(p, "relu_grad"),
    "reshape": reshape,
    "row_starts": lambda p: vg.apply(OPS["row_starts"]("N", p.choices.number(1, 5))),
    "slice": part,
    "softmax_nll_grad": softmax_nll_grad,
    "squared_norm": lambda p: vg.squared_norm(p.floats()),
    "transpose": transpose,
    "where": where,
    "axpy": lambda p: update(p, "axpy"),
}
BY_FAMILY: Final[Mapping[type[Op], Callable[[Pool, str], Node | None]]] = {
    Comparison: compared,
    Slope: slope,
    Unary: unary,
    Binary: binary,
    Reduction: reduced,
    Update: update,
}
OF_SHARDS: Final = ("verigrad.ops.sharding", "verigrad.ops.messages")
"""Ops of these are what a cut batch is made of: no graph is declared with them."""
NAMES: Final = sorted(
    name
    for name, kind in OPS.items()
    if kind.__module__.startswith("verigrad.") and not issubclass(kind, Source)
    if kind.__module__ not in OF_SHARDS
)
"""All ops that a user may declare."""


def maker(name: str) -> Make:
    """How a node of that op is made: by a function of its own, or as its family is."""
    if name in BY_NAME:
        return BY_NAME[name]
    kind = OPS[name]
    for family, make in BY_FAMILY.items():
        if issubclass(kind, family):
            return lambda p: make(p, name)
    raise NotImplementedError(f"no random graph has a node of the op {name!r}: see {__file__}")


def small(n: Node) -> bool:
    """Whether a node has few elements."""
    return prod(5 if isinstance(d, str) else d for d in n.type.shape) <= MOST

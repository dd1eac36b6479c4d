"""Random nets as users write them: layers, activations and normalizations, and losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import verigrad as vg
from verigrad.graph import Node, TensorType

from .pool import SIZES, Pool

ACTIVATIONS: Sequence[Any] = (
    *[vg.relu] * 6,
    vg.tanh, vg.gelu, vg.silu, vg.elu, vg.selu, vg.leaky_relu, vg.sigmoid, vg.softplus,
    vg.erf, vg.absolute, vg.sin, vg.softmax,
    lambda x: vg.gelu(x, form="tanh"),
    lambda x: vg.maximum(x, 0.1),
    lambda x: vg.minimum(x, 1.0) + vg.floor(x) * 0.01,
    lambda x: vg.where(vg.greater(x, 0.0), x, x * 0.2),
    lambda x: vg.sqrt(vg.square(x) + 1.0),
    lambda x: vg.power(vg.absolute(x) + 0.5, 1.5),
    lambda x: x / (1.0 + vg.absolute(x)),
    lambda x: x - vg.max(x, axis=1, keepdims=True),
    lambda x: vg.log(vg.softmax(x)),
    lambda x: vg.log(vg.sigmoid(x)),
    lambda x: vg.expm1(x * 0.1),
)  # fmt: skip
NORMALIZATIONS: Sequence[Any] = (
    vg.batch_norm,
    vg.layer_norm,
    lambda x: vg.batch_norm(x, unbiased=True, momentum=0.5),
)
PAIRED: Sequence[Any] = (
    vg.mean_squared_error,
    vg.mean_absolute_error,
    vg.huber,
    lambda x, t, **more: vg.huber(x, t, delta=0.3, **more),
    lambda x, t, **more: vg.poisson_nll(vg.tanh(x), t, **more),
    vg.binary_cross_entropy_with_logits,
)
"""Losses of predictions and targets of one type."""


def layers(p: Pool) -> Node:
    """Up to four layers, each node among the pool's; the scores that a last layer makes."""
    c, h = p.choices, p.x
    before: Node | None = None
    for _ in range(c.number(0, 4)):
        h = p.add(vg.dense(h, c.one((1, p.width, p.width, *SIZES)), bias=c.flag(0.8)))
        h = p.add(c.one(NORMALIZATIONS)(h)) if c.flag(0.25) else h
        h = p.add(c.one(ACTIVATIONS)(h))
        if before is not None and before.shape == h.shape and c.flag():
            h = p.add(h + before)
        if c.flag(0.15):
            h = p.add(vg.dropout(h, keep=c.one((0.5, 0.9, 1.0))))
        h = p.add(vg.concat(h, h * 0.5, axis=1)) if c.flag(0.1) else h
        before = h
    return p.add(vg.dense(h, c.one(SIZES), bias=c.flag(0.8)))


def loss_of(p: Pool, scores: Node) -> Node:
    """A loss of scores [rows, classes], which are not none."""
    c, kind = p.choices, p.choices.number(0, 4)
    if kind == 0:
        return paired(p, scores)
    rows, classes = scores.type.shape
    weighed = _weighed(p, scores.type)
    labels = p.labels_for(rows)
    if kind == 1:
        return vg.hinge(scores, labels, margin=c.one((1.0, 0.5)), **weighed)
    more: dict[str, Any] = {"label_smoothing": 0.1} if c.flag(0.2) else {}
    if c.flag(0.2):
        more["class_weights"] = [c.one((0.5, 1.0, 2.0)) for _ in range(classes)]
    return vg.softmax_cross_entropy(scores, labels, **weighed, **more)


def paired(p: Pool, n: Node) -> Node:
    """A loss of any floats beside targets of their type."""
    targets = vg.input(f"t{len(p.fed_beside)}", n.type.shape, n.type.dtype)
    p.fed_beside.append(targets)
    weighed = _weighed(p, n.type) if n.type.rank else {}
    made: Node = p.choices.one(PAIRED)(n, targets, **weighed)
    return made


def _weighed(p: Pool, t: TensorType) -> dict[str, Node]:
    """Now and then, a weight for each row."""
    if not p.choices.flag(0.2):
        return {}
    weights = vg.input(f"weights{len(p.fed_beside)}", t.shape[:1], t.dtype)
    p.fed_beside.append(weights)
    return {"sample_weights": weights}

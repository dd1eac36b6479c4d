"""Nets that users would run, with batches: what the certificate's layers look for faults in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

import verigrad as vg
from catch.user_passes import pipelines


class Subject(NamedTuple):
    """A net and how it is compiled; `rows` are the sizes of the batches that it is run on."""

    net: vg.Graph
    options: dict[str, Any]
    rows: tuple[int, ...]

    def program(self, **options: Any) -> vg.Program:
        """The program, with the user's pass where one is named."""
        return vg.compile(self.net, **self.options, **pipelines(), **options)

    def feeds(self, rows: int) -> dict[str, np.ndarray]:
        """A batch: normal numbers, whole ones below 4, all of them among the first rows."""
        rng = np.random.default_rng(rows)
        batch = {}
        for n in self.net.inputs:
            shape = n.type.bind({"N": rows})
            batch[n.name] = (
                rng.permutation(np.arange(rows) % 4)
                if n.type.dtype == "i64"
                else rng.standard_normal(shape).astype(n.type.numpy)
            )
        return batch


def classifier(
    name: str, *sizes: int, loss: dict[str, Any] | None = None, **layers: Any
) -> vg.Graph:
    """An MLP of these sizes with softmax cross-entropy; `layers` say what lies between."""
    activation, norm = layers.get("activation", vg.relu), layers.get("norm")
    h, y = vg.input("x", ("N", sizes[0])), vg.input("y", ("N",), dtype="i64")
    for size in sizes[1:-1]:
        h = vg.dense(h, size)
        h = activation(norm(h) if norm is not None else h)
    scores = vg.dense(h, sizes[-1])
    entropy = vg.softmax_cross_entropy(scores, y, **loss or {})
    return vg.Graph(name, {"scores": scores}, loss=entropy)


def regression(name: str, loss: Any, *sizes: int, **layers: Any) -> vg.Graph:
    """An MLP that is to give two numbers."""
    activation, norm = layers.get("activation", vg.tanh), layers.get("norm")
    h, t = vg.input("x", ("N", sizes[0])), vg.input("t", ("N", 2))
    for size in sizes[1:]:
        h = vg.dense(h, size)
        h = activation(norm(h) if norm is not None else h)
    y = vg.dense(h, 2)
    return vg.Graph(name, {"y": y}, loss=loss(y, t))


def gelu_by_tanh(x: vg.Node) -> vg.Node:
    """The other form of gelu."""
    return vg.gelu(x, form="tanh")


def two_whole_tiles() -> vg.Graph:
    """A net whose only parameter has as many elements as two tiles."""
    x, t = vg.input("x", ("N", 256)), vg.input("t", ("N", 256))
    y = vg.tanh(x @ vg.parameter("w", (256, 256)))
    return vg.Graph("tiles", {"y": y}, loss=vg.mean_squared_error(y, t))


def shared_weight() -> vg.Graph:
    """A large weight that is used twice, with a difference of its results."""
    x, y = vg.input("x", ("N", 400)), vg.input("y", ("N",), dtype="i64")
    w = vg.parameter("w", (400, 400))
    h = vg.tanh(x @ w)
    k = vg.tanh(h @ w)
    scores = vg.dense(k - h, 4)
    return vg.Graph("shared", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def moved_axes() -> vg.Graph:
    """Columns in three dimensions whose axes are moved twice, and differences either way."""
    x, y = vg.input("x", ("N", 12)), vg.input("y", ("N",), dtype="i64")
    a, b = vg.dense(x, 12), vg.dense(x, 12)
    h = vg.reshape(a - b, ("N", 3, 4))
    h = vg.transpose(vg.transpose(h, (1, 2, 0)), (1, 2, 0))
    h = vg.reshape(vg.transpose(h, (1, 0, 2)), ("N", 12))
    h = vg.sigmoid(h) + (b - a) + -(vg.tanh(h) * -a)
    scores = vg.dense(h, 4)
    share = vg.log(1.0 - vg.sigmoid(vg.dense(h, 1)))
    loss = vg.softmax_cross_entropy(scores, y) - vg.mean(share)
    return vg.Graph("moved", {"scores": scores}, loss=loss)


def averaged() -> vg.Graph:
    """A net that reads its weight turned, and keeps states that are made of each other's old values
    and new ones."""
    x, y = vg.input("x", ("N", 8)), vg.input("y", ("N",), dtype="i64")
    w, mean = vg.parameter("w", (8, 8)), vg.state("mean", (8, 8), "zeros")
    one, other, both, v = (vg.state(k, (8, 8), "ones") for k in ("one", "other", "both", "v"))
    h = vg.tanh(vg.dense(x, 8)) @ vg.transpose(w, (1, 0))
    scores = vg.dense(vg.tanh(h), 4)
    new, moved = one + other, v + w
    kept = (new - v) * vg.log_softmax(moved)
    updates = {
        mean: mean * 0.9 + w * 0.1,
        one: new,
        other: one * 0.5 - w,
        both: new @ one,
        v: moved,
    }
    loss = vg.softmax_cross_entropy(scores, y)
    return vg.Graph("averaged", {"scores": scores, "kept": kept}, loss=loss, updates=updates)


def subjects() -> Iterator[Subject]:
    """One after another, the smallest first."""
    plain = classifier("plain", 12, 16, 16, 4)
    yield Subject(plain, {"optimizer": vg.SGD(0.1)}, (100, 7, 1))
    yield Subject(
        classifier("normalized", 12, 16, 16, 4, norm=vg.batch_norm),
        {
            "optimizer": vg.Adam(vg.schedules.cosine(0.01, steps=50)),
            "clip": vg.ClipNorm(0.5),
            "regularizer": vg.L2(0.01),
            "dropout": vg.Dropout(keep=0.7),
        },
        (64, 5),
    )
    yield Subject(
        regression("robust", vg.huber, 9, 12, 12, activation=vg.gelu, norm=vg.layer_norm),
        {
            "optimizer": vg.Momentum(0.05, weight_decay=0.01),
            "regularizer": vg.L1(0.01),
            "dropout": vg.Dropout(keep=0.6, mode="vanilla"),
        },
        (33, 2),
    )
    yield Subject(
        regression("doubles", vg.mean_squared_error, 9, 8, activation=gelu_by_tanh, norm=vg.silu),
        {"optimizer": vg.RMSProp(0.01), "dtype": "f64", "clip": vg.ClipValue(0.1)},
        (6,),
    )
    yield Subject(
        classifier("smoothed", 12, 16, 4, loss={"label_smoothing": 0.1}, activation=vg.tanh),
        {"optimizer": vg.AdamW(0.01), "dropout": vg.Dropout(keep=0.5, layers={"fc1": 0.8})},
        (50,),
    )
    yield Subject(
        classifier("sharded", 12, 16, 4, norm=vg.batch_norm),
        {"optimizer": vg.Momentum(0.05), "dropout": vg.Dropout(keep=0.7), "shards": 8},
        (21, 5),
    )
    yield Subject(moved_axes(), {"optimizer": vg.Nesterov(0.05)}, (9, 4))
    yield Subject(
        classifier("deep", 12, *[16] * 9, 4),
        {"optimizer": vg.AdaGrad(0.05), "memory_limit": 30_000, "recompute": True},
        (64,),
    )
    yield Subject(averaged(), {"optimizer": vg.Momentum(0.05)}, (10,))
    yield Subject(two_whole_tiles(), {"optimizer": vg.RMSProp(0.01)}, (20,))
    never = vg.ClipNorm(1e6)
    tall = classifier("tall", 400, 16, 4)
    yield Subject(tall, {"optimizer": vg.SGD(0.1), "clip": never}, (40,))
    yield Subject(shared_weight(), {"optimizer": vg.Momentum(0.05)}, (40,))
    yield Subject(classifier("large", 300, 256, 4), {"optimizer": vg.Adam(0.01)}, (300,))

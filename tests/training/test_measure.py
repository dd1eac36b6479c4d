"""Measuring: a data set's loss is that of one call, whatever blocks it is evaluated in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph import OPS

ROWS = 2500  # two blocks of 1,024 and a rest
Loss = Callable[[vg.Node, vg.Node, vg.Node], vg.Node]


def per_row(scores: vg.Node, y: vg.Node) -> vg.Node:
    return vg.nll(vg.log_softmax(scores), y)


WEIGHTS = [0.25, 4.0, 0.0]
SPLIT: dict[str, Loss] = {
    "mean": lambda s, y, w: vg.softmax_cross_entropy(s, y),
    "class weights": lambda s, y, w: vg.softmax_cross_entropy(s, y, class_weights=WEIGHTS),
    "sample weights": lambda s, y, w: vg.softmax_cross_entropy(s, y, sample_weights=w),
    "both, smooth": lambda s, y, w: vg.softmax_cross_entropy(
        s, y, class_weights=WEIGHTS, sample_weights=w, label_smoothing=0.1
    ),
    "hinge": lambda s, y, w: vg.hinge(s, y, sample_weights=w),
    "sum": lambda s, y, w: vg.sum(per_row(s, y)),
    "sum by N": lambda s, y, w: vg.sum(per_row(s, y)) / vg.cast(vg.dim("N"), s.type.dtype),
    "norm": lambda s, y, w: vg.sqrt(vg.squared_norm(s)),
    "max": lambda s, y, w: vg.max(s) - vg.max(vg.max(s, axes=(0,)) * -1.0),
    "rmse": lambda s, y, w: vg.sqrt(vg.mean(vg.square(s))),
    "terms": lambda s, y, w: 3.0 * vg.mean(per_row(s, y)) - vg.sum(w) / vg.sum(vg.exp(s)),
    "columns": lambda s, y, w: vg.sum(vg.square(vg.mean(s, axes=(0,), keepdims=True))),
    "gram": lambda s, y, w: vg.mean(vg.square(vg.matmul(s, s, transpose_a=True))),
    "penalty": lambda s, y, w: (
        vg.mean(per_row(s, y)) + 0.1 * vg.squared_norm(vg.parameter("p", (3,), "ones"))
    ),
    "no rows": lambda s, y, w: vg.squared_norm(vg.parameter("p", (3,), "ones")),
    "slices": lambda s, y, w: vg.mean(
        vg.concat(vg.slice(s, 1, 0, 2), vg.pad(vg.slice(s, 1, 2, 3), 1, 1, 0), axis=1)
    ),
    "norm of rows": lambda s, y, w: vg.mean(vg.square(s) / (1.0 + vg.sum(s * s, (1,), True))),
    "repeated": lambda s, y, w: vg.mean(
        s * vg.broadcast_to(vg.constant([1.0, 2.0, 3.0], s.type.dtype), s.type.shape)
    ),
    "a choice": lambda s, y, w: vg.mean(vg.where(vg.greater(s, 0.0), s, vg.square(s))),
}
WHOLE: dict[str, Loss] = {
    "centred": lambda s, y, w: vg.mean(vg.square(s - vg.mean(s, axes=(0,)))),
    "softmax over rows": lambda s, y, w: vg.mean(vg.log_softmax(vg.reshape(w, ("N",))) * w),
    "all pairs": lambda s, y, w: vg.mean(vg.matmul(s, s, transpose_b=True)),
    "moved": lambda s, y, w: vg.mean(vg.transpose(s)),
    "own op": lambda s, y, w: vg.mean(vg.apply(ReversedRows(), s)),
}


class ReversedRows(vg.Op):
    """y = x with its rows in the other order, and no word of what that does to blocks."""

    name: ClassVar[str] = "reversed_rows"

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (vg.apply(ReversedRows(), dy),)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.copyto(out, x[::-1])


@pytest.fixture(autouse=True)
def own_op(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPS, "reversed_rows", ReversedRows)


def program(loss: Loss, dtype: str = "f32", **options: Any) -> vg.Program:
    """A net with dropout and batch normalization on x, labels y and weights w."""
    x, w = vg.input("x", ("N", 5)), vg.input("w", ("N",))
    y = vg.input("y", ("N",), dtype="i64")
    h = vg.dropout(vg.relu(vg.batch_norm(vg.dense(x, 4, name="fc1"))), keep=0.5)
    scores = vg.dense(h, 3, name="fc2")
    # Each input is read, so that every loss has the same data.
    unread = 0.0 * vg.sum(w) + 0.0 * vg.mean(per_row(scores, y))
    net = vg.Graph("measured", {"scores": scores}, loss=loss(scores, y, w) + unread)
    return vg.compile(net, dtype=dtype, **options)


def data(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sorted by label, with weights of 0 in all of a block."""
    y = np.sort(rng.integers(0, 3, ROWS))
    w = np.where(np.arange(ROWS) < 1100, 0.0, rng.random(ROWS))
    return {"x": rng.standard_normal((ROWS, 5)) + y[:, None], "y": y, "w": w}


@pytest.mark.parametrize("name", SPLIT)
def test_a_loss_over_blocks_is_that_of_one_call(rng: np.random.Generator, name: str) -> None:
    # The blocks are the graph's, whatever runs them.
    one, rows = program(SPLIT[name], "f64", backend="numpy"), data(rng)
    assert one.blockwise("scores").rows(1024, ROWS) == 1024
    whole, found = one.evaluate(rows), vg.measure(one, rows)
    assert found.loss == pytest.approx(whole["loss"], rel=1e-13, abs=1e-13)
    assert found.accuracy == np.mean(whole["scores"].argmax(axis=1) == rows["y"])


@pytest.mark.parametrize("name", ["both, smooth", "terms"])
def test_the_same_holds_in_f32_on_each_backend(rng: np.random.Generator, name: str) -> None:
    one, rows = program(SPLIT[name]), data(rng)
    assert vg.measure(one, rows).loss == pytest.approx(one.evaluate(rows)["loss"], rel=2e-6)


@pytest.mark.parametrize("name", WHOLE)
def test_a_loss_that_has_no_blocks_is_one_call(rng: np.random.Generator, name: str) -> None:
    one, rows = program(WHOLE[name], "f64", backend="numpy"), data(rng)
    assert one.blockwise("scores").rows(1024, ROWS) == ROWS
    assert vg.measure(one, rows).loss == one.evaluate(rows)["loss"]


@pytest.mark.parametrize("name", ["class weights", "sample weights", "max"])
def test_a_memory_limit_makes_smaller_blocks_and_the_same_loss(
    rng: np.random.Generator, name: str
) -> None:
    free, rows = program(SPLIT[name], "f64", backend="numpy"), data(rng)
    limit = free.plan(N=100).nbytes
    tight = program(SPLIT[name], "f64", backend="numpy", memory_limit=limit)
    assert tight.blockwise("scores").rows(1024, ROWS) < 500
    assert vg.measure(tight, rows).loss == pytest.approx(vg.measure(free, rows).loss, rel=1e-13)


def test_one_call_that_is_over_the_memory_limit_is_refused(rng: np.random.Generator) -> None:
    tight = program(WHOLE["centred"], memory_limit=50_000)
    with pytest.raises(vg.RunError, match=f"N={ROWS}.*memory_limit"):
        vg.measure(tight, data(rng))


def test_what_follows_the_validation_follows_that_loss(rng: np.random.Generator) -> None:
    """Of a set whose last block is nearly empty, and whose weights are 0 in the first."""
    x, w = vg.input("x", ("N", 5)), vg.input("w", ("N",))
    y = vg.input("y", ("N",), dtype="i64")
    scores = vg.dense(x, 3, name="fc")
    loss = vg.softmax_cross_entropy(scores, y, sample_weights=w)
    trained = vg.compile(vg.Graph("g", {"scores": scores}, loss=loss), optimizer=vg.SGD(lr=0.1))
    rows = {k: v[:1130] for k, v in data(rng).items()}
    train = {**rows, "w": np.ones(1130)}
    history = vg.fit(trained, train, validation=rows, epochs=2, keep_best=True)
    last = history.rows[-1].validation_loss
    assert last == pytest.approx(trained.evaluate(rows)["loss"], rel=1e-6)

"""Losses that are drawn: over blocks of rows they are what they are in one call."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.training import measure

ROWS, BLOCK = 37, 10


def some(rnd: random.Random, rank: int, least: int) -> list[int]:
    return sorted(rnd.sample(range(rank), rnd.randint(least, rank)))


Op = Callable[[random.Random, vg.Node, vg.Node], vg.Node]
OPS: tuple[Op, ...] = (
    lambda r, a, b: a + b,
    lambda r, a, b: a * b,
    lambda r, a, b: vg.where(vg.greater(a, b), a, vg.tanh(b)),
    lambda r, a, b: vg.sum(a, some(r, a.type.rank, 0), keepdims=r.random() < 0.3),
    lambda r, a, b: vg.mean(a, some(r, a.type.rank, 1), keepdims=r.random() < 0.3),
    lambda r, a, b: vg.max(a, some(r, a.type.rank, 1)),
    lambda r, a, b: vg.matmul(a, b, transpose_a=r.random() < 0.4, transpose_b=r.random() < 0.4),
    lambda r, a, b: vg.reshape(a, (*a.type.shape, 1)),
    lambda r, a, b: vg.reshape(a, [d for d in a.type.shape if d != 1]),
    lambda r, a, b: vg.slice(a, r.randrange(a.type.rank), 0, 2),
    lambda r, a, b: vg.concat(a, b, axis=r.randrange(a.type.rank)),
    lambda r, a, b: vg.log_softmax(a),
    lambda r, a, b: vg.transpose(a),
    lambda r, a, b: a * vg.dim("N"),
    lambda r, a, b: vg.squared_norm(a),
    lambda r, a, b: vg.broadcast_to(a, ("N", 3)),
)


def drawn(rnd: random.Random) -> vg.Graph:
    """A sum over some of what up to 14 ops make of rows, weights and parameters."""
    x, w = vg.input("x", ("N", 3), "f64"), vg.input("w", ("N",), "f64")
    y = vg.input("y", ("N",), "i64")
    weight = vg.parameter("weight", (3, 3), np.arange(9).reshape(3, 3) / 9 - 0.4, dtype="f64")
    bias = vg.parameter("bias", (3,), np.array([0.3, -0.2, 0.5]), dtype="f64")
    scores = vg.linear(x, weight, bias)
    pool = [x, w, weight, bias, scores, vg.nll(scores, y)]
    for _ in range(rnd.randint(3, 14)):
        try:
            pool.append(rnd.choice(OPS)(rnd, rnd.choice(pool), rnd.choice(pool)))
        except (vg.GraphError, ValueError):  # does not fit these
            continue
    loss = vg.mean(vg.nll(scores, y)) / (1.5 + vg.tanh(vg.sum(w)))
    for n in pool[-4:]:
        loss = loss + vg.sum(vg.tanh(n * 0.1))
    return vg.Graph("drawn", {"scores": scores}, loss=loss)


@pytest.mark.parametrize("seed", range(0, 60, 20))
def test_a_drawn_loss_over_blocks_is_that_of_one_call(
    seed: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "_AT_A_TIME", BLOCK)
    rows = {
        "x": rng.standard_normal((ROWS, 3)), "w": rng.random(ROWS), "y": rng.integers(0, 3, ROWS)
    }  # fmt: skip
    split = 0
    for k in range(seed, seed + 20):
        # The blocks are the graph's, whatever runs them.
        program = vg.compile(drawn(random.Random(k)), dtype="f64", backend="numpy")
        split += program.blockwise("scores").rows(BLOCK, ROWS) == BLOCK
        expected = program.evaluate(rows)["loss"]
        found = vg.measure(program, rows).loss
        assert found == pytest.approx(expected, rel=1e-11, abs=1e-11, nan_ok=True), k
    assert 5 < split < 20

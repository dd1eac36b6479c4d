"""Batch norm by shards, beside a model in plain NumPy that is written from its words alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from sharded import NETS, feeds, held, near

import verigrad as vg

RATE, DECAY, EPS = 0.1, 0.9, 1e-5
PER_SHARD = vg.Shards(4, batch_norm="per_shard")


class Model(NamedTuple):
    """loss = mean over all rows of (bn(x w) v - t)^2, each part of a batch normalized by its own
    mean and variance; gradients by the chain rule, part by part, of the one loss."""

    w: np.ndarray
    scale: np.ndarray
    bias: np.ndarray
    v: np.ndarray
    running_mean: np.ndarray
    running_var: np.ndarray

    def step(self, x: np.ndarray, t: np.ndarray, parts: int, unbiased: bool) -> tuple[float, Model]:
        count, loss = len(x), 0.0
        dw, dv = np.zeros_like(self.w), np.zeros_like(self.v)
        dscale, dbias = np.zeros_like(self.scale), np.zeros_like(self.bias)
        means, variances = np.zeros_like(self.scale), np.zeros_like(self.scale)
        for xs, ts in zip(np.array_split(x, parts), np.array_split(t, parts), strict=True):
            m, h = len(xs), xs @ self.w
            mean, var = h.mean(0), h.var(0)
            normal = (h - mean) / np.sqrt(var + EPS)
            y = normal * self.scale + self.bias
            error = y @ self.v - ts
            loss += float((error**2).sum()) / count
            derror = 2 * error / count
            dv += y.T @ derror
            dy = derror @ self.v.T
            dscale += (dy * normal).sum(0)
            dbias += dy.sum(0)
            dnormal = dy * self.scale
            inner = dnormal - dnormal.mean(0) - normal * (dnormal * normal).mean(0)
            dw += xs.T @ (inner / np.sqrt(var + EPS))
            means += mean * m / count
            variances += var * (m / (m - 1) if unbiased else 1) * m / count
        return loss, Model(
            self.w - RATE * dw,
            self.scale - RATE * dscale,
            self.bias - RATE * dbias,
            self.v - RATE * dv,
            DECAY * self.running_mean + (1 - DECAY) * means,
            DECAY * self.running_var + (1 - DECAY) * variances,
        )


@pytest.mark.parametrize("unbiased", [False, True])
def test_each_shard_is_normalized_by_its_own_rows(unbiased: bool) -> None:
    x, t = vg.input("x", ("N", 5)), vg.input("t", ("N", 2))
    h = vg.dense(x, 3, bias=False, name="fc1")
    h = vg.batch_norm(h, name="bn", momentum=DECAY, eps=EPS, unbiased=unbiased)
    y = vg.dense(h, 2, bias=False, name="fc2")
    net = vg.Graph("net", loss=vg.sum(vg.mean(vg.square(y - t), axis=0)))
    program = vg.compile(
        net, optimizer=vg.SGD(RATE), shards=PER_SHARD, dtype="f64", certify=True, seed=2
    )
    layer = ["bn.weight", "bn.bias", "fc2.weight", "bn.running_mean", "bn.running_var"]
    names = ["fc1.weight", *layer]
    model = Model(*[np.array(held(program)[name]) for name in names])
    rng = np.random.default_rng(0)
    for count in (16, 9, 8, 30):
        batch = {"x": rng.standard_normal((count, 5)), "t": rng.standard_normal((count, 2))}
        loss, model = model.step(batch["x"], batch["t"], 4, unbiased)
        near({"loss": program.step(**batch)}, {"loss": loss}, "f64")
    state = {name: held(program)[name] for name in names}
    near(state, dict(zip(names, model, strict=True)), "f64")
    assert program.certificate.exact.verdict == "proved", program.certificate
    assert program.certificate.derivatives is not None
    assert program.certificate.derivatives.verdict == "proved"


def test_by_shards_is_not_by_the_whole_batch() -> None:
    net = NETS["batch_norm"]
    batch = feeds(net, 24)
    whole, apart = (
        vg.compile(net, optimizer=vg.SGD(0.1), seed=1, shards=shards).step(**batch)
        for shards in (4, PER_SHARD)
    )
    assert abs(whole - apart) > 1e-4


@pytest.mark.parametrize("name", ["relu", "layer_norm", "dropout", "both_weights"])
def test_without_batch_norm_both_ways_are_one(name: str) -> None:
    net = NETS[name]
    made = []
    for shards in (4, PER_SHARD):
        program = vg.compile(net, optimizer=vg.SGD(0.1), shards=shards, certify=True)
        program.step(**feeds(net, 11))
        assert program.certificate.exact.verdict == "proved", program.certificate
        made.append(held(program))
    near(*made)


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (7, "a batch of 1 is not defined.*shard 3 of 4 has 1 of the 7 rows"),
        (3, "the mean of nothing is not defined.*shard 3 of 4 has 0 of the 3 rows"),
    ],
)
def test_a_shard_with_too_few_rows_is_named(count: int, told: str) -> None:
    net = NETS["batch_norm"]
    program = vg.compile(net, optimizer=vg.SGD(0.1), shards=PER_SHARD, certify=True)
    with pytest.raises(vg.RunError, match=f"(?s){told}"):
        program.step(**feeds(net, count))
    assert program.certificate.exact.verdict == "proved"


def test_unsharded_batch_norm_in_inference() -> None:
    net = NETS["batch_norm"]
    program = vg.compile(net, optimizer=vg.SGD(0.1), shards=PER_SHARD)
    program.step(**feeds(net, 16))
    whole = vg.compile(net)
    whole.parameters.update(program.parameters)
    whole.state.update({k: v for k, v in program.state.items() if k in whole.state})
    batch = feeds(net, 5)
    near(program.predict(x=batch["x"]), whole.predict(x=batch["x"]))

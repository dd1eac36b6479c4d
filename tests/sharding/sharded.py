"""Nets with every loss, layer and activation, batches for them, and steps of both kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import verigrad as vg

Feeds = dict[str, np.ndarray]
CLASSES = 3


def scores(activation: Callable[..., vg.Node] = vg.tanh) -> vg.Node:
    """Scores of three classes, of a net with one hidden layer."""
    h = activation(vg.dense(vg.input("x", ("N", 5)), 6, name="fc1"))
    return vg.dense(h, CLASSES, name="fc2")


def labels() -> vg.Node:
    return vg.input("y", ("N",), dtype="i64")


def rows(name: str = "t") -> vg.Node:
    """Targets of each score; `share` holds numbers from 0 to 1, `counts` whole ones."""
    return vg.input(name, ("N", CLASSES))


def of(s: vg.Node, loss: vg.Node, **outputs: vg.Node) -> vg.Graph:
    return vg.Graph("net", {"scores": s, **outputs}, loss=loss)


def _losses() -> dict[str, vg.Graph]:
    s, y, t, w = scores(), labels(), rows(), vg.input("weights", ("N",))
    cross = vg.softmax_cross_entropy
    losses = {
        "softmax_cross_entropy": cross(s, y),
        "label_smoothing": cross(s, y, label_smoothing=0.1),
        "class_weights": cross(s, y, class_weights=[1.0, 2.0, 0.5]),
        "sample_weights": cross(s, y, sample_weights=w),
        "both_weights": cross(s, y, sample_weights=w, class_weights=[1.0, 2.0, 0.5]),
        "mean_squared_error": vg.mean_squared_error(s, t),
        "mean_absolute_error": vg.mean_absolute_error(s, t),
        "huber": vg.huber(s, t, delta=0.5),
        "binary_cross_entropy": vg.binary_cross_entropy_with_logits(s, rows("share")),
        "hinge": vg.hinge(s, y),
        "poisson_nll": vg.poisson_nll(s, rows("counts")),
        "sum_of_squares": vg.sum(vg.square(s)),
        "two_means": vg.mean(vg.square(s)) * vg.mean(vg.exp(s)),
    }
    return {name: of(s, loss) for name, loss in losses.items()}


def _layers() -> dict[str, vg.Graph]:
    activations = (
        vg.relu, vg.leaky_relu, vg.elu, vg.selu, vg.gelu, vg.silu, vg.softplus, vg.sigmoid,
        vg.tanh, vg.softmax,
    )  # fmt: skip
    nets = {f.__name__: of(s := scores(f), vg.hinge(s, labels())) for f in activations}
    x = vg.input("x", ("N", 5))
    h = vg.dense(x, 6, name="fc1")
    for name, made in (
        ("batch_norm", vg.batch_norm(h, name="bn")),
        ("unbiased_batch_norm", vg.batch_norm(h, name="bn", unbiased=True, momentum=0.5)),
        ("batch_norm_of_an_input", vg.concat(vg.batch_norm(x, name="bn"), h, axis=1)),
        ("layer_norm", vg.layer_norm(h, name="ln")),
        ("dropout", vg.dropout(h, keep=0.5)),
        ("no_bias", vg.dense(h, 4, bias=False, name="fc1b")),
        ("joined", vg.concat(h, h * 0.5, axis=1)),
        ("of_a_mean", h - vg.mean(h, axis=0)),
        ("of_each_row", h / (1.0 + vg.sum(vg.square(h), axis=1, keepdims=True))),
    ):
        s = vg.dense(vg.tanh(made), CLASSES, name="fc2")
        loss = vg.softmax_cross_entropy(s, labels())
        nets[name] = of(s, loss, middle=h, fed=x)
    return nets


LOSSES = _losses()
LAYERS = _layers()
NETS = {**LOSSES, **LAYERS}


def feeds(net: vg.Graph, count: int, seed: int = 0) -> Feeds:
    """A batch of so many rows."""
    rng = np.random.default_rng(seed)
    found: Feeds = {}
    for n in net.inputs:
        name, shape = net.names[n], n.type.bind({"N": count})
        if name == "counts":
            drawn = rng.poisson(2.0, shape)
        elif n.type.is_float:
            drawn = rng.random(shape) if name in ("weights", "share") else rng.normal(size=shape)
        else:
            drawn = rng.integers(0, CLASSES, shape)
        found[name] = np.asarray(drawn).astype(n.type.numpy)
    return found


def held(program: vg.Program) -> Feeds:
    """All that a program holds."""
    return {**program.parameters, **program.state}


def near(found: Mapping[str, Any], due: Mapping[str, Any], dtype: str = "f32") -> None:
    """Fails where numbers are not those that are due, but for rounding."""
    far = {"f32": (2e-4, 2e-5), "f64": (1e-9, 1e-11)}[dtype]
    assert found.keys() == due.keys()
    for name, number in found.items():
        np.testing.assert_allclose(number, due[name], *far, err_msg=name)


def same_steps(net: vg.Graph, shards: Any, counts: list[int], **options: Any) -> vg.Program:
    """The program with its batches cut, which makes the steps of the one without, and is proved."""
    options = {"optimizer": vg.Momentum(0.05, rho=0.9), "seed": 3, **options}
    dtype = options.get("dtype", "f32")
    whole = vg.compile(net, certify=False, **options)
    cut = vg.compile(net, certify=True, shards=shards, **options)
    for k, count in enumerate(counts):
        batch = feeds(net, count, k)
        near({"loss": cut.step(**batch)}, {"loss": whole.step(**batch)}, dtype)
    near(held(cut), held(whole), dtype)
    assert cut.certificate.exact.verdict == "proved", cut.certificate
    assert cut.certificate.verdict != "refuted"
    return cut

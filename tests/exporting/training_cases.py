"""Nets on the digits, and the ways to train them: every optimizer, schedule, norm and loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import verigrad as vg

STEPS, ROWS = 100, 16

Activation = Callable[[vg.Node], vg.Node]


def classifier(activation: Activation = vg.tanh, norm: str = "", **loss: object) -> vg.Graph:
    """64-12-10 on the digits' pixels."""
    x, y = vg.input("x", ("N", 64)), vg.input("y", ("N",), dtype="i64")
    h = vg.dense(x, 12, name="fc1", bias=norm != "batch")  # which takes it away
    h = {"": lambda h: h, "batch": vg.batch_norm, "layer": vg.layer_norm}[norm](h)
    scores = vg.dense(activation(h), 10, name="fc2")
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y, **loss))


def regression(loss: Callable[..., vg.Node]) -> vg.Graph:
    """One output, of the pixels: the label as a number, or whether it is small."""
    x, t = vg.input("x", ("N", 64)), vg.input("t", ("N", 1))
    predicted = vg.dense(vg.silu(vg.dense(x, 12, name="fc1")), 1, name="fc2")
    return vg.Graph("net", {"predicted": predicted}, loss=loss(predicted, t))


def weighted() -> vg.Graph:
    x, y = vg.input("x", ("N", 64)), vg.input("y", ("N",), dtype="i64")
    w = vg.input("w", ("N",))
    scores = vg.mlp(x, [12, 10], activation="gelu")
    loss = vg.softmax_cross_entropy(
        scores, y, class_weights={3: 2.0}, sample_weights=w, label_smoothing=0.1
    )
    return vg.Graph("net", {"scores": scores}, loss=loss)


CASES: dict[str, tuple[Callable[[], vg.Graph], dict[str, object]]] = {
    "sgd": (classifier, {"optimizer": vg.SGD(0.2, weight_decay=0.01)}),
    "momentum": (classifier, {"optimizer": vg.Momentum(0.05, dampening=0.4)}),
    "nesterov": (classifier, {"optimizer": vg.Nesterov(0.05, 0.8, dialect="torch")}),
    "nesterov ahead": (classifier, {"optimizer": vg.Nesterov(0.05, lookahead=True)}),
    "adagrad": (classifier, {"optimizer": vg.AdaGrad(0.1, start=0.3, lr_decay=0.01)}),
    "rmsprop": (classifier, {"optimizer": vg.RMSProp(0.002, centered=True, eps=1e-3)}),
    "adam": (classifier, {"optimizer": vg.Adam(0.01)}),
    "adam sklearn": (classifier, {"optimizer": vg.Adam(0.01, dialect="sklearn")}),
    "adamw": (classifier, {"optimizer": vg.AdamW(0.01)}),
    "cosine": (classifier, {"optimizer": vg.SGD(vg.schedules.cosine(0.3, steps=80))}),
    "one cycle": (classifier, {"optimizer": vg.Adam(vg.schedules.one_cycle(0.03, steps=90))}),
    "warmup": (
        classifier,
        {"optimizer": vg.SGD(vg.schedules.warmup(vg.schedules.step(0.3, every=30), steps=9))},
    ),
    "exponential": (classifier, {"optimizer": vg.SGD(vg.schedules.exponential(0.3, 0.99))}),
    "inverse": (classifier, {"optimizer": vg.SGD(vg.schedules.inverse(0.3, 0.1))}),
    "plateau": (classifier, {"optimizer": vg.SGD(vg.schedules.plateau(0.3))}),
    "relu, dropout and L2": (
        lambda: classifier(vg.relu),
        {"optimizer": vg.Momentum(0.05), "dropout": vg.Dropout(keep=0.8, input=0.9),
         "regularizer": vg.L2(1e-3), "seed": 2**64 - 1},
    ),
    "vanilla dropout and L1": (
        classifier,
        {"optimizer": vg.SGD(0.1), "dropout": vg.Dropout(keep=0.5, mode="vanilla"),
         "regularizer": vg.L1(1e-4)},
    ),
    "batch norm": (lambda: classifier(vg.tanh, "batch"), {"optimizer": vg.Adam(0.01)}),
    "frozen": (
        lambda: classifier(vg.relu, "batch").freeze("fc1.*", "bn1.*"),
        {"optimizer": vg.AdamW(0.01), "regularizer": vg.L2(1e-3), "clip": vg.ClipNorm(0.5)},
    ),
    "layer norm": (
        lambda: classifier(vg.silu, "layer"),
        {"optimizer": vg.SGD(0.1), "clip": vg.ClipNorm(0.5),
         "regularizer": vg.ElasticNet(1e-4, 1e-3)},
    ),
    "clipped by value": (
        lambda: classifier(vg.selu), {"optimizer": vg.SGD(0.1), "clip": vg.ClipValue(0.01)}
    ),
    "weighted": (weighted, {"optimizer": vg.Momentum(0.05)}),
    "mean squared": (lambda: regression(vg.mean_squared_error), {"optimizer": vg.Adam(0.01)}),
    "huber": (lambda: regression(vg.huber), {"optimizer": vg.SGD(0.01)}),
    "poisson": (lambda: regression(vg.poisson_nll), {"optimizer": vg.SGD(0.001)}),
    "logits": (
        lambda: regression(vg.binary_cross_entropy_with_logits), {"optimizer": vg.SGD(0.1)}
    ),
}  # fmt: skip


def digits(program: vg.Program) -> dict[str, np.ndarray]:
    """All digits as feeds for the inputs of a program."""
    train, _ = vg.digits()
    x, y = train.x / 16, train.y
    whole = {"x": x, "y": y, "t": y[:, None] / 10.0, "w": 0.5 + (y % 3)}
    g = program.declared
    return {g.names[n]: whole[g.names[n]].astype(n.type.numpy) for n in g.inputs}


def state_of(program: vg.Program) -> dict[str, np.ndarray]:
    return {**program.parameters, **program.state}


def batches(program: vg.Program, steps: int = STEPS) -> Iterator[dict[str, np.ndarray]]:
    """Feeds for so many steps, of ROWS rows or fewer, but always two."""
    whole = digits(program)
    rng = np.random.default_rng(1)
    for k in range(steps):
        rows = ROWS if k % 7 else int(rng.integers(2, ROWS))
        chosen = rng.permutation(len(whole["x"]))[:rows]
        yield {name: a[chosen] for name, a in whole.items()}


def assert_alike(found: dict[str, np.ndarray], program: vg.Program, part: float = 1e-12) -> None:
    """Asserts that all parameters and states are the program's, but for rounding."""
    for name, value in state_of(program).items():
        scale = max(1e-3, float(np.abs(value).max()))
        given = np.reshape(found[name], value.shape)
        np.testing.assert_allclose(given, value, rtol=0, atol=part * scale, err_msg=name)

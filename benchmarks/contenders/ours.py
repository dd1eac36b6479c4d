"""verigrad as a user has it: its default backend, all checks on, feeds as NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import verigrad as vg

from ..nets import BETA1, BETA2, EPS, RATES, RHO, Array, Net, batches, weights
from .contender import Predictor, Trainer


def declared(net: Net) -> vg.Graph:
    """The net as a graph; dense layers are called fc1, fc2, ..., normalizations bn1, bn2, ..."""
    x = vg.input("x", ("N", net.sizes[0]))
    y = vg.input("y", ("N",), dtype="i64")
    h = x
    for i, units in enumerate(net.sizes[1:-1], 1):
        h = vg.dense(h, units, name=f"fc{i}", bias=not net.batch_norm)
        h = vg.batch_norm(h, name=f"bn{i}") if net.batch_norm else h
        h = vg.relu(h)
    scores = vg.dense(h, net.sizes[-1], name=f"fc{net.layers}")
    return vg.Graph(net.name, {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def optimizer_of(name: str) -> vg.Optimizer:
    """The optimizer with the benchmark's rate, in PyTorch's dialect."""
    rate = RATES[name]
    if name == "adam":
        return vg.Adam(lr=rate, beta1=BETA1, beta2=BETA2, eps=EPS, dialect="torch")
    return vg.Momentum(lr=rate, rho=RHO) if name == "momentum" else vg.SGD(lr=rate)


def compiled(net: Net, optimizer: str | None, **options: Any) -> vg.Program:
    """The compiled net at its first weights."""
    program = vg.compile(
        declared(net),
        optimizer=optimizer_of(optimizer) if optimizer else None,
        regularizer=vg.L2(net.l2) if net.l2 else None,
        dropout=vg.Dropout(keep=net.keep) if net.keep < 1 else None,
        **options,
    )
    set_weights(program, net)
    return program


def set_weights(program: vg.Program, net: Net) -> None:
    for i, w in enumerate(weights(net), 1):
        program.parameters[f"fc{i}.weight"] = w


def train(net: Net, optimizer: str, **options: Any) -> Trainer:
    """`program.step` on the batches; options go to `vg.compile`."""
    feeds = [{"x": x, "y": y} for x, y in batches(net)]
    return trainer(compiled(net, optimizer, **options), feeds)


def trainer(program: vg.Program, feeds: Sequence[Mapping[str, Any]]) -> Trainer:
    """`program.step` on feeds, one after another."""
    first = {name: program.parameters[name] for name in program.parameters}
    state = {name: program.state[name] for name in program.state}
    count, step = len(feeds), program.step

    def restart() -> None:
        for name, value in first.items():
            program.parameters[name] = value
        for name, value in state.items():
            program.state[name] = value

    return Trainer(lambda i: step(feeds[i % count]), restart)


def predict(net: Net, x: Array, **options: Any) -> Predictor:
    """`program.predict`, whose result is the user's own array."""
    program = compiled(net, None, **options)
    feeds = {"x": x}
    return Predictor(lambda: np.asarray(program.predict(feeds)["scores"]))

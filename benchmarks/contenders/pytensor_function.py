"""PyTensor: one function with shared variables and updates, in the default mode.

Since 3.0 the default mode is Numba, whose products go to SciPy's OpenBLAS; the C linker of a
wheel finds no BLAS to link, and was three times slower.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..nets import BETA1, BETA2, EPS, RATES, RHO, Array, Net, batches, weights
from .contender import Predictor, Trainer

with warnings.catch_warnings():  # that the C linker has no BLAS, which is not used here
    warnings.simplefilter("ignore")
    import pytensor
    import pytensor.tensor as pt

pytensor.config.floatX = "float32"
_DECAY = 0.9
_BATCH_NORM_EPS = 1e-5
_f32 = np.float32


class _Graph:
    """The net with its shared variables; `first` are their first values."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.first: dict[Any, Array] = {}
        self.x = pt.matrix("x", dtype="float32")
        self.weights: list[Any] = []
        self.params: list[Any] = []
        self.updates: dict[Any, Any] = {}
        h = self.x
        for i, w in enumerate(weights(net)):
            weight = self.shared(w)
            self.weights.append(weight)
            self.params.append(weight)
            h = h @ weight
            hidden = i < net.layers - 1
            if hidden and net.batch_norm:
                h = self.normalized(h, w.shape[1])
            bias = self.shared(np.zeros(w.shape[1]))
            self.params.append(bias)
            h = h + bias
            h = pt.maximum(h, _f32(0)) if hidden else h
            if hidden and net.keep < 1:
                h = h * self.mask(h)
        self.scores = h

    def shared(self, value: Array) -> Any:
        made = pytensor.shared(value.astype(np.float32))
        self.first[made] = value.astype(np.float32)
        return made

    def mask(self, h: Any) -> Any:
        random = pt.random.shared_rng(seed=len(self.updates))
        self.updates[random], kept = random.bernoulli(self.net.keep, size=h.shape)
        return kept.astype("float32") * _f32(1 / self.net.keep)

    def normalized(self, h: Any, width: int) -> Any:
        mean, var = h.mean(axis=0), h.var(axis=0)
        scale = self.shared(np.ones(width))
        self.params.append(scale)
        for start, new in ((np.zeros(width), mean), (np.ones(width), var)):
            running = self.shared(start)
            self.updates[running] = _f32(_DECAY) * running + _f32(1 - _DECAY) * new
        return (h - mean) * (scale / pt.sqrt(var + _f32(_BATCH_NORM_EPS)))

    def restart(self) -> None:
        for shared, value in self.first.items():
            shared.set_value(value)


def train(net: Net, optimizer: str) -> Trainer:
    """One call of the function a step."""
    g = _Graph(net)
    y = pt.vector("y", dtype="int64")
    log_p = pt.special.log_softmax(g.scores, axis=1)
    loss = -log_p[pt.arange(y.shape[0]), y].mean()
    if net.l2:
        loss = loss + _f32(net.l2 / 2) * sum((w**2).sum() for w in g.weights)
    grads = pytensor.grad(loss, g.params)
    updates = {**g.updates, **_updates(g, optimizer, grads)}
    f = pytensor.function([pytensor.In(g.x, borrow=True), y], loss, updates=list(updates.items()))
    data = batches(net)
    count = len(data)
    return Trainer(lambda i: f(*data[i % count]), g.restart)


def _updates(g: _Graph, optimizer: str, grads: list[Any]) -> dict[Any, Any]:
    """The updates of the parameters and of the optimizer's state."""
    rate = _f32(RATES[optimizer])
    updates: dict[Any, Any] = {}
    if optimizer == "adam":
        step = g.shared(np.zeros(()))
        t = step + _f32(1)
        updates[step] = t
        c1, c2 = _f32(1) - _f32(BETA1) ** t, _f32(1) - _f32(BETA2) ** t
    for p, d in zip(g.params, grads, strict=True):
        zeros = np.zeros_like(p.get_value())
        if optimizer == "sgd":
            updates[p] = p - rate * d
        elif optimizer == "momentum":
            v = g.shared(zeros)
            updates[v] = _f32(RHO) * v + d
            updates[p] = p - rate * updates[v]
        else:
            m, v = g.shared(zeros), g.shared(zeros)
            updates[m] = _f32(BETA1) * m + _f32(1 - BETA1) * d
            updates[v] = _f32(BETA2) * v + _f32(1 - BETA2) * d * d
            root = pt.sqrt(updates[v] / c2) + _f32(EPS)
            updates[p] = p - rate * (updates[m] / c1) / root
    return updates


def predict(net: Net, x: Array) -> Predictor:
    """One call of the function of the scores."""
    g = _Graph(net)
    f = pytensor.function([pytensor.In(g.x, borrow=True)], g.scores)
    return Predictor(lambda: np.asarray(f(x)))

"""The net of an estimator as a declared graph: its layers, its loss, the penalty on its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, Graph, Node, input, op_function
from ...ops import batch_norm, cast, dense, dim, divide, dropout, mean, multiply, stop_gradient, sum
from ...passes import with_dtype
from ...passes.methods.regularizers import ElasticNet
from ..interpreter import interpret
from .losses import LOSSES, Rows

ACTIVATIONS: Final = {
    "identity": None,
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "leaky_relu": "leaky_relu",
    "elu": "elu",
    "selu": "selu",
    "gelu": "gelu",
    "silu": "silu",
    "softplus": "softplus",
}
"""The op of each activation, under scikit-learn's name of it where there is one."""


class Form(NamedTuple):
    """All that the graph of an estimator depends on.

    `sizes` are those of the input, the hidden layers and the output; `weighted` says whether each
    row has a weight, fed as `w`; `dtype` is that of the compiled graph.
    """

    sizes: tuple[int, ...]
    activation: str
    loss: str
    alpha: float
    l1_ratio: float
    weighted: bool
    dropout: float
    batch_norm: bool
    dtype: str

    @property
    def layers(self) -> list[str]:
        """The names of the layers, those with weights alone."""
        return [f"fc{k}" for k in range(1, len(self.sizes))]

    @property
    def coefs(self) -> list[str]:
        """The parameters that scikit-learn calls coefs_, in its order."""
        return [f"{name}.weight" for name in self.layers]

    @property
    def intercepts(self) -> list[str]:
        """Those that it calls intercepts_; of a normalized layer the shift of the norm."""
        *hidden, last = self.layers
        norm = ".norm" if self.batch_norm else ""
        return [*[f"{name}{norm}.bias" for name in hidden], f"{last}.bias"]


def declared(form: Form) -> Graph:
    """The graph: `x` [N,D] and the targets `y` are fed, and `w` [N] where rows have weights.

    The output is `scores`, what the last layer computes. The loss is that of the data and the
    penalty alpha (l1_ratio |W| + (1 - l1_ratio) W W / 2), divided by the rows of the batch or the
    sum of their weights, as scikit-learn has it.
    """
    x = input("x", ("N", form.sizes[0]))
    scores, weights = _layers(form, x)
    w = input("w", ("N",)) if form.weighted else None
    rows = LOSSES[form.loss].rows(scores, _eps(form))
    loss = _reported(rows, w)
    penalty = ElasticNet(form.alpha * form.l1_ratio, form.alpha * (1 - form.l1_ratio))
    term = penalty.penalty(weights)
    if term is not None:
        count = sum(w) if w is not None else cast(dim("N"), "f32")
        loss = loss + divide(term, count, name="penalty")
    inputs = [x, rows.targets, *([w] if w is not None else [])]
    return Graph("mlp", {"scores": scores}, loss=loss, inputs=inputs)


def _layers(form: Form, x: Node) -> tuple[Node, list[Node]]:
    """The output of the last layer, and the weights of all."""
    activation = ACTIVATIONS[form.activation]
    *hidden, last = zip(form.layers, form.sizes[1:], strict=True)
    weights = []
    for name, units in hidden:
        linear = dense(x, units, name=name, init="zeros", bias=not form.batch_norm)
        weights.append(linear.inputs[1])
        x = batch_norm(linear, name=f"{name}.norm") if form.batch_norm else linear
        x = _activated(activation, x)
        if form.dropout:
            x = dropout(x, keep=1.0 - form.dropout)
    scores = dense(x, last[1], name=last[0], init="zeros")
    return scores, [*weights, scores.inputs[1]]


def _activated(activation: str | None, x: Node) -> Node:
    function: Callable[..., Node] | None = op_function(activation) if activation else None
    return function(x) if function is not None else x


def _reported(rows: Rows, w: Node | None) -> Node:
    """The loss that scikit-learn reports, with the gradient of the one that it descends."""
    descended = _mean(rows.descended, w)
    if rows.reported is None:
        return descended
    return descended + stop_gradient(_mean(rows.reported, w) - descended)


def _mean(rows: Node, w: Node | None) -> Node:
    return mean(rows) if w is None else divide(sum(multiply(rows, w)), sum(w))


def data_loss(form: Form, scores: Array, y: Array, w: Array | None) -> float:
    """The loss that scores [N,K] have without the penalty, by the graph's own definition."""
    given = input("scores", ("N", form.sizes[-1]))
    rows = LOSSES[form.loss].rows(given, _eps(form))
    weights = input("w", ("N",)) if w is not None else None
    inputs = [given, rows.targets, *([weights] if weights is not None else [])]
    g = with_dtype(Graph("data_loss", {}, loss=_reported(rows, weights), inputs=inputs), form.dtype)
    feeds = {"scores": scores, "y": y, **({"w": w} if w is not None else {})}
    return float(interpret(g, feeds).outputs["loss"])


def _eps(form: Form) -> float:
    return float(np.finfo(np.float32 if form.dtype == "f32" else np.float64).eps)

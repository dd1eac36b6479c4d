"""What DOT holds can be drawn: nets of every kind, at every stage, by the program that is here."""

from __future__ import annotations

from itertools import product

import pytest

import verigrad as vg
from verigrad.graph.pictures import rendering

OPTIMIZERS = (vg.SGD, vg.Adam)
needs_engine = pytest.mark.skipif(
    next(rendering.engines(), None) is None, reason="no Graphviz program is installed"
)


def trained(optimizer: type[vg.Optimizer], hidden: list[int], norm: bool, keep: float) -> vg.Graph:
    """The training graph of a classifier whose inputs are scaled within it."""
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    h = vg.multiply(vg.subtract(x, 1.0), 2.0, name="scaled")
    for size in hidden:
        h = vg.dense(h, size, bias=not norm)
        h = vg.relu(vg.batch_norm(h) if norm else h)
    scores = vg.dense(h, 3)
    g = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    dropout = vg.Dropout(keep=keep) if keep < 1 else None
    made = optimizer(lr=0.1)  # type: ignore[call-arg]
    return vg.compile(g, optimizer=made, dropout=dropout, regularizer=vg.L2(1e-3)).training


@needs_engine
@pytest.mark.parametrize(
    ("optimizer", "hidden", "norm", "keep"),
    [*product(OPTIMIZERS, ([8], [8, 8]), (False, True), (1.0, 0.5))],
)
def test_training_graphs_are_drawn_in_columns(
    optimizer: type[vg.Optimizer], hidden: list[int], norm: bool, keep: float
) -> None:
    (_, draw), *_ = rendering.engines()
    assert draw(trained(optimizer, hidden, norm, keep).to_dot(), 60.0).rstrip().endswith("</svg>")

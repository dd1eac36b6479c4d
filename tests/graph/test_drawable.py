"""What DOT holds can be drawn in columns: nets of every kind, and random graphs."""

from __future__ import annotations

from itertools import product

import hypothesis
import hypothesis.strategies as st
import pytest
from effort import some, tries
from random_graphs import graphs, nets

import verigrad as vg
from verigrad.graph.pictures import rendering

needs_engine = pytest.mark.skipif(
    next(rendering.engines(), None) is None, reason="no Graphviz program is installed"
)
NORMS = {None: lambda h: h, "batch": vg.batch_norm, "layer": vg.layer_norm}
COMBINATIONS = list(
    product(
        (vg.relu, vg.tanh, vg.gelu),
        (vg.SGD, vg.Momentum, vg.Adam),
        (1.0, 0.5),
        (0.0, 1e-3),
        NORMS,
    )
)


def trained(activation, optimizer, keep, l2, norm) -> vg.Graph:  # type: ignore[no-untyped-def]
    """The training graph of a classifier whose inputs are scaled within it."""
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    h = vg.multiply(vg.subtract(x, 1.0), 2.0, name="scaled")
    for _ in range(2):
        h = activation(NORMS[norm](vg.dense(h, 8, bias=norm != "batch")))
    scores = vg.dense(h, 3)
    g = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    dropout = vg.Dropout(keep=keep) if keep < 1 else None
    regularizer = vg.L2(l2) if l2 else None
    return vg.compile(
        g, optimizer=optimizer(lr=0.1), dropout=dropout, regularizer=regularizer
    ).training


def drawn(*texts: str) -> None:
    """One program draws them all, and fails where it cannot draw one."""
    (_, draw), *_ = rendering.engines()
    assert draw("\n".join(texts), 600.0).count(b"</svg>") == len(texts)


def test_there_are_108_combinations() -> None:
    assert len(COMBINATIONS) == 108


@needs_engine
def test_training_graphs_are_drawn_in_columns() -> None:
    cases = [trained(*case) for case in some(COMBINATIONS, 6)]
    drawn(*[g.to_dot(detail="nodes") for g in cases], *[g.to_dot(detail="layers") for g in cases])


@needs_engine
@hypothesis.settings(max_examples=tries(12))
@hypothesis.given(graphs(), st.booleans(), st.sampled_from(["TB", "LR"]))
def test_random_graphs_are_drawn_in_columns(g: vg.Graph, whole: bool, direction: str) -> None:
    drawn(g.to_dot(detail="nodes", bookkeeping=whole, direction=direction))  # type: ignore[arg-type]


@needs_engine
@hypothesis.settings(max_examples=tries(3))
@hypothesis.given(nets())
def test_random_nets_are_drawn_in_columns(g: vg.Graph) -> None:
    stages = vg.compile(g, optimizer=vg.Adam(lr=0.1)).stages
    last = stages["schedule"]
    change = stages["declared"].diff(last)
    drawn(*[last.to_dot(detail=d) for d in ("nodes", "layers", "kernels")], change.to_dot())  # type: ignore[arg-type]

"""What holds of all passes: they are values, and those that help each other are repeated."""

from __future__ import annotations

import dataclasses

import pytest

import verigrad as vg
from verigrad.passes import PackReductions, Recompute, ShardBatch

ALONE = (Recompute(), ShardBatch(), PackReductions())
"""Those that stand in no pipeline of their own accord."""
EVERY = {p.name: p for p in (*vg.TRAINING, *vg.INFERENCE, *ALONE)}


@pytest.mark.parametrize("p", EVERY.values(), ids=EVERY)
def test_a_pass_is_a_value_that_nothing_changes(p: vg.Pass) -> None:
    assert p == dataclasses.replace(p)
    with pytest.raises(dataclasses.FrozenInstanceError):
        p.name = "another"  # type: ignore[misc]


@pytest.mark.parametrize("pipeline", [vg.TRAINING, vg.INFERENCE], ids=["training", "inference"])
def test_what_one_simplification_leaves_for_another_is_done_too(pipeline: vg.Pipeline) -> None:
    """Two branches are the same once their nodes are one; then what is made of them is constant."""
    x, chosen = vg.input("x", ("N",)), vg.input("chosen", ("N",), dtype="bool")
    same = vg.where(chosen, vg.exp(x * 1.0), vg.exp(x))
    flag = vg.input("flag", (), dtype="bool")
    number = vg.where(flag, vg.constant(2.0), vg.constant(2.0) * 1.0)
    g = vg.Graph("left", {"y": same * vg.exp(number)}, loss=vg.sum(same))
    ops = [n.op.name for n in pipeline.run(g).graph.order]
    assert sorted(ops) == ["exp", "multiply", "sum"]

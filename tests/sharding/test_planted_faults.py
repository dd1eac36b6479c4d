"""Faults that are planted in sharded steps, and the layer that finds each."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sharded import NETS, feeds

import verigrad as vg
from verigrad.graph import ShardSymbol
from verigrad.ops import AllReduce, DropoutMask, Shard, ToShards
from verigrad.passes import Pass, ShardBatch

OF = 8
LAYING_OUT = importlib.import_module("verigrad.passes.sharding.unrolled")
"""The module, whose name is also that of its function."""


def program(name: str = "batch_norm", fault: Pass | None = None, **options: Any) -> vg.Program:
    """A program in shards, with a pass of the user's behind that which cuts them."""
    pipeline = vg.TRAINING.insert(ShardBatch(vg.Shards(OF)), before="differentiate")
    if fault is not None:
        pipeline = pipeline.insert(fault, after="shard_batch")
    return vg.compile(NETS[name], optimizer=vg.SGD(0.1), pipeline=pipeline, certify=True, **options)


def refuted(made: vg.Program) -> str:
    """What the exact layer says of a program, which refuses to run."""
    with pytest.raises(vg.RefutedError) as e:
        made.step(**feeds(made.declared, 21))
    assert made.certificate.exact.verdict == "refuted"
    return str(e.value)


@pytest.mark.parametrize("name", ["batch_norm", "dropout", "sample_weights"])
def test_without_a_fault_it_is_proved(name: str) -> None:
    made = program(name)
    made.step(**feeds(made.declared, 21))
    assert made.certificate.verdict == "proved"


@pytest.mark.parametrize("left_out", [0, 3, 7])
def test_a_tree_that_drops_a_shard(left_out: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = LAYING_OUT.tree

    def dropped(parts: Sequence[vg.Node], name: str) -> vg.Node:
        kept = [p * 0.0 if k == left_out else p for k, p in enumerate(parts)]
        return whole(kept, name)

    monkeypatch.setattr(LAYING_OUT, "tree", dropped)
    assert "loss" in refuted(program("relu"))


def test_a_tree_that_counts_a_shard_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = LAYING_OUT.tree

    def doubled(parts: Sequence[vg.Node], name: str) -> vg.Node:
        return whole([*parts[:-1], parts[0]], name)

    monkeypatch.setattr(LAYING_OUT, "tree", doubled)
    refuted(program("relu"))


@dataclass(frozen=True)
class MeanOfShard(Pass):
    """Divides by the rows of the shard, as many times as there are shards."""

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if n.op.name == "dim":
                rows = vg.dim(str(ShardSymbol("N", OF))) * float(OF)
                yield vg.Rewrite(n, rows, "the rows of a shard")


def test_a_mean_that_divides_by_the_shards_rows() -> None:
    with pytest.raises(vg.VerigradError, match="another in each shard"):
        program("relu", MeanOfShard())


@dataclass(frozen=True)
class MeanOfShards(Pass):
    """Divides each shard's sum by its own rows before they are added, and the sum by the shards."""

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if isinstance(n.op, AllReduce) and g.names[n].endswith("loss.sum"):
                (part,) = n.inputs
                rows = vg.cast(vg.dim(str(ShardSymbol("N", OF))) * float(OF), "f32")
                share = part / vg.maximum(rows, 1.0)
                whole = vg.cast(vg.dim("N"), "f32")
                yield vg.Rewrite(n, vg.apply(n.op, share) * whole, "means of shards")


def test_a_mean_of_means_that_does_not_weigh_by_rows() -> None:
    assert "loss" in refuted(program("relu", MeanOfShards()))


def test_a_mask_that_begins_anew_in_each_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DropoutMask, "_first", lambda self, sizes: 0)
    assert "differs" in refuted(program("dropout"))


def test_a_kernel_of_masks_that_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What masks mean is right, and their bits are not: the floats differ from the declared."""
    monkeypatch.setattr(DropoutMask, "bind", lambda self, sizes: self)
    made = program("dropout")
    with pytest.raises(vg.RefutedError, match="does not compute what its graph says"):
        made.step(**feeds(made.declared, 21))


@dataclass(frozen=True)
class Unsummed(Pass):
    """A bias whose gradient is the shard's own: what sums it is not there."""

    bias: str = "fc1.bias"

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if isinstance(n.op, ToShards) and g.names[n.inputs[0]] == self.bias:
                yield vg.Rewrite(n, n.inputs[0], "as it is")


def test_a_bias_whose_gradient_no_sum_joins() -> None:
    with pytest.raises(vg.GraphError, match=r"%fc1.bias.*is another in each shard"):
        program("relu", Unsummed())


@dataclass(frozen=True)
class Multiplied(Pass):
    """A sum over all shards that is so many times what the first has, in the place of a sum."""

    def rewrites(self, g: vg.Graph) -> Iterator[vg.Rewrite]:
        for n in g.order:
            if isinstance(n.op, AllReduce) and n.type.rank == 0:
                yield vg.Rewrite(n, vg.apply(AllReduce(OF, None), n * (1.0 / 4)), "twice")


def test_a_sum_of_sums() -> None:
    assert "loss" in refuted(program("relu", Multiplied()))


@dataclass(frozen=True)
class CutBefore(ShardBatch):
    """Cuts the batch before batch norm is expanded, and says that only sums are reordered."""

    numbers = "reassociate"  # type: ignore[assignment]


def test_batch_norm_that_is_not_synchronised() -> None:
    pipeline = vg.TRAINING.insert(CutBefore(vg.Shards(OF)), before="expand_batch_norm")
    made = vg.compile(NETS["batch_norm"], optimizer=vg.SGD(0.1), pipeline=pipeline, certify=True)
    refuted(made)


def test_a_shard_that_reads_its_neighbours_row(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Shard._rows

    def wrong(self: Shard, count: int) -> tuple[int, int]:
        start, stop = right(self, count)
        moved = int(self.shard == 5 and start > 0)
        return start - moved, stop - moved

    monkeypatch.setattr(Shard, "_rows", wrong)
    refuted(program("relu"))


def test_the_pass_at_fault_is_found() -> None:
    """`bisect` names the pass of the user's, and shrinks to a graph that a test holds."""
    made = program("relu", MeanOfShards())
    found = made.bisect()
    assert found.guilty == "the pass mean_of_shards"
    assert found.small is not None and len(found.small.order) < 12


@dataclass(frozen=True)
class CutTwice(ShardBatch):
    """Counts what it sums over all shards twice."""

    def apply(self, g: vg.Graph) -> vg.Graph:
        cut = super().apply(g)
        sums = [n for n in cut.order if isinstance(n.op, AllReduce)]
        return cut.replace({n: n * 2.0 for n in sums})


def test_the_pass_that_cuts_batches_is_found_where_it_is_at_fault() -> None:
    pipeline = vg.TRAINING.insert(CutTwice(vg.Shards(OF)), before="differentiate")
    made = vg.compile(NETS["relu"], optimizer=vg.SGD(0.1), pipeline=pipeline, certify=True)
    refuted(made)
    found = made.bisect()
    assert found.guilty == "the pass cut_twice"
    assert found.small is not None and len(found.small.order) < 5


def test_masks_are_counted_from_their_first_row() -> None:
    """A shard's mask is its part of the whole mask, wherever in a block of Philox it begins."""
    for width in (1, 3, 16, 50):
        whole = DropoutMask("h", 0.5, ("N", width), seed=3).bind({"N": 37})
        due = np.empty((37, width), np.float32)
        whole.run(np.asarray(4), out=due)
        for shard in range(OF):
            rows = ShardSymbol("N", OF, shard, shard)
            op = DropoutMask("h", 0.5, (str(rows), width), seed=3).bind({"N": 37})
            start, stop = rows.rows(37)
            out = np.empty((stop - start, width), np.float32)
            op.run(np.asarray(4), out=out)
            np.testing.assert_array_equal(out, due[start:stop])

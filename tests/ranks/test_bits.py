"""A step on 1, 2, 4 or 8 ranks has the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import verigrad as vg
from verigrad.passes.sharding import Part, buckets
from verigrad.runtime.execution.own_rows import OwnRows

from .threads import ThreadRank, on_ranks


def net(batch_norm: bool) -> vg.Graph:
    x, y = vg.input("x", ("N", 20)), vg.input("y", ("N",), dtype="i64")
    h = vg.dense(x, 15, name="fc0")
    if batch_norm:
        h = vg.batch_norm(h, name="bn")
    scores = vg.mlp(vg.relu(h), [10, 3])
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def batches(rows: list[int]) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [
        {"x": rng.standard_normal((n, 20)).astype(np.float32), "y": rng.integers(0, 3, n)}
        for n in rows
    ]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_bits_are_equal_on_any_number_of_ranks(batch_norm: bool) -> None:
    data = batches([64, 61, 64, 9, 3])

    def compiled() -> vg.Program:
        return vg.compile(
            net(batch_norm),
            optimizer=vg.Adam(0.01),
            regularizer=vg.L2(1e-3),
            dropout=vg.Dropout(keep=0.5),
            clip=vg.ClipNorm(1.0),
            seed=3,
            shards=8,
            backend="numpy",  # with numba, threads of one process wait for one another's steps
        )

    whole = compiled()
    due = [whole.step_with(batch, "scores") for batch in data]
    for size in (1, 2, 4, 8):

        def run(link: ThreadRank) -> vg.Program:
            program = compiled()
            executable = program._variants.of_rank(Part(link.rank, link.size, link.number))
            link.open(buckets(executable.graph))
            program._variants.ranked = executable
            for batch, (loss, scores) in zip(data, due, strict=True):
                count = len(batch["y"])
                start, stop = executable.reader.rows.rows(count)
                own = OwnRows({k: a[start:stop] for k, a in batch.items()}, count)
                found, own_scores = program.step_with(own, "scores")
                assert found == loss
                np.testing.assert_array_equal(own_scores, scores[start:stop])
            return program

        for program in on_ranks(size, run):
            for name in (*whole.parameters, *whole.state):
                kept = {**program.parameters, **program.state}[name]
                np.testing.assert_array_equal(kept, {**whole.parameters, **whole.state}[name])

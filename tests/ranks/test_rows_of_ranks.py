"""Ranks that read their rows from files of their own: what each reads, and the bits of one rank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from row_sources import FEATURES, SOURCES, net

import verigrad as vg
from verigrad.runtime.data.parts import Part
from verigrad.runtime.data.rows import Rows

from .threads import ThreadRank, on_ranks

BATCH = 26


def trained(train: Part, steps: int, rank: ThreadRank | None = None) -> vg.Program:
    program = vg.compile(net(FEATURES), optimizer=vg.Adam(0.01), seed=3, shards=8)
    vg.fit(program, train, steps=steps, batch_size=BATCH, comm=rank)
    return program


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("size", [2, 4])
def test_each_rank_reads_its_own_rows_alone(source: str, size: int, tmp_path: Path) -> None:
    """Two steps more are half, or a quarter, of two batches more; nothing is sent."""
    for rank in range(size):
        (tmp_path / str(rank)).mkdir()

    def run(rank: ThreadRank) -> tuple[int, list[np.ndarray]]:
        read: list[int] = []
        for steps in (1, 3):
            x, y = SOURCES[source](tmp_path / str(rank.rank))
            rows = x if isinstance(x, Rows) else Rows(x)
            before = rows.read.rows
            program = trained(Part(rows, y), steps, rank)
            read.append(rows.read.rows - before)
        return read[1] - read[0], [*program.parameters.values()]

    ended = on_ranks(size, run)
    assert [read for read, _ in ended] == {2: [28, 24], 4: [16, 12, 12, 12]}[size]
    x, y = SOURCES[source](tmp_path)
    due = trained(Part(np.asarray(x), y), 3).parameters.values()
    for _, found in ended:
        assert all(np.array_equal(a, b) for a, b in zip(due, found, strict=True))

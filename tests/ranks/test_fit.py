"""`fit` on several ranks: the bits of one, errors of one are errors of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verigrad as vg
from verigrad.ops.blas import THREADS, threads
from verigrad.runtime.data.source import load_data

from .test_bits import net
from .threads import ThreadRank, on_ranks

RNG = np.random.default_rng(1)
X = RNG.standard_normal((130, 20)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 1)


def compiled(**options: Any) -> vg.Program:
    how: dict[str, Any] = {"optimizer": vg.Adam(0.01), "seed": 3, "shards": 8, **options}
    return vg.compile(net(batch_norm=True), **how)


def values(program: vg.Program) -> dict[str, np.ndarray]:
    return {**program.parameters, **program.state}


def same(a: vg.Program, b: vg.Program) -> bool:
    mine, other = values(a), values(b)
    return set(mine) == set(other) and all(np.array_equal(mine[k], other[k]) for k in mine)


@pytest.mark.parametrize("size", [1, 2, 8])
def test_a_run_has_the_bits_of_one_rank(size: int) -> None:
    how: dict[str, Any] = {"epochs": 2, "batch_size": 50, "validation": (X[:40], Y[:40])}
    one = compiled(dropout=vg.Dropout(keep=0.8))
    due = vg.fit(one, (X, Y), **how)

    def run(rank: ThreadRank) -> tuple[vg.Program, vg.History]:
        program = compiled(dropout=vg.Dropout(keep=0.8))
        return program, vg.fit(program, (X, Y), comm=rank, **how)

    for program, history in on_ranks(size, run):
        assert same(program, one)
        assert history.losses == due.losses
        assert [row._replace(seconds=0) for row in history] == [
            row._replace(seconds=0) for row in due
        ]


def test_a_run_goes_on_with_another_number_of_ranks(tmp_path: Path) -> None:
    one, path = compiled(), tmp_path / "run.safetensors"
    due = vg.fit(one, (X, Y), steps=9, batch_size=50)
    for size, steps in ((4, 2), (2, 5), (4, 9)):

        def run(rank: ThreadRank, steps: int = steps) -> tuple[vg.Program, vg.History]:
            program = compiled()
            how: dict[str, Any] = {"checkpoint": path, "resume": True, "steps": steps}
            return program, vg.fit(program, (X, Y), batch_size=50, comm=rank, **how)

        ended = on_ranks(size, run)
    assert all(same(program, one) for program, _ in ended)
    assert ended[0][1].losses == due.losses


def test_ranks_read_their_own_rows_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=X, y=Y)

    def rows_read(steps: int) -> list[int]:
        def run(rank: ThreadRank) -> int:
            data = load_data(str(tmp_path / "data.npz")).train
            before = data.x.read.rows
            vg.fit(compiled(), (data.x, data.y), steps=steps, batch_size=26, comm=rank)
            return data.x.read.rows - before

        return on_ranks(4, run)

    # All rows are looked at once, before the first step.
    assert [b - a for a, b in zip(rows_read(1), rows_read(3), strict=True)] == [16, 12, 12, 12]


def test_what_ends_one_rank_ends_all() -> None:
    class Ends(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            if step == 3:
                raise ValueError("the disk is full")

    found: dict[int, str] = {}

    def run(rank: ThreadRank) -> None:
        callbacks = [Ends()] if rank.rank == 2 else []
        try:
            vg.fit(compiled(), (X, Y), steps=9, batch_size=50, comm=rank, callbacks=callbacks)
        except Exception as e:
            found[rank.rank] = str(e)

    on_ranks(4, run)
    assert found.pop(2) == "the disk is full"
    assert len(found) == 3
    assert all("rank 2 ended: ValueError: the disk is full" in text for text in found.values())


def test_a_row_that_is_not_finite_is_told_by_all() -> None:
    data = X.copy()
    data[77] = 3e38
    found: list[str] = []

    def run(rank: ThreadRank) -> None:
        program = vg.compile(net(batch_norm=False), optimizer=vg.SGD(0.1), shards=8)
        with pytest.raises(vg.NonFiniteError) as e:
            vg.fit(program, (data, Y), epochs=1, batch_size=50, comm=rank)
        found.append(str(e.value))

    on_ranks(4, run)
    assert len(set(found)) == 1
    assert "row 77 of the data" in found[0]
    assert "shard" not in found[0]


def test_ranks_that_begin_otherwise_say_so_before_the_first_step() -> None:
    found: list[str] = []

    def run(rank: ThreadRank) -> None:
        program = compiled(optimizer=vg.Adam(0.02 if rank.rank == 1 else 0.01))
        with pytest.raises(vg.RunError) as e:
            vg.fit(program, (X, Y), epochs=1, comm=rank)
        assert program.step_number == 0
        found.append(str(e.value))

    on_ranks(2, run)
    assert len(set(found)) == 1
    assert "optimizer is 'adam(0.01)' on rank 0; 'adam(0.02)' on rank 1" in found[0]


def test_a_flipped_bit_is_noticed() -> None:
    class Flips(vg.Callback):
        def __init__(self, program: vg.Program) -> None:
            self.program = program

        def on_step(self, step: int, loss: float) -> None:
            if step == 5:
                weight = self.program.parameters["fc0.weight"].copy()
                weight.view(np.uint32)[3, 2] ^= 1
                self.program.parameters["fc0.weight"] = weight

    found: list[str] = []

    def run(rank: ThreadRank) -> None:
        program = compiled()
        callbacks = [Flips(program)] if rank.rank == 1 else []
        with pytest.raises(vg.RunError) as e:
            vg.fit(program, (X, Y), steps=30, comm=rank, callbacks=callbacks, audit=10)
        found.append(str(e.value))

    on_ranks(2, run)
    assert len(set(found)) == 1
    assert "after step 10" in found[0]
    assert "%fc0.weight" in found[0]
    assert "rank 0 against rank 1" in found[0]


def test_validation_is_shared_with_the_bits_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verigrad.runtime.training.measure._AT_A_TIME", 13)
    how: dict[str, Any] = {"epochs": 2, "validation": (X, Y), "metrics": ["f1"]}
    due = vg.fit(compiled(), (X, Y), **how)

    def run(rank: ThreadRank) -> vg.History:
        return vg.fit(compiled(), (X, Y), comm=rank, **how)

    for history in on_ranks(4, run):
        assert [row._replace(seconds=0) for row in history] == [
            row._replace(seconds=0) for row in due
        ]


def test_ranks_need_shards_that_they_can_share() -> None:
    def run(rank: ThreadRank) -> None:
        with pytest.raises(vg.RunError, match=r"compile it so, vg\.compile\(\.\.\., shards=8\)"):
            vg.fit(compiled(shards=None), (X, Y), epochs=1, comm=rank)
        with pytest.raises(vg.RunError, match="2 ranks, which cannot share 1 shards evenly"):
            vg.fit(compiled(shards=1), (X, Y), epochs=1, comm=rank)

    on_ranks(2, run)
    with pytest.raises(vg.RunError, match="audit is 0, where"):
        vg.fit(compiled(), (X, Y), epochs=1, audit=0)
    with pytest.raises(vg.RunError, match="comm is 3, where the ranks of a run are expected"):
        vg.fit(compiled(), (X, Y), epochs=1, comm=3)


def test_what_goes_wrong_while_a_checkpoint_is_written_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first rank writes while all go on, and tells of it in the end."""
    path, found = tmp_path / "run.safetensors", dict[int, str]()

    def run(rank: ThreadRank) -> None:
        if rank.rank == 0:
            monkeypatch.setattr("verigrad.runtime.files.program_file.write_whole", full)
        try:
            vg.fit(compiled(), (X, Y), steps=9, batch_size=50, comm=rank, checkpoint=path)
        except vg.VerigradError as e:
            found[rank.rank] = str(e)

    def full(path: Path, data: bytes) -> None:
        raise vg.RunError("there is no space left")

    on_ranks(2, run)
    assert found[0] == "there is no space left"
    assert "rank 0 ended: RunError: there is no space left" in found[1]
    assert not path.exists()


def test_a_rank_takes_one_thread_unless_more_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asks(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            taken.append(threads())

    for name in THREADS:
        monkeypatch.delenv(name, raising=False)

    def seen(asked: int | None) -> list[int]:
        program = compiled(threads=asked)
        on_ranks(1, lambda rank: vg.fit(program, (X, Y), steps=1, comm=rank, callbacks=Asks()))
        return taken

    taken: list[int] = []
    before = threads()
    assert seen(None) == [1]
    assert seen(2) == [1, before]
    assert threads() == before


def test_what_a_rank_says_of_how_to_go_on(tmp_path: Path) -> None:
    path, said = tmp_path / "run", []

    def run(rank: ThreadRank) -> None:
        vg.fit(compiled(), (X, Y), steps=1, comm=rank)
        said.append(rank.remedy)
        vg.fit(compiled(), (X, Y), steps=1, comm=rank, checkpoint=path)
        said.append(rank.remedy)
        rank.advise("go on with: verigrad resume runs/a", command=True)
        vg.fit(compiled(), (X, Y), steps=1, comm=rank)
        said.append(str(rank.error(0, "was killed")))

    on_ranks(1, run)
    assert said == [
        "nothing of the run is kept: vg.fit(..., checkpoint=PATH) keeps what it goes on from",
        f"start the ranks again, with vg.fit(..., checkpoint={str(path)!r}, resume=True)",
        "rank 0 of 1 was killed; go on with: verigrad resume runs/a",
    ]

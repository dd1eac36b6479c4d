"""All that a program does beside its steps, where its batches are cut."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sharded import NETS, feeds, held, near

import verigrad as vg

NET = NETS["batch_norm"]
OPTIONS: dict[str, Any] = {"optimizer": vg.Momentum(0.05, rho=0.9), "seed": 1}


@pytest.fixture
def program() -> vg.Program:
    """A program that has made two steps."""
    made = vg.compile(NET, shards=8, dropout=vg.Dropout(keep=0.8), **OPTIONS)
    for k in range(2):
        made.step(**feeds(NET, 21, k))
    return made


def same(a: vg.Program, b: vg.Program) -> None:
    """Fails where two programs do not go on with the same bits."""
    batch = feeds(NET, 13, 9)
    assert a.step(**batch) == b.step(**batch)
    for name, value in held(a).items():
        np.testing.assert_array_equal(held(b)[name], value)


def test_it_goes_on_from_its_file_and_its_pickle(program: vg.Program, tmp_path: Path) -> None:
    path = tmp_path / "program.safetensors"
    program.save(path)
    loaded, copied = vg.load(path), pickle.loads(pickle.dumps(program))
    assert loaded.options.shards == vg.Shards(8)
    batch = feeds(NET, 13, 9)
    assert program.step(**batch) == loaded.step(**batch) == copied.step(**batch)
    for other in (loaded, copied):
        for name, value in held(program).items():
            np.testing.assert_array_equal(held(other)[name], value)


def test_a_way_of_batch_norm_is_kept_in_the_file(tmp_path: Path) -> None:
    shards = vg.Shards(4, batch_norm="per_shard")
    program = vg.compile(NET, shards=shards, **OPTIONS)
    program.save(tmp_path / "program.safetensors")
    assert vg.load(tmp_path / "program.safetensors").options.shards == shards


def test_the_number_of_shards_can_be_changed(program: vg.Program) -> None:
    for shards in (None, 2, 8):
        other = program.but(shards=shards)
        near({"loss": other.step(**feeds(NET, 13))}, {"loss": program.but().step(**feeds(NET, 13))})


def test_it_is_compiled_once_and_run_again(program: vg.Program) -> None:
    again = program.again()
    again.parameters.update(program.parameters)
    again.state.update(program.state)
    same(again, program)


def test_memory_is_planned_for_all_shards() -> None:
    cut, whole = (vg.compile(NETS["gelu"], shards=s, **OPTIONS) for s in (8, None))
    a, b = cut.plan(N=640), whole.plan(N=640)
    assert a.nbytes < a.unplanned_nbytes
    assert b.nbytes / 2 < a.nbytes < 2 * b.nbytes


def test_a_memory_limit_is_kept_with_the_same_bits() -> None:
    free = vg.compile(NETS["gelu"], shards=4, **OPTIONS)
    batch = feeds(NETS["gelu"], 200)
    limit = int(0.9 * free.plan(N=200).nbytes)
    tight = vg.compile(NETS["gelu"], shards=4, memory_limit=limit, recompute=True, **OPTIONS)
    assert tight.plan(N=200).nbytes <= limit
    assert tight.step(**batch) == free.step(**batch)
    for name, value in held(free).items():
        np.testing.assert_array_equal(held(tight)[name], value)


def test_costs_are_those_of_all_rows() -> None:
    cut, whole = (vg.compile(NETS["gelu"], shards=s, **OPTIONS) for s in (8, None))
    a, b = (sum(row.flops for row in p.cost(N=640).rows) for p in (cut, whole))
    assert b <= a < 1.1 * b


def test_a_profile_names_each_shard(program: vg.Program) -> None:
    text = str(program.profile(feeds(NET, 21)))
    assert all(f"fc1.shard{k}" in text for k in range(8))


def test_pictures_are_of_one_shard(program: vg.Program, tmp_path: Path) -> None:
    for detail in ("layers", "nodes", "kernels"):
        path = tmp_path / f"{detail}.svg"
        program.training.to_svg(path, detail=detail)
        text = path.read_text(encoding="utf-8")
        assert "N.of8" in text
        assert "shard7" not in text


def test_a_report_tells_values_of_all_shards(program: vg.Program, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    program.report(path, feeds=feeds(NET, 21))
    assert "all_reduce" in path.read_text(encoding="utf-8")


def test_gradients_are_checked_by_differences() -> None:
    for shards in (4, vg.Shards(4, batch_norm="per_shard")):
        program = vg.compile(NETS["both_weights"], shards=shards, **OPTIONS)
        report = vg.gradcheck(program, feeds(NETS["both_weights"], 9))
        assert report, report
        assert "exact: proved" in str(report)


def test_nobody_is_guilty_where_all_is_right(program: vg.Program) -> None:
    assert not program.bisect()


def test_a_run_ends_where_that_of_whole_batches_does() -> None:
    data = feeds(NETS["relu"], 90)
    ends = []
    for shards in (None, 2, 8):
        program = vg.compile(NETS["relu"], shards=shards, **OPTIONS)
        vg.fit(program, data, epochs=2, batch_size=20)
        ends.append(held(program))
    near(ends[1], ends[0])
    near(ends[2], ends[0])


def test_a_run_from_a_stream_is_one_of_arrays() -> None:
    data, ends = feeds(NETS["relu"], 60), []
    batches = [{k: a[i : i + 15] for k, a in data.items()} for i in range(0, 60, 15)]
    for source in (data, batches):
        program = vg.compile(NETS["relu"], shards=4, **OPTIONS)
        options = {"sampler": "sequential", "batch_size": 15} if source is data else {}
        vg.fit(program, source, epochs=1, **options)
        ends.append(held(program))
    for name, value in ends[0].items():
        np.testing.assert_array_equal(ends[1][name], value)


# ---- exports ---------------------------------------------------------------------------------


def test_an_exported_step_is_that_of_whole_batches(tmp_path: Path) -> None:
    cut, whole = (vg.compile(NET, shards=s, **OPTIONS) for s in (8, None))
    texts = []
    for program in (cut, whole):
        program.to_numpy(tmp_path / "step.py", training=True)
        program.to_c(tmp_path / "step.c", training=True, sizes={"N": 32})
        texts.append([(tmp_path / f"step.{ending}").read_text() for ending in ("py", "c")])
    assert texts[0] == texts[1]
    assert "of8" not in texts[0][0]


def test_an_exported_step_goes_on_from_the_state_as_it_is(tmp_path: Path) -> None:
    program = vg.compile(NET, shards=8, **OPTIONS)
    program.step(**feeds(NET, 13))
    program.to_numpy(tmp_path / "cut.py", training=True)
    other = program.but(shards=None)
    other.to_numpy(tmp_path / "whole.py", training=True)
    assert (tmp_path / "cut.py").read_text() == (tmp_path / "whole.py").read_text()


def test_a_step_by_shards_cannot_be_exported(tmp_path: Path) -> None:
    shards = vg.Shards(8, batch_norm="per_shard")
    program = vg.compile(NET, shards=shards, **OPTIONS)
    with pytest.raises(vg.RunError, match="%bn normalizes each shard by its own rows"):
        program.to_numpy(tmp_path / "step.py", training=True)
    program.to_numpy(tmp_path / "predict.py")
    plain = vg.compile(NETS["relu"], shards=shards, **OPTIONS)
    plain.to_numpy(tmp_path / "step.py", training=True)
    assert "of8" not in (tmp_path / "step.py").read_text()


def test_a_step_of_onnx_is_that_of_whole_batches(onnx: Any, tmp_path: Path) -> None:
    cut, whole = (vg.compile(NETS["relu"], shards=s, **OPTIONS) for s in (8, None))
    for program, name in ((cut, "cut"), (whole, "whole")):
        program.to_onnx(tmp_path / f"{name}.onnx", training=True)
    a, b = (onnx.load(tmp_path / f"{name}.onnx").graph for name in ("cut", "whole"))
    assert a == b

"""A step that is not finite is kept in one file, whole or not at all, and made again from it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg
from verigrad.runtime.files.program_file import RunState, save
from verigrad.runtime.loading import load_run
from verigrad.runtime.training.versions import versions

Rows = dict[str, np.ndarray]


@pytest.fixture
def data(rng: np.random.Generator) -> Rows:
    """45 rows, one of which is too large for a second layer."""
    rows = batch(rng, 45, 12, 4)
    rows["x"][17] = 3e38
    return rows


def program(**options: Any) -> vg.Program:
    given = {"optimizer": vg.Adam(0.1), "dropout": vg.Dropout(keep=0.8), **options}
    return vg.compile(net(12, 8, 8, 4), **given)


def failed(program: vg.Program, data: Rows, **options: Any) -> vg.NonFiniteError:
    with pytest.raises(vg.NonFiniteError) as caught:
        vg.fit(program, data, epochs=3, batch_size=10, **options)
    return caught.value


def state(program: vg.Program) -> dict[str, bytes]:
    return {k: v.tobytes() for k, v in (*program.parameters.items(), *program.state.items())}


def test_the_rows_of_the_data_are_told_and_where_the_step_is_kept(
    data: Rows, tmp_path: Path
) -> None:
    e = failed(program(), data, bundle=tmp_path / "a step")
    assert e.diagnosis is not None and e.diagnosis.data_rows == (17,)
    (row,) = e.diagnosis.rows
    told = str(e).splitlines()
    assert f"  row {row} of the batch: row 17 of the data" in told
    assert told[-2] == "  the state is as it was before the step"
    assert told[-1] == (f"  the step is kept: verigrad replay '{tmp_path}/a step' makes it again")


def test_without_a_place_nothing_is_written_and_the_error_says_how_to_give_one(
    data: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = str(failed(program(), data)).splitlines()
    assert told[-1].startswith("  nothing of it is kept: vg.fit(..., bundle=PATH) keeps it")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_of_a_run_that_does_not_fail(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    vg.fit(program(), batch(rng, 45, 12, 4), epochs=2, batch_size=10, bundle=tmp_path / "step")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_replay_ends_as_the_step_did(
    data: Rows, tmp_path: Path, backend: str, dtype: str
) -> None:
    if dtype == "f64":
        data = {**data, "x": data["x"].astype("f8")}
        data["x"][17] = 1.7e308
    began = program(backend=backend, dtype=dtype, clip=vg.ClipNorm(1.0))
    vg.fit(began, batch(np.random.default_rng(0), 45, 12, 4), epochs=1, batch_size=10)
    e = failed(began, data, bundle=tmp_path / "step")
    again = vg.replay(tmp_path / "step")
    assert again.reproduced and again.differences == () and again.loss is None
    assert again.diagnosis == e.diagnosis and again.message == str(e).rpartition("\n")[0]
    assert state(again.program) == state(began) and again.step == began.step_number
    assert str(again).startswith(str(e.diagnosis)) and "as it was then" in str(again)
    assert repr(again) == str(again)
    assert "test_bundle.py" not in str(again) and "conftest.py:" in str(again)  # the net's line
    with pytest.raises(vg.NonFiniteError):
        again.program.step(again.feeds)


@pytest.mark.parametrize("dtype", [">f4", "f8", "f2", "u1"])
def test_the_feeds_are_what_the_step_was_fed_with(data: Rows, tmp_path: Path, dtype: str) -> None:
    given = {"x": np.abs(data["x"]).clip(0, 200).astype(dtype), "y": data["y"].astype("u1")}
    failed(program(optimizer=vg.SGD(1e36)), given, bundle=tmp_path / "step")
    again = vg.replay(tmp_path / "step")
    assert (again.feeds["x"].dtype, again.feeds["y"].dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(again.feeds["x"], given["x"][again.rows])
    np.testing.assert_array_equal(again.feeds["y"], given["y"][again.rows])
    assert again.reproduced


def test_the_program_can_be_looked_into(data: Rows, tmp_path: Path) -> None:
    e = failed(program(), data, bundle=tmp_path / "step")
    assert e.diagnosis is not None
    again = vg.replay(tmp_path / "step")
    g = again.program.training
    held = {**again.program.parameters, **again.program.state, **again.feeds}
    values = vg.interpret(g, held).values
    bad = np.flatnonzero(~np.isfinite(values[e.diagnosis.node]).all(axis=1))
    assert tuple(bad) == e.diagnosis.rows
    assert state(vg.load(tmp_path / "step")) == state(again.program)


def test_a_resumed_run_keeps_the_same_step(data: Rows, tmp_path: Path) -> None:
    ends = {"checkpoint": tmp_path / "run", "resume": True}
    one = failed(program(), data, bundle=tmp_path / "one", **ends)
    other = failed(program(), data, bundle=tmp_path / "other", **ends)
    assert one.diagnosis == other.diagnosis
    assert state(vg.load(tmp_path / "one")) == state(vg.load(tmp_path / "other"))


@vg.op
class Moody(vg.Op):
    """y = x + `Moody.adds`: what it gives depends on more than what it is given."""

    name = "test_moody"
    elementwise = True
    adds: ClassVar[float] = np.inf

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node | None, ...]:
        return (dy,)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.add(x, Moody.adds, out=out)


@pytest.fixture
def moody(rng: np.random.Generator, tmp_path: Path) -> Path:
    x, w = vg.input("x", ("N", 2)), vg.parameter("w", (2,), init="ones")
    h = vg.apply(Moody(), x * w, name="h")
    g = vg.Graph("moody", loss=vg.mean(vg.sum(h, axes=(1,))))
    with pytest.raises(vg.NonFiniteError):
        vg.fit(
            vg.compile(g, optimizer=vg.SGD(0.1)), (rng.random((20, 2)),),
            epochs=1, batch_size=5, bundle=tmp_path / "step",
        )  # fmt: skip
    return tmp_path / "step"


def test_a_step_that_does_not_fail_again_is_told_and_changes_nothing(
    moody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Moody, "adds", 0.0)
    again = vg.replay(moody)
    assert not again.reproduced and again.error is None and again.diagnosis is None
    assert again.loss == pytest.approx(2 * float(np.mean(again.feeds["x"])), rel=1e-5)
    assert state(again.program) == state(vg.load(moody))
    told = str(again).splitlines()
    assert told[0] == f"step 0 is finite: its loss is {again.loss:g}"
    assert told[1].startswith("it did not happen again as it was then (backend, versions and")
    assert told[2].startswith("step 0 is not finite: %h is inf in row 0")


def test_a_step_that_fails_elsewhere_is_not_the_same(
    moody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Moody, "adds", 3e38)
    again = vg.replay(moody)
    assert not again.reproduced and again.error is not None
    assert again.diagnosis is not None and again.diagnosis.node != "h"
    assert "did not happen again as it was then" in str(again)
    assert json.loads(json.dumps(again.as_dict()))["then"]["node"] == "h"


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_an_update_that_overflows_is_made_again(tmp_path: Path, backend: str) -> None:
    x, w = vg.input("x", ("N", 2)), vg.parameter("w", (2,), init="zeros")
    g = vg.Graph("g", loss=vg.sum(vg.mean(x, axes=(0,)) * w))
    rows, how = np.repeat([[1.0, 1.0], [1e25, 1.0]], [6, 3], axis=0), {"sampler": "sequential"}
    p = vg.compile(g, optimizer=vg.Adam(0.1), backend=backend)
    with pytest.raises(vg.NonFiniteError) as caught:
        vg.fit(p, (rows,), steps=9, batch_size=3, bundle=tmp_path / "step", **how)
    again = vg.replay(tmp_path / "step")
    assert again.reproduced and again.diagnosis == caught.value.diagnosis
    assert again.diagnosis is not None and again.diagnosis.phase == "update"
    assert (again.diagnosis.step, again.diagnosis.node) == (2, "w.second_moment.1")


def test_what_nobody_has_named_is_found_under_another_name(tmp_path: Path) -> None:
    x, w = vg.input("x", ("N", 2)), vg.parameter("w", (2,), init="ones")
    g = vg.Graph("g", loss=vg.mean(vg.exp(x * w) / (x * x + 1.0)))
    rows = np.array([[1.0, 1.0]] * 8 + [[1.0, 100.0]])
    with pytest.raises(vg.NonFiniteError) as caught:
        vg.fit(vg.compile(g, optimizer=vg.SGD(0.1)), (rows,), epochs=1, bundle=tmp_path / "step")
    again, before = vg.replay(tmp_path / "step"), caught.value.diagnosis
    assert again.reproduced and again.diagnosis is not None and before is not None
    assert again.diagnosis.reads != before.reads  # one of them is %multiply, the other %multiply.1
    assert str(again).startswith(str(before))
    assert again.program.training.named[again.diagnosis.reads[0].name].op.name == "multiply"


def test_a_step_that_only_the_run_counts_has_its_number(tmp_path: Path) -> None:
    a, x = vg.state("a", (2,), init="ones"), vg.input("x", ("N", 2))
    g = vg.Graph("g", loss=vg.sum(x), updates={a: a * 1e10})
    with pytest.raises(vg.NonFiniteError, match=r"^step 3 is not finite"):
        vg.fit(vg.compile(g), (np.ones((9, 2)),), steps=9, batch_size=3, bundle=tmp_path / "step")
    again = vg.replay(tmp_path / "step")
    assert again.reproduced and str(again).startswith("step 3 is not finite")


def test_other_versions_and_backends_are_told(
    data: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(program(backend="numpy"), data, bundle=tmp_path / "step")
    now = {**versions(), "numpy": "1"}
    monkeypatch.setattr("verigrad.runtime.training.replay.versions", lambda: now)
    again = vg.replay(tmp_path / "step", backend="numba")
    assert again.program.options.backend == "numba" and again.reproduced
    assert again.differences[-1] == "the backend was numpy, and is numba now"
    told = f"NumPy was {np.__version__} when the bundle was written, and is 1 now"
    assert again.differences[0] == told
    with pytest.raises(vg.PassError, match="backend is 'cuda'"):
        vg.replay(tmp_path / "step", backend="cuda")  # type: ignore[arg-type]


def test_a_full_disk_does_not_hide_the_error(data: Rows) -> None:
    told = str(failed(program(), data, bundle="/dev/full")).splitlines()
    assert "is not finite: %" in told[0]
    assert told[-1] == (
        "  the step could not be kept: /dev/full cannot be written: No space left on device"
    )


def test_what_was_begun_and_not_ended_leaves_no_file(
    data: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(program(), data, bundle=tmp_path / "step")
    before = (tmp_path / "step").read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    told = str(failed(program(seed=1), data, bundle=tmp_path / "step")).splitlines()
    assert told[-1].endswith("cannot be written: No space left on device")
    assert (tmp_path / "step").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["step"]


def test_only_another_bundle_is_replaced(data: Rows, tmp_path: Path) -> None:
    path = tmp_path / "step"
    failed(program(), data, bundle=path)
    failed(program(seed=1), data, bundle=path)
    assert state(vg.load(path)) != state(program())
    program().save(tmp_path / "model")
    (tmp_path / "notes").write_text("mine")
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    for name in ("model", "notes"):
        with pytest.raises(vg.RunError, match="holds something else than a failed step"):
            vg.fit(program(), data, epochs=1, bundle=tmp_path / name)
    with pytest.raises(vg.RunError, match="bundle and checkpoint are both"):
        vg.fit(
            program(), data, epochs=1, bundle=path, checkpoint=tmp_path / "." / "step", resume=True
        )
    with pytest.raises(vg.RunError, match="cannot be written: it is a folder"):
        vg.fit(program(), data, epochs=1, bundle=tmp_path)
    with pytest.raises(vg.RunError, match="a path is 3"):
        vg.fit(program(), data, epochs=1, bundle=3)  # type: ignore[arg-type]
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_other_files_are_refused_by_what_they_are(data: Rows, tmp_path: Path) -> None:
    good = {"x": data["x"].clip(-1, 1), "y": data["y"]}
    vg.fit(program(), good, epochs=1, checkpoint=tmp_path / "run")
    program().save(tmp_path / "model")
    failed(program(), data, bundle=tmp_path / "step")
    for name, kind in (("run", "a checkpoint"), ("model", "a saved program")):
        with pytest.raises(vg.RunError, match=f"{name} cannot be replayed: it is {kind}, and not"):
            vg.replay(tmp_path / name)
    with pytest.raises(vg.RunError, match="bundle of a failed step and no checkpoint"):
        vg.fit(program(), good, epochs=1, checkpoint=tmp_path / "step", resume=True)
    with pytest.raises(vg.RunError, match="there is no file"):
        vg.replay(tmp_path / "nothing")


def test_a_changed_byte_is_an_error(data: Rows, tmp_path: Path) -> None:
    failed(program(), data, bundle=tmp_path / "step")
    held = bytearray((tmp_path / "step").read_bytes())
    held[-5] ^= 1
    (tmp_path / "step").write_bytes(held)
    with pytest.raises(vg.RunError, match="was changed since it was saved"):
        vg.replay(tmp_path / "step")


CHANGES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"bundle": 2}, {}, "its version is 2; this verigrad reads 1"),
    ({"bundle": "one"}, {}, "its run.bundle is 'one', where a whole number is expected"),
    ({"message": None}, {}, "its run.message is None, where a text is expected"),
    ({"diagnosis": 3}, {}, "its run.diagnosis is 3, where"),
    ({"step": 900}, {}, "it tells of step 900, but its state is of "),
    ({}, {"rows": np.arange(3)}, "its rows are not those of its batch"),
    ({}, {"rows": np.zeros(10)}, "its rows are not those of its batch"),
]


@pytest.mark.parametrize(("told", "arrays", "message"), CHANGES, ids=[m for *_, m in CHANGES])
def test_a_bundle_that_tells_of_no_step_is_refused(
    data: Rows, tmp_path: Path, told: dict[str, Any], arrays: dict[str, Any], message: str
) -> None:
    failed(program(), data, bundle=tmp_path / "step")
    held, run = load_run(tmp_path / "step")
    assert run is not None
    other = RunState({**run.told, **told}, {**run.arrays, **arrays})
    save(held._content()._replace(run=other), tmp_path / "step")
    with pytest.raises(vg.RunError, match="step cannot be replayed: ") as caught:
        vg.replay(tmp_path / "step")
    assert message in str(caught.value)


def test_a_bundle_without_a_place_is_replayed_too(data: Rows, tmp_path: Path) -> None:
    """Where the interpreter rounded otherwise, there was no diagnosis."""
    failed(program(), data, bundle=tmp_path / "step")
    held, run = load_run(tmp_path / "step")
    assert run is not None
    save(
        held._content()._replace(run=RunState({**run.told, "diagnosis": None}, run.arrays)),
        tmp_path / "step",
    )
    again = vg.replay(tmp_path / "step")
    assert again.before is None and again.error is not None and not again.reproduced

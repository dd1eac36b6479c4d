"""Checkpoints of `fit`: what they hold, what they refuse, and that nothing else changes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg
from verigrad.runtime.files.program_file import save
from verigrad.runtime.loading import load_run
from verigrad.runtime.training.callback import Kept
from verigrad.runtime.training.history import Row


class StoppedError(Exception):
    """The end of a run that was not to end."""


class StopAt(vg.Callback):
    def __init__(self, step: int) -> None:
        self.at = step

    def on_step(self, step: int, loss: float) -> None:
        if step == self.at:
            raise StoppedError


def program(seed: int = 0, lr: float = 0.1) -> vg.Program:
    return vg.compile(net(12, 8, 4), optimizer=vg.Adam(lr), dropout=vg.Dropout(keep=0.8), seed=seed)


def state(program: vg.Program) -> dict[str, bytes]:
    return {k: v.tobytes() for k, v in (*program.parameters.items(), *program.state.items())}


@pytest.fixture
def data(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """45 rows: five steps of ten, the last of five."""
    return batch(rng, 45, 12, 4)


def told(history: vg.History) -> list[Any]:
    return [row._replace(seconds=0.0) for row in history]


@pytest.mark.parametrize("steps", [1, 4, 5, 6, 12, 14])
@pytest.mark.parametrize("keep_best", [False, "accuracy"])
def test_a_run_that_fails_at_any_step_goes_on_to_the_same_bits(
    data: dict[str, np.ndarray], tmp_path: Path, steps: int, keep_best: bool | str
) -> None:
    path, given = tmp_path / "run", {"steps": 14, "batch_size": 10, "keep_best": keep_best}
    whole = program()
    expected = vg.fit(whole, data, validation=data, **given)
    with pytest.raises(StoppedError):
        stop = [StopAt(steps)]
        vg.fit(program(), data, validation=data, checkpoint=path, callbacks=stop, **given)
    resumed = program()
    again = vg.fit(resumed, data, validation=data, checkpoint=path, resume=True, **given)
    assert state(resumed) == state(whole)
    assert told(again) == told(expected)
    assert again.losses == expected.losses
    assert again["seconds"] == sorted(again["seconds"])


def test_without_a_file_resume_begins(data: dict[str, np.ndarray], tmp_path: Path) -> None:
    one, other = program(), program()
    vg.fit(one, data, epochs=2, batch_size=10)
    vg.fit(other, data, epochs=2, batch_size=10, checkpoint=tmp_path / "run", resume=True)
    assert state(one) == state(other)


def test_more_epochs_go_on_from_the_end(data: dict[str, np.ndarray], tmp_path: Path) -> None:
    one, other = program(), program()
    vg.fit(one, data, epochs=3, batch_size=10)
    vg.fit(other, data, epochs=2, batch_size=10, checkpoint=tmp_path / "run")
    longer = program()
    history = vg.fit(
        longer, data, epochs=3, batch_size=10, checkpoint=tmp_path / "run", resume=True
    )
    assert len(history) == 3
    assert state(longer) == state(one) != state(other)


def test_epochs_count_from_where_the_run_began(data: dict[str, np.ndarray], tmp_path: Path) -> None:
    trained = program()
    vg.fit(trained, data, epochs=1, batch_size=10)
    with pytest.raises(StoppedError):
        stop = [StopAt(7)]
        vg.fit(trained, data, epochs=2, batch_size=10, checkpoint=tmp_path / "run", callbacks=stop)
    resumed = program()
    vg.fit(resumed, data, epochs=2, batch_size=10, checkpoint=tmp_path / "run", resume=True)
    assert resumed.step_number == 15


def test_a_step_0_checkpoint_is_written_before_the_first_step(
    data: dict[str, np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        vg.fit(
            program(), data, epochs=1, batch_size=10, checkpoint=tmp_path / "run",
            callbacks=[StopAt(1)],
        )  # fmt: skip
    assert state(vg.load(tmp_path / "run")) == state(program())


def test_it_holds_versions_and_where_the_run_is(
    data: dict[str, np.ndarray], tmp_path: Path
) -> None:
    vg.fit(program(seed=3), data, epochs=2, batch_size=10, checkpoint=tmp_path / "run")
    held, run = load_run(tmp_path / "run")
    assert run is not None
    assert set(run.told["versions"]) == {"python", "numpy", "blas", "threads"}
    assert run.told["versions"]["numpy"] == np.__version__
    assert run.told["position"]["step"] == held.step_number == 10
    assert run.told["identity"]["sampler"] == "shuffled"
    assert run.told["identity"]["batch_size"] == 10
    assert held.options.seed == 3


class Counting(vg.Callback):
    """Remembers how many epochs it saw, in a number and in an array."""

    def __init__(self) -> None:
        self.seen, self.losses = 0, np.zeros(10)

    def on_epoch(self, row: Row) -> None:
        self.losses[self.seen] = row.train_loss
        self.seen += 1

    def state(self) -> Kept:
        return {"seen": self.seen, "losses": self.losses}

    def restore(self, state: Kept) -> None:
        assert isinstance(state["seen"], int) and isinstance(state["losses"], np.ndarray)
        self.seen, self.losses = state["seen"], state["losses"].copy()


def test_a_callback_takes_back_what_it_remembered(
    data: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "run"
    vg.fit(program(), data, epochs=2, batch_size=10, checkpoint=path, callbacks=[Counting()])
    counting = Counting()
    history = vg.fit(
        program(), data, epochs=3, batch_size=10, checkpoint=path, resume=True,
        callbacks=[counting],
    )  # fmt: skip
    assert counting.seen == 3
    assert counting.losses[:3].tolist() == history["train_loss"]


REFUSED = [
    ({"batch_size": 9}, None, "a run whose batch_size was 10, where it is 9 now"),
    ({"sampler": "balanced"}, None, "whose sampler was 'shuffled', where it is 'balanced' now"),
    ({"callbacks": [Counting()]}, None, "a run without Counting; leave it out"),
    ({}, 1, "another program: its seed differs; compile what the run began with"),
    ({}, 0.2, "another program: its optimizer differs"),
    ({}, net(12, 9, 4), "another program: its graph differs"),
]


@pytest.mark.parametrize(("given", "change", "message"), REFUSED, ids=[m for *_, m in REFUSED])
def test_what_is_of_another_run_is_refused_and_nothing_changes(
    data: dict[str, np.ndarray], tmp_path: Path, given: dict[str, Any], change: Any, message: str
) -> None:
    path = tmp_path / "run"
    vg.fit(program(), data, epochs=2, batch_size=10, checkpoint=path)
    other = program()
    if isinstance(change, vg.Graph):
        drop = vg.Dropout(keep=0.8)
        other = vg.compile(change, optimizer=vg.Adam(0.1), dropout=drop)
    elif change is not None:
        other = program(**({"seed": change} if isinstance(change, int) else {"lr": change}))
    before = state(other), path.read_bytes()
    with pytest.raises(vg.RunError, match=message):
        vg.fit(
            other, data, **{"epochs": 3, "batch_size": 10, **given}, checkpoint=path, resume=True
        )
    assert (state(other), path.read_bytes()) == before


def test_other_rows_are_refused(data: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "run"
    vg.fit(program(), data, epochs=1, batch_size=10, checkpoint=path)
    changed = {**data, "x": data["x"].copy()}
    changed["x"][44, 11] += 1
    with pytest.raises(vg.RunError, match="a run whose training data was"):
        vg.fit(program(), changed, epochs=2, batch_size=10, checkpoint=path, resume=True)
    with pytest.raises(vg.RunError, match="a run whose validation data was None"):
        vg.fit(
            program(), data, validation=data, epochs=2, batch_size=10, checkpoint=path, resume=True
        )


def test_a_callback_that_is_gone_is_refused(data: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "run"
    vg.fit(program(), data, epochs=1, batch_size=10, checkpoint=path, callbacks=[Counting()])
    with pytest.raises(vg.RunError, match="a run with Counting; give it to go on"):
        vg.fit(program(), data, epochs=2, batch_size=10, checkpoint=path, resume=True)


def test_a_checkpoint_is_not_overwritten_unless_resumed(
    data: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "run"
    vg.fit(program(), data, epochs=1, batch_size=10, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(vg.RunError, match="holds a checkpoint already; resume=True goes on"):
        vg.fit(program(), data, epochs=1, batch_size=10, checkpoint=path)
    assert path.read_bytes() == before
    with pytest.raises(vg.RunError, match="resume=True needs checkpoint="):
        vg.fit(program(), data, epochs=1, batch_size=10, resume=True)


@pytest.fixture
def held(data: dict[str, np.ndarray], tmp_path: Path) -> Path:
    """A checkpoint, with arrays of its own beside the program's."""
    path = tmp_path / "run"
    vg.fit(program(), data, epochs=1, batch_size=10, checkpoint=path, callbacks=[Counting()])
    return path


def refused(path: Path, data: Any, message: str) -> None:
    """Neither loads nor goes on, and the program stays as it was."""
    with pytest.raises(vg.VerigradError, match=message):
        vg.load(path)
    fresh = program()
    before = state(fresh), path.read_bytes()
    with pytest.raises(vg.VerigradError, match=message):
        vg.fit(
            fresh, data, epochs=2, batch_size=10, checkpoint=path, resume=True,
            callbacks=[Counting()],
        )  # fmt: skip
    assert (state(fresh), path.read_bytes()) == before


def test_cut_at_any_byte_it_is_refused(data: dict[str, np.ndarray], held: Path) -> None:
    whole = held.read_bytes()
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    for size in (0, 1, 7, 8, 9, 500, header - 1, header, header + 1, len(whole) - 1):
        held.write_bytes(whole[:size])
        refused(held, data, "cannot be loaded: it is no complete verigrad program")


def test_a_changed_byte_is_found(data: dict[str, np.ndarray], held: Path) -> None:
    whole = held.read_bytes()
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    for at in np.linspace(0, len(whole) - 1, 40, dtype=int):
        changed = bytearray(whole)
        changed[at] ^= 0x01
        held.write_bytes(changed)
        refused(held, data, "cannot be loaded" if at >= header else "run")


def test_a_header_of_a_gigabyte_is_refused(data: dict[str, np.ndarray], held: Path) -> None:
    held.write_bytes(struct.pack("<Q", 1 << 30) + held.read_bytes()[8:])
    refused(held, data, "cannot be loaded: it is no complete verigrad program")


def test_a_newer_version_is_told(data: dict[str, np.ndarray], held: Path) -> None:
    loaded, run = load_run(held)
    assert run is not None
    save(loaded._content()._replace(run=run._replace(told={**run.told, "checkpoint": 3})), held)
    with pytest.raises(vg.RunError, match="is a checkpoint of version 3; this verigrad reads 2"):
        vg.fit(
            program(), data, epochs=2, batch_size=10, checkpoint=held, resume=True,
            callbacks=[Counting()],
        )  # fmt: skip
    whole = held.read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + size])
    described = json.loads(header["__metadata__"]["verigrad"])
    header["__metadata__"]["verigrad"] = json.dumps({**described, "format": 3})
    text = json.dumps(header).encode()
    held.write_bytes(struct.pack("<Q", len(text)) + text + whole[8 + size :])
    refused(held, data, "its format is 3; this verigrad reads those up to 2: install a newer one")


def test_a_write_that_fails_leaves_the_last_checkpoint(
    data: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write, calls = tmp_path / "run", Path.write_bytes, []

    def full(self: Path, content: bytes) -> int:
        calls.append(self)
        if len(calls) == 3:
            write(self, content[: len(content) // 2])
            raise OSError(28, "No space left on device")
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(vg.RunError, match="cannot be written: No space left on device"):
        vg.fit(program(), data, epochs=3, batch_size=10, checkpoint=path)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    assert vg.load(path).step_number == 5


@pytest.mark.parametrize(("began", "now"), [("numpy", "numba"), ("numba", "numpy")])
def test_a_run_goes_on_with_the_backend_that_it_began_with(
    tmp_path: Path, began: Any, now: Any
) -> None:
    pytest.importorskip("numba")
    x, y = vg.input("x", ("N", 3)), vg.input("y", ("N",), dtype="i64")
    net = vg.Graph("net", loss=vg.softmax_cross_entropy(vg.dense(x, 2, name="s"), y))
    data = np.ones((4, 3), np.float32), np.array([0, 1, 1, 0])
    path, sgd = tmp_path / "run", vg.SGD(lr=0.1)
    vg.fit(vg.compile(net, optimizer=sgd, backend=began), data, steps=1, checkpoint=path)
    program = vg.compile(net, optimizer=sgd, backend=now)
    with pytest.raises(vg.RunError, match="another program: its backend differs"):
        vg.fit(program, data, steps=2, checkpoint=path, resume=True)
    assert program.step_number == 0

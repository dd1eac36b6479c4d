"""Ctrl-C at any line of ours: the old state or the new one, and the next answers are right."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from api_nets import rows
from effort import tries

import verigrad as vg
from verigrad.runtime.execution.executor import Executor

ROOT = f"{Path(vg.__file__).parent}/"
TRIED = tries(8)
"""So many lines of each call are tried; all of them takes hours."""


class Interruption:
    """Raises KeyboardInterrupt before the n-th line of ours that runs."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.lines = 0

    def __call__(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        name = frame.f_code.co_filename
        ours = name.startswith(ROOT) and not name.startswith((f"{ROOT}tests", f"{ROOT}."))
        return self._line if ours or name.startswith("<") else None

    def _line(self, frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        self.lines += event == "line"
        if event == "line" and self.lines == self.n:
            raise KeyboardInterrupt
        return self._line


def lines(call: Callable[[], object], interrupted_at: int = 0) -> int:
    """How many lines of ours ran: all of a call, or those before the one that was interrupted."""
    interruption, before = Interruption(interrupted_at), sys.gettrace()
    sys.settrace(interruption)
    try:
        call()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return interruption.lines


def compiled() -> vg.Program:
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.batch_norm(vg.dense(x, 5, name="fc1"), name="bn"))
    scores = vg.dense(h, 4, name="fc2")
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    dropout = vg.Dropout(keep=0.8)
    return vg.compile(net, optimizer=vg.Adam(lr=0.01), dropout=dropout, seed=1)


def state(program: vg.Program) -> dict[str, bytes]:
    values = {**dict(program.parameters.items()), **dict(program.state.items())}
    return {k: v.tobytes() for k, v in values.items()}


def answers(program: vg.Program) -> list[object]:
    """What it goes on with, at several batch sizes."""
    found: list[object] = []
    for n in (3, 8):
        scores = program.predict(x=rows(n)["x"])["scores"]
        found += [scores.tobytes(), program.step(rows(n))]
    return [*found, state(program)]


def elsewhere(program: vg.Program) -> list[object]:
    """The same in another thread, which waits for ever where a lock was left behind."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(answers(program)), daemon=True)
    thread.start()
    thread.join(60)
    return found


def fit(program: vg.Program) -> None:
    feeds = rows(8)
    data = feeds["x"], feeds["y"]
    vg.fit(program, data, validation=data, steps=2, batch_size=8, sampler="sequential")


CALLS: dict[str, Callable[[vg.Program], object]] = {
    "step": lambda p: p.step(rows(8)),
    "step of another size": lambda p: p.step(rows(11)),
    "predict": lambda p: p.predict(x=rows(11)["x"].astype("f8")),
    "gradients": lambda p: p.gradients(rows(11)),
    "set": lambda p: p.parameters.__setitem__("fc1.weight", np.ones((6, 5))),
    "update": lambda p: p.parameters.update({k: v + 1 for k, v in p.parameters.items()}),
    "save": lambda p: p.save(Path(p.metadata["path"]).with_name("saved.safetensors")),
    "load": lambda p: vg.load(p.metadata["path"]),
    "fit": fit,
}
CHANGE = ("step", "step of another size", "set", "update", "fit")


@pytest.mark.parametrize("name", CALLS)
def test_at_any_line_it_leaves_the_old_state_or_the_new(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    first = compiled()
    first.step(rows(8))
    first.metadata["path"] = str(path)
    first.save(path)
    call, old, allowed = CALLS[name], state(first), [state(first)]

    def begun() -> vg.Program:
        program = vg.load(path)
        program.step(rows(8))
        program.predict(x=rows(8)["x"])
        program.parameters.update(first.parameters)
        program.state.update(first.state)
        return program

    if name in CHANGE:
        whole = begun()
        for _ in range(2 if name == "fit" else 1):
            whole.step(rows(8)) if name == "fit" else call(whole)
            allowed.append(state(whole))
    expected: dict[int, list[object]] = {}
    call(begun())  # what is compiled once for all programs is
    program = begun()
    count = lines(lambda: call(program))
    for n in sorted({1 + k * count // TRIED for k in range(TRIED)}):
        program = begun()
        assert lines(lambda: call(program), n) == n  # noqa: B023
        try:
            found = state(program)
        except vg.RunError as e:
            assert name in CHANGE and "cut off while it wrote the state; load" in str(e)
            continue
        assert found in allowed, n
        at = allowed.index(found)
        if at not in expected:
            other = begun()
            other.parameters.update(program.parameters)
            other.state.update(program.state)
            expected[at] = answers(other)
        assert elsewhere(program) == expected[at], n
        if name == "save" and (saved := path.with_name("saved.safetensors")).exists():
            assert state(vg.load(saved)) == old


@pytest.mark.parametrize("step", [1, 3, 4])
def test_wherever_a_profile_is_interrupted_the_state_is_as_it_was(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, made = compiled(), []
    program.step(rows(8))
    before, one = state(program), Executor.step

    def interrupted(self: Executor, *given: Any) -> None:
        one(self, *given)
        made.append(1)
        if len(made) == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(Executor, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        program.profile(rows(8), steps=2)
    assert state(program) == before
    monkeypatch.undo()
    expected = compiled()
    expected.step(rows(8))
    assert program.step(rows(8)) == expected.step(rows(8))
    assert "stamp" not in program.source(N=8)

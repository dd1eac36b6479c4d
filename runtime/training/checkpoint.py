"""Checkpoints: one file that holds all that a run needs to go on with the same bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from math import inf
from pathlib import Path
from threading import Thread
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import Array, RunError, VerigradError, shown
from ...graph.writing import given_path, reaching
from ..files.program_file import RunState, save, snapshot
from ..files.told import fitting
from ..loading import load_run
from ..program import Program
from .batches import Place
from .callback import Callback, Kept
from .history import Row
from .versions import versions

VERSION: Final = 2
_LOSSES: Final = "losses"


class Position(NamedTuple):
    """Where a run is: after `step` steps of the program, of which it had made `start` before.

    `total` is the sum of the losses of the epoch's `seen` rows so far, each step's weighted by
    its rows, of which the scores were `right` for so many; an epoch that is at its end and has
    seen rows is still to be measured. `rows` are the epochs that were. `stopped` says that a
    callback ended the run. `place` is how far a stream of batches was read.
    """

    step: int
    start: int
    total: float = 0.0
    seen: int = 0
    right: int = 0
    stopped: bool = False
    rows: tuple[Row, ...] = ()
    place: Place = Place()


class Length(NamedTuple):
    """How long a run is: so many steps, or so many passes over a stream; one of the two."""

    steps: int | None
    passes: int | None

    def last(self, start: int) -> float:
        """The step that a run ends before which begins at step `start`; infinite where the steps
        are not known."""
        return start + self.steps if self.steps is not None else inf


class Checkpoint:
    """The file that a run's state is written to, at its start and after each epoch.

    With `resume`, a run goes on from what the file holds; without, there may be no such file yet.
    `notes` are texts that the file keeps, such as the settings of a command.
    """

    def __init__(
        self, path: str | Path, *, resume: bool = False, notes: Mapping[str, str] | None = None
    ) -> None:
        self.path = given_path(path)
        self.resume = resume
        self.notes = dict(notes or {})
        self._versions = versions()
        self._writing: Future[None] | None = None
        with reaching(self.path):
            there = self.path.exists()
        if there and not resume:
            raise RunError(
                f"{self.path} holds a checkpoint already; resume=True goes on from it, and it is "
                "lost only where it is removed"
            )

    def save(
        self,
        program: Program,
        position: Position,
        losses: Sequence[float],
        callbacks: Sequence[Callback],
        identity: Mapping[str, Any],
        *,
        behind: bool = False,
    ) -> None:
        """Writes the whole state, or nothing: `losses` are those of the run's steps, and
        `identity` is what a resumed run must agree in. `behind` the run, it is written while that
        goes on; `wait` tells whether it was."""
        states, arrays = _split(_named(callbacks))
        arrays[_LOSSES] = np.array(losses, np.float64)
        content = {
            "checkpoint": VERSION,
            "position": position._asdict(),
            "identity": dict(identity),
            "callbacks": states,
            "versions": self._versions,
            "notes": self.notes,
        }
        whole = program._content()._replace(run=RunState(content, arrays))
        self.wait()
        if not behind:
            save(whole, self.path)
            return
        write, self._writing = snapshot(whole), Future()
        Thread(target=_into, args=(self._writing, write, self.path)).start()

    def wait(self) -> None:
        """Waits for what is being written; raises what went wrong."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def load(
        self, program: Program, callbacks: Sequence[Callback], identity: Mapping[str, Any]
    ) -> tuple[Position, list[float]]:
        """Sets program and callbacks to what the file holds, and says where the run is, and what
        its steps reported.

        Raises RunError, before anything is changed, where the file is of another program or of a
        run with other data, batches or callbacks.
        """
        stored = read_checkpoint(self.path)
        other = program._content().differing(stored.program._content())
        if other is not None:
            raise RunError(
                f"{self.path} is the checkpoint of another program: its {other} differs; "
                "compile what the run began with"
            )
        for key, value in identity.items():
            before = stored.told.identity.get(key)
            if before != value:
                raise RunError(
                    f"{self.path} is the checkpoint of a run whose {key} was {shown(before)}, "
                    f"where it is {shown(value)} now; a run goes on only with what it began with"
                )
        _restore(self.path, _states(self.path, callbacks, stored))
        program._values.write(stored.program._values)
        return stored.position, stored.arrays[_LOSSES].tolist()


def _into(ended: Future[None], write: Callable[[str | Path], None], path: Path) -> None:
    """Writes a file; `ended` tells how that ended."""
    try:
        write(path)
    except BaseException as e:
        ended.set_exception(e)
    else:
        ended.set_result(None)


class _Told(NamedTuple):
    """What a checkpoint tells of a run, in the types that JSON has."""

    checkpoint: int
    position: Position
    identity: dict[str, str | int | None]
    callbacks: dict[str, dict[str, str | int | float | bool | None]]
    versions: dict[str, str]
    notes: dict[str, str]


class ReadCheckpoint(NamedTuple):
    """What a checkpoint holds."""

    program: Program
    position: Position
    told: _Told
    arrays: Mapping[str, Array]


def read_checkpoint(path: str | Path) -> ReadCheckpoint:
    """The content of a checkpoint. Raises RunError where the file is none, or is not whole."""
    program, run = load_run(path)
    if run is None:
        raise RunError(f"{path} is a saved program and no checkpoint: it does not hold a run")
    if "bundle" in run.told:
        raise RunError(
            f"{path} is the bundle of a failed step and no checkpoint; vg.replay(path) makes the "
            "step again"
        )
    version = run.told.get("checkpoint")
    if type(version) is int and version != VERSION:
        raise RunError(
            f"{path} is a checkpoint of version {version}; this verigrad reads {VERSION}: install "
            "the one that wrote it"
        )
    try:
        content = fitting(run.told, _Told, "run")
        _check_position(content.position, program)
        _check_losses(content.position, run.arrays.get(_LOSSES))
    except RunError as e:
        raise RunError(f"{path} cannot be read: {e}") from None
    return ReadCheckpoint(program, content.position, content, run.arrays)


def _check_position(at: Position, program: Program) -> None:
    """Raises RunError for a place that no run of the program's steps has."""
    read = (at.place.passes, at.place.batches)
    numbers = (n for row in at.rows for n in (row.epoch, row.step))
    counted = [at.start, at.seen, at.right, *read, *numbers]
    if min(counted) < 0 or max([at.start, *(row.step for row in at.rows)]) > at.step:
        raise RunError(f"its run.position is none that a run comes to: {at._asdict()}")
    if "step" in program.state and at.step != program.step_number:
        steps = program.step_number
        raise RunError(f"its run.position.step is {at.step}, where the program made {steps} steps")


def _check_losses(at: Position, losses: Array | None) -> None:
    actual = f"{losses.dtype}{list(losses.shape)}" if losses is not None else "missing"
    due = f"float64{[at.step - at.start]}"
    if actual != due:
        raise RunError(f"its array {'run/' + _LOSSES!r} is {actual}, where {due} is expected")


def _named(callbacks: Sequence[Callback]) -> dict[str, Callback]:
    """The callbacks by kind, numbered: `EarlyStopping.0`."""
    named: dict[str, Callback] = {}
    for callback in callbacks:
        kind = type(callback).__qualname__
        count = sum(key.rpartition(".")[0] == kind for key in named)
        named[f"{kind}.{count}"] = callback
    return named


def _split(callbacks: Mapping[str, Callback]) -> tuple[dict[str, Any], dict[str, Array]]:
    """What the callbacks remember: the plain values, and the arrays."""
    states: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for key, callback in callbacks.items():
        state = callback.state()
        plain = {k: v for k, v in state.items() if not isinstance(v, np.ndarray)}
        arrays |= {f"{key}/{k}": v for k, v in state.items() if isinstance(v, np.ndarray)}
        if state:
            states[key] = plain
    return states, arrays


def _restore(path: Path, states: Sequence[tuple[Callback, Kept]]) -> None:
    """Sets all callbacks to what they remembered, or none where one cannot take it."""
    before = [callback.state() for callback, _ in states]
    for number, (callback, state) in enumerate(states):
        try:
            callback.restore(state)
        except Exception as e:  # a user's callback may raise any
            for (changed, _), old in zip(states[: number + 1], before, strict=False):
                changed.restore(old)
            kind = type(callback).__name__
            reason = e if isinstance(e, VerigradError) else f"{type(e).__name__}: {e}"
            raise RunError(f"{path}: {kind} cannot take back what the run keeps: {reason}") from e


def _states(
    path: Path, callbacks: Sequence[Callback], stored: ReadCheckpoint
) -> list[tuple[Callback, Kept]]:
    """What each callback is to take back."""
    named = _named(callbacks)
    states = stored.told.callbacks
    wanted = {key for key, callback in named.items() if callback.state()}
    for key in sorted(wanted ^ set(states)):
        kind, without = key.rpartition(".")[0], key in wanted
        raise RunError(
            f"{path} is the checkpoint of a run {'without' if without else 'with'} {kind}; "
            f"{'leave it out' if without else 'give it'} to go on with that run"
        )
    return [
        (named[key], {**state, **{
            name.removeprefix(f"{key}/"): array
            for name, array in stored.arrays.items() if name.startswith(f"{key}/")
        }})
        for key, state in states.items()
    ]  # fmt: skip

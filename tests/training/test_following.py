"""The best weights, early stopping, and schedules that are checked before training."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg
from verigrad.runtime.training import loop
from verigrad.runtime.training.following import Following, KeepBest
from verigrad.runtime.training.history import Row

Data = dict[str, np.ndarray]


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    return batch(rng, 40, 12, 4)


@pytest.fixture
def other(rng: np.random.Generator) -> Data:
    """Labels that cannot be learned from `data`: the validation gets worse in time."""
    return batch(rng, 40, 12, 4)


def program(lr: Any = 0.3) -> vg.Program:
    return vg.compile(net(12, 16, 4), optimizer=vg.Momentum(lr))


def row(epoch: int, loss: float | None, accuracy: float | None = None) -> Row:
    return Row(epoch, epoch, 0.0, None, loss, accuracy, 0.0)


@pytest.mark.parametrize(("keep", "by"), [(True, "loss"), ("loss", "loss"), ("accuracy",) * 2])
def test_the_best_weights_come_back(data: Data, other: Data, keep: Any, by: str) -> None:
    kept, plain = program(), program()
    given: dict[str, Any] = {"validation": other, "epochs": 30, "batch_size": 10}
    history = vg.fit(kept, data, keep_best=keep, **given)
    vg.fit(plain, data, **given)
    losses = [r.validation_loss if by == "loss" else -(r.validation_accuracy or 0) for r in history]
    best = int(np.argmin(np.array(losses, float)))
    assert best < 29
    again = program()
    vg.fit(again, data, **{**given, "epochs": best + 1})
    for name in kept.parameters:
        assert kept.parameters[name].tobytes() == again.parameters[name].tobytes()
    assert kept.step_number == plain.step_number == 120
    assert kept.state["fc1.weight.velocity"].tobytes() == (
        plain.state["fc1.weight.velocity"].tobytes()
    )
    measured = vg.measure(kept, other)
    assert (measured.loss if by == "loss" else -(measured.accuracy or 0)) == losses[best]


class End(vg.Callback):
    """Ends a run in one of the ways in which it can be cut short."""

    def __init__(self, how: str, program: vg.Program) -> None:
        self.how = how
        self.program = program

    def on_step(self, step: int, loss: float) -> None:
        if step == 81 and self.how == "divergence":
            self.program.parameters["fc1.weight"] = np.full((12, 16), 3e38)
        if step == 81 and self.how == "Ctrl-C":
            signal.raise_signal(signal.SIGINT)
        if step == 81 and self.how == "an error in a step's callback":
            raise ZeroDivisionError

    def on_epoch(self, row: Row) -> None:
        if row.epoch == 21 and self.how == "an error in an epoch's callback":
            raise ZeroDivisionError


@pytest.mark.parametrize(
    "how",
    [
        "Ctrl-C", "an error in a step's callback", "an error in an epoch's callback",
        "divergence", "an error in the validation",
    ],
)  # fmt: skip
def test_the_best_weights_come_back_however_the_run_ends(
    data: Data, other: Data, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, measured = program(), loop.measure_set

    def fails(program: vg.Program, *rest: Any) -> Any:
        if program.step_number == 84 and how == "an error in the validation":
            raise vg.RunError("cannot be measured")
        return measured(program, *rest)

    monkeypatch.setattr(loop, "measure_set", fails)
    given: dict[str, Any] = {"validation": other, "batch_size": 10}
    file = tmp_path / "run.safetensors"
    with pytest.raises((KeyboardInterrupt, ZeroDivisionError, vg.RunError)):
        vg.fit(
            kept,
            data,
            epochs=30,
            keep_best=True,
            callbacks=End(how, kept),
            checkpoint=file,
            **given,
        )
    monkeypatch.undo()
    whole = program()
    losses = vg.fit(whole, data, epochs=20, **given)["validation_loss"]
    best = int(np.argmin(np.array(losses, float)))
    assert best < 19
    again = program()
    vg.fit(again, data, epochs=best + 1, **given)
    for name in kept.parameters:
        assert kept.parameters[name].tobytes() == again.parameters[name].tobytes()
    resumed = program()
    vg.fit(resumed, data, epochs=22, keep_best=True, checkpoint=file, resume=True, **given)
    for name in kept.parameters:
        assert resumed.parameters[name].tobytes() == kept.parameters[name].tobytes()


def test_running_statistics_are_kept_with_the_weights(data: Data, other: Data) -> None:
    x, y = vg.input("x", ("N", 12)), vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.batch_norm(vg.dense(x, 16, name="fc1"), name="bn1"))
    scores = vg.dense(h, 4, name="fc2")
    g = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    trained = vg.compile(g, optimizer=vg.SGD(0.5))
    history = vg.fit(trained, data, validation=other, epochs=20, batch_size=10, keep_best=True)
    assert vg.measure(trained, other).loss == min(history["validation_loss"])  # type: ignore[type-var]


def test_of_equal_epochs_the_first_is_the_best() -> None:
    following = Following("accuracy")
    told = [following.improved(row(i + 1, 0.0, a)) for i, a in enumerate([0.5, 0.5, 0.6, 0.6])]
    assert told == [True, False, True, False]
    assert (following.best, following.epoch) == (0.6, 3)


def test_a_value_that_is_not_finite_is_never_the_best() -> None:
    following = Following()
    told = [following.improved(row(1, v)) for v in (np.nan, np.inf, 2.0, np.nan, 1.0)]
    assert told == [False, False, True, False, True]


def test_early_stopping_waits_for_its_patience() -> None:
    stopping = vg.EarlyStopping(patience=2)
    losses = [3.0, 2.0, 2.5, 1.9, 2.0, 1.9, 1.0]
    assert [stopping.on_epoch(row(i, v)) for i, v in enumerate(losses)] == [
        False, False, False, False, False, True, False,
    ]  # fmt: skip


def test_early_stopping_ends_fit(data: Data, other: Data) -> None:
    trained = program()
    history = vg.fit(
        trained, data, validation=other, epochs=200, batch_size=10,
        callbacks=[vg.EarlyStopping(patience=4)],
    )  # fmt: skip
    losses = history["validation_loss"]
    assert len(history) == int(np.argmin(np.array(losses, float))) + 1 + 4 < 200


def test_a_state_comes_back() -> None:
    one, two = vg.EarlyStopping(patience=3), vg.EarlyStopping(patience=3)
    for i, loss in enumerate([2.0, 1.0, 1.5]):
        one.on_epoch(row(i + 1, loss))
    two.restore(one.state())
    assert (two.best, two.epoch, two.waited) == (1.0, 2, 1)
    with pytest.raises(vg.RunError, match="follows the validation accuracy, but followed the loss"):
        vg.EarlyStopping(patience=3, by="accuracy").restore(one.state())


BAD: list[tuple[dict[str, Any], str]] = [
    ({"keep_best": True}, "keep_best follows the validation; give fit validation"),
    ({"callbacks": [vg.EarlyStopping(3)]}, "EarlyStopping follows the validation; give fit"),
    ({"keep_best": "speed"}, "by is 'speed', where one of loss, accuracy, "),
    ({"sampler": "random"}, "sampler is 'random', where one of shuffled, replacement"),
    ({"sampler": 5}, "sampler 5 has no steps_per_epoch, largest, rows"),
]


@pytest.mark.parametrize(("given", "message"), BAD, ids=[m for _, m in BAD])
def test_what_cannot_be_is_told_before_training(
    data: Data, given: dict[str, Any], message: str
) -> None:
    trained = program()
    with pytest.raises(vg.RunError, match=message):
        vg.fit(trained, data, epochs=1, batch_size=10, **given)
    assert trained.step_number == 0


@pytest.mark.parametrize("patience", [0, -1, 1.5, True])
def test_a_patience_that_is_no_whole_number_is_refused(patience: Any) -> None:
    with pytest.raises(vg.RunError, match=r"patience is .*, where a whole number from 1"):
        vg.EarlyStopping(patience)


def test_accuracy_of_what_has_no_scores_is_refused(rng: np.random.Generator) -> None:
    x, y = vg.input("x", ("N", 3)), vg.input("y", ("N", 1))
    g = vg.Graph("line", {"out": (h := vg.dense(x, 1))}, loss=vg.mean_squared_error(h, y))
    trained = vg.compile(g, optimizer=vg.SGD(0.1))
    rows = rng.standard_normal((20, 3)), rng.standard_normal((20, 1))
    with pytest.raises(vg.RunError, match="keep_best follows the accuracy, but the graph has no"):
        vg.fit(trained, rows, validation=rows, epochs=1, batch_size=5, keep_best="accuracy")
    with pytest.raises(vg.RunError, match='sampler="balanced" needs labels'):
        vg.fit(trained, rows, epochs=1, batch_size=5, sampler="balanced")
    with pytest.raises(vg.RunError, match="KeepBest follows the validation accuracy, which is not"):
        KeepBest(trained, "accuracy").on_epoch(row(1, 1.0))


class Falling(vg.schedules.Schedule):
    """lr(t) = start - t / 1000; as a schedule of a user's own."""

    name: ClassVar[str] = "falling"
    start: float

    def at(self, step: vg.Node) -> vg.Node:
        return self.start - step / 1000.0


class Growing(vg.schedules.Schedule):
    """lr(t) = exp(t)."""

    name: ClassVar[str] = "growing"

    def at(self, step: vg.Node) -> vg.Node:
        return vg.exp(step)


def test_a_schedule_that_turns_negative_is_found_before_training(data: Data) -> None:
    trained = program(Falling(0.01))
    message = "the schedule falling gives the learning rate -0.001 at step 11, where a finite"
    with pytest.raises(vg.RunError, match=message):
        vg.fit(trained, data, epochs=5, batch_size=10)
    assert trained.step_number == 0
    vg.fit(trained, data, steps=11, batch_size=10)
    with pytest.raises(vg.RunError, match=r"at step 11, .*; fit would make steps 11 to 11"):
        vg.fit(trained, data, steps=1, batch_size=10)


def test_a_schedule_that_overflows_is_found_however_late(data: Data) -> None:
    with pytest.raises(vg.RunError, match="growing gives the learning rate inf at step 710"):
        vg.fit(program(Growing()), data, steps=70_000, batch_size=10)
    with pytest.raises(vg.RunError, match=r"falling gives the learning rate -0\.001 at step 69001"):
        vg.fit(program(Falling(69.0)), data, steps=70_000, batch_size=10)


def test_a_schedule_of_a_group_is_looked_at_too(data: Data) -> None:
    groups = (vg.Group("*.bias", lr=Falling(0.002)),)
    trained = vg.compile(net(12, 16, 4), optimizer=vg.SGD(0.1, groups=groups))
    with pytest.raises(vg.RunError, match=r"falling gives the learning rate -0\.001 at step 3"):
        vg.fit(trained, data, epochs=1, batch_size=10)


def test_a_plateau_lowers_the_rate_after_its_patience(data: Data, other: Data) -> None:
    schedule = vg.schedules.plateau(0.3, factor=0.5, patience=2)
    trained, scales = program(schedule), []

    class Look(vg.Callback):
        def on_epoch(self, row: Row) -> None:
            scales.append(float(trained.state["lr_scale"]))

    history = vg.fit(trained, data, validation=other, epochs=20, batch_size=10, callbacks=[Look()])
    scales = [*scales[1:], float(trained.state["lr_scale"])]  # fit lowers it last
    best, waited, scale = np.inf, 0, 1.0
    for loss, found in zip(history["validation_loss"], scales, strict=True):
        assert loss is not None
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited == 2:
            waited, scale = 0, scale * 0.5
        assert found == scale
    assert scale < 0.1


def test_the_scale_is_what_the_rate_is_multiplied_by(data: Data) -> None:
    lowered, plain = program(vg.schedules.plateau(0.4)), program(0.1)
    lowered.state["lr_scale"] = 0.25
    for _ in range(3):
        assert lowered.step(data) == plain.step(data)
    for name in plain.parameters:
        assert lowered.parameters[name].tobytes() == plain.parameters[name].tobytes()
    assert lowered.state["lr_scale"] == 0.25


@pytest.mark.parametrize("nested", [False, True])
def test_a_plateau_is_saved_and_resumed(
    data: Data, other: Data, tmp_path: Path, nested: bool
) -> None:
    def made() -> vg.Program:
        rate = vg.schedules.plateau(0.3, factor=0.5, patience=2)
        return program(vg.schedules.warmup(rate, steps=6) if nested else rate)

    given: dict[str, Any] = {"validation": other, "batch_size": 10}
    whole, part = made(), made()
    vg.fit(whole, data, epochs=12, **given)
    vg.fit(part, data, epochs=7, checkpoint=tmp_path / "run", **given)
    resumed = vg.load(tmp_path / "run")
    vg.fit(resumed, data, epochs=12, checkpoint=tmp_path / "run", resume=True, **given)
    assert float(resumed.state["lr_scale"]) == float(whole.state["lr_scale"]) < 1
    for name in whole.parameters:
        assert resumed.parameters[name].tobytes() == whole.parameters[name].tobytes()


def test_a_plateau_follows_the_validation(data: Data) -> None:
    with pytest.raises(vg.RunError, match="the plateau schedule follows the validation; give fit"):
        vg.fit(program(vg.schedules.plateau(0.1)), data, epochs=1, batch_size=10)


def test_groups_share_one_plateau(data: Data, other: Data, tmp_path: Path) -> None:
    rate = vg.schedules.plateau(0.1, patience=1)
    optimizer = vg.SGD(0.0, groups=(vg.Group("*.weight", lr=rate), vg.Group("*.bias", lr=rate)))
    trained = vg.compile(net(12, 16, 4), optimizer=optimizer)
    given: dict[str, Any] = {"validation": other, "batch_size": 10, "epochs": 60}
    vg.fit(trained, data, checkpoint=tmp_path / "run", **given)
    assert trained.state["lr_scale"] < 1
    assert vg.load(tmp_path / "run").state["lr_scale"] == trained.state["lr_scale"]


def test_two_plateaus_are_refused() -> None:
    groups = (vg.Group("*.bias", lr=vg.schedules.plateau(0.2)),)
    optimizer = vg.SGD(vg.schedules.plateau(0.1), groups=groups)
    with pytest.raises(vg.GraphError, match="both read the state lr_scale, where one schedule"):
        vg.compile(net(12, 16, 4), optimizer=optimizer)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": 0}, "lr is 0, where a positive number"),
        ({"lr": 1, "factor": 1.0}, r"factor is 1\.0, where a number"),
        ({"lr": 1, "patience": 0}, "patience is 0, where a whole number from 1"),
        ({"lr": 1, "patience": 2.5}, r"patience is 2\.5, where a whole number from 1"),
    ],
)
def test_a_plateau_that_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(vg.GraphError, match=message):
        vg.schedules.plateau(**given)

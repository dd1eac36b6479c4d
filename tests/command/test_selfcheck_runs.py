"""What `verigrad selfcheck` checks around the steps: red for a fault planted for each."""

from __future__ import annotations

import pytest

import verigrad as vg
from verigrad.runtime.command import sanity_runs
from verigrad.runtime.command.settings import Settings
from verigrad.runtime.command.subject import Subject
from verigrad.runtime.data.source import load_data
from verigrad.runtime.training.checkpoint import Checkpoint
from verigrad.runtime.training.sampling import ShuffledEpochs


@pytest.fixture
def subject() -> Subject:
    return Subject(load_data("digits", None), Settings(hidden=(16, 12)))


def test_a_row_that_is_never_drawn_is_red(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = ShuffledEpochs._order
    monkeypatch.setattr(ShuffledEpochs, "_order", lambda self, epoch: right(self, epoch)[:-1])
    drawn, once = sanity_runs.samplers(subject)
    assert not drawn.ok and drawn.found.endswith("of 24 steps differ: shuffled, step 2")
    assert not once.ok and once.found == "2 of 1,295 rows are not"


def test_rows_that_are_in_two_parts_and_features_that_are_not_scaled_are_red(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(result.ok for result in sanity_runs.prepared(subject))
    split, scale = sanity_runs.stratified, sanity_runs.standardizing
    monkeypatch.setattr(sanity_runs, "stratified", lambda *a: (split(*a)[1], split(*a)[1]))
    monkeypatch.setattr(
        sanity_runs,
        "standardizing",
        lambda *a, **k: scale(*a, **k)._replace(inverse=scale(*a, **k).inverse / 2),
    )
    parts, scaled = sanity_runs.prepared(subject)
    assert not parts.ok and parts.found.endswith("rows are in both or none")
    assert not scaled.ok and scaled.value == pytest.approx(0.5)


def test_an_accuracy_of_other_scores_is_red(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = sanity_runs.measure
    monkeypatch.setattr(
        sanity_runs, "measure", lambda *a: right(*a)._replace(accuracy=right(*a).accuracy + 0.01)
    )
    (result,) = sanity_runs.measured(subject)
    assert not result.ok and result.found == "accuracy is not that of the scores"


def test_inference_that_does_not_follow_the_steps_is_red(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, first = sanity_runs.measure, []

    def stale(*arguments: object) -> object:
        first.append(right(*arguments))
        return first[0]

    monkeypatch.setattr(sanity_runs, "measure", stale)
    (result,) = sanity_runs.measured(subject)
    assert not result.ok and result.value is not None and result.value > 1e-5


@pytest.mark.parametrize("lost", ["values", "losses", "callbacks"])
def test_what_a_checkpoint_loses_is_red(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    right = Checkpoint.load

    def load(self: Checkpoint, program: vg.Program, callbacks: object, identity: object) -> object:
        before = dict(program.parameters)
        position, losses = right(self, program, callbacks, identity)
        if lost == "values":
            program.parameters.update(before)
        if lost == "callbacks":
            (callback,) = [c for c in callbacks if isinstance(c, sanity_runs.SumOfLosses)]
            callback.restore({"total": 0.0})
        return position, [x + 1 for x in losses] if lost == "losses" else losses

    monkeypatch.setattr(Checkpoint, "load", load)
    (result,) = sanity_runs.gone_on(subject)
    assert not result.ok and result.name == "run from a checkpoint"

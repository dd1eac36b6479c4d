"""`verigrad compare`: the same start for all, the figure, the table and what it refuses."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from invoking import run

import verigrad as vg
from verigrad.runtime.command import comparison
from verigrad.runtime.command.compare import SAME_RATE
from verigrad.runtime.command.comparison import Variant, compare
from verigrad.runtime.command.network import compiled
from verigrad.runtime.command.settings import Settings
from verigrad.runtime.data.source import load_data

SMALL = ["--hidden", "16", "--epochs", "2", "--threads", "1"]


def told(*arguments: object) -> dict[str, Any]:
    result = run("compare", *SMALL, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_all_optimizers_begin_alike_and_each_is_trained_at_the_same_rate() -> None:
    runs = told()["runs"]
    names = [r["label"] for r in runs]
    assert names == ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"]
    assert {r["settings"]["lr"] for r in runs} == {SAME_RATE}
    assert [r["settings"]["optimizer"] for r in runs] == names
    assert len({r["train_accuracies"][0] for r in runs}) == 1
    assert len({tuple(r["train_accuracies"]) for r in runs}) > 3
    assert all(r["steps"] == 52 and r["accuracy_steps"][-1] == 52 for r in runs)
    assert all(len(r["losses"]) == len(r["loss_steps"]) == 52 for r in runs)


def test_momentum_is_well_ahead_of_sgd_at_the_same_rate() -> None:
    sgd, momentum = told("--optimizers", "sgd,momentum", "--lr", "0.005")["runs"]
    assert momentum["final_loss"] < 0.8 * sgd["final_loss"]
    assert momentum["validation_accuracies"][-1] > sgd["validation_accuracies"][-1] + 0.1


def test_a_run_is_what_fit_would_have_done() -> None:
    data = load_data("digits", None)
    settings = Settings(hidden=(16,), optimizer="adam", keep=(0.8,))
    (found,) = compare(data, [Variant("adam", settings)], [3], 1)
    program = compiled(data, settings._replace(seed=3), 26)
    losses: list[float] = []

    class Keep(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            losses.append(loss)

    vg.fit(program, data.train, epochs=1, batch_size=50, callbacks=[Keep()])
    assert found.losses == losses
    assert found.loss_steps == list(range(1, 27))
    assert found.validation_scores[-1] == vg.measure(program, data.validation).accuracy
    assert found.final_loss == pytest.approx(np.mean(losses), rel=1e-12)


@pytest.mark.parametrize("jobs", [2, 3])
def test_runs_are_the_same_for_any_number_of_jobs(jobs: int) -> None:
    arguments = ("--optimizers", "sgd,adam", "--seeds", "1,2", "--keep", "0.8")
    assert [untimed(r) for r in told(*arguments, "--jobs", jobs)["runs"]] == [
        untimed(r) for r in told(*arguments)["runs"]
    ]


def untimed(run: dict[str, Any]) -> dict[str, Any]:
    """All of a run but how long it took."""
    return {k: v for k, v in run.items() if k != "seconds"}


def test_runs_are_told_in_their_order_with_their_warnings() -> None:
    """Whoever makes them, and whichever is faster."""
    arguments = ("--optimizers", "sgd,adam,momentum", "--lrs", "30,30,0.001")
    lines = []
    for jobs in (1, 2):
        result = run("compare", *SMALL, *arguments, "--jobs", jobs)
        assert result.exit_code == 0, result.stderr
        lines.append([line.rpartition(", ")[0] or line for line in result.stderr.splitlines()])
    assert lines[0] == lines[1]
    begun = [line.partition(" ")[0] for line in lines[0]]
    assert begun == ["Warning:", "1/3", "Warning:", "2/3", "3/3"]


def test_rates_of_their_own() -> None:
    runs = told("--optimizers", "sgd,adam", "--lrs", "0.1,0.001")["runs"]
    assert [r["label"] for r in runs] == ["sgd, lr 0.1", "adam, lr 0.001"]
    runs = told("--optimizers", "sgd", "--lrs", "0.1,0.01")["runs"]
    assert [r["settings"]["lr"] for r in runs] == [0.1, 0.01]


@pytest.mark.parametrize(
    ("option", "labels", "setting", "values"),
    [
        ("--keeps=1.0,0.5", ["keep 1", "keep 0.5"], "keep", [[1.0], [0.5]]),
        ("--l2s=0,1e-4,1e-2", ["L2 0", "L2 0.0001", "L2 0.01"], "l2", [0, 1e-4, 1e-2]),
    ],
)
def test_dropout_and_strengths_are_compared_too(
    option: str, labels: list[str], setting: str, values: list[object]
) -> None:
    runs = told(option)["runs"]
    assert [r["label"] for r in runs] == labels
    assert [r["settings"][setting] for r in runs] == values
    assert len({r["final_loss"] for r in runs}) == len(labels)
    assert {r["settings"]["lr"] for r in runs} == {Settings().rate}


def test_the_table_has_means_and_spread_over_seeds() -> None:
    arguments = [*SMALL, "--optimizers", "sgd,adam", "--seeds", "1,2,3"]
    result = run("compare", *arguments)
    head, *rows = result.stdout.splitlines()
    assert " ".join(head.split()) == "lr training loss training acc. validation acc. seconds"
    assert [row.split()[0] for row in rows] == ["sgd", "adam"]
    runs = told("--optimizers", "sgd,adam", "--seeds", "1,2,3")["runs"]
    ends = [r["validation_accuracies"][-1] for r in runs if r["label"] == "adam"]
    spread = f"{np.mean(ends):.4f} ({min(ends):.4f} to {max(ends):.4f})"
    assert spread in rows[1] and spread not in rows[0]
    assert [line.split()[0] for line in result.stderr.splitlines()] == [
        f"{i}/6" for i in range(1, 7)
    ]


def test_the_figure_is_the_same_bytes_and_has_a_line_for_each(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        arguments = ["--optimizers", "sgd,adam", "--seeds", "1,2", "-o", tmp_path / name]
        assert run("compare", *SMALL, *arguments).exit_code == 0
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn == (tmp_path / "b.svg").read_text()
    words = ("training loss", "training accuracy", "validation accuracy", "sgd", "adam", "digits")
    for word in words:
        assert f"<!-- {word}" in drawn
    assert drawn.count("FillBetweenPolyCollection") == 2 * 3
    assert len(drawn) < 150_000


def test_a_run_that_is_not_finite_does_not_end_the_others(tmp_path: Path) -> None:
    arguments = ["--optimizers", "sgd,adam", "--lrs", "1e30,0.001", "-o", tmp_path / "a.svg"]
    result = run("compare", *SMALL, *arguments)
    assert result.exit_code == 0
    _, sgd, adam = result.stdout.splitlines()
    assert "not finite at step 2" in sgd and "not finite" not in adam
    runs = told(*arguments[:4])["runs"]
    assert runs[0]["stopped"] == 2 and runs[1]["stopped"] is None
    assert "<svg" in (tmp_path / "a.svg").read_text()


ERRORS = [
    (["--optimizers", "sgd,newton"], "'newton' is not one of sgd, momentum"),
    (["--optimizers", "sgd,sgd"], "sgd is there twice: there is nothing to compare"),
    (["--optimizers", "sgd", "--keeps", "0.5"], "one thing is compared at a time"),
    (["--optimizer", "sgd"], "--optimizer has no effect where --optimizers are compared"),
    (["--keeps", "0.5", "--keep", "0.5"], "--keep has no effect where --keeps are compared"),
    (["--seeds", "1,2", "--seed", "3"], "--seed has no effect where --seeds are compared"),
    (["--optimizers", "sgd,adam,rmsprop", "--lrs", "1,2"], "--lrs has 2 rates for 3 optimizers"),
    (["--l2s", "0,1", "--lrs", "1"], "--lrs goes with --optimizers; with --l2s give --lr"),
    (["--lr", "1", "--lrs", "1"], "--lr has no effect beside --lrs"),
    (["--l2s", "a"], "'a' are no numbers; write e.g. 0,1e-4"),
    (["--seeds", "1.5"], "'1.5' are no seeds; write e.g. 1,2,3"),
    (["--keeps", "0"], "keep is 0.0, where a probability in (0, 1] is expected"),
    (["-o", "nowhere/a.svg"], "cannot be written: No such file or directory"),
]


@pytest.mark.parametrize(("arguments", "message"), ERRORS, ids=[" ".join(a) for a, _ in ERRORS])
def test_an_error_comes_before_any_run(arguments: list[str], message: str) -> None:
    result = run("compare", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr and result.stdout == ""
    assert "1/" not in result.stderr


def test_data_without_a_validation_part_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", x=np.zeros((6, 3)), y=np.array([0, 1] * 3))
    result = run("compare", "--data", tmp_path / "few.npz", "--batch-size", "2")
    assert result.exit_code == 2
    assert "few.npz has too few rows to hold a validation part out of them" in result.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_shows_the_runs_that_are_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    fit, begun = comparison.fit, []

    class Press(vg.Callback):
        def on_step(self, step: int, loss: float) -> None:
            if step == 9 and len(begun) == 3:
                signal.raise_signal(number)

    def pressed(*args: Any, callbacks: vg.Callback, **given: Any) -> Any:
        begun.append(given)
        return fit(*args, callbacks=[callbacks, Press()], **given)

    monkeypatch.setattr(comparison, "fit", pressed)
    names = ["--optimizers", "sgd,momentum,adam,rmsprop"]
    result = run("compare", *SMALL, *names, "--json", "-o", tmp_path / "figure.svg")
    assert result.exit_code == code and "Interrupted." in result.stderr
    assert [r["label"] for r in json.loads(result.stdout)["runs"]] == ["sgd", "momentum"]
    assert "sgd" in (tmp_path / "figure.svg").read_text() and len(begun) == 3

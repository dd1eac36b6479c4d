"""`vg.tune`: the same table for any number of jobs and kills, and what of trials that fail."""

from __future__ import annotations

import math
import pickle
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import batch, net

import verigrad as vg
from verigrad.runtime.tuning.trial import STARTUP, Trial, bars

optuna = pytest.importorskip("optuna")

RANGES = {"lr": "log:1e-4..10", "width": "2..9", "kind": ["relu", "tanh"]}
_rng = np.random.default_rng(0)
TRAIN, VALID = batch(_rng, 60, 4, 3), batch(_rng, 30, 4, 3)


def backend() -> Any:
    """What runs the steps here, which other processes have to be told."""
    return vg.compile.__kwdefaults__["backend"]


def build(lr: float, width: int, kind: str, backend: Any = "numpy") -> vg.Program:
    """A net with a hidden layer; in a function that other processes can import or be sent."""
    x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
    h = getattr(vg, kind)(vg.dense(x, width, name="fc1"))
    scores = vg.dense(h, 3, name="fc2")
    graph = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    return vg.compile(graph, optimizer=vg.SGD(lr), seed=1, certify=False, backend=backend)


def tuned(**given: Any) -> vg.Tuning:
    """Fourteen trials of four epochs: three rounds, the last not whole."""
    options: dict[str, Any] = {
        "build": partial(build, backend=backend()), "ranges": RANGES, "data": TRAIN,
        "validation": VALID, "epochs": 4, "batch_size": 20, "trials": 14, "seed": 5,
    }  # fmt: skip
    return vg.tune(**{**options, **given})


@pytest.fixture(scope="module")
def whole() -> vg.Tuning:
    return tuned()


def test_what_is_tried_is_in_its_range(whole: vg.Tuning) -> None:
    assert [t.number for t in whole.trials] == list(range(14))
    for t in whole.trials:
        assert 1e-4 <= t.options["lr"] <= 10 and t.options["width"] in range(2, 10)
        assert t.options["kind"] in ("relu", "tanh")
    assert len({tuple(t.options.values()) for t in whole.trials}) > 10


def test_a_trial_is_what_its_run_is(whole: vg.Tuning) -> None:
    for trial in (whole.best, whole.trials[0]):
        program = build(**trial.options, backend=backend())
        history = vg.fit(program, TRAIN, validation=VALID, epochs=4, batch_size=20)
        assert history["validation_loss"][: len(trial.values)] == list(trial.values)
    done = [t.value for t in whole.trials if t.value is not None]
    assert whole.best.value == min(done) and len(whole.best.values) == 4


def test_a_trial_ends_where_it_is_worse_than_the_median(whole: vg.Tuning) -> None:
    pruned = [t for t in whole.trials if t.ended == "pruned"]
    assert pruned and all(t.number >= 6 and len(t.values) < 4 for t in pruned)
    for t in whole.trials:
        bar = bars("loss", whole.trials[: t.number // 6 * 6])
        best = [min(t.values[: k + 1]) for k in range(len(t.values))]
        over = [k for k, b in enumerate(bar[: len(best)]) if b is not None and best[k] > b]
        assert over == ([len(t.values) - 1] if t.ended == "pruned" else [])
    free = tuned(prune=False, trials=12)
    assert {t.ended for t in free.trials} == {"done"}


@pytest.mark.parametrize("jobs", [2, 3])
def test_the_table_is_the_same_for_any_number_of_jobs(whole: vg.Tuning, jobs: int) -> None:
    assert tuned(jobs=jobs).trials == whole.trials


def test_jobs_that_are_faster_or_slower_change_nothing(whole: vg.Tuning) -> None:
    here = backend()

    def late(lr: float, **rest: Any) -> vg.Program:
        time.sleep(lr % 0.05)  # any other order
        return build(lr, **rest, backend=here)

    assert tuned(build=late, jobs=2, trials=8).trials == whole.trials[:8]


def test_a_tuning_goes_on_where_it_was_ended(whole: vg.Tuning, tmp_path: Path) -> None:
    path = tmp_path / "a b?c#%41&ä.db"  # no part of a URL
    for trials, jobs in ((3, 1), (7, 2), (14, 1), (14, 1)):
        found = tuned(study=path, trials=trials, jobs=jobs)
        assert found.trials == whole.trials[:trials]
    assert str(found) == str(whole) and [*tmp_path.iterdir()] == [path]


def test_a_tuning_that_is_killed_in_a_trial_ends_with_the_same_table(
    whole: vg.Tuning, tmp_path: Path
) -> None:
    script = """
import os, signal, sys
import test_tune
calls = 0
def deadly(**options):
    global calls
    calls += 1
    if calls == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return test_tune.build(**options, backend=sys.argv[2])
test_tune.tuned(build=deadly, study=sys.argv[1])
"""
    path = tmp_path / "study.db"
    folders = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    code = f"import sys; sys.path[:0] = {folders}\n{script}"
    ended = subprocess.run(
        [sys.executable, "-c", code, path, backend()], capture_output=True, check=False
    )
    assert ended.returncode == -9, ended.stderr
    with sqlite3.connect(path) as kept:
        assert kept.execute("select count(*) from trials").fetchone() == (8,)
    assert tuned(study=path).trials == whole.trials


def test_a_file_of_another_tuning_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    tuned(study=path, trials=1)
    for other in ({"seed": 6}, {"epochs": 5}, {"by": "accuracy"}, {"ranges": {"lr": "1..2"}}):
        with pytest.raises(vg.RunError, match=r"was begun with|the study"):
            tuned(study=path, **other)
    with pytest.raises(vg.RunError, match="was begun with data"):
        tuned(study=path, validation={**VALID, "x": VALID["x"] + 1})
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(vg.RunError, match="the study cannot be kept: file is not a database"):
        tuned(study=path)
    for bad in (tmp_path, tmp_path / "none" / "study.db"):
        with pytest.raises(vg.RunError, match="cannot be written"):
            tuned(study=bad)


def test_a_study_of_the_user_has_its_sampler_and_its_trials() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    before = optuna.logging.get_verbosity()
    ranges = {"lr": optuna.distributions.FloatDistribution(0.1, 0.2)}
    one = tuned(study=study, ranges=ranges, build=lambda lr: build(lr, 3, "relu"), trials=3)
    assert [t.params["lr"] for t in study.trials] == [t.options["lr"] for t in one.trials]
    assert study.best_value == one.best.value
    assert study.trials[0].intermediate_values == dict(enumerate(one.trials[0].values, 1))
    assert optuna.logging.get_verbosity() == before
    with pytest.raises(vg.RunError, match="'accuracy' is to maximize"):
        tuned(study=study, by="accuracy")
    with pytest.raises(vg.RunError, match="a path or a study of Optuna"):
        tuned(study=3)


def test_a_grid_is_tried_whole_over_several_rounds() -> None:
    grid = {"width": [2, 3, 4], "kind": ["relu", "tanh"], "lr": [0.1]}
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(grid, seed=0))
    ranges = {**RANGES, "width": "2..4", "kind": ["relu", "tanh"]}
    found = tuned(study=study, ranges=ranges, trials=6, round_size=2, epochs=1)
    tried = {(t.options["width"], t.options["kind"]) for t in found.trials}
    assert len(tried) == 6


def test_the_pruning_of_a_loop_of_the_users_own() -> None:
    def objective(trial: Any) -> float:
        program = build(trial.suggest_float("lr", 1e-4, 1, log=True), 4, "relu")
        told = vg.Pruning(trial)
        vg.fit(program, TRAIN, validation=VALID, epochs=3, callbacks=told)
        assert told.best is not None
        return told.best

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.ThresholdPruner(upper=1.2)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), pruner=pruner)
    study.optimize(objective, n_trials=6)
    states = {t.state.name for t in study.trials}
    assert states <= {"COMPLETE", "PRUNED"} and "PRUNED" in states
    assert all(t.intermediate_values for t in study.trials)
    with pytest.raises(vg.RunError, match="a trial of Optuna"):
        vg.Pruning(3)


def test_runs_that_fail_are_rows_like_others() -> None:
    def odd(lr: float) -> vg.Program:
        if lr < 0.4:
            raise vg.RunError("no such rate\nat all")
        return build(1e30 if lr < 0.7 else lr, 3, "relu")

    found = tuned(build=odd, ranges={"lr": "0.0..1"}, trials=12, jobs=2)
    ended = {t.ended for t in found.trials}
    assert "failed: no such rate" in ended and any(e.startswith("not finite in") for e in ended)
    assert found.best.options["lr"] >= 0.7
    with pytest.raises(vg.RunError, match="every trial failed: no such rate"):
        tuned(build=odd, ranges={"lr": "0.0..0.3"}, trials=8)
    diverges = tuned(build=odd, ranges={"lr": "0.4..0.6"}, trials=2)
    with pytest.raises(vg.RunError, match="none of 2 trials came to its end: the first not fin"):
        _ = diverges.best


def test_a_bug_in_a_builder_ends_the_tuning() -> None:
    with pytest.raises(TypeError):
        tuned(build=lambda rate: None, trials=1)
    with pytest.raises(ZeroDivisionError):
        tuned(build=lambda **_: 1 / 0, jobs=2, trials=2)


def test_options_of_fit_go_to_fit() -> None:
    ranges = {
        "lr": [0.1],
        "batch_size": "10..30",
        "epochs": [1, 2],
        "sampler": ["shuffled", "balanced"],
    }
    ranges["lr"] = "0.1..0.2"
    found = tuned(ranges=ranges, build=lambda lr: build(lr, 3, "relu"), trials=5, epochs=None)
    for t in found.trials:
        assert len(t.values) in (t.options["epochs"], 1) and 10 <= t.options["batch_size"] <= 30


def test_a_metric_is_followed_as_it_is_to_grow_or_not() -> None:
    found = tuned(by="f1", trials=7)
    assert found.best.value == max(t.value for t in found.trials if t.value is not None)
    assert "validation f1" in str(found)
    found = tuned(by="log_loss", trials=7)
    assert found.best.value == min(t.value for t in found.trials if t.value is not None)
    with pytest.raises(vg.RunError, match="every trial failed: rmse is a metric of regression"):
        tuned(by="rmse")


def test_accuracy_is_followed_upwards() -> None:
    found = tuned(by="accuracy", keep_best=True, trials=7)
    assert found.best.value == max(t.value for t in found.trials if t.value is not None)
    assert all(t.value in (None, max(t.values)) for t in found.trials)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ranges": {"lr": "1e-3"}}, r"lr is '1e-3', where a range is expected, e.g."),
        ({"ranges": {"lr": "2..1"}}, r"lr: '2..1' is no range: A < B is expected in A..B"),
        ({"ranges": {"lr": "log:0..1"}}, r"0 < A < B is expected in log:A..B"),
        ({"ranges": {"lr": "a..b"}}, "lr: 'a' is no number"),
        ({"ranges": {"lr": "0..inf"}}, "lr: '0..inf' is no range"),
        ({"ranges": {"lr": "nan..1"}}, "lr: 'nan..1' is no range"),
        ({"ranges": {"lr": "1..2..3"}}, "lr: '2..3' is no number"),
        ({"ranges": {"lr": [1]}}, r"lr: \[1\] gives no choice"),
        ({"ranges": {"lr": []}}, "gives no choice"),
        ({"ranges": {"lr": [1, 1]}}, "gives no choice"),
        ({"ranges": {"lr": 3}}, "lr is 3, where a range is expected"),
        ({"ranges": {}}, "ranges is empty"),
        ({"ranges": 3}, "a dict such as"),
        ({"build": 3}, "build is 3, where a function that compiles a program is expected"),
        ({"trials": 0}, "trials is 0"),
        ({"jobs": 1.5}, "jobs is 1.5"),
        ({"round_size": -1}, "round_size is -1"),
        ({"by": "f2"}, "by is 'f2'"),
        ({"epochs": None}, "tune takes epochs="),
    ],
)  # fmt: skip
def test_arguments_that_are_none_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(vg.RunError, match=message):
        tuned(**given)


def test_choices_of_any_kind_are_kept(tmp_path: Path) -> None:
    def any_build(hidden: tuple[int, ...], init: Any) -> vg.Program:
        assert isinstance(hidden, tuple)
        return vg.compile(net(4, *hidden, 3), optimizer=vg.SGD(0.1), certify=False)

    ranges = {"hidden": [(), (3,), (3, 4)], "init": [None, vg.init.zeros()]}
    first, again = [
        tuned(build=any_build, ranges=ranges, trials=4, study=tmp_path / "s.db") for _ in range(2)
    ]
    assert first.trials == again.trials and "3,4" in str(first)


def test_bars_are_medians_of_runs_that_came_to_their_end() -> None:
    def trial(*values: float, done: bool = True) -> Trial:
        return Trial(0, {}, values[-1] if done else None, values, "done" if done else "pruned")

    few = [trial(9.0, float(k), 1.0) for k in range(STARTUP - 1)]
    assert bars("loss", []) == () and bars("loss", few) == (None, None)
    assert bars("loss", [*few, trial(9.0, 9.0, done=False)]) == (None, None)
    assert bars("loss", [*few, trial(9.0, math.nan, 1.0)]) == (None, 2.0)
    assert bars("accuracy", [*few, trial(9.0, math.nan, 1.0)]) == (None, 1.0)


def test_the_table_and_the_picture_show_each_trial(whole: vg.Tuning, tmp_path: Path) -> None:
    lines = str(whole).splitlines()
    assert lines[0].split() == ["trial", "lr", "width", "kind", "validation", "loss", "epochs"]
    assert len(lines) == 15 and any(line.endswith("  pruned") for line in lines)
    whole.to_svg(tmp_path / "tuning.svg")
    text = (tmp_path / "tuning.svg").read_text()
    for words in ("lr", "width", "kind", "relu", "tanh", "validation loss", "ended early"):
        assert f"<!-- {words} -->" in text
    assert "pruned" in whole._repr_mimebundle_()["text/html"]
    again = pickle.loads(pickle.dumps(whole))
    assert again.trials == whole.trials and str(again) == str(whole)
    again.to_svg(tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == text

"""`verigrad tune`: ranges of options, the same table for any jobs and kills, and the best run."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from invoking import run
from test_options import DROPPED, OTHER

import verigrad as vg
from verigrad.runtime.command.cli import cli
from verigrad.runtime.command.ranged import read_options
from verigrad.runtime.command.run_options import RunOptions
from verigrad.runtime.command.settings import Settings

pytest.importorskip("optuna")
TUNE = (
    "tune", "--lr", "log:1e-3..1", "--hidden", "4:8,4:", "--keep", "0.5..1", "--epochs", 2,
    "--batch-size", 400, "--trials", 7, "--round-size", 6,
)  # fmt: skip


def told(*arguments: object) -> dict[str, Any]:
    """What a tuning prints as JSON."""
    result = run(*TUNE, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return told()


def test_the_table_is_the_same_for_any_number_of_jobs(whole: dict[str, Any]) -> None:
    assert told("--jobs", 2) == whole
    assert len(whole["trials"]) == 7 and {t["ended"] for t in whole["trials"]} <= {"done", "pruned"}
    assert {t["options"]["hidden"] for t in whole["trials"]} <= {"4", "8,4", ""}


def test_it_ends_with_the_folder_of_the_best_run(whole: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "best run"
    result = run(*TUNE, "--jobs", 2, "--out", out, "--svg", tmp_path / "a.svg")
    assert result.exit_code == 0, result.stderr
    table, (best, tested, *_) = result.stdout.splitlines()[:8], result.stdout.splitlines()[8:]
    assert len(table) == 8 and best.startswith(f"best: trial {whole['best']}, verigrad train")
    assert tested.startswith("test accuracy") and "Warning" not in result.stderr
    assert {"model.safetensors", "config.toml", "report.html", "tuning.svg"} <= {
        p.name for p in out.iterdir()
    }
    assert (tmp_path / "a.svg").read_text() == (out / "tuning.svg").read_text()
    assert json.loads((out / "tuning.json").read_text()) == {**whole, "out": str(out)}
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    expected = whole["trials"][whole["best"]]
    assert [row["validation_loss"] for row in rows] == expected["values"]
    again = run(*shlex.split(best.split("verigrad ")[1]), "--threads", 1, "--out", tmp_path / "b")
    assert again.exit_code == 0, again.stderr
    for name in ("model.safetensors", "config.toml"):
        same = [(folder / name).read_bytes() for folder in (out, tmp_path / "b")]
        assert same[0] == same[1], name


def test_a_tuning_that_is_killed_goes_on(whole: dict[str, Any], tmp_path: Path) -> None:
    """Killed in a trial, and where the best run is half written."""
    kept = ("--out", tmp_path / "run")
    given = [str(a) for a in (*TUNE, *kept)]
    script = f"""
import os, signal, sys
from verigrad.runtime.command import trials
from verigrad.runtime.command.cli import cli
from verigrad.runtime.command.folder import Folder
def deadly(owner, name, left):
    call = getattr(owner, name)
    def counted(*args, **options):
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **options)
    setattr(owner, name, counted)
if sys.argv[1] == "trial":
    deadly(trials, "compiled", 4)
else:
    deadly(Folder, sys.argv[1], 1)
cli({given})
"""
    for where in ("trial", "save"):
        done = subprocess.run([sys.executable, "-c", script, where], capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
    found = told(*kept)
    assert found == {**whole, "out": str(tmp_path / "run")}
    assert (tmp_path / "run" / "report.html").exists()


def test_a_folder_with_another_run_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("mine")
    short = ("tune", "--lr", "0.1..1", "--epochs", 1, "--hidden", "", "--trials", 1)
    result = run(*short, "--out", tmp_path)
    assert result.exit_code == 2 and "already holds a run" in result.stderr
    assert (tmp_path / "model.safetensors").read_text() == "mine"
    (tmp_path / "tuning.json").write_bytes(b"[garbage\xff")
    assert run(*short, "--out", tmp_path).exit_code == 2
    assert run(*short, "--out", tmp_path, "--overwrite").exit_code == 0
    assert vg.load(tmp_path / "model.safetensors").step_number == 26
    other = ("tune", "--lr", "0.1..2", *short[3:], "--out", tmp_path)
    assert run(*other).exit_code == 2
    assert run(*other, "--overwrite").exit_code == 0


def test_the_best_run_is_a_line_that_train_takes(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('[train]\nbatch_norm = true\nlog_to = ["csv"]\n')
    given = ("--config", tmp_path / "run.toml", "--recompute", "true", "--memory-limit", "90MB")
    given = (*given, "--lr", "0.1..1", "--epochs", 1, "--hidden", "2", "--trials", 1)
    result = run("tune", *given, "--out", tmp_path / "best")
    assert result.exit_code == 0, result.stderr
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("best: trial 0")]
    words = shlex.split(line)
    assert "--batch-norm" in words and "--recompute" in words and "true" not in words
    assert words[words.index("--log-to") + 1] == "csv"
    assert (tmp_path / "best" / "metrics.csv").exists()
    assert run(*words[4:], "--out", tmp_path / "again").exit_code == 0
    lost = run("tune", *given)
    assert lost.exit_code == 2 and "--log-to has no effect without --out" in lost.stderr
    bad = run("tune", *given, "--log-to", "cvs", "--out", tmp_path / "c")
    assert bad.exit_code == 2 and "did you mean 'csv'" in bad.stderr


def test_options_come_from_a_file_and_the_line_wins(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        '[train]\nlr = "log:1e-3..1e-1"\nhidden = [4]\nsteps = 2\nthreads = 3\nbatch_norm = true\n'
        "keep = [0.5]\n"
    )
    given = ("tune", "--config", path, "--trials", 2, "--batch-norm", "on:off", "--epochs", 1)
    result = run(*given, "--keep-best", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert set(found["asked"]["ranges"]) == {"lr", "batch_norm"}
    assert found["asked"]["epochs"] == "1" and found["asked"]["keep_best"] == "loss"
    assert "steps" not in found["asked"] and found["asked"]["hidden"] == "4"


@pytest.mark.parametrize("name", OTHER)
def test_every_option_of_training_is_read_as_train_reads_it(name: str) -> None:
    given = [str(a) for a in (*DROPPED, *OTHER[name])]
    values: dict[str, Any] = {}
    for option, value in zip(given, [*given[1:], "--"], strict=True):
        if option.startswith("--"):
            values[option[2:].replace("-", "_")] = True if value.startswith("--") else value
    several = {p.name for p in cli.commands["train"].params if getattr(p, "multiple", False)}
    values = {k: [v] if k in several else v for k, v in values.items()}
    settings, run_options = read_options(values)
    assert getattr(settings, name) != Settings._field_defaults[name]
    assert run_options == RunOptions()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "nothing is tried: give a range, e.g. --lr log:1e-3..1e-1"),
        (("--lr", "1..0.1"), "'--lr': '1..0.1' is no range: A < B is expected in A..B"),
        (("--lr", "log:-1..1"), "'--lr': 'log:-1..1' is no range: 0 < A < B is expected"),
        (("--lr", "log:1e-3"), "'--lr': 'log' is not a valid float"),
        (("--lr", "a..b"), "'--lr': 'a' is not a valid float"),
        (("--lr", "0.1.."), "'--lr': '' is not a valid float"),
        (("--lr", "0.1:0.1"), "'--lr': ['0.1', '0.1'] gives no choice"),
        (("--batch-size", "0..10"), "'--batch-size': 0 is not in the range"),
        (("--batch-size", "1.5..10"), "'--batch-size': '1.5' is not a valid integer"),
        (("--optimizer", "adam:sgdd"), "'--optimizer': 'sgdd' is not one of 'sgd'"),
        (("--optimizer", "adam..sgd"), "'--optimizer': 'adam..sgd' is no range: it takes no num"),
        (("--hidden", "64:a"), "'--hidden': 'a' are no layer sizes"),
        (("--hidden", "64,64..128,128"), "is no range: it takes no numbers"),
        (("--batch-norm", "on:perhaps"), "'--batch-norm': 'perhaps' is not a valid boolean"),
        (("--data", "digits:digits", "--lr", "0..1"), "digits:digits"),
        (("--split-seed", "0..3", "--lr", "0..1"), "'--split-seed': '0..3' is not a valid integer"),
        (("--lr", "0..1", "--steps", "3", "--epochs", "3"), "--epochs and --steps exclude each"),
        (("--label-smoothing", "0..0.5"), "--label-smoothing changes the loss itself"),
        (("--class-weight", "balanced:1=2"), "--class-weight changes the loss itself"),
        (("--lr", "0..1", "--overwrite"), "--overwrite has no effect without --out"),
        (("--lr", "0..1", "--jobs", "0"), "--jobs"),
        (("--lr", "0..1", "--svg", "/no/such/a.svg"), "/no/such/a.svg"),
        (("--lr", "0..1", "--study", "/no/such/s.db"), "cannot be written"),
    ],
    ids=" ".join,
)
def test_what_is_no_range_is_named(given: tuple[str, ...], message: str) -> None:
    result = run("tune", *given)
    assert result.exit_code == 2 and message in " ".join(result.stderr.split()), result.stderr


def test_a_metric_is_that_of_the_task(tmp_path: Path) -> None:
    rows = [f"{i % 7},{i % 5},{i % 7 + i % 5}" for i in range(80)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *rows, ""]))
    data = ("--data", tmp_path / "t.csv", "--target", "y", "--task", "regression")
    given = ("tune", *data, "--loss", "mae:mse", "--hidden", "", "--epochs", 1, "--trials", 2)
    result = run(*given, "--by", "rmse", "--metrics", "mae", "--out", tmp_path / "best")
    assert result.exit_code == 0 and "validation rmse" in result.stdout
    assert "--metrics mae,rmse" in result.stdout and "Warning: the run came" not in result.stderr
    row = json.loads((tmp_path / "best" / "metrics.jsonl").read_text())
    assert {"validation_rmse", "validation_mae"} <= set(row)
    result = run(*given)
    assert result.exit_code == 2 and "--loss changes the loss itself" in result.stderr
    result = run(*given, "--by", "accuracy")
    assert result.exit_code == 2
    assert "accuracy is a metric of classification, and this is regression" in result.stderr


def test_choices_with_colons_are_divided_by_bars() -> None:
    given = ("--init", "he_normal|normal:0.01", "--epochs", 1, "--hidden", "", "--trials", 3)
    result = run("tune", *given, "--json")
    assert result.exit_code == 0, result.stderr
    options = {t["options"]["init"] for t in json.loads(result.stdout)["trials"]}
    assert options <= {"he_normal", "normal:0.01"}


def test_trials_that_cannot_be_are_rows_and_the_error_where_all_are() -> None:
    given = ("tune", "--hidden", "4:4,4", "--keep", "0.5,0.6", "--epochs", 1, "--trials", 6)
    result = run(*given)
    assert (
        result.exit_code == 0 and "failed: --keep has 2 numbers, and there are 1" in result.stdout
    )
    result = run(*given[:2], "4:5", *given[3:])
    assert result.exit_code == 2
    assert "every trial failed: --keep has 2 numbers" in result.stderr

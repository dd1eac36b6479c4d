"""`verigrad resume`: a run that is killed at any moment ends with the bits of one that is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import killing
import pytest
from effort import EFFORT
from invoking import run

import verigrad as vg
from verigrad.runtime.command import resume as resume_command
from verigrad.runtime.files.program_file import RunState, save
from verigrad.runtime.loading import load_run

EVERY = max(1, round(7 / EFFORT))
"""A kill at every so-manieth boundary of a write: a prime, so that it meets each kind of them."""
SHORT = ("--epochs", 2, "--hidden", 8, "--batch-size", 200)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert run("train", *SHORT, "--out", folder).exit_code == 0
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def killed(what: str, folder: Path, *arguments: object) -> dict[str, Any]:
    """What the runs that were killed came to."""
    script = [sys.executable, killing.__file__, what, str(folder), json.dumps(arguments)]
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(script, capture_output=True, text=True, env=one_thread, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_killed_at_any_boundary_of_a_write_it_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    told = killed("writes", tmp_path, True, EVERY)
    assert told["wrong"] == []
    assert told["killed"] - told["unbegun"] > 30 // EVERY
    assert told["unbegun"] > 10 // EVERY


@pytest.mark.parametrize("steps", [[1], [13], [14, 1, 2], [5, 9, 3, 1], [20]], ids=str)
def test_killed_at_any_step_it_goes_on_to_the_same_bits(tmp_path: Path, steps: list[int]) -> None:
    told = killed("steps", tmp_path, steps)
    assert told["wrong"] == []
    assert told["codes"] == [-9] * len(steps) + [0]


def test_one_bit_that_differs_is_seen(folder: Path) -> None:
    expected = killing.outcome(folder)
    assert killing.differences(folder, expected) == []
    program, state = load_run(folder / "checkpoint.safetensors")
    weights = program.parameters["fc1.weight"].copy()
    weights.view("u4")[3, 5] ^= 1
    program.parameters["fc1.weight"] = weights
    save(program._content()._replace(run=state), folder / "checkpoint.safetensors")
    assert killing.differences(folder, expected) == ["values"]
    program.save(folder / "model.safetensors")
    assert killing.differences(folder, expected) == ["model", "values"]


FILES = (
    "config.toml", "curves.svg", "declared.svg", "metrics.jsonl", "model.safetensors",
    "report.html", "report.txt", "training.svg",
)  # fmt: skip


def test_a_finished_run_gets_its_missing_files_again(folder: Path) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    for name in FILES:
        (folder / name).unlink()
    (folder / ".verigrad-0123456789abcdef.part").write_bytes(b"a write that was cut")
    result = run("resume", folder)
    assert result.exit_code == 0
    assert "the run is finished, after 14 steps" in result.stderr
    after = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert sorted(after) == sorted(before)
    # Those tell the lines of code.
    for name in set(after) - {"declared.svg", "training.svg", "report.html"}:
        assert after[name] == before[name], name
    assert b"<svg" in after["declared.svg"] and b"<svg" in after["training.svg"]


def test_rows_after_the_checkpoint_are_dropped(folder: Path) -> None:
    before = (folder / "metrics.jsonl").read_text()
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "step": 21, "train_lo')
    assert run("resume", folder).exit_code == 0
    assert (folder / "metrics.jsonl").read_text() == before


def test_a_run_that_was_interrupted_goes_on(tmp_path: Path, monkeypatch: Any) -> None:
    import signal

    step = vg.Program._step

    def press(self: vg.Program, feeds: Any) -> float:
        loss = step(self, feeds)
        if self.step_number == 9:
            os.kill(os.getpid(), signal.SIGINT)
        return loss

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run("train", *SHORT, "--keep", "0.7", "--out", whole).exit_code == 0
    with monkeypatch.context() as patched:
        patched.setattr(vg.Program, "_step", press)
        stopped = run("train", *SHORT, "--keep", "0.7", "--out", cut)
    assert stopped.exit_code == 130
    assert f"verigrad resume {cut} goes on with the run" in stopped.stderr
    assert vg.load(cut / "checkpoint.safetensors").step_number == 9
    result = run("resume", cut, "--json")
    assert "going on after 9 of 14 steps" in result.stderr
    assert json.loads(result.stdout)["steps"] == 14
    assert killing.differences(cut, killing.outcome(whole)) == []


def test_a_folder_without_a_checkpoint_is_said_to_have_none(folder: Path) -> None:
    (folder / "checkpoint.safetensors").unlink()
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    for missing in (folder, folder / "nothing"):
        result = run("resume", missing)
        assert result.exit_code == 2
        assert "holds no checkpoint (checkpoint.safetensors)" in result.stderr
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert not (folder / "nothing").exists()


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("numpy", "NumPy was 1 when the checkpoint was written"),
        ("blas", "the BLAS was 1"),
        ("threads", "the number of threads was 1"),
    ],
)
def test_other_versions_are_warned_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, key: str, told: str
) -> None:
    program, state = load_run(folder / "checkpoint.safetensors")
    assert state is not None
    held = {**state.told["versions"], key: "1"}
    now = {**state.told["versions"], key: "2"}
    monkeypatch.setattr(resume_command, "versions", lambda: now)
    changed = RunState({**state.told, "versions": held}, state.arrays)
    save(program._content()._replace(run=changed), folder / "checkpoint.safetensors")
    result = run("resume", folder)
    assert result.exit_code == 0
    assert f"Warning: {told}" in result.stderr and "and is 2 now" in result.stderr


def test_the_same_versions_are_not_warned_of(folder: Path) -> None:
    assert "Warning" not in run("resume", folder).stderr


def test_a_saved_program_is_no_checkpoint(folder: Path) -> None:
    shutil.copy(folder / "model.safetensors", folder / "checkpoint.safetensors")
    result = run("resume", folder)
    assert result.exit_code == 2
    assert "is a saved program and no checkpoint" in result.stderr


def test_a_broken_checkpoint_costs_nothing_of_the_run(folder: Path) -> None:
    path = folder / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    result = run("resume", folder)
    assert result.exit_code == 2
    assert "cannot be loaded: it is no complete verigrad program" in result.stderr
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_training_into_the_folder_names_resume(folder: Path) -> None:
    result = run("train", "--out", folder)
    assert result.exit_code == 2
    assert f"verigrad resume {folder} goes on with it" in result.stderr


def test_data_that_changed_is_refused(tmp_path: Path) -> None:
    rows = [f"{i % 7},{i % 3},{'ab'[i % 2]}" for i in range(60)]
    path, out = tmp_path / "data.csv", tmp_path / "run"
    path.write_text("\n".join(["size,noise,kind", *rows]))
    given = ("--data", path, "--target", "kind", "--hidden", "", "--batch-size", 10)
    assert run("train", *given, "--epochs", 1, "--out", out).exit_code == 0
    path.write_text("\n".join(["size,noise,kind", *rows[:-1], "9,9,a"]))
    result = run("resume", out)
    assert result.exit_code == 2
    assert "is the checkpoint of a run whose training data was" in result.stderr


@pytest.mark.parametrize("sampler", ["replacement", "sequential", "balanced"])
def test_options_of_the_course_are_kept_for_resume(tmp_path: Path, sampler: str) -> None:
    options = ("--keep-best", "--early-stopping", 5, "--sampler", sampler, "--steps", 9)
    assert run("train", *options, "--hidden", 8, "--out", tmp_path).exit_code == 0
    told = (tmp_path / "config.toml").read_text()
    for line in ('keep_best = "loss"', "early_stopping = 5", f'sampler = "{sampler}"', "steps = 9"):
        assert line in told
    assert "epochs" not in told
    expected = killing.outcome(tmp_path)
    assert run("resume", tmp_path).exit_code == 0
    assert killing.differences(tmp_path, expected) == []


def test_early_stopping_ends_the_run_and_resume_leaves_it_ended(tmp_path: Path) -> None:
    options = (
        "--lr",
        0,
        "--schedule",
        "constant",
        "--early-stopping",
        3,
        "--epochs",
        50,
        *SHORT[2:],
    )
    assert run("train", *options, "--out", tmp_path).exit_code == 0
    expected = killing.outcome(tmp_path)
    assert [row["epoch"] for row in expected["rows"]] == [1, 2, 3, 4]
    assert "the run is finished" in run("resume", tmp_path).stderr
    assert killing.differences(tmp_path, expected) == []


def test_epochs_and_steps_exclude_each_other() -> None:
    result = run("train", "--epochs", 3, "--steps", 5)
    assert result.exit_code == 2
    assert "--epochs and --steps exclude each other" in result.stderr


@pytest.mark.parametrize(
    "config", ["", "[]", '{"train": {"hidden": "x"}}', '{"train": {"lr": []}}']
)
def test_settings_that_are_none_are_named_with_the_file(folder: Path, config: str) -> None:
    path = folder / "checkpoint.safetensors"
    program, state = load_run(path)
    assert state is not None
    save(
        program._content()._replace(
            run=RunState({**state.told, "notes": {"config": config}}, state.arrays)
        ),
        path,
    )
    result = run("resume", folder)
    assert result.exit_code == 2
    assert "checkpoint.safetensors cannot be gone on with: its " in result.stderr

"""`verigrad replay`: a step that was not finite, made again; the exit code says how it ended."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from invoking import run

import verigrad as vg
from verigrad.runtime.training.replay import Replay


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that came to no end."""
    path = tmp_path_factory.mktemp("runs") / "a run"
    result = run("train", "--lr", 1e30, "--keep", 0.9, "--out", path)
    assert result.exit_code == 3
    kept = f"the step is kept: verigrad replay '{path}/failed-step.safetensors' makes it again"
    assert kept in result.stderr
    return path


def test_it_prints_the_same_and_is_done(folder: Path) -> None:
    result = run("replay", folder / "failed-step.safetensors")
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout == f"{vg.replay(folder / 'failed-step.safetensors')}\n"
    assert result.stdout.startswith("step 1 is not finite: %fc")
    assert result.stdout.endswith("it is as it was then: the same node, value and rows\n")
    assert run("replay", folder).stdout == result.stdout


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_as_json_it_is_one_object(folder: Path, backend: str) -> None:
    result = run("replay", folder, "--json", "--backend", backend)
    told = json.loads(result.stdout)
    assert result.exit_code == 0 and told["reproduced"] is True
    assert told["bundle"] == str(folder / "failed-step.safetensors")
    assert told["diagnosis"]["node"] == told["then"]["node"]
    assert told["diagnosis"]["data_rows"] == told["then"]["data_rows"]
    assert len(told["diagnosis"]["rows"]) == len(told["diagnosis"]["data_rows"]) > 0
    assert {r["name"] for r in told["diagnosis"]["reads"]} >= {told["diagnosis"]["node"] + ".bias"}


def test_what_does_not_happen_again_is_a_failed_check(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Replay, "reproduced", False)
    result = run("replay", folder)
    assert result.exit_code == 1
    assert "it did not happen again as it was then" in result.stdout


def test_another_file_is_wrong_usage(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "model.safetensors", tmp_path, tmp_path / "nothing"):
        result = run("replay", path)
        assert result.exit_code == 2 and result.stdout == ""
        assert result.stderr.startswith("Error: ")


def test_a_new_run_in_its_place_leaves_no_old_step(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "failed-step.safetensors").write_bytes(
        (folder / "failed-step.safetensors").read_bytes()
    )
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    arguments = ("--out", tmp_path, "--overwrite", "--steps", 1, "--hidden", 4)
    assert run("train", *arguments).exit_code == 0
    assert not (tmp_path / "failed-step.safetensors").exists()


def test_a_run_that_is_gone_on_with_keeps_the_same_step(folder: Path) -> None:
    before = vg.replay(folder / "failed-step.safetensors")
    result = run("resume", folder)
    assert result.exit_code == 3 and "the step is kept" in result.stderr
    assert vg.replay(folder / "failed-step.safetensors").diagnosis == before.diagnosis


def test_a_full_disk_hides_neither_the_error_nor_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).name in ("model.safetensors", "failed-step.safetensors"):
            kept.append(Path(target).name)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    result = run("train", "--lr", 1e30, "--out", tmp_path)
    assert result.exit_code == 3 and kept == ["failed-step.safetensors", "model.safetensors"]
    assert "Error: step 1 is not finite: %fc" in result.stderr
    for what, name in (("step", "failed-step"), ("model", "model")):
        told = f"the {what} could not be {'kept' if what == 'step' else 'saved'}: "
        assert f"{told}{tmp_path / name}.safetensors cannot be written: No space" in result.stderr
    assert not list(tmp_path.glob("*.part")) and not (tmp_path / "model.safetensors").exists()

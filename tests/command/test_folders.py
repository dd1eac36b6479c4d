"""The folder of a run: one run at a time, none that never began, and pictures that may fail."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from invoking import run

import verigrad as vg
from verigrad.graph.errors import WriteError
from verigrad.graph.pictures import rendering
from verigrad.graph.writing import lock_folder
from verigrad.runtime.command import folder as folder_module
from verigrad.runtime.loggers import files

SHORT = ("train", "--hidden", 8, "--epochs", 1, "--out")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "engines", lambda form: iter(()))


def test_a_second_run_in_a_folder_is_refused(tmp_path: Path) -> None:
    assert run(*SHORT, tmp_path).exit_code == 0
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    live = lock_folder(tmp_path)
    for command in ((*SHORT, tmp_path), (*SHORT, tmp_path, "--overwrite"), ("resume", tmp_path)):
        result = run(*command)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: {tmp_path} is in use: another run")
    os.close(live)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert run("resume", tmp_path).exit_code == 0


def test_a_run_that_ended_before_its_first_checkpoint_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise vg.RunError("not yet")

    with monkeypatch.context() as patched:
        patched.setattr("verigrad.runtime.command.training_run.fit", fail)
        assert run(*SHORT, tmp_path).exit_code == 2
    assert {p.name for p in tmp_path.iterdir()} == {"config.toml", "metrics.jsonl"}
    assert run("resume", tmp_path).exit_code == 2
    assert run(*SHORT, tmp_path).exit_code == 0
    assert run(*SHORT, tmp_path).exit_code == 2


@pytest.mark.parametrize("name", ["config.toml", "model.safetensors", "metrics.jsonl"])
def test_files_of_the_user_are_not_lost(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    assert f"already holds a run ({name})" in run(*SHORT, tmp_path).stderr
    assert (tmp_path / name).read_text() == "mine"


def test_without_a_program_pictures_are_dot(tmp_path: Path) -> None:
    result = run(*SHORT, tmp_path)
    assert result.exit_code == 0 and "test accuracy" in result.stdout
    for name in ("declared", "training"):
        assert (tmp_path / f"{name}.dot").read_text().startswith("digraph mlp {")
        told = f"{name}.dot stands for {name}.svg: no Graphviz program is installed"
        assert [line for line in result.stderr.splitlines() if line.startswith(told)]
    result = run("graph", "-o", tmp_path / "g.svg")
    assert result.exit_code == 1 and (tmp_path / "g.dot").exists()
    assert f"g.dot stands for {tmp_path / 'g.svg'}: no Graphviz program" in result.stderr


@pytest.mark.parametrize("name", ["curves.svg", "declared.svg", "metrics.jsonl"])
def test_a_full_disk_is_one_line_and_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(path: Path, *text: str) -> None:
        if path.name == name:
            raise WriteError(f"{path} cannot be written: {os.strerror(errno.ENOSPC)}")
        write(path, *text)

    lines = name == "metrics.jsonl"
    module, method = (files, "append_line") if lines else (folder_module, "write_whole")
    write = getattr(module, method)
    monkeypatch.setattr(module, method, full)
    monkeypatch.setattr("verigrad.runtime.command.training_run.draw_curves", lambda *_: "<svg/>")
    monkeypatch.setattr(vg.Graph, "to_svg", lambda g, path: full(path, "<svg/>"))
    result = run(*SHORT, tmp_path)
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last == f"Error: {tmp_path / name} cannot be written: No space left on device"
    assert ("test accuracy" in result.stdout) == (name != "metrics.jsonl")
    assert not (tmp_path / "training.svg").exists()


def test_a_report_that_a_full_disk_refuses_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: vg.Program, path: Path, *args: object, **options: object) -> None:
        raise WriteError(f"{path} cannot be written: {os.strerror(errno.ENOSPC)}")

    monkeypatch.setattr(vg.Program, "report", full)
    result = run(*SHORT, tmp_path)
    last = result.stderr.splitlines()[-1]
    assert last == f"Error: {tmp_path / 'report.html'} cannot be written: No space left on device"
    assert result.exit_code == 1 and "test accuracy" in result.stdout

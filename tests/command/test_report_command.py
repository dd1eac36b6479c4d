"""`verigrad report`, and the report that a run leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from invoking import run

import verigrad as vg
from verigrad.runtime.profiling.report import KernelRow

NET = ("--hidden", 8, "--batch-size", 10)


def data(path: Path) -> dict[str, object]:
    found = re.search(r'id="data">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found
    told: dict[str, object] = json.loads(found[1])
    return told


def test_a_net_is_told_with_the_values_of_a_batch(tmp_path: Path) -> None:
    result = run("report", *NET, "-o", tmp_path / "net.html")
    assert result.exit_code == 0 and "net.html" in result.stderr
    told = data(tmp_path / "net.html")
    assert told["sizes"] == {"N": 10} and told["values"] and told["plan"]
    assert (tmp_path / "net.txt").read_text().startswith("report of mlp, N=10;")


def test_a_check_and_a_profile_are_made_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A profile measures the machine, which takes seconds.
    row = KernelRow(0, "forward", "linear", ("fc1",), 10, 20, 1e-6, 2e-6)
    profiled = vg.Profile("mlp", {"N": 10}, [row], 1e-3)
    monkeypatch.setattr(vg.Program, "profile", lambda *_, **__: profiled)
    result = run("report", *NET, "--check", "--profile", "-o", tmp_path / "net.html")
    assert result.exit_code == 0
    told = data(tmp_path / "net.html")
    assert told["gradcheck"] and told["profile"]


def test_a_model_is_told_without_values(tmp_path: Path) -> None:
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    net = vg.Graph("saved", loss=vg.softmax_cross_entropy(vg.dense(x, 3), y))
    vg.compile(net, optimizer=vg.SGD(0.1)).save(tmp_path / "model.safetensors")
    model = tmp_path / "model.safetensors"
    assert run("report", model, "-o", tmp_path / "model.txt").exit_code == 0
    assert (tmp_path / "model.txt").read_text().startswith("report of saved, N=50;")
    assert "--check" in run("report", model, "--check", "-o", tmp_path / "m.html").stderr
    assert run("report", model, "--hidden", 3, "-o", tmp_path / "m.html").exit_code == 2


def test_the_text_goes_to_stdout_where_it_is_asked_for(tmp_path: Path) -> None:
    result = run("report", *NET, "-o", "-")
    run("report", *NET, "-o", tmp_path / "net.txt")
    assert result.stdout == (tmp_path / "net.txt").read_text()


@pytest.mark.parametrize("name", ["net.pdf", "net", "nowhere/net.html"])
def test_a_place_where_nothing_can_be_written_is_refused_first(name: str, tmp_path: Path) -> None:
    result = run("report", "--data", "nothing-there.csv", "-o", tmp_path / name)
    assert result.exit_code == 2 and name in result.stderr
    assert "nothing-there" not in result.stderr


def test_a_run_leaves_a_report_of_what_it_trained(tmp_path: Path) -> None:
    assert run("train", *NET, "--steps", 6, "--out", tmp_path).exit_code == 0
    told = data(tmp_path / "report.html")
    assert len(told["history"]["loss"]) == 6  # type: ignore[index,call-overload]
    assert told["values"]
    assert "history: 6 losses" in (tmp_path / "report.txt").read_text()


def test_a_report_that_cannot_be_written_is_told_and_loses_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise vg.RunError("report.html cannot be written: no space left")

    monkeypatch.setattr(vg.Program, "report", fails)
    result = run("train", *NET, "--steps", 2, "--out", tmp_path)
    assert result.exit_code == 0 and "no space left" in result.stderr
    assert result.stdout.startswith("test accuracy")
    assert (tmp_path / "model.safetensors").exists()
    assert not (tmp_path / "report.html").exists()

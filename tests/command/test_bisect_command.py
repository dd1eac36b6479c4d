"""`verigrad bisect`: who is guilty, in words, as JSON and as a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from invoking import run

from verigrad.runtime.planning import plan as planning


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("bisect")
    assert done.exit_code == 0 and "nobody is guilty" in done.stdout
    monkeypatch.setattr(planning, "verify", lambda g: None)
    monkeypatch.setattr(planning, "_offsets", lambda lives, packed: [0 for _ in lives])
    done = run("bisect", "-o", tmp_path / "test_plan.py")
    assert done.exit_code == 1 and "the plan" in done.stdout
    assert "program.step(VALUES)" in (tmp_path / "test_plan.py").read_text()
    told = run("bisect", "--json")
    assert told.exit_code == 1 and '"guilty": "the plan"' in told.stdout

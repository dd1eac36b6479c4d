"""Every golden file: text, numbers and all else that must hold of a pass on it."""

from __future__ import annotations

from pathlib import Path

import pytest
import runner

import verigrad as vg

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.ir"))
PASSES = {*vg.TRAINING.names, *vg.INFERENCE.names, "recompute", "shard_batch", "pack_reductions"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_golden_file(path: Path, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        runner.update(path)
    case, _ = runner.read(path)
    found = list(runner.problems(case))
    assert not found, "\n".join(found)


def test_every_pass_has_golden_files() -> None:
    folders = {p.name for p in HERE.iterdir() if p.is_dir() and not p.name.startswith("__")}
    assert folders == PASSES


@pytest.mark.parametrize("name", sorted(PASSES))
def test_every_pass_is_shown_to_leave_a_graph_alone(name: str) -> None:
    unchanged = [
        path
        for path in HERE.glob(f"{name}/*.ir")
        if (case := runner.read(path)[0]).expected.startswith(case.before)
    ]
    assert unchanged or name in ("differentiate", "schedule")

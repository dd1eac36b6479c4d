"""Few rows: the default batch is no larger than the training part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from invoking import run


@pytest.fixture
def few(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    np.savez(tmp_path / "few.npz", x=rng.standard_normal((40, 3)) + y[:, None], y=y)
    return str(tmp_path / "few.npz")


@pytest.mark.parametrize("command", [["train"], ["compare", "--keeps", "1,0.5"]])
def test_fewer_rows_than_the_default_batch_are_one_batch(few: str, command: list[str]) -> None:
    done = run(*command, "--data", few, "--epochs", "2", "--hidden", "4")
    assert done.exit_code == 0, done.output
    done = run(*command, "--data", few, "--epochs", "2", "--hidden", "4", "--batch-size", "50")
    assert done.exit_code == 2
    assert "batch_size is 50, but the data has 28 rows" in done.stderr


def test_a_run_on_few_rows_is_resumed(few: str, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    assert (
        run("train", "--data", few, "--epochs", "2", "--hidden", "4", "--out", out).exit_code == 0
    )
    done = run("resume", out)
    assert done.exit_code == 0, done.output


def test_a_warning_is_one_line_on_stderr(few: str) -> None:
    done = run("train", "--data", few, "--hidden", "4", "--lr", "1e4", "--optimizer", "sgd")
    told = [line for line in done.stderr.splitlines() if line.startswith("Warning: the loss is")]
    assert len(told) == 1 or done.exit_code == 3

"""`--log-to`: the numbers of a run in files and elsewhere, and what of a run that goes on."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from invoking import run

from verigrad.runtime.command.log_to import loggers_of
from verigrad.runtime.command.run_options import RunOptions
from verigrad.runtime.command.settings import Settings
from verigrad.runtime.loggers.logger import Logger

SHORT = ("train", "--epochs", 3, "--hidden", "", "--batch-size", 600)


def rows(path: Path) -> list[dict[str, float]]:
    """The epochs of a file, without their time."""
    lines = path.read_text().splitlines()
    if path.suffix == ".csv":
        names = lines[0].split(",")
        found = [dict(zip(names, map(float, line.split(",")), strict=True)) for line in lines[1:]]
    else:
        found = [json.loads(line) for line in lines]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in found]


def test_a_folder_holds_a_table_beside_its_lines(tmp_path: Path) -> None:
    there = tmp_path / "else where.jsonl"
    told = ("--log-to", "csv", "--log-to", "jsonl", "--log-to", f"jsonl:{there}")
    result = run(*SHORT, "--out", tmp_path / "run", *told)
    assert result.exit_code == 0, result.stderr
    found = rows(tmp_path / "run" / "metrics.csv")
    assert [row["epoch"] for row in found] == [1, 2, 3]
    assert rows(tmp_path / "run" / "metrics.jsonl") == found == rows(there)
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert config["train"]["log_to"] == ["csv", "jsonl", f"jsonl:{there}"]


def test_what_is_logged_to_is_taken_from_a_file_and_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('[train]\nlog_to = "csv"\nepochs = 2\nhidden = ""\n')
    again = ("train", "--config", tmp_path / "run.toml", "--out", tmp_path / "run")
    assert run(*again).exit_code == 0
    whole = rows(tmp_path / "run" / "metrics.csv")
    (tmp_path / "run" / "metrics.csv").unlink()
    assert run("resume", tmp_path / "run").exit_code == 0
    assert rows(tmp_path / "run" / "metrics.csv") == whole and len(whole) == 2
    assert run(*again, "--overwrite", "--log-to", f"csv:{tmp_path / 'a.csv'}").exit_code == 0
    assert rows(tmp_path / "a.csv") == whole and not (tmp_path / "run" / "metrics.csv").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("csv", "csv is not told where: csv:FILE, or --out DIR, names it"),
        ("tensorboard:", "tensorboard is not told where: tensorboard:FOLDER"),
        ("tensorbord:x", "did you mean 'tensorboard'"),
        ("", "there are csv[:FILE], jsonl[:FILE], tensorboard[:FOLDER], mlflow[:STORE]"),
        ("jsonl:none/such/file", "none/such/file cannot be written"),
    ],
)
def test_what_is_no_logger_ends_the_run_before_its_first_step(name: str, message: str) -> None:
    result = run(*SHORT, "--log-to", name)
    assert result.exit_code == 2 if "written" not in message else 1
    assert message in result.stderr and "epoch" not in result.stderr


def test_a_logger_hears_of_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []

    class Told(Logger):
        def begin(self, settings: object, past: object) -> None:
            heard.append(settings)

    monkeypatch.setattr("verigrad.runtime.command.log_to.named_logger", lambda *_: Told())
    (logger,) = loggers_of(Settings(hidden=(8, 4)), RunOptions(steps=3, log_to=("csv",)), None)
    logger.begin({"optimizer": "momentum(0.1)", "rows": 7}, [])
    (settings,) = heard
    assert isinstance(settings, dict) and "epochs" not in settings
    expected = {"optimizer": "momentum", "rows": 7, "hidden": "8,4", "steps": 3, "lr": 0.02}
    assert settings.items() >= expected.items()


@pytest.mark.oracle
@pytest.mark.numpy_bits
def test_tensorboard_shows_options_and_curves_of_the_run_alone(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for epochs in (2, 1):
        told = ("--log-to", "tensorboard", "--out", tmp_path, "--overwrite")
        assert run(*SHORT, *told, "--epochs", epochs).exit_code == 0
    assert len([*(tmp_path / "tensorboard").iterdir()]) == 1
    found = events.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [event.step for event in found.Scalars("train_loss")] == [3]
    text = found.Tensors("settings/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| optimizer | momentum |" in text and "| batch_size | 600 |" in text

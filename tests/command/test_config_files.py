"""`--config`: what a run leaves, or a person writes, given back to any command that trains."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from invoking import run

from verigrad.runtime.command.cli import cli
from verigrad.runtime.command.groups import GROUPS, GroupedCommand
from verigrad.runtime.command.run_options import RunOptions
from verigrad.runtime.command.settings import Settings

SHORT = ("--steps", 5, "--hidden", "8,4", "--keep", "0.8,0.9", "--memory-limit", "1MB")


def trained(*arguments: object) -> dict[str, Any]:
    """What a run prints, but for its time."""
    result = run("train", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    return {k: v for k, v in told.items() if k not in ("seconds", "out")}


def refused(path: Path, text: str, command: str = "train") -> str:
    """What is said of a file that holds the text."""
    path.write_text(text)
    result = run(command, "--config", path)
    assert result.exit_code == 2
    return result.stderr


def test_what_a_run_leaves_makes_that_run_again(tmp_path: Path) -> None:
    first = trained(*SHORT, "--out", tmp_path / "a")
    assert trained("--config", tmp_path / "a") == first
    again = trained("--config", tmp_path / "a" / "config.toml", "--out", tmp_path / "b")
    assert again == first
    configs = [tomllib.loads((tmp_path / d / "config.toml").read_text()) for d in "ab"]
    assert configs[0] == configs[1]


def test_options_that_are_given_more_than_once_come_back(tmp_path: Path) -> None:
    rows = [f"{i % 7},{i % 5},{'uvw'[i % 3]},{i % 2}" for i in range(80)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,y", *rows, ""]))
    told = ("--data", tmp_path / "t.csv", "--target", "y", "--hidden", "", "--epochs", 1)
    first = trained(*told, "--drop", "a", "--drop", "b", "--out", tmp_path / "run")
    assert trained("--config", tmp_path / "run") == first
    assert first["parameters"] == 3 * 2 + 2  # of c alone


def test_the_line_has_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "some run.toml"
    path.write_text('[train]\nsteps = 5\nhidden = [8]\nseed = 3\nclip_value = 1.0\ndtype = "f64"\n')
    told = trained("--config", path, "--seed", 4, "--hidden", "")
    assert (told["seed"], told["steps"], told["parameters"]) == (4, 5, 650)
    assert trained("--config", path, "--steps", 7)["steps"] == 7
    rates = [trained("--config", path, *more) for more in ((), ("--clip-norm", "1e-3"))]
    assert rates[0] != rates[1]  # and the other bound is not in its way


def test_epochs_of_the_line_stand_for_steps_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[train]\nsteps = 5\nbatch_size = 700\nhidden = 4\n")
    assert trained("--config", path, "--epochs", 1)["steps"] == 2
    path.write_text("[train]\nepochs = 2\nbatch_size = 700\nhidden = 4\n")
    assert trained("--config", path, "--steps", 1)["steps"] == 1
    assert "exclude each other" in refused(path, "[train]\nsteps = 5\nepochs = 1\n")


def test_another_optimizer_brings_its_own_rate(tmp_path: Path) -> None:
    small = ("--hidden", "", "--steps", 2)
    trained(*small, "--out", tmp_path / "run")
    assert trained("--config", tmp_path / "run", "--optimizer", "adam") == trained(
        *small, "--optimizer", "adam"
    )
    trained(*small, "--lr", 0.5, "--out", tmp_path / "said")
    assert trained("--config", tmp_path / "said", "--optimizer", "adam") == trained(
        *small, "--optimizer", "adam", "--lr", 0.5
    )


@pytest.mark.parametrize("command", ["compare", "graph", "report"])
def test_other_commands_take_what_they_have_an_option_for(command: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[train]\nepochs = 1\nhidden = [3]\nbatch_size = 500\nthreads = 1\n")
    more = {"compare": ["--optimizers", "adam"], "report": ["-o", "-"]}.get(command, [])
    result = run(command, "--config", path, *more)
    assert result.exit_code == 0, result.stderr


def test_a_graph_is_that_of_the_run(tmp_path: Path) -> None:
    trained("--steps", 2, "--hidden", "7,5", "--out", tmp_path / "run")
    shown = run("graph", "--config", tmp_path / "run").stdout
    assert shown == run("graph", tmp_path / "run").stdout and "[7,5]" in shown
    both = run("graph", tmp_path / "run", "--config", tmp_path / "run")
    assert both.exit_code == 2 and "--config has no effect" in both.stderr


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    assert "'batchsize'; did you mean 'batch_size'" in refused(path, "[train]\nbatchsize = 3\n")
    assert "options stand below [train]" in refused(path, "lr = 0.1\n")
    assert "did you mean 'train'" in refused(path, "[trian]\nlr = 0.1\n")
    assert "is no TOML" in refused(path, "lr 0.1")
    assert "where a table is expected" in refused(path, "train = 3\n")
    assert "where a text or a number is expected" in refused(path, "[train]\nlr = {a = 1}\n")
    assert "where a text or a number is expected" in refused(path, "[train]\nlr = 2020-01-01\n")
    assert "--lr" in refused(path, '[train]\nlr = "fast"\n')
    assert "--hidden" in refused(path, "[train]\nhidden = [0.5]\n")
    assert "--keep" in refused(path, '[train]\nkeep = ["a", "b"]\n')
    assert "did you mean 'epochs'" in refused(path, "[train]\nepoch = 3\n", "graph")
    path.write_bytes(b"\xff\xfe\x00garbage")
    assert run("train", "--config", path).exit_code == 2
    for missing in (tmp_path / "none.toml", tmp_path, tmp_path / ("x" * 300)):
        result = run("train", "--config", missing)
        assert result.exit_code == 2 and "cannot be re" in result.stderr


def test_every_option_of_training_has_a_group() -> None:
    command = cli.commands["train"]
    assert isinstance(command, GroupedCommand)
    groups = {p.name: getattr(p, "group", None) for p in command.params}
    assert set(groups) >= {*Settings._fields, *RunOptions._fields, "config", "out"}
    assert set(groups.values()) == {*GROUPS}


@pytest.mark.parametrize("name", [n for n, c in cli.commands.items() if "lr" in str(c.params)])
def test_help_lists_each_option_once_below_its_heading(name: str) -> None:
    shown = run(name, "--help").stdout
    for p in cli.commands[name].params:
        if p.opts[0].startswith("--"):
            assert shown.count(f"\n  {p.opts[0]} ") + shown.count(f", {p.opts[0]} ") == 1, p.opts
    places = [shown.index(f"\n{group}:\n") for group in (*GROUPS, "Other options")]
    assert places == sorted(places)

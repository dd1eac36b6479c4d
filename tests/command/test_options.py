"""Every option of every command changes what it does, or is refused with the reason."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from invoking import run

from verigrad.runtime.command.cli import cli
from verigrad.runtime.command.settings import VALUES, Settings

# For each setting a value that is not the default, and what else is then given.
OTHER: dict[str, tuple[str, ...]] = {
    "data": ("--data", "other.csv"),
    "target": ("--data", "two.csv", "--target", "second"),
    "task": ("--data", "two.csv", "--target", "second", "--task", "regression"),
    "drop": ("--drop", "b"),
    "one_hot": ("--one-hot", "b"),
    "ordinal": ("--ordinal", "b"),
    "na_is_a_class": ("--data", "missing.csv", "--na-is-a-class"),
    "hidden": ("--hidden", "5"),
    "activation": ("--activation", "tanh"),
    "batch_norm": ("--batch-norm",),
    "init": ("--init", "xavier_normal"),
    "loss": ("--loss", "hinge"),
    "class_weight": ("--class-weight", "x=3"),
    "optimizer": ("--optimizer", "adam"),
    "dialect": ("--dialect", "onnx"),
    "lr": ("--lr", "0.03"),
    "schedule": ("--schedule", "cosine"),
    "weight_decay": ("--weight-decay", "0.1"),
    "clip_value": ("--clip-value", "1e-3"),
    "clip_norm": ("--clip-norm", "1e-3"),
    "batch_size": ("--batch-size", "7"),
    "keep": ("--keep", "0.5"),
    "keep_input": ("--keep-input", "0.5"),
    "dropout_mode": ("--dropout-mode", "vanilla"),
    "l1": ("--l1", "0.1"),
    "l2": ("--l2", "0"),
    "label_smoothing": ("--label-smoothing", "0.2"),
    "seed": ("--seed", "5"),
    "split_seed": ("--split-seed", "5"),
    "dtype": ("--dtype", "f64"),
    "backend": ("--backend", "numba"),
    "memory_limit": ("--memory-limit", "900"),
    "recompute": ("--recompute",),
    "shards": ("--shards", "4"),
}
DROPPED = ("--keep", "0.8")
"""What makes the mode of dropout, and a graph's seed, matter."""
COMMANDS: dict[str, tuple[str, ...]] = {
    "train": ("--steps", "5", "--optimizer", "adagrad", "--json", *DROPPED),
    "compare": ("--optimizers", "rmsprop,adam", "--epochs", "1", "--json", *DROPPED),
    "graph": ("--stage", "training", "--optimizer", "adagrad", *DROPPED),
    "check": ("--reg", "0", *DROPPED),
    "plan": ("--optimizer", "adagrad", *DROPPED),
    "report": ("-o", "-", "--optimizer", "adagrad", *DROPPED),
    "profile": ("--steps", "1", *DROPPED),
    "selfcheck": DROPPED,
    "bisect": DROPPED,
}
REFUSED: dict[str, set[str]] = {
    "train": set(),
    "compare": {"optimizer"},
    "graph": {"batch_size", "backend", "memory_limit", "recompute"},
    "check": {
        "optimizer", "dialect", "lr", "schedule", "weight_decay", "clip_value", "clip_norm",
        "batch_size", "l2", "dtype", "shards",
    },
    "plan": {*VALUES, "backend"},
    "report": set(),
    "profile": set(VALUES),
    "selfcheck": {"batch_size"},
    "bisect": {"batch_size", "init", "split_seed"},
}  # fmt: skip
UNSEEN = {
    ("train", "backend"),  # the same numbers, with luck
    ("compare", "backend"),
    ("check", "backend"),  # the same numbers; that kernels are compiled is tested beside gradcheck
    ("plan", "data"),  # a net of the same sizes
    ("plan", "ordinal"),  # the same
    ("plan", "keep"),  # another share of as many units
    ("plan", "dropout_mode"),  # a factor
    ("plan", "dialect"),  # numbers, with this optimizer
}


@cache
def folder(parent: Path) -> Path:
    """Tables of 80 rows with a class each."""
    rng = np.random.default_rng(0)
    x = rng.random((80, 2))
    for name, numbers in (("data", x), ("other", rng.random((80, 2)) + x)):
        lines = [f"{a},{b},{'xy'[int(a > b)]}" for a, b in numbers]
        (parent / f"{name}.csv").write_text("\n".join(["a,b,first", *lines, ""]))
    lines = [f"{a},{b},{i % 2},{i % 3}" for i, (a, b) in enumerate(x)]
    (parent / "two.csv").write_text("\n".join(["a,b,first,second", *lines, ""]))
    lines = [f"{a},{b},{('x', 'y', 'NA')[i % 3]}" for i, (a, b) in enumerate(x)]
    (parent / "missing.csv").write_text("\n".join(["a,b,first", *lines, ""]))
    return parent


@cache
def outcome(parent: Path, command: str, *given: str) -> tuple[int, str, str]:
    """Exit code, output without times, and the last of stderr."""
    told = {"--data": "data.csv", "--target": "first", "--hidden": "4"}
    if command not in ("check", "selfcheck", "graph", "bisect"):
        told["--batch-size"] = "20"
    rest = [*COMMANDS[command], *given]
    for option in told:
        if option not in given:
            rest += [option, told[option]]
    result = run(command, *[folder(parent) / a if a.endswith(".csv") else a for a in rest])
    output = re.sub(r'"seconds": [\d.e-]+', "", result.stdout)
    return result.exit_code, output, result.stderr


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def test_every_setting_and_every_command_that_takes_them_is_in_the_table() -> None:
    assert tuple(OTHER) == Settings._fields
    takes = {name for name, c in cli.commands.items() if {p.name for p in c.params} >= set(OTHER)}
    assert takes - {"tune"} == set(COMMANDS) == set(REFUSED)  # tune: in test_tune_command.py


@pytest.mark.parametrize("setting", OTHER)
@pytest.mark.parametrize("command", ["train", "compare", "graph", "check", "plan", "report"])
def test_a_setting_changes_what_a_command_does_or_is_refused(
    command: str, setting: str, parent: Path
) -> None:
    before = outcome(parent, command)
    assert before[0] == 0
    code, output, told = outcome(parent, command, *OTHER[setting])
    if setting in REFUSED[command]:
        assert code == 2 and f"--{setting.replace('_', '-')} has no effect" in told
    elif (command, setting) in UNSEEN:
        assert code == 0
    else:
        assert "has no effect" not in told
        assert (code, output) != before[:2]


@pytest.mark.parametrize(
    ("command", "setting"),
    [(c, s) for c in ("profile", "selfcheck", "bisect") for s in sorted(REFUSED[c])],
)
def test_what_slow_commands_refuse(command: str, setting: str, parent: Path) -> None:
    code, _, told = outcome(parent, command, *OTHER[setting])
    assert code == 2 and f"--{setting.replace('_', '-')} has no effect" in told


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ("train", "--dropout-mode", "vanilla"),
            "--dropout-mode has no effect: nothing is dropped",
        ),
        (("train", "--overwrite"), "--overwrite has no effect without --out"),
        (("graph", "--stage", "list", "--format", "dot"), "--stage list goes to stdout"),
        (("compare", "--lrs", "0.1", "--lr", "0.1"), "--lr has no effect beside --lrs"),
        (("train", "--epochs", "1", "--steps", "1"), "--epochs and --steps exclude each other"),
    ],
    ids=" ".join,
)
def test_an_option_that_another_leaves_without_effect_is_refused(
    given: tuple[str, ...], message: str
) -> None:
    result = run(*given)
    assert result.exit_code == 2 and message in result.stderr


def test_a_drawn_graph_takes_the_size_of_a_batch(parent: Path) -> None:
    sizes = [
        outcome(parent, "graph", "--format", "dot", "--batch-size", n)[:2] for n in ("7", "20")
    ]
    assert sizes[0] != sizes[1] and sizes[0][0] == 0

"""The options of every method, as `train`, `graph`, `check` and `plan` take them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from invoking import run

import verigrad as vg
from verigrad.runtime.command.named_methods import ACTIVATIONS, OPTIMIZERS, SCHEDULES, initializer
from verigrad.runtime.command.settings import Settings

EVERYTHING = (
    "--hidden 12,8 --activation gelu --batch-norm --init normal:0.2 --optimizer adamw "
    "--dialect torch --lr 0.01 --schedule one-cycle --weight-decay 0.1 --batch-size 64 "
    "--keep 0.9,0.8 --keep-input 0.95 --dropout-mode vanilla --l1 1e-6 --l2 0 "
    "--label-smoothing 0.1 --seed 3 --dtype f64 --memory-limit 1MB --recompute --shards 4"
)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_with_its_own_rate(optimizer: str) -> None:
    result = run("train", "--optimizer", optimizer, "--epochs", 10, "--json")
    assert json.loads(result.stdout)["test_accuracy"] > 0.93


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 300])
def test_every_schedule_spans_the_run(schedule: str, steps: int) -> None:
    optimizer = Settings(schedule=schedule, lr=0.5).make_optimizer(steps)
    if schedule == "constant":
        assert optimizer.lr == 0.5
        return
    if schedule == "plateau":  # its rate is a state of the program, which fit lowers
        assert optimizer.lr == vg.schedules.plateau(0.5)
        return
    assert isinstance(optimizer.lr, vg.schedules.Schedule)
    rates = optimizer.lr.rates(steps)
    assert (rates >= 0).all() and rates.max() <= 0.5
    if steps == 300:
        assert rates.max() > 0.49 and rates[-1] < 0.07


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_declared_where_it_belongs(activation: str) -> None:
    text = run("graph", "--hidden", "6,5", "--activation", activation).stdout
    assert text.count(f"= {activation}(%fc") == 2
    normed = run("graph", "--hidden", "6", "--activation", activation, "--batch-norm").stdout
    assert f"= {activation}(%bn1)" in normed and "fc1.bias" not in normed
    assert "%fc2.bias" in normed


def test_all_options_reach_the_program_and_come_back_from_its_config(tmp_path: Path) -> None:
    result = run("train", *EVERYTHING.split(), "--epochs", 2, "--out", tmp_path)
    assert result.exit_code == 0
    program = vg.load(tmp_path / "model.safetensors")
    steps = 2 * -(-1295 // 64)
    rate = vg.schedules.one_cycle(0.01, steps=steps)
    assert program.options.optimizer == vg.AdamW(rate, dialect="torch", weight_decay=0.1)
    assert program.options.dropout == vg.Dropout(
        layers={"fc1": 0.9, "fc2": 0.8}, input=0.95, mode="vanilla"
    )
    assert program.options.regularizer == vg.L1(1e-6)
    assert program.options.memory_limit == 1_000_000 and program.options.recompute
    assert program.options.shards == vg.Shards(4)
    config = tomllib.loads((tmp_path / "config.toml").read_text())["train"]
    kept = {k: v for k, v in config.items() if k in Settings._fields}
    settings = Settings.from_config(kept)
    assert settings.as_config() == kept
    assert settings.keep == (0.9, 0.8) and settings.batch_norm and settings.label_smoothing == 0.1
    assert settings.make_optimizer(steps) == program.options.optimizer


def test_a_setting_that_is_none_is_named() -> None:
    with pytest.raises(vg.RunError, match="there is no setting 'optimiser'; did you mean"):
        Settings.from_config({"optimiser": "sgd"})


WITHOUT = {
    "graph": ["--batch-size 64 ", " --memory-limit 1MB --recompute"],
    "plan": ["--init normal:0.2 ", "--lr 0.01 ", "--seed 3 "],
    "check": [
        "--optimizer adamw --dialect torch --lr 0.01 --schedule one-cycle --weight-decay 0.1 "
        "--batch-size 64 ",
        "--l2 0 ",
        "--dtype f64 ",
        " --shards 4",
    ],
}
"""What would have no effect there, and is refused."""


@pytest.mark.parametrize("command", WITHOUT)
def test_the_other_commands_take_the_same_options(command: str) -> None:
    told = EVERYTHING
    for part in WITHOUT[command]:
        assert part in told
        told = told.replace(part, "")
    result = run(command, *told.split())
    assert result.exit_code == 0
    assert "bn2" in result.stdout


def test_one_keep_is_for_all_layers() -> None:
    text = run("graph", "--stage", "insert_dropout", "--keep", "0.7", "--keep-input", "0.9").stdout
    assert text.count("dropout_mask{") == 3 and text.count("keep=0.7") == 2
    text = run("graph", "--stage", "insert_dropout", "--keep", "1,0.5", "--batch-norm").stdout
    assert text.count("dropout_mask{") == 1 and "keep=0.5" in text


ERRORS = [
    (["--keep", "0.5,0.5,0.5"], "--keep has 3 numbers, and there are 2 hidden layers"),
    (["--keep", "half"], "'half' are no probabilities; write e.g. 0.5"),
    (["--keep-input", "2"], "keep of the input is 2.0"),
    (["--init", "he"], "there is no initializer 'he'"),
    (["--init", "normal"], "there is no initializer 'normal'; there are he_normal"),
    (["--init", "normal:-1"], "std is -1.0, where 0 or more is expected"),
    (["--init", "normal:x"], "--init normal:x cannot be"),
    (["--schedule", "cosin"], "'cosin' is not one of 'constant'"),
    (["--schedule", "cosine", "--lr", "0"], "lr is 0.0, where a positive number is expected"),
    (["--weight-decay", "-1"], "weight_decay is -1.0, where a finite number from 0 is expected"),
    (["--label-smoothing", "1"], "label_smoothing is 1.0, where a share in [0, 1) is expected"),
    (["--dialect", "jax"], "'jax' is not one of 'course'"),
    (["--activation", "sin"], "'sin' is not one of 'relu'"),
]


@pytest.mark.parametrize(("arguments", "message"), ERRORS, ids=[" ".join(a) for a, _ in ERRORS])
def test_an_error_is_in_the_words_of_the_user(arguments: list[str], message: str) -> None:
    result = run("train", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr and result.stdout == ""


def test_initializers_with_a_number() -> None:
    assert initializer("normal:0.01") == vg.init.normal(0.01)
    assert initializer("uniform:0.1") == vg.init.uniform(-0.1, 0.1)
    assert initializer("zeros") == vg.init.zeros()


@pytest.mark.parametrize(
    ("option", "clip"), [("--clip-norm", vg.ClipNorm(0.5)), ("--clip-value", vg.ClipValue(0.5))]
)
def test_gradients_are_clipped_where_it_is_asked_for(
    option: str, clip: vg.Clip, tmp_path: Path
) -> None:
    result = run("train", option, 0.5, "--epochs", 1, "--out", tmp_path)
    assert result.exit_code == 0
    assert vg.load(tmp_path / "model.safetensors").options.clip == clip


def test_clipping_in_two_ways_is_refused() -> None:
    result = run("train", "--clip-norm", 1, "--clip-value", 1)
    assert result.exit_code == 2
    assert "--clip-value and --clip-norm are both given" in result.stderr


def test_a_plateau_is_trained_on() -> None:
    result = run("train", "--schedule", "plateau", "--epochs", 3, "--json")
    assert json.loads(result.stdout)["steps"] == 78

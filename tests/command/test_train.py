"""`verigrad train`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from invoking import run

import verigrad as vg
from verigrad.graph.installed import install_line

FILES = (
    "checkpoint.safetensors",
    "config.toml",
    "curves.svg",
    "declared.svg",
    "metrics.jsonl",
    "model.safetensors",
    "report.html",
    "report.txt",
    "training.svg",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The folder and the output of a short run."""
    folder = tmp_path_factory.mktemp("runs") / "deep" / "run"
    return folder, run("train", "--epochs", 3, "--seed", 4, "--out", folder, "--json")


def test_without_arguments_it_learns_the_digits() -> None:
    result = run("train")
    assert result.exit_code == 0
    first, *_ = result.stdout.splitlines()
    assert first.startswith("test accuracy 0.9")
    assert float(first.split()[2]) >= 0.96
    assert "net 64-100-100-10, 17,610 parameters" in result.stderr
    assert "epoch 30/30  train loss" in result.stderr


def test_the_median_over_seeds_is_97_percent() -> None:
    results = [run("train", "--seed", seed, "--threads", 1, "--json") for seed in range(1, 10)]
    found = [json.loads(result.stdout)["test_accuracy"] for result in results]
    assert np.median(found) >= 0.97


def test_json_is_one_object_on_stdout(finished: tuple[Path, Result]) -> None:
    folder, result = finished
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert {"train_loss", "test_accuracy", "steps", "seconds", "arena_bytes"} <= set(told)
    assert told["steps"] == 3 * 26 and told["seed"] == 4 and told["parameters"] == 17_610
    program = vg.load(folder / "model.safetensors")
    assert program.step_number == told["steps"]
    assert told["arena_bytes"] == program.plan(N=50).nbytes < 0.6 * told["unplanned_bytes"]
    assert vg.measure(program, vg.digits().test).accuracy == told["test_accuracy"]


def test_the_folder_holds_all_files(finished: tuple[Path, Result]) -> None:
    folder, result = finished
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[2]["train_loss"] == json.loads(result.stdout)["train_loss"]
    assert 0 <= rows[2]["validation_accuracy"] <= 1
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["verigrad"]["version"] == vg.__version__
    assert config["train"]["hidden"] == [100, 100] and config["train"]["lr"] == 0.02
    assert "target" not in config["train"]
    for name in ("declared.svg", "training.svg", "curves.svg"):
        assert "<svg" in (folder / name).read_text()
    curves = (folder / "curves.svg").read_text()
    for words in ("epoch", "loss", "accuracy", "training", "validation", "test, at the end"):
        assert f"<!-- {words}" in curves


def test_the_same_seed_gives_the_same_bytes(finished: tuple[Path, Result], tmp_path: Path) -> None:
    folder, _ = finished
    run("train", "--epochs", 3, "--seed", 4, "--out", tmp_path)
    timed = {"metrics.jsonl", "checkpoint.safetensors", "report.html"}
    for name in set(FILES) - timed:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_run_is_not_overwritten_unless_told(finished: tuple[Path, Result]) -> None:
    folder, _ = finished
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    result = run("train", "--epochs", 1, "--out", folder)
    assert result.exit_code == 2
    held = "model.safetensors, metrics.jsonl, config.toml, checkpoint.safetensors"
    assert f"already holds a run ({held})" in result.stderr
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_overwrite_replaces_a_run(tmp_path: Path) -> None:
    run("train", "--epochs", 2, "--out", tmp_path)
    assert run("train", "--epochs", 1, "--out", tmp_path, "--overwrite").exit_code == 0
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


def test_options_reach_the_program(tmp_path: Path) -> None:
    arguments = "--hidden 8 --optimizer adam --lr 0.01 --schedule constant --keep 0.9 --l1 1e-5"
    arguments += " --l2 1e-4 --dtype f64"
    result = run("train", "--epochs", 1, "--out", tmp_path, "--threads", 1, *arguments.split())
    assert result.exit_code == 0
    program = vg.load(tmp_path / "model.safetensors")
    options = program.options
    assert options.optimizer == vg.Adam(lr=0.01) and options.dtype == "f64"
    assert options.regularizer == vg.ElasticNet(1e-5, 1e-4)
    assert options.dropout == vg.Dropout(keep=0.9) and options.threads == 1
    assert program.parameters["fc1.weight"].shape == (64, 8)
    assert tomllib.loads((tmp_path / "config.toml").read_text())["train"]["threads"] == 1


def test_no_hidden_layer_is_a_softmax_regression() -> None:
    result = run("train", "--hidden", "", "--epochs", 5)
    assert "net 64-10, 650 parameters" in result.stderr


def test_a_csv_file_is_trained_on_and_predicted_for(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((200, 2)) * [1, 1000] + [50, 0]
    rows = "".join(f"{a},{'high' if a > 50 else 'low'},{b}\n" for a, b in x)
    path = tmp_path / "data.csv"
    path.write_text(f"size,level,noise\n{rows}")
    out = tmp_path / "run"
    result = run("train", "--data", path, "--target", "level", "--out", out, "--hidden", "8")
    assert result.exit_code == 0 and float(result.stdout.split()[2]) > 0.9
    (tmp_path / "new.csv").write_text("noise,size\n0,53\n0,47\n")
    assert run("predict", out, tmp_path / "new.csv").stdout.split() == ["high", "low"]
    told = run("predict", out / "model.safetensors", path, "--json")
    assert json.loads(told.stdout)["accuracy"] > 0.9
    assert "of 200 rows" in told.stderr


ERRORS: list[tuple[list[str], int, str]] = [
    (["--data", "nothing"], 2, "there is no data set 'nothing'"),
    (["--keep", "0"], 2, "keep is 0.0, where a probability in (0, 1] is expected"),
    (["--keep", "1.5"], 2, "keep is 1.5, where a probability in (0, 1]"),
    (["--lr", "-1"], 2, "lr is -1.0, where a positive number is expected"),
    (["--l2", "nan"], 2, "strength is nan"),
    (["--hidden", "100,x"], 2, "'100,x' are no layer sizes; write e.g. 100,100"),
    (["--hidden", "0"], 2, "'0' are no layer sizes"),
    (["--optimizer", "newton"], 2, "'newton' is not one of 'sgd', 'momentum', 'nesterov'"),
    (["--batch-size", "5000"], 2, "batch_size is 5000, but the data has 1295 rows"),
    (["--epochs", "0"], 2, "0 is not in the range x>=1"),
    (["--seed", "-1"], 2, "seed is -1, where an integer from 0"),
    (["--lr", "1e30"], 3, "is not finite"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), ERRORS, ids=[m for *_, m in ERRORS])
def test_errors_are_a_message_and_an_exit_code(
    arguments: list[str], code: int, message: str
) -> None:
    result = run("train", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_loss_that_is_not_finite_leaves_the_last_good_model(tmp_path: Path) -> None:
    assert run("train", "--lr", 1e30, "--out", tmp_path).exit_code == 3
    program = vg.load(tmp_path / "model.safetensors")
    assert all(np.isfinite(v).all() for v in program.parameters.values())


def test_the_lines_of_the_command_are_not_told_as_the_users() -> None:
    told = run("train", "--lr", 1e30).stderr
    assert "  made in the forward pass by linear_relu in layer fc2\n" in told
    assert ".py:" not in told


def test_a_folder_that_cannot_be_written_is_told_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("train", "--out", tmp_path / "file" / "run")
    assert result.exit_code == 2
    assert "cannot be written: Not a directory" in result.stderr
    assert "epoch" not in result.stderr


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("safetensors", "files", ["--out", "run"]),
        ("tomli_w", "cli", ["--out", "run"]),
        ("matplotlib", "plot", ["--out", "run"]),
        ("threadpoolctl", "threads", ["--threads", "1"]),
    ],
)
def test_a_missing_extra_is_named_with_its_install_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, extra: str, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    result = run("train", *arguments)
    assert result.exit_code == 2
    assert install_line(extra) in result.stderr
    assert "epoch" not in result.stderr


# A shell's background jobs ignore SIGINT, and so would what they start.
HEARING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from verigrad.runtime.command import main
main()
"""


def started(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HEARING, *(str(a) for a in arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_a_run_that_can_be_resumed(tmp_path: Path, name: str, code: int) -> None:
    number = getattr(signal, name, None)
    if number is None or os.name != "posix":
        pytest.skip("this system has no such signal")
    process = started("train", "--epochs", 1_000_000, "--threads", 1, "--out", tmp_path)
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch       3/1000000" in line:
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert "Interrupted." in err and "Traceback" not in err
    assert f"verigrad resume {tmp_path} goes on with the run" in err
    program = vg.load(tmp_path / "model.safetensors")
    assert program.step_number >= 3 * 26
    assert vg.load(tmp_path / "checkpoint.safetensors").step_number == program.step_number
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    assert program.step_number in (26 * len(rows), *range(26 * len(rows), 26 * len(rows) + 26))


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_under_nohup_a_hangup_does_nothing(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = started("train", "--epochs", 30, "--threads", 1, "--out", tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch  1/30" in line:
            break
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "epoch 30/30" in err


def test_a_bar_is_drawn_on_a_terminal_and_stdout_stays_the_result() -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "verigrad", "train", "--epochs", "2", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    shown = b"".join(_read(lambda: os.read(leader, 65536)))
    out, _ = process.communicate(timeout=60)
    os.close(leader)
    assert process.returncode == 0
    assert json.loads(out)["epochs"] == 2
    assert "━" in shown.decode() and "52/52" in shown.decode()
    assert "epoch 1/2  train loss" not in shown.decode()


def _read(read: Callable[[], bytes]) -> Iterator[bytes]:
    """What comes until the other end is closed, which Linux reports as an error."""
    while True:
        try:
            data = read()
        except OSError:
            return
        if not data:
            return
        yield data


def test_products_are_verified_to_the_same_bits(tmp_path: Path) -> None:
    for name, more in {"plain": (), "verified": ("--verify-products",)}.items():
        done = run("train", "--steps", 3, "--out", tmp_path / name, *more)
        assert done.exit_code == 0, done.output
        config = tomllib.loads((tmp_path / name / "config.toml").read_text())
        assert config["train"]["verify_products"] == (name == "verified")
    plain, verified = (vg.load(tmp_path / k / "model.safetensors") for k in ("plain", "verified"))
    for name, value in plain.parameters.items():
        np.testing.assert_array_equal(verified.parameters[name], value)


def test_one_line_tells_of_the_certificate() -> None:
    told = run("train", "--steps", 3).stderr
    (line,) = [t for t in told.splitlines() if t.startswith("certificate: ")]
    assert line.startswith("certificate: proved (16 tensors as declared, gradients proved, numbers")
    assert " of their bounds at N=50), " in line and line.endswith(" ms")

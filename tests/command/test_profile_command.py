"""`verigrad profile`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from invoking import run

import verigrad as vg


def test_profile_prints_a_row_for_each_kernel() -> None:
    result = run("profile", "--hidden", "8", "--batch-size", 16, "--steps", 3, "--optimizer", "sgd")
    assert result.exit_code == 0
    assert result.stdout.startswith("profile of mlp, N=16")
    for words in (
        "linear_relu fc1",
        "log_softmax + nll_at + mean",
        "finite?",
        "all kernels",
        "overhead",
    ):
        assert words in result.stdout


def test_profile_prints_json_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "profile.svg"
    result = run(
        "profile", "--hidden", "8", "--steps", 2, "--threads", 1, "--json", "--svg", picture
    )
    told = json.loads(result.stdout)
    assert told["sizes"] == {"N": 50} and told["step"] > 0
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
    assert result.stderr == f"figure in {picture}\n"


def test_profile_takes_a_model_and_leaves_it(tmp_path: Path) -> None:
    x, t = vg.input("x", ("N", 3)), vg.input("t", ("N", 2))
    out = vg.dense(x, 2)
    net = vg.Graph("line", {"out": out}, loss=vg.mean_squared_error(out, t))
    path = tmp_path / "line.safetensors"
    vg.compile(net, optimizer=vg.SGD(0.01)).save(path)
    before = path.read_bytes()
    result = run("profile", path, "--steps", 2)
    assert result.exit_code == 0 and "profile of line" in result.stdout
    assert path.read_bytes() == before


def test_profile_refuses_options_of_a_net_beside_a_model(tmp_path: Path) -> None:
    x, t = vg.input("x", ("N", 3)), vg.input("t", ("N", 2))
    out = vg.dense(x, 2)
    net = vg.Graph("line", {"out": out}, loss=vg.mean_squared_error(out, t))
    vg.compile(net).save(tmp_path / "line.safetensors")
    result = run("profile", tmp_path / "line.safetensors", "--hidden", "8")
    assert result.exit_code == 2 and "--hidden has no effect" in result.stderr


def test_a_figure_that_cannot_be_written_does_not_lose_the_table() -> None:
    result = run("profile", "--hidden", "8", "--steps", 3, "--svg", "/dev/full")
    assert result.exit_code == 1
    assert result.stdout.startswith("profile of mlp")
    assert "/dev/full cannot be written" in result.stderr

"""`verigrad train --processes` and `--shards`: the run of one process, told and written once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from invoking import run

import verigrad as vg

SMALL = ("train", "--hidden", "8", "--batch-size", "100", "--keep", "0.9", "--seed", "3")
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
VERIGRAD = (sys.executable, "-m", "verigrad")


def started(*arguments: object, by: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A command in a process and a group of its own."""
    argv = [*by, *VERIGRAD, *map(str, arguments)]
    pipe: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(argv, env=ENVIRONMENT, start_new_session=True, **pipe)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    stdout, stderr = process.communicate(timeout=120)
    return process.returncode, stdout, stderr


def ranks(process: subprocess.Popen[str]) -> list[int]:
    """The processes that it has started as ranks, from rank 0 on."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    spawned = [p for p in children if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]
    return sorted(map(int, spawned))


def wait_for_epoch(folder: Path, process: subprocess.Popen[str]) -> None:
    lines = folder / "metrics.jsonl"
    until = time.monotonic() + 60
    while not (lines.exists() and lines.read_text()):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.01)


def values(folder: Path) -> dict[str, np.ndarray]:
    program = vg.load(folder / "model.safetensors")
    return {**program.parameters, **program.state}


def check_same(folder: Path, other: Path) -> None:
    """The same bits, and the same metrics but for the seconds."""
    mine, its = values(folder), values(other)
    assert mine.keys() == its.keys()
    for name, value in mine.items():
        np.testing.assert_array_equal(value, its[name])
    rows = []
    for one in (folder, other):
        lines = (one / "metrics.jsonl").read_text().splitlines()
        rows.append([{**json.loads(line), "seconds": 0} for line in lines])
    assert rows[0] == rows[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one process that nothing stops."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    result = run(*SMALL, "--epochs", 40, "--shards", 8, "--out", folder)
    assert result.exit_code == 0
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a run goes that ends with nobody left."""
    yield tmp_path / "run"
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, check=False)
    assert left.stdout == b""


def test_two_processes_write_and_tell_what_one_does(folder: Path, whole: Path) -> None:
    code, stdout, stderr = ended(
        started(*SMALL, "--epochs", 40, "--processes", 2, "--out", folder, "--json")
    )
    assert code == 0, stderr
    assert json.loads(stdout)["steps"] == 520
    assert stderr.count("net 64-8-10") == 1 and stderr.count("model saved in") == 1
    assert stderr.count("epoch 40/40") == 1
    assert {p.name for p in folder.iterdir()} == {p.name for p in whole.iterdir()}
    check_same(folder, whole)
    told = tomllib.loads((folder / "config.toml").read_text())["train"]
    assert told["shards"] == 8 and told["processes"] == 2


def test_a_run_whose_rank_is_killed_goes_on_with_other_numbers(folder: Path, whole: Path) -> None:
    process = started(*SMALL, "--epochs", 40, "--processes", 4, "--out", folder)
    wait_for_epoch(folder, process)
    os.kill(ranks(process)[2], signal.SIGKILL)
    start = time.monotonic()
    code, stdout, stderr = ended(process)
    assert code == 2 and stdout == "" and time.monotonic() - start < 10
    told = (
        f"Error: rank 2 of 4 was killed by SIGKILL; verigrad resume {folder} goes on with the run"
    )
    assert stderr.splitlines()[-1] == told
    assert stderr.count("Error") == 1 and "Traceback" not in stderr
    process = started("resume", folder, "--processes", 2)
    while not ranks(process):
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    ended(process)
    code, _, stderr = ended(started("resume", folder, "--processes", 1))
    assert code == 0, stderr
    check_same(folder, whole)


@pytest.mark.parametrize(("number", "due"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_and_is_told_once(number: int, due: int, folder: Path) -> None:
    process = started(*SMALL, "--epochs", 4000, "--processes", 2, "--out", folder)
    wait_for_epoch(folder, process)
    os.killpg(process.pid, number)
    code, stdout, stderr = ended(process)
    assert code == due and stdout == ""
    assert stderr.splitlines()[-3:] == [
        f"model saved in {folder}",
        f"verigrad resume {folder} goes on with the run",
        "Interrupted.",
    ]
    assert vg.load(folder / "checkpoint.safetensors").step_number > 0


@pytest.mark.parametrize(("number", "due"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_ranks_start_is_not_lost(number: int, due: int, folder: Path) -> None:
    process = started(*SMALL, "--epochs", 4000, "--processes", 2, "--out", folder)
    while len(ranks(process)) < 2:
        time.sleep(0.001)
    os.killpg(process.pid, number)
    code, stdout, stderr = ended(process)
    assert code == due and stdout == ""
    assert "Traceback" not in stderr and stderr.splitlines()[-1] == "Interrupted."


def test_an_error_is_told_once(folder: Path) -> None:
    code, _, stderr = ended(started(*SMALL, "--processes", 2, "--data", folder / "none.csv"))
    assert code == 2
    assert stderr == f"Error: {folder}/none.csv cannot be read: No such file or directory\n"


def test_processes_share_shards_evenly(tmp_path: Path, whole: Path) -> None:
    result = run(*SMALL, "--processes", 3)
    assert result.exit_code == 2
    assert "there are 3 ranks, which cannot share 8 shards evenly" in result.stderr
    result = run(*SMALL, "--processes", 4, "--shards", 2)
    assert result.exit_code == 2 and "4 ranks, which cannot share 2 shards" in result.stderr
    result = run(*SMALL, "--shards", 3)
    assert result.exit_code == 2 and "shards is 3, where a power of two" in result.stderr
    result = run(*SMALL, "--epochs", 1, "--out", tmp_path)
    result = run("resume", tmp_path, "--processes", 2)
    assert result.exit_code == 2
    assert "the run was begun without --shards, which 2 processes would share" in result.stderr


def test_one_process_is_this_one(tmp_path: Path) -> None:
    result = run(*SMALL, "--epochs", 1, "--processes", 1, "--out", tmp_path)
    assert result.exit_code == 0 and "test accuracy" in result.stdout
    info = run("info", tmp_path).stdout
    assert "shards(8)" in info


MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent))


@pytest.mark.skipif(MPIEXEC is None, reason="mpiexec is not installed beside Python")
def test_under_mpiexec_it_is_the_same_run(folder: Path, whole: Path) -> None:
    by = (str(MPIEXEC), "-n", "2")
    code, stdout, stderr = ended(started(*SMALL, "--epochs", 40, "--out", folder, by=by))
    assert code == 0, stderr
    assert stdout.count("test accuracy") == 1 and stderr.count("net 64-8-10") == 1
    check_same(folder, whole)
    code, _, stderr = ended(started(*SMALL, "--data", folder / "none.csv", by=by))
    assert code != 0 and stderr.count("none.csv cannot be read") == 1
    code, _, stderr = ended(started(*SMALL, "--shards", 1, by=by))
    assert code != 0 and stderr.count("2 ranks, which cannot share 1 shards") == 1

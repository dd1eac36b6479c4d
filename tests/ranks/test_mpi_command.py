"""`mpiexec -n 4 verigrad train`: the files of one process, and one voice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .test_mpi import ENVIRONMENT, MPIEXEC

TRAIN = ("train", "--shards", "8", "--epochs", "2", "--hidden", "16")


def verigrad(ranks: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in so many processes that mpiexec starts; 0 for one without it."""
    argv = [sys.executable, "-m", "verigrad", *map(str, arguments)]
    if ranks:
        argv = [MPIEXEC, "-n", str(ranks), *argv]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False
    )


def test_ranks_write_the_model_of_one_process_and_speak_with_one_voice(tmp_path: Path) -> None:
    models = []
    for ranks in (0, 4):
        out = tmp_path / str(ranks)
        ended = verigrad(ranks, *TRAIN, "--out", out)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count("test accuracy") == 1
        assert ended.stderr.count("epoch 2/2") == 1
        models.append((out / "model.safetensors").read_bytes())
    assert models[0] == models[1]
    ended = verigrad(2, "resume", tmp_path / "4")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("the run is finished, after 52 steps") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--lr", "small"), "Error: Invalid value for '--lr': 'small' is not a valid float."),
        (("--shards", "2"), "Error: there are 4 ranks, which cannot share 2 shards evenly"),
        (("--data", "missing.csv"), "Error: missing.csv cannot be read"),
        (("--lr", "1e30"), "Error: step 1 is not finite"),
    ],
)
def test_an_error_of_all_ranks_is_told_once(arguments: tuple[str, ...], told: str) -> None:
    ended = verigrad(4, *TRAIN, *arguments)
    assert ended.returncode == (3 if "finite" in told else 2)
    assert ended.stderr.count("Error") == 1
    assert told in ended.stderr

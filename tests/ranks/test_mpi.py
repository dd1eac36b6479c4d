"""Ranks that MPI connects: the bits of one process, and how they end."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import verigrad as vg

pytest.importorskip("mpi4py.MPI", reason="mpi4py is not installed: pip install 'verigrad[mpi]'")
MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or ""
if not MPIEXEC:
    pytest.skip("mpiexec is not installed beside Python", allow_module_level=True)

from verigrad.runtime.ranks import connect  # noqa: E402
from verigrad.runtime.ranks.connect import world  # noqa: E402

from . import under_mpi  # noqa: E402

ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}


def ran(ranks: int, *task: object) -> subprocess.CompletedProcess[str]:
    argv = [MPIEXEC, "-n", str(ranks), sys.executable, under_mpi.__file__, *map(str, task)]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False
    )


def found(ranks: int, *task: object) -> Any:
    """What rank 0 found."""
    ended = ran(ranks, *task)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_bits_are_equal_on_any_number_of_ranks() -> None:
    due = [json.dumps(under_mpi.trained())]
    assert found(8, "bits") == {"1": due, "2": due, "4": due, "8": due}


def test_a_run_goes_on_with_another_number_of_ranks(tmp_path: Path) -> None:
    assert found(4, "resumed", tmp_path / "run.safetensors") == under_mpi.trained()


def test_sums_have_the_order_of_the_tree_and_send_no_more_than_it_takes() -> None:
    for size, count, way, sent in found(8, "sums"):
        bound = 4 * 2 * count * (size - 1)  # bytes, of all ranks together
        rounds = size.bit_length() - 1
        assert sent == (4 * size * count * rounds if way == "doubling" else bound)


def test_all_ranks_hear_what_all_tell() -> None:
    assert found(4, "gathered") == [[0] * 4, [0, 1, 2, 3], [0, 100_000, 200_000, 300_000]]


def test_what_is_left_of_a_refused_step_is_not_taken_for_the_next() -> None:
    assert found(4, "reopened") == [8.0, 8.0, 12.0, 12.0]


def test_an_error_of_one_rank_is_told_once() -> None:
    ended = ran(4, "ending", "raise", 2)
    assert ended.returncode == 1
    assert ended.stderr.count("Traceback") == 1
    told = "ValueError: the disk is full\nrank 2 of 4 ended so; go on with: mpiexec -n 4 python"
    assert told in ended.stderr
    assert "BAD TERMINATION" not in ended.stderr


def test_an_error_of_all_ranks_is_told_once() -> None:
    ended = ran(3, "train")
    assert ended.returncode == 1
    assert ended.stderr.count("Traceback") == 1
    assert "there are 3 ranks, which cannot share 8 shards evenly" in ended.stderr


def test_the_death_of_a_rank_ends_all() -> None:
    ended = ran(4, "ending", "kill", 2)
    assert ended.returncode != 0
    (told,) = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert re.fullmatch(
        r"Error: rank 2 of 4 \(process \d+ on .*\) was killed(, or crashed| by SIGKILL); "
        r"go on with: mpiexec -n 4 python mine\.py",
        told,
    )


def test_a_communicator_of_mpi_is_expected() -> None:
    with pytest.raises(vg.RunError, match=r"such as MPI\.COMM_WORLD of mpi4py"):
        under_mpi.trained("world")


def test_a_process_that_mpiexec_did_not_start_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in started_by(monkeypatch):
        monkeypatch.delenv(name)
    assert world() is None


def test_mpi4py_is_asked_for_under_mpiexec_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    started_by(monkeypatch)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", None)
    with pytest.raises(vg.RunError, match=r"needs the package 'mpi4py'.*\[mpi\]'"):
        world()


def test_an_mpiexec_of_another_mpi_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    started_by(monkeypatch)
    with pytest.raises(vg.RunError, match=r"mpiexec has started 4 processes, .* mpi4py uses MPICH"):
        world()


def started_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes this process look as if mpiexec had started it with three others."""
    monkeypatch.setattr(connect, "_SIZES", ("TESTED_SIZE",))
    monkeypatch.setenv("TESTED_SIZE", "4")
    return ["TESTED_SIZE"]


def test_ranks_of_other_machines_are_watched_by_the_first_one() -> None:
    """Two names of this machine: the ranks that have the other reach the watcher by the network."""
    ended = ran(4, "ending", "kill", 2, "--apart")
    assert ended.returncode != 0
    (told,) = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert re.match(r"Error: rank 2 of 4 \(process \d+ on elsewhere\) was killed, or crashed", told)

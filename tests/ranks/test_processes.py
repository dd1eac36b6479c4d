"""Ranks that are processes of this machine: bits, ends, and that nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path

import numpy as np
import pytest

import verigrad as vg

from . import mains

SHM = Path("/dev/shm")


def children() -> set[int]:
    """The processes that this one has started."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No process, but what follows resources of multiprocessing; no open file. Those of other
    tests, such as workers that wait for more, may end meanwhile."""
    ensure_running()
    processes, files = children(), open_files()
    yield
    assert children() <= processes
    assert open_files() <= files


@pytest.fixture(scope="module")
def alone() -> tuple[mains.Values, list[float]]:
    return mains.trained("numpy", 20, None, None)


def check_same(
    found: tuple[mains.Values, list[float]], due: tuple[mains.Values, list[float]]
) -> None:
    assert found[1] == due[1]
    for name, value in due[0].items():
        np.testing.assert_array_equal(found[0][name], value)


@pytest.mark.parametrize("size", [1, 2, 8])
def test_a_run_has_the_bits_of_one_process(
    size: int, alone: tuple[mains.Values, list[float]]
) -> None:
    check_same(vg.launch(partial(mains.trained, "numpy", 20, None), size), alone)


@pytest.fixture(scope="module")
def alone_by_numba() -> tuple[mains.Values, list[float]]:
    """Before open files are counted: the first use of Numba opens some that stay."""
    pytest.importorskip("numba")
    return mains.trained("numba", 20, None, None)


def test_a_run_of_numba_has_them(alone_by_numba: tuple[mains.Values, list[float]]) -> None:
    check_same(vg.launch(partial(mains.trained, "numba", 20, None), 2), alone_by_numba)


def test_a_run_goes_on_with_another_number_of_processes(
    tmp_path: Path, alone: tuple[mains.Values, list[float]]
) -> None:
    path = tmp_path / "run.safetensors"
    for size, steps in ((4, 2), (2, 9), (4, 20)):
        found = vg.launch(partial(mains.trained, "numpy", steps, path), size)
    check_same(found, alone)


@pytest.mark.parametrize(("step", "size"), [(-1, 2), (3, 4), (17, 2)])
def test_a_rank_that_is_killed_ends_all(
    step: int, size: int, tmp_path: Path, alone: tuple[mains.Values, list[float]]
) -> None:
    path = tmp_path / "run.safetensors"
    with pytest.raises(vg.RunError, match=rf"^rank 1 of {size} was killed by SIGKILL") as e:
        vg.launch(partial(mains.ending, 1, step, "SIGKILL", path), size)
    assert step < 0 or f"; start the ranks again, with vg.fit(..., checkpoint='{path}'" in str(e)
    check_same(mains.trained("numpy", 20, path, None), alone)


def test_a_rank_that_exits_ends_all() -> None:
    with pytest.raises(vg.RunError, match="rank 0 of 2 ended with exit code 3; nothing"):
        vg.launch(partial(mains.ending, 0, 2, "exit", None), 2)


def test_an_error_of_one_is_raised_once_with_where_it_was() -> None:
    with pytest.raises(ValueError, match="the disk is full") as e:
        vg.launch(partial(mains.ending, 1, 3, "raise", None), 2)
    assert str(e.value) == "the disk is full"
    (note,) = e.value.__notes__
    assert note.startswith("In rank 1 of 2:\nTraceback") and "in does\n" in note


def test_an_error_that_cannot_be_handed_over_is_told_in_words() -> None:
    with pytest.raises(vg.RunError, match=r"^rank 1 of 2 ended: OwnError: 1 and 2$"):
        vg.launch(mains.own_error, 2)


def test_a_row_that_is_not_finite_is_one_error_for_all() -> None:
    with pytest.raises(vg.NonFiniteError) as e:
        vg.launch(mains.not_finite, 2)
    assert "square in layer bn" in str(e.value)


def test_a_rank_that_ends_before_the_others_is_named() -> None:
    with pytest.raises(vg.RunError, match="rank 1 of 2 has ended before"):
        vg.launch(mains.early, 2)


def test_ctrl_c_ends_all_with_a_checkpoint(
    tmp_path: Path, alone: tuple[mains.Values, list[float]]
) -> None:
    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        vg.launch(partial(mains.ending, 1, 3, "interrupt", path), 2)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    found = mains.trained("numpy", 20, path, None)
    if len(found[1]) == 20:  # it may have come many steps late
        check_same(found, alone)


def test_a_rank_that_stands_still_ends_all_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verigrad.runtime.ranks.supervisor._GRACE", 0.1)
    monkeypatch.setattr("verigrad.runtime.ranks.supervisor._LAST", 0.1)
    with pytest.raises(vg.RunError, match="rank 1 of 2 has sent nothing for 1 s"):
        vg.launch(partial(mains.ending, 1, 2, "SIGSTOP", None), 2, timeout=1)


def test_what_cannot_be_run_elsewhere_is_told() -> None:
    with pytest.raises(vg.RunError, match="give a function at the top level of a file"):
        vg.launch(lambda comm: None, 2)
    with pytest.raises(vg.RunError, match="what rank 0 returns cannot be handed"):
        vg.launch(mains.unpicklable, 1)
    with pytest.raises(vg.RunError, match="main is 3, where a function of a communicator"):
        vg.launch(3, 2)  # type: ignore[arg-type]
    with pytest.raises(vg.RunError, match="processes is 0, where"):
        vg.launch(mains.told, 0)
    with pytest.raises(vg.RunError, match="timeout is 'soon', where a number of seconds"):
        vg.launch(mains.told, 2, timeout="soon")  # type: ignore[arg-type]


def test_a_function_that_ranks_do_not_find_is_told(tmp_path: Path) -> None:
    code = "import verigrad as vg\ndef main(comm): pass\nvg.launch(main, 2)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "the function that the ranks are to run is not found by them" in run.stderr


def test_a_file_that_starts_ranks_wherever_it_is_imported_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import verigrad as vg\ndef main(comm): pass\nvg.launch(main, 1)\n")
    run = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert 'put the call below if __name__ == "__main__":' in run.stderr
    assert run.stderr.splitlines()[-1].endswith("rank 0 of 1 ended with exit code 1")


def test_all_hear_all_and_products_take_one_thread() -> None:
    assert vg.launch(mains.told, 3) == [b"0 of 3", b"1 of 3", b"2 of 3"]
    assert vg.launch(mains.threads, 2) == [b"1", b"1"]
    assert "OMP_NUM_THREADS" not in os.environ or os.environ["OMP_NUM_THREADS"] != "1"


@pytest.mark.parametrize("of_launcher", [True, False])
def test_nobody_is_left_where_the_launcher_is_killed(tmp_path: Path, of_launcher: bool) -> None:
    before = set(SHM.iterdir())
    args = [sys.executable, "-m", "tests.ranks.mains", "forever", "3", str(tmp_path)]
    with subprocess.Popen(args, start_new_session=True) as launcher:
        pids: list[int] = []
        while len(pids) < 3:
            time.sleep(0.02)
            pids = [int(p.read_text() or 0) for p in tmp_path.iterdir()]
        victims = [launcher.pid] if of_launcher else [*pids, launcher.pid]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while any(map(is_running, pids)):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert not {p.name for p in set(SHM.iterdir()) - before if "verigrad" in p.name}

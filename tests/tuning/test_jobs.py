"""Runs at the same time: in order on any backend of joblib, with their warnings, and none left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_tune import tuned

import verigrad as vg
from verigrad.runtime.data.rows import Rows
from verigrad.runtime.tuning.jobs import results
from verigrad.runtime.tuning.on_dask import check_versions
from verigrad.runtime.tuning.packed import Packed
from verigrad.runtime.tuning.shared import Shared

joblib = pytest.importorskip("joblib")
threadpoolctl = pytest.importorskip("threadpoolctl")
ThreadingBackend = joblib._parallel_backends.ThreadingBackend
CALLS = [(k,) for k in range(7)]


class AllAtOnce(ThreadingBackend):  # type: ignore[misc, valid-type]
    """A backend that gives all results at once, as Ray's and those of pools do."""

    supports_return_generator = False


joblib.register_parallel_backend("all-at-once", AllAtOnce)


def late(k: int) -> tuple[int, int]:
    """The earlier the later, with the process that made it."""
    time.sleep((7 - k) * 0.01)
    return k, os.getpid()


def warned(k: int) -> int:
    """Gives a warning of ours in whatever process."""
    time.sleep(0.02)
    warnings.warn(f"run {k}", vg.VerigradWarning, stacklevel=1)
    return k


def deadly(k: int) -> int:
    """Ends the process that makes it as the system may, but for the first."""
    if k:
        os.kill(os.getpid(), signal.SIGKILL)
    return k


def failing(k: int) -> int:
    """An error of ours, that says which run it was."""
    raise vg.RunError(f"run {k} cannot be")


@pytest.mark.parametrize("backend", ["loky", "threading", "all-at-once"])
@pytest.mark.parametrize("jobs", [1, 3, 2])
def test_results_are_in_the_order_of_the_calls(backend: str, jobs: int) -> None:
    with joblib.parallel_config(backend):
        found = [*results(late, CALLS, jobs)]
    assert [k for k, _ in found] == [k for (k,) in CALLS]
    processes = {process for _, process in found}
    assert (processes == {os.getpid()}) == (backend != "loky" or jobs == 1)


def test_jobs_are_as_many_as_are_configured_unless_told() -> None:
    with joblib.parallel_config("loky", n_jobs=2):
        assert os.getpid() not in {process for _, process in results(late, CALLS, None)}
        assert {process for _, process in results(late, CALLS, 1)} == {os.getpid()}
    assert {process for _, process in results(late, CALLS, None)} == {os.getpid()}


def test_at_most_so_many_are_at_work_on_a_backend_that_would_make_more() -> None:
    class Wide(ThreadingBackend):  # type: ignore[misc, valid-type]
        def effective_n_jobs(self, n_jobs: int) -> int:
            return 7  # as many as a cluster has

    lock, at_work, most = threading.Lock(), 0, 0

    def busy(k: int) -> int:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.02)
        with lock:
            at_work -= 1
        return k

    for jobs, expected in ((2, 2), (None, 7)):
        most = 0
        with joblib.parallel_config(Wide()):
            assert [*results(busy, CALLS, jobs)] == [k for (k,) in CALLS]
        assert most == expected


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_warnings_are_given_here_in_the_order_of_runs(backend: str) -> None:
    with joblib.parallel_config(backend), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        before = warnings.showwarning
        assert [*results(warned, CALLS, 2)] == [k for (k,) in CALLS]
        assert warnings.showwarning is before
    assert [str(w.message) for w in told] == [f"run {k}" for (k,) in CALLS]


@pytest.mark.parametrize("backend", ["loky", "all-at-once"])
def test_an_error_of_a_run_is_raised_here(backend: str) -> None:
    with joblib.parallel_config(backend), pytest.raises(vg.RunError, match=r"^run \d cannot be$"):
        next(results(failing, CALLS, 2))


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    with pytest.raises(vg.RunError, match="a process that made a run was ended from outside"):
        [*results(deadly, CALLS, 2)]


def test_a_sweep_that_is_stopped_warns_of_nothing() -> None:
    with closing(results(late, CALLS, 2)) as found:  # type: ignore[type-var]
        assert next(found)[0] == 0


def test_what_is_sent_tells_backends_its_size() -> None:
    data = np.zeros((500, 100)), {"y": np.zeros(500, np.int64)}

    class Run:
        """A run that holds arrays, as those of a sweep do."""

        def __init__(self) -> None:
            self.data = data

        def __call__(self) -> int:
            return 0

    assert 404_000 < sys.getsizeof(Packed(Run())) < 410_000


def test_arrays_are_mapped_and_those_of_a_file_are_sent_by_its_path(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(10.0))
    mapped, large = np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(200_000.0)
    columns = np.load(tmp_path / "x.npy", mmap_mode="r").reshape(2, 5).T
    some = Rows(np.asarray(mapped)).only(np.array([3, 1]))

    def file_of(array: Any) -> str:
        while getattr(array, "filename", None) is None:
            array = array.obj if isinstance(array, memoryview) else array.base
        return str(array.filename)

    def run(k: int) -> tuple[list[float], list[str]]:
        values = [mapped[k], large[k], columns[k, 1], some[k]]
        return values, [file_of(a) for a in (mapped, large, columns, some._source)]

    for k, (values, paths) in enumerate(results(run, CALLS[:2], 2)):
        assert values == [k, k, 5 + k, (3, 1)[k]]
        own = str(tmp_path / "x.npy")
        assert paths == [own, paths[1], own, own] and paths[1] != own


def test_a_trial_takes_one_thread_and_leaves_the_limit_as_it_was() -> None:
    def threads() -> set[int]:
        blas = [p for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]
        # SciPy brings another, where something has imported it.
        return {pool["num_threads"] for pool in blas if "numpy" in pool["filepath"]}

    def build(lr: float) -> vg.Program:
        raise vg.RunError(f"threads: {threads()}")

    with threadpoolctl.threadpool_limits(2), joblib.parallel_config("threading"):
        with pytest.raises(vg.RunError, match=r"threads: \{1\}"):
            tuned(build=build, ranges={"lr": "0..1"}, jobs=2)
        assert threads() == {2}


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_what_cannot_be_sent_is_told_where_it_has_to_be(backend: str) -> None:
    lock = threading.Lock()

    def run(k: int) -> int:
        with lock:
            return k

    with joblib.parallel_config(backend):
        if backend == "threading":
            assert [*results(run, CALLS, 2)] == [k for (k,) in CALLS]
            return
        with pytest.raises(vg.RunError, match=r"cannot be sent to other processes: .*lock"):
            next(results(run, CALLS, 2))
        assert [*results(run, CALLS, 1)] == [k for (k,) in CALLS]


def test_a_worker_of_another_version_is_named() -> None:
    same = {"packages": {"verigrad": "1.0", "numpy": "2.4.0", "joblib": "1.5"}}
    other = {"packages": {"verigrad": None, "numpy": "2.3.0", "joblib": "1.5"}}

    class Client:
        """Has workers of these versions."""

        def __init__(self, *workers: Any) -> None:
            self.workers = {f"tcp://{k}:1": worker for k, worker in enumerate(workers)}

        def get_versions(self, packages: list[str]) -> dict[str, Any]:
            assert packages == [*same["packages"]]
            return {"client": same, "workers": self.workers}

    check_versions(Client(same))
    with pytest.raises(vg.RunError) as e:
        check_versions(Client(same, other))
    assert str(e.value) == (
        "the worker at tcp://1:1 has verigrad missing, numpy 2.3.0, joblib 1.5, and here are "
        "verigrad 1.0, numpy 2.4.0, joblib 1.5: the same are expected"
    )


def test_a_context_that_threads_share_lasts_until_the_last_leaves() -> None:
    told: list[str] = []

    class Told:
        def __enter__(self) -> None:
            told.append("in")

        def __exit__(self, *_: object) -> None:
            told.append("out")

    shared = Shared(Told)  # type: ignore[arg-type]
    within, leave = threading.Event(), threading.Event()

    def other() -> None:
        with shared:
            within.set()
            assert leave.wait(10)

    thread = threading.Thread(target=other)
    with shared:
        thread.start()
        assert within.wait(10)
    assert told == ["in"]
    leave.set()
    thread.join()
    assert told == ["in", "out"]
    with shared:
        assert told == ["in", "out", "in"]


@pytest.fixture(scope="module")
def whole() -> vg.Tuning:
    return tuned(jobs=1)


@pytest.mark.parametrize("backend", ["threading", "all-at-once"])
def test_the_table_is_the_same_on_any_backend(whole: vg.Tuning, backend: str) -> None:
    """Threads change what is of the whole process, such as filters and limits, under each other."""
    before = warnings.filters[:]
    with joblib.parallel_config(backend, n_jobs=3):
        assert tuned().trials == whole.trials
    assert warnings.filters == before


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Any]:
    """A process with two jobs, each of which writes down its number and would go on for long."""
    script = """
import os, sys, time
from pathlib import Path
from verigrad.runtime.data.rows import Rows
from verigrad.runtime.tuning.jobs import results
def long(k):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(60)
[*results(long, [(k,) for k in range(4)], 2)]
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stderr=subprocess.PIPE, start_new_session=True
    )
    until(lambda: len([*tmp_path.iterdir()]) == 2)
    yield process, [int(p.name) for p in tmp_path.iterdir()]
    process.kill()
    process.communicate()


def until(holds: Any) -> None:
    """Waits until it holds; an error where it never does."""
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to that")


def alive(process: int) -> bool:
    """Whether there is such a process, which is more than a name to be waited for."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_of_a_sweep_outlives_it(sweep: Any, number: signal.Signals) -> None:
    process, workers = sweep
    assert all(alive(worker) for worker in workers)
    process.send_signal(number)
    process.wait(30)
    until(lambda: not any(alive(worker) for worker in workers))

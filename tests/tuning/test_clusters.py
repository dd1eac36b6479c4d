"""Sweeps on real clusters of this machine, of Dask and of Ray: the same table, and nothing left."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_jobs import deadly, until
from test_tune import tuned

import verigrad as vg
from verigrad.runtime.tuning.jobs import results

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.numpy_bits,  # where a run is made has nothing to do with what runs its steps
    # Of the clusters' own threads and sockets.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]
distributed = pytest.importorskip("distributed")
joblib = pytest.importorskip("joblib")
BIG = np.arange(200_000, dtype=np.float64)
LONG = ("--hidden", "64", "--epochs", "100000")
COMPARE = ("compare", "--optimizers", "sgd,adam,momentum", *LONG)
TUNE = ("tune", "--lr", "log:1e-3..1e-1", *LONG)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two processes, each of which makes two runs at a time."""
    given = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": ":0"}
    with distributed.LocalCluster(processes=True, **given) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster: Any) -> Iterator[Any]:
    with distributed.Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def whole() -> vg.Tuning:
    return tuned(jobs=1)


@pytest.mark.parametrize("jobs", [None, 1, 2, 3])
def test_the_table_of_a_tuning_is_the_same_on_a_cluster(
    client: Any, whole: vg.Tuning, jobs: int | None
) -> None:
    with joblib.parallel_config("dask", client=client):
        assert tuned(jobs=jobs).trials == whole.trials


def test_the_table_is_the_same_on_one_worker(client: Any, whole: vg.Tuning) -> None:
    workers = [*client.scheduler_info()["workers"]]
    with joblib.parallel_config("dask", client=client, workers=workers[:1]):
        assert tuned().trials == whole.trials


def test_the_data_is_sent_to_a_worker_once(client: Any) -> None:
    def run(k: int) -> tuple[float, list[str]]:
        time.sleep(0.02)
        held = distributed.get_worker().data
        return float(BIG[k]), [key for key in held if type(held[key]).__name__ == "Packed"]

    with joblib.parallel_config("dask", client=client):
        found = [*results(run, [(k,) for k in range(12)], None)]
    assert [value for value, _ in found] == [*range(12)]
    assert all(len(keys) == 1 for _, keys in found) and len({keys[0] for _, keys in found}) == 1


def test_what_a_worker_has_not_is_told(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no_module_of_a_worker.py").write_text("def run(k): return k")
    monkeypatch.syspath_prepend(tmp_path)
    run = importlib.import_module("no_module_of_a_worker").run
    with (
        joblib.parallel_config("dask", client=client),
        pytest.raises(vg.RunError, match=r"a worker has not all .*: No module named 'no_module"),
    ):
        next(results(run, [(1,), (2,)], None))


def test_what_cannot_be_sent_is_told(client: Any) -> None:
    lock = threading.Lock()
    with (
        joblib.parallel_config("dask", client=client),
        pytest.raises(vg.RunError, match=r"cannot be sent to other processes: .*lock"),
    ):
        next(results(lambda k: lock, [(1,), (2,)], None))


def test_a_worker_that_is_ended_from_outside_is_told() -> None:
    given = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**given) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        joblib.parallel_config("dask", client=client),
        pytest.raises(vg.RunError, match="a process that made a run was ended from outside"),
    ):
        [*results(deadly, [(1,)], None)]


def command(cluster: Any, *arguments: str, **given: Any) -> subprocess.Popen[str]:
    """The command line, with the scheduler where Dask looks for it."""
    environment = dict(os.environ, DASK_SCHEDULER_ADDRESS=cluster.scheduler_address)
    line = [sys.executable, "-m", "verigrad", *arguments, "--cluster", "dask"]
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **given
    )


def told(process: subprocess.Popen[str]) -> str:
    """What a command prints, that has to end well."""
    out, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    return out


def test_commands_print_on_a_cluster_what_they_print_here(cluster: Any) -> None:
    small = ("--hidden", "8", "--epochs", "2", "--json")
    here = [sys.executable, "-m", "verigrad"]
    for line in (
        ("tune", "--lr", "log:1e-3..1", "--trials", "8"),
        ("compare", "--optimizers", "sgd,adam"),
    ):
        expected = subprocess.run([*here, *line, *small], capture_output=True, check=True)
        on_cluster = told(command(cluster, *line, *small, "--jobs", "3"))
        assert untimed(on_cluster) == untimed(expected.stdout)


def untimed(text: str | bytes) -> Any:
    """What a command printed as JSON, but for how long a run took."""
    found = json.loads(text)
    for run in found.get("runs", []):
        del run["seconds"]
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("line", [COMPARE, TUNE], ids=["compare", "tune"])
def test_a_cluster_ends_the_runs_of_a_sweep_that_was_ended(
    cluster: Any, client: Any, line: tuple[str, ...], number: signal.Signals
) -> None:
    def at_work() -> int:
        busy = client.run(lambda dask_worker: len(dask_worker.active_threads))
        return sum(busy.values())

    until(lambda: not at_work())
    process = command(cluster, *line, start_new_session=True)
    try:
        until(lambda: at_work() >= 3)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == (130 if number == signal.SIGINT else -number), said
    assert said == ("Interrupted.\n" if number == signal.SIGINT else "")
    until(lambda: not at_work())


def test_a_scheduler_without_workers_and_one_that_is_none_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    given = {"n_workers": 0, "dashboard_address": ":0"}
    with distributed.LocalCluster(**given) as empty:
        process = command(empty, "compare", "--epochs", "1")
        nowhere = command(empty, "compare", "--epochs", "1", "--scheduler", "tcp://127.0.0.1:1")
        _, said = nowhere.communicate(timeout=60)
        assert nowhere.returncode == 2
        assert "no scheduler of Dask answers at tcp://127.0.0.1:1: " in said
        _, said = process.communicate(timeout=60)
        assert process.returncode == 2
        assert said == (
            "Error: the cluster has no workers; start some, as `dask worker ADDRESS` does\n"
        )


RAY = """
import sys
import joblib, ray
from ray.util.joblib import register_ray
from test_tune import tuned
register_ray()
ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
expected = tuned(jobs=1, trials=8).trials
with joblib.parallel_config("ray", n_jobs=-1):
    assert tuned(trials=8).trials == expected
print("the same")
"""


def test_the_table_of_a_tuning_is_the_same_on_a_cluster_of_ray() -> None:
    pytest.importorskip("ray")
    folders = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    path = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])
    environment = dict(os.environ, PYTHONPATH=path, RAY_USAGE_STATS_ENABLED="0")
    ended = subprocess.run(
        [sys.executable, "-c", RAY], capture_output=True, text=True, env=environment, check=False
    )
    assert ended.stdout.endswith("the same\n"), ended.stderr

"""--jobs, --cluster and --scheduler: what is asked for, and what is no cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from invoking import run

from verigrad.graph.installed import install_line
from verigrad.runtime import optional
from verigrad.runtime.command.jobs import Jobs
from verigrad.runtime.tuning.jobs import results

COMPARE = ("compare", "--hidden", "", "--epochs", 1, "--optimizers", "sgd,adam")


def test_one_job_needs_no_joblib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("joblib", "cloudpickle"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    missing(monkeypatch, "joblib")
    result = run(*COMPARE)
    assert result.exit_code == 0 and result.stdout.count("\n") == 3
    result = run(*COMPARE, "--jobs", 2)
    assert result.exit_code == 2 and result.stdout == ""
    assert "this needs the package 'joblib'" in result.stderr
    assert install_line("jobs") in result.stderr


def missing(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """As if the package were not installed."""
    found = optional.import_module

    def import_module(name: str) -> Any:
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return found(name)

    monkeypatch.setattr(optional, "import_module", import_module)


@pytest.mark.parametrize(("cluster", "package"), [("dask", "distributed"), ("ray", "ray")])
@pytest.mark.parametrize("command", [COMPARE, ("tune", "--lr", "0..1")], ids=["compare", "tune"])
def test_a_package_that_is_missing_is_told_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, command: tuple[object, ...], cluster: str, package: str
) -> None:
    missing(monkeypatch, package)
    result = run(*command, "--cluster", cluster)
    assert result.exit_code == 2 and f"this needs the package '{package}'" in result.stderr
    assert install_line(cluster) in result.stderr


def test_options_without_effect_are_refused() -> None:
    result = run(*COMPARE, "--scheduler", "tcp://here:1")
    assert result.exit_code == 2
    assert "--scheduler has no effect without --cluster" in result.stderr
    result = run(*COMPARE, "--cluster", "slurm")
    assert result.exit_code == 2 and "'slurm' is not one of 'dask', 'ray'" in result.stderr


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), Jobs(1, None, None)),
        (("--jobs", 3), Jobs(3, None, None)),
        (("--cluster", "dask"), Jobs(None, "dask", None)),
        (("--cluster", "dask", "--scheduler", "tcp://a:1"), Jobs(None, "dask", "tcp://a:1")),
        (("--cluster", "ray", "--jobs", 1), Jobs(1, "ray", None)),
    ],
)
def test_a_cluster_makes_as_many_as_it_has_cores_unless_told(
    monkeypatch: pytest.MonkeyPatch, given: tuple[object, ...], expected: Jobs
) -> None:
    asked: list[Jobs] = []

    @contextmanager
    def at_work(jobs: Jobs, threads: int) -> Iterator[None]:
        asked.append(jobs)
        yield

    monkeypatch.setattr(Jobs, "at_work", at_work)
    assert run(*COMPARE, *given).exit_code == 0
    assert asked == [expected] and expected.here == (expected == Jobs(1, None, None))


def test_processes_take_as_many_threads_as_a_run() -> None:
    def limit(k: int) -> str | None:
        return os.environ.get("OPENBLAS_NUM_THREADS")

    with Jobs(2, None, None).at_work(threads=3):
        assert [*results(limit, [(0,), (1,)], 2)] == ["3", "3"]

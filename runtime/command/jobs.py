"""Where the runs of a sweep are made: --jobs of this machine, or a cluster of Dask or Ray."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import create_connection
from typing import Any, Final, NamedTuple, TypeVar

import click

from ...graph import RunError
from ..optional import require

R = TypeVar("R")


class Jobs(NamedTuple):
    """How many runs are made at the same time, None for as many as the cluster has cores, and on
    which cluster."""

    at_once: int | None
    cluster: str | None
    scheduler: str | None

    @property
    def here(self) -> bool:
        """Whether this process makes them, one after another."""
        return self.at_once == 1 and self.cluster is None

    @contextmanager
    def at_work(self, threads: int) -> Iterator[None]:
        """What is asked for is joblib's backend while the block lasts, its runs of so many threads.

        Raises RunError where there is no such cluster.
        """
        if self.here:
            yield
            return
        joblib = require("joblib", "jobs")
        if self.cluster is None:
            backend = joblib.parallel_config("loky", inner_max_num_threads=threads)
        else:
            backend = _CLUSTERS[self.cluster](self.scheduler)
        with backend:
            yield


@contextmanager
def _dask(scheduler: str | None) -> Iterator[None]:
    """A scheduler of Dask and its workers."""
    distributed = require("distributed", "dask")
    known = require("dask", "dask").config.get
    if scheduler is None and not (known("scheduler-address", "") or known("scheduler-file", "")):
        raise RunError(
            "no scheduler of Dask is named: give --scheduler tcp://HOST:8786, or set "
            "DASK_SCHEDULER_ADDRESS"
        )
    try:
        if scheduler is not None:
            distributed.comm.resolve_address(scheduler)  # as a client that is not made lives on
        client = distributed.Client(scheduler, set_as_default=False)
    except (OSError, ValueError) as e:
        raise RunError(f"no scheduler of Dask answers at {scheduler or 'its address'}: {e}") from e
    with client, require("joblib", "jobs").parallel_config("dask", client=client):
        yield


@contextmanager
def _ray(scheduler: str | None) -> Iterator[None]:
    """A cluster of Ray that is there."""
    ray = require("ray", "ray")
    joblib = require("joblib", "jobs")
    require("ray.util.joblib", "ray").register_ray()
    address = scheduler or os.environ.get("RAY_ADDRESS") or "auto"
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if port.isdigit():
            create_connection((host, int(port)), timeout=30).close()  # for which Ray waits longer
        ray.init(address=address, logging_level="error", log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as e:
        raise RunError(f"no cluster of Ray answers at {address}: {e}") from e
    try:
        with joblib.parallel_config("ray", n_jobs=-1):
            yield
    finally:
        ray.shutdown()


_CLUSTERS: Final = {"dask": _dask, "ray": _ray}


def takes_jobs(f: Callable[..., R]) -> Callable[..., R]:
    """A command that takes the options, gathered as its argument `jobs`."""

    @functools.wraps(f)
    def call(jobs: int | None, cluster: str | None, scheduler: str | None, **options: Any) -> R:
        if scheduler is not None and cluster is None:
            raise click.UsageError(
                "--scheduler has no effect without --cluster", click.get_current_context()
            )
        at_once = 1 if jobs is None and cluster is None else jobs
        return f(jobs=Jobs(at_once, cluster, scheduler), **options)

    wrapped: Callable[..., R] = call
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


_OPTIONS: Final = (
    click.option(
        "--jobs", type=click.IntRange(1, 1024),
        help="Runs at the same time. The result is the same for any number.  [default: 1, or as "
        "many as the cluster has cores]",
    ),
    click.option(
        "--cluster", type=click.Choice([*_CLUSTERS]),
        help="Make the runs on a cluster, and not in processes of this machine.",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS",
        help="Where the cluster is, as tcp://HOST:8786; unsaid, where Dask or Ray is configured "
        "to find it.",
    ),
)  # fmt: skip

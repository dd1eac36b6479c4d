"""Runs that are made at the same time, through joblib: the same results, whoever makes them."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from ...graph import RunError, VerigradWarning
from ..optional import require
from .heard import LISTENING, hearing
from .on_dask import check_versions, client_of
from .packed import Packed

T = TypeVar("T")


def results(
    run: Callable[..., T], calls: Sequence[tuple[Any, ...]], jobs: int | None
) -> Iterator[T]:
    """What the run gives for each of the calls' arguments: in their order, each as soon as it and
    those before it are there.

    So many jobs are joblib's, on the backend of `joblib.parallel_config`: its own processes where
    none is configured, and mostly this one for a single job. None are as many as are configured,
    or one. Raises RunError where a process is ended from outside, where a run cannot be sent to
    one, and where a cluster has no workers.
    """
    if jobs in (1, None) and "joblib" not in sys.modules:  # and so nothing is configured
        yield from (run(*call) for call in calls)
        return
    joblib = require("joblib", "jobs")
    parallel = _parallel(joblib, jobs)
    sent, make = _as_sent(joblib, parallel.n_jobs, run), joblib.delayed(_make)
    with _lost_as_ours():
        made = iter(parallel(make(os.getpid(), sent, *call) for call in calls))
    try:
        for _ in calls:
            with LISTENING, _lost_as_ours():
                ran = next(made)
            for message in ran.heard:
                warnings.warn(message, VerigradWarning, stacklevel=2)
            yield ran.result
    finally:
        if isinstance(made, Generator):
            with LISTENING:
                made.close()


def _parallel(joblib: Any, jobs: int | None) -> Any:
    """Joblib's, for at most so many runs at a time, also on a backend that would make more."""
    given = {"n_jobs": jobs, "pre_dispatch": "all" if jobs is None else jobs}
    try:
        return joblib.Parallel(return_as="generator", **given)
    except ValueError:  # backends that give all results at once, as Ray's
        return joblib.Parallel(**given)


def _as_sent(joblib: Any, jobs: int, run: Callable[..., T]) -> Callable[..., T]:
    """The run as the backend that is configured takes it: as it is where threads make it."""
    backend, _ = joblib.parallel.get_active_backend()
    client = client_of(backend)
    if client is not None:
        check_versions(client)
    elsewhere = client is not None or jobs != 1
    shared = getattr(backend, "supports_sharedmem", False)
    return Packed(run) if elsewhere and not shared else run


class _Made(NamedTuple, Generic[T]):
    """What a run came to, and the warnings of ours that it gave."""

    result: T
    heard: tuple[str, ...]


def _make(caller: int, run: Callable[..., T], *call: Any) -> _Made[T]:
    """Makes a run that a process calls for, in whatever process."""
    if os.getppid() == caller:
        _end_with(caller)
    with hearing() as heard:
        return _Made(run(*call), tuple(heard))


@cache
def _end_with(caller: int) -> None:
    """Ends this process, a child of the caller's, when that is killed: its runs are for nobody."""

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _lost_as_ours() -> Iterator[None]:
    """The errors of backends that have no workers, or whose worker was ended, as ours."""
    lost: list[type[BaseException]] = [BrokenProcessPool, CancelledError]
    for module, name in (("distributed", "KilledWorker"), ("ray.exceptions", "RayActorError")):
        if module in sys.modules:
            lost.append(getattr(sys.modules[module], name))
    try:
        yield
    except TimeoutError as e:
        raise RunError(
            "the cluster has no workers; start some, as `dask worker ADDRESS` does"
        ) from e
    except tuple(lost) as e:
        raise RunError(
            "a process that made a run was ended from outside, maybe for lack of memory, of which "
            "fewer jobs take less"
        ) from e

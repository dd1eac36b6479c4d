"""Runs that are made at the same time, through joblib: the same results, whoever makes them."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, Final, Generic, NamedTuple, NoReturn, SupportsIndex, TypeVar

from ...graph import RunError, VerigradWarning
from ..optional import require
from ..training.callback import Callback
from .heard import LISTENING, hearing

T = TypeVar("T")


def results(
    run: Callable[..., T], calls: Sequence[tuple[Any, ...]], jobs: int | None
) -> Iterator[T]:
    """What the run gives for each of the calls' arguments: in their order, each as soon as it and
    those before it are there.

    So many jobs are joblib's, on the backend of `joblib.parallel_config`: its own processes where
    none is configured, and this one for a single job. None are as many as are configured, or one.
    Raises RunError where a process is ended from outside, and where a cluster has no workers.
    """
    if jobs in (1, None) and "joblib" not in sys.modules:  # and so nothing is configured
        yield from (run(*call) for call in calls)
        return
    sent = _Sent(run)
    delayed = require("joblib", "jobs").delayed(_make)
    with _lost_as_ours():
        made = iter(_parallel(jobs)(delayed(sent, *call) for call in calls))
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


def _parallel(jobs: int | None) -> Any:
    """Joblib's, for at most so many runs at a time, also on a backend that would make more."""
    joblib = require("joblib", "jobs")
    given = {"n_jobs": jobs, "pre_dispatch": "all" if jobs is None else jobs}
    try:
        return joblib.Parallel(return_as="generator", **given)
    except ValueError:  # backends that give all results at once, as Ray's
        return joblib.Parallel(**given)


class _Sent(Generic[T]):
    """A run with its data, in an object that backends find worth to be sent to a worker once, and
    not with each call: one that can be referred to weakly, and tells its size."""

    def __init__(self, run: Callable[..., T]) -> None:
        self.run = run
        self.caller: Final = os.getpid()

    @cached_property
    def _weighed(self) -> tuple[int, str]:
        """Its bytes, with the arrays that it holds, and what keeps it from being sent, if it is."""
        arrays: list[int] = []

        def count(buffer: pickle.PickleBuffer) -> None:
            arrays.append(buffer.raw().nbytes)

        dumps = require("cloudpickle", "jobs").dumps
        try:
            return len(dumps(self.run, protocol=5, buffer_callback=count)) + sum(arrays), ""
        except Exception as e:  # of whatever the run holds
            return 0, str(e)

    def __sizeof__(self) -> int:
        return self._weighed[0]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        # A run that cannot be sent is one that says so: not every backend passes such errors on.
        _, problem = self._weighed
        return (_Sent, (_Refused(problem),)) if problem else super().__reduce_ex__(protocol)


class _Refused(NamedTuple):
    """In place of a run that cannot be sent."""

    problem: str

    def __call__(self, *_: object) -> NoReturn:
        raise RunError(
            f"the runs cannot be sent to other processes: {self.problem}; jobs=1, without a "
            "cluster, makes them in this one"
        )


class _Made(NamedTuple, Generic[T]):
    """What a run came to, and the warnings of ours that it gave."""

    result: T
    heard: tuple[str, ...]


def _make(sent: _Sent[T], *call: Any) -> _Made[T]:
    """Makes a run, in whatever process."""
    if os.getppid() == sent.caller:
        _end_with(sent.caller)
    with hearing() as heard:
        return _Made(sent.run(*call), tuple(heard))


@cache
def _end_with(caller: int) -> None:
    """Ends this process, a child of the caller's, when that is killed: its runs are for nobody."""

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Wanted(Callback):
    """Ends a run on a cluster of Dask that nobody waits for, which goes on there by itself."""

    def on_epoch(self, row: object) -> None:
        """Raises RunError where the client has gone, or does not want the result any more."""
        if "distributed" not in sys.modules:
            return
        try:
            worker = sys.modules["distributed"].get_worker()
        except ValueError:  # which is not in one of its workers
            return
        task = worker.state.tasks.get(worker.get_current_task())
        if task is None or task.state == "cancelled":
            raise RunError("nobody waits for the run any more")


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

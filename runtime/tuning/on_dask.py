"""What runs on a cluster of Dask need beside joblib: the same versions, errors, and an end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from ...graph import RunError
from ..training.callback import Callback

_VERSIONED: Final = ["verigrad", "numpy", "joblib"]
"""What has to be the same on all machines: the bits depend on it, or what is sent."""


def client_of(backend: Any) -> Any:
    """The client of a backend of joblib's, where it is that for Dask; else None."""
    client = getattr(backend, "client", None)
    if client is not None and "submit" not in vars(backend):
        backend.submit = partial(_submit, backend.submit)
    return client


def _submit(submit: Callable[..., Future[Any]], batch: Any, callback: Any) -> Future[Any]:
    """Hands a batch to the backend, and its errors to the callback, as other backends do.

    Joblib's for Dask keeps errors from it that are none of the run's, such as those of a worker
    that died, and waits for ever.
    """

    def fail(future: Future[Any]) -> None:
        error = future.exception()
        if error is not None:
            callback(error)

    future = submit(batch, callback)
    future.add_done_callback(fail)
    return future


def check_versions(client: Any) -> None:
    """Raises RunError that names a worker of other versions than here."""
    found = client.get_versions(packages=_VERSIONED)
    here = {name: found["client"]["packages"][name] for name in _VERSIONED}
    for address, worker in found["workers"].items():
        there = {name: worker["packages"][name] for name in _VERSIONED}
        if there != here:
            raise RunError(
                f"the worker at {address} has {_listed(there)}, and here are {_listed(here)}: "
                "the same are expected"
            )


def _listed(versions: dict[str, str | None]) -> str:
    return ", ".join([f"{name} {number or 'missing'}" for name, number in versions.items()])


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

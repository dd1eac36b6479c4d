"""A run as it is sent to other processes: pickled once, beside its arrays, which backends share."""

from __future__ import annotations

import pickle
from collections import ChainMap
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import Any, Generic, TypeVar

import numpy as np

from ...graph import Array, RunError
from ..data.rows import Rows
from ..optional import require

T = TypeVar("T")


class Packed(Generic[T]):
    """A run that is unpacked where it is made, so that what is missing there is an error of the
    run: a worker of Dask that cannot read what it is sent is lost.

    Backends see its size, and send it to a worker once, and not with each call. Arrays stay what
    they are: joblib maps them into its processes, those in a file by its path. Raises RunError
    where the run cannot be pickled.
    """

    def __init__(self, run: Callable[..., T]) -> None:
        buffers: list[pickle.PickleBuffer] = []
        file = BytesIO()
        pickler = _pickler()(file, protocol=5, buffer_callback=buffers.append)
        try:
            pickler.dump(run)
        except Exception as e:  # of whatever the run holds
            raise RunError(
                f"the runs cannot be sent to other processes: {e}; jobs=1, without a cluster, "
                "makes them in this one"
            ) from e
        self._pickled = file.getvalue()
        self._arrays = [_array(buffer) for buffer in buffers]

    def __sizeof__(self) -> int:
        return len(self._pickled) + sum(array.nbytes for array in self._arrays)

    def __call__(self, *call: Any) -> T:
        try:
            run: Callable[..., T] = pickle.loads(self._pickled, buffers=self._arrays)
        except ImportError as e:
            raise RunError(f"a worker has not all that the runs take: {e}") from e
        return run(*call)


def _array(buffer: pickle.PickleBuffer) -> Array:
    """The array that the buffer is of, which may lie in a file, or its bytes."""
    raw = buffer.raw()
    if isinstance(raw.obj, np.ndarray) and raw.obj.nbytes == raw.nbytes:
        return raw.obj
    return np.asarray(raw)


@cache
def _pickler() -> Any:
    """Pickles functions of a user's own, and what lies in a file as an array that does."""
    kind: Any = require("cloudpickle", "jobs").Pickler
    ours = {Rows: Rows.reduce_with_source, np.memmap: lambda a: np.asarray(a).__reduce_ex__(5)}
    return type("Pickler", (kind,), {"dispatch_table": ChainMap(ours, kind.dispatch_table)})

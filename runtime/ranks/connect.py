"""What users give as the ranks of a run, as a communicator."""

from __future__ import annotations

from typing import Any

from ...graph import RunError, shown
from .communicator import Communicator


def connected(comm: Any) -> Communicator:
    """The ranks that are given; RunError for what are none."""
    if isinstance(comm, Communicator):
        return comm
    raise RunError(
        f"comm is {shown(comm)}, where the ranks of a run are expected, such as MPI.COMM_WORLD of "
        "mpi4py"
    )

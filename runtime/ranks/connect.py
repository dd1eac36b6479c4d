"""The ranks of a run: those that users give, and those that mpiexec has started."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Any, Final

from ...graph import RunError, shown
from ..optional import require
from .communicator import Communicator
from .mpi import MPIRanks

_SIZES: Final = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS")
"""Variables by which those who start processes for MPI tell them how many there are."""


def connected(comm: Any) -> Communicator:
    """The ranks that are given: a communicator of mpi4py, or one of ours; RunError for others.

    For one communicator of mpi4py they are made once, by all of its processes.
    """
    if isinstance(comm, Communicator):
        return comm
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is not None and isinstance(comm, mpi.Intracomm) and comm != mpi.COMM_NULL:
        return _of_mpi(mpi, comm)
    raise RunError(
        f"comm is {shown(comm)}, where the ranks of a run are expected, such as MPI.COMM_WORLD of "
        "mpi4py"
    )


def tells(e: BaseException) -> bool:
    """Whether this process tells the user of an error that ends it: where mpiexec has started
    several, that have it all, or hear of it, one does. All of them come here, or to `world`."""
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is None and _sizes() and find_spec("mpi4py") is not None:
        mpi = require("mpi4py.MPI", "mpi")
    if mpi is None or not _sizes():
        return True
    ranks: MPIRanks | None = mpi.COMM_WORLD.Get_attr(_key(mpi))
    return (ranks or _of_mpi(mpi, mpi.COMM_WORLD)).tells(e)


def world() -> MPIRanks | None:
    """All ranks that mpiexec has started with this one; None for a process without it.

    RunError where mpi4py is not installed, or is for another MPI than mpiexec is of.
    """
    sizes = _sizes()
    if not sizes:
        return None
    mpi = require("mpi4py.MPI", "mpi")
    if mpi.COMM_WORLD.size == 1 < sizes[0]:
        raise RunError(
            f"mpiexec has started {sizes[0]} processes, and MPI shows each of them itself alone: "
            f"mpi4py uses {_library(mpi)}; start them by the mpiexec that comes with it"
        )
    return _of_mpi(mpi, mpi.COMM_WORLD)


def _sizes() -> list[int]:
    """How many processes there are, as what started them says; empty for one by itself."""
    return [int(os.environ[name]) for name in _SIZES if name in os.environ]


def _of_mpi(mpi: Any, comm: Any) -> MPIRanks:
    """The ranks of a communicator, which keeps them as MPI lets it keep what belongs to it."""
    key = _key(mpi)
    ranks: MPIRanks | None = comm.Get_attr(key)
    if ranks is None or ranks.over:
        ranks = MPIRanks(comm)
        comm.Set_attr(key, ranks)
    return ranks


_KEYS: Final[list[int]] = []


def _key(mpi: Any) -> int:
    if not _KEYS:
        _KEYS.append(mpi.Comm.Create_keyval())
    return _KEYS[0]


def _library(mpi: Any) -> str:
    version: str = mpi.Get_library_version()
    return version.partition("\n")[0].strip("\0 ")

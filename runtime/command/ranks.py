"""A run in one process, in several that a command starts, or in those that mpiexec has started."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Final

import click

from ...graph import RunError
from ...passes.sharding import check_size
from ..ranks.communicator import Communicator, RankError
from ..ranks.connect import world
from ..ranks.launch import launch
from ..ranks.mpi import MPIRanks
from ..training.team import known_to_all, reported
from .groups import RUN, grouped_option
from .settings import Settings
from .streams import prepare_streams
from .telling import telling

_SHARDS: Final = 8
"""Into so many a batch is cut that several processes share, unless said."""

Run = Callable[[Communicator | None], None]

processes_option = grouped_option(
    "--processes",
    group=RUN,
    type=click.IntRange(1, 1024),
    help="Train in so many processes of this machine, of one thread each unless --threads says "
    f"more; with --shards, {_SHARDS} unless said, which they share. The bits are the same for any "
    "number.",
)


class Ranks:
    """How many processes make a run, and who starts them."""

    def __init__(self, asked: int | None, threads: int | None, usual: int | None = None) -> None:
        """`asked` is what --processes says; where it says nothing, `usual` is taken."""
        self._world = world()
        self._threads = threads
        if self._world is not None and asked is not None:
            raise click.UsageError("--processes has no effect under mpiexec, which says how many")
        self._size = usual if asked is None else asked
        if self._world is not None:
            self._size = self._world.size

    def sharing(self, settings: Settings) -> Settings:
        """The settings, with shards where ranks are to share batches, checked."""
        if self._size is not None and settings.shards is None:
            settings = settings._replace(shards=_SHARDS)
        self.check(settings)
        return settings

    def check(self, settings: Settings) -> None:
        """Raises RunError where there are no shards, or ranks cannot share them evenly."""
        if self._size is None or self._size == 1:
            return
        if settings.shards is None:
            raise RunError(
                f"the run was begun without --shards, which {self._size} processes would share; "
                "go on in one, or begin a run with verigrad train --shards 8"
            )
        check_size(self._size, settings.shards)

    def run(self, run: Run) -> None:
        """Runs it in each rank; what ends one of them is raised, and told by one alone."""
        if self._world is not None:
            with reported(self._world), _speaking(self._world):
                run(self._world)
        elif self._size is None or self._size == 1:
            run(None)
        else:
            launch(partial(_run_as_rank, run), self._size, threads=self._threads or 1)


def _run_as_rank(run: Run, comm: Communicator) -> None:
    """What each process runs that a command starts."""
    prepare_streams()
    with telling(), _speaking(comm):
        run(comm)


@contextmanager
def _speaking(comm: Communicator) -> Iterator[None]:
    """Within the block, rank 0 alone prints."""
    if comm.rank == 0:
        yield
        return
    with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        yield


def is_first(comm: Communicator | None) -> bool:
    """Whether this process writes the files of the run."""
    return comm is None or comm.rank == 0


@contextmanager
def together(comm: Communicator | None) -> Iterator[None]:
    """All ranks leave the block, or none: the error of the lowest that has one is raised in all."""
    if comm is None:
        yield
        return
    error: Exception | None = None
    try:
        yield
    except RankError:
        raise
    except Exception as e:
        error = e
    told = comm.gather(str(error).encode() if error is not None else b"")
    words = next((t.decode() for t in told if t), None)
    if error is not None:
        raise known_to_all(error)
    if words is not None:
        raise known_to_all(RunError(words))


def advise(comm: Communicator | None, out: Path | None) -> None:
    """Says what a user does when a rank of a run is killed that begins now."""
    if comm is not None:
        nothing = "nothing was saved: --out DIR keeps what a run goes on from"
        comm.advise(how_to_go_on(out, comm) if out is not None else nothing, command=True)


def how_to_go_on(out: Path, comm: Communicator | None) -> str:
    """What a user does with a run that was ended."""
    started = f"mpiexec -n {comm.size} " if isinstance(comm, MPIRanks) else ""
    return f"{started}verigrad resume {shlex.quote(str(out))} goes on with the run"

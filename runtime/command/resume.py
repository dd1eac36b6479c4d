"""`verigrad resume`: goes on with a run that was stopped, to the bits of one that was not."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import click

from ...graph import RunError
from ..files.program_file import opened
from ..ranks.communicator import Communicator
from ..training.checkpoint import Checkpoint, read_checkpoint
from ..training.versions import differences, versions
from .folder import CHECKPOINT, Folder, existing_checkpoint
from .ranks import Ranks, advise, is_first, together
from .run_options import Config, RunOptions, read_config
from .settings import Settings
from .threads import limited
from .training_run import TrainingRun, describe, steps_of_run


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--processes", type=click.IntRange(1, 1024),
    help="Go on in so many processes of this machine; unsaid, in as many as the run began with.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def resume(folder: Path, processes: int | None, as_json: bool) -> None:
    """Go on with the run in DIR, from its last checkpoint to its end.

    The run ends as if it had never stopped, bit by bit, where versions and threads are the same;
    where they are not, a warning says so. Of a run that is finished, all files are written again.
    A run with --shards may go on in another number of processes.
    """
    checkpoint = existing_checkpoint(folder)  # each rank reads it, and the first locks the folder
    with opened(checkpoint) as stored:
        notes = stored.run.told.get("notes") if stored.run is not None else None
    ranks = Ranks(None, None)  # which says what is wrong with the file
    if isinstance(notes, dict) and "config" in notes:
        settings, options, _ = _as_begun(checkpoint, notes)
        ranks = Ranks(processes, options.threads, options.processes)
        ranks.check(settings)
    ranks.run(_GoingOn(folder, as_json).run)


def _as_begun(path: Path, notes: Mapping[str, str]) -> tuple[Settings, RunOptions, Config]:
    """The options that a run was begun with; RunError where it was not begun by a command."""
    if "config" not in notes:
        raise RunError(
            f"{path} was not written by verigrad train; go on with it in Python: "
            "vg.fit(..., checkpoint=, resume=True)"
        )
    try:
        return read_config(notes["config"])
    except RunError as e:
        raise RunError(f"{path} cannot be gone on with: {e}") from None


class _GoingOn(NamedTuple):
    """A run that is there: each of its ranks reads it."""

    path: Path
    as_json: bool

    def run(self, comm: Communicator | None) -> None:
        """Trains from the checkpoint on, and tests."""
        with ExitStack() as open_:
            with together(comm):
                folder = None
                if is_first(comm):
                    folder = open_.enter_context(Folder.existing(self.path))
                path = self.path / CHECKPOINT
                stored = read_checkpoint(path)
                settings, options, recorded = _as_begun(path, stored.told.notes)
                open_.enter_context(limited(options.threads))
                before, now = stored.told.versions, versions()
                if settings.shards is not None:  # a rank takes one, or as many as it was told
                    before = {**before, "threads": now["threads"]}
                for line in differences(before, now):
                    click.echo(f"Warning: {line}; the last bits may differ", err=True)
                data = settings.load_data()
                describe(data, stored.program)
                if folder is not None:
                    folder.describe(recorded, stored.position.rows)
            advise(comm, self.path)
            steps = steps_of_run(data, settings, options)
            over = stored.position.stopped or stored.position.step >= steps
            click.echo(
                f"the run is finished, after {stored.position.step:,} steps" if over
                else f"going on after {stored.position.step:,} of {steps:,} steps",
                err=True,
            )  # fmt: skip
            running = TrainingRun(data, stored.program, settings, options, folder, comm)
            running.run(Checkpoint(path, resume=True, notes=stored.told.notes), self.as_json)

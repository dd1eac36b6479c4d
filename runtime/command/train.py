"""`verigrad train`: data in, a trained program out."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import click

from ..ranks.communicator import Communicator
from ..training.checkpoint import Checkpoint
from .folder import CHECKPOINT, Folder
from .groups import RUN, grouped_option
from .network import compiled
from .ranks import Ranks, advise, is_first, together
from .run_options import RunOptions, config, takes_run_options
from .settings import Settings, asks_for_batch
from .threads import limited
from .training_command import training_command
from .training_run import TrainingRun, describe, steps_of_run


@training_command()
@takes_run_options
@grouped_option(
    "--out", group=RUN, type=click.Path(path_type=Path), metavar="DIR",
    help="Where the model, its metrics, settings and pictures go; nothing is written without it.",
)  # fmt: skip
@grouped_option("--overwrite", group=RUN, is_flag=True, help="Lose a run that DIR already holds.")
@grouped_option(
    "--json", "as_json", group=RUN, is_flag=True, help="Print the result as one JSON object."
)
@click.pass_context
def train(
    ctx: click.Context,
    settings: Settings,
    run_options: RunOptions,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Train a net on a data set, and test it.

    Without arguments: three layers on the handwritten digits that ship with verigrad. A tenth of
    the training part is held out to follow the training; the test part is used once, at the end.
    A run with --out that is stopped, or killed, goes on with verigrad resume DIR.
    """
    if overwrite and out is None:
        raise click.UsageError("--overwrite has no effect without --out DIR", ctx)
    ranks = Ranks(run_options.processes, run_options.threads)
    settings = ranks.sharing(settings)
    begun = _Begun(settings, run_options, asks_for_batch(), out, overwrite, as_json)
    ranks.run(begun.run)


class _Begun(NamedTuple):
    """A run that was asked for: each of its ranks makes it of this."""

    settings: Settings
    run_options: RunOptions
    batch_is_asked: bool
    out: Path | None
    overwrite: bool
    as_json: bool

    def run(self, comm: Communicator | None) -> None:
        """Trains and tests."""
        options, settings = self.run_options, self.settings
        with limited(options.threads), ExitStack() as opened:
            with together(comm):
                folder = None
                if self.out is not None and is_first(comm):
                    folder = opened.enter_context(Folder.new(self.out, self.overwrite))
                data = settings.load_data()
                if not self.batch_is_asked:
                    settings = settings.holding(len(data.train.y))
                steps = steps_of_run(data, settings, options)
                program = compiled(data, settings, steps, options.threads)
                describe(data, program)
                running = TrainingRun(data, program, settings, options, folder, comm)
                recorded = config(settings, options)
                if folder is not None:
                    folder.begin(recorded)
            advise(comm, self.out)
            checkpoint = None
            if self.out is not None:
                notes = {"config": json.dumps(recorded)}
                checkpoint = Checkpoint(self.out / CHECKPOINT, notes=notes)
            running.run(checkpoint, self.as_json)

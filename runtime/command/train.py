"""`verigrad train`: data in, a trained program out."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..training.checkpoint import Checkpoint
from .folder import Folder
from .groups import RUN, grouped_option
from .network import compiled
from .run_options import RunOptions, config, takes_run_options
from .settings import Settings
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
    with limited(run_options.threads):
        folder = ctx.with_resource(Folder.new(out, overwrite)) if out is not None else None
        data = settings.load_data()
        settings = settings.for_rows(len(data.train.y))
        program = compiled(
            data, settings, steps_of_run(data, settings, run_options), run_options.threads
        )
        describe(data, program)
        running = TrainingRun(data, program, settings, run_options, folder)
        recorded = config(settings, run_options)
        checkpoint = None
        if folder is not None:
            folder.begin(recorded)
            checkpoint = Checkpoint(folder.checkpoint, notes={"config": json.dumps(recorded)})
        running.run(checkpoint, as_json)

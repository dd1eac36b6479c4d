"""`verigrad resume`: goes on with a run that was stopped, to the bits of one that was not."""

from __future__ import annotations

from pathlib import Path

import click

from ...graph import RunError
from ..training.checkpoint import Checkpoint, read_checkpoint
from ..training.versions import differences, versions
from .folder import Folder
from .run_options import read_config
from .threads import limited
from .training_run import TrainingRun, describe, steps_of_run


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.pass_context
def resume(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """Go on with the run in DIR, from its last checkpoint to its end.

    The run ends as if it had never stopped, bit by bit, where versions and threads are the same;
    where they are not, a warning says so. Of a run that is finished, all files are written again.
    """
    opened = ctx.with_resource(Folder.existing(folder))
    stored = read_checkpoint(opened.checkpoint)
    if "config" not in stored.told.notes:
        raise RunError(
            f"{opened.checkpoint} was not written by verigrad train; go on with it in Python: "
            "vg.fit(..., checkpoint=, resume=True)"
        )
    try:
        settings, run_options, recorded = read_config(stored.told.notes["config"])
    except RunError as e:
        raise RunError(f"{opened.checkpoint} cannot be gone on with: {e}") from None
    with limited(run_options.threads):
        for line in differences(stored.told.versions, versions()):
            click.echo(f"Warning: {line}; the last bits may differ", err=True)
        data = settings.load_data()
        describe(data, stored.program)
        opened.describe(recorded, stored.position.rows)
        steps = steps_of_run(data, settings, run_options)
        over = stored.position.stopped or stored.position.step >= steps
        click.echo(
            f"the run is finished, after {stored.position.step:,} steps" if over
            else f"going on after {stored.position.step:,} of {steps:,} steps",
            err=True,
        )  # fmt: skip
        running = TrainingRun(data, stored.program, settings, run_options, opened)
        checkpoint = Checkpoint(opened.checkpoint, resume=True, notes=stored.told.notes)
        running.run(checkpoint, as_json)

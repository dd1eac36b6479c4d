"""`verigrad plan`: where every result of a step lies in memory."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .models import model_argument, program_of
from .outputs import check_picture
from .settings import VALUES, Settings, refuse_settings
from .training_command import training_command


@training_command()
@model_argument
@click.option(
    "--svg", type=click.Path(path_type=Path), metavar="FILE",
    help="Draw the buffers over the kernel calls there.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON object.")
@click.pass_context
def plan(
    ctx: click.Context, model: Path | None, settings: Settings, svg: Path | None, as_json: bool
) -> None:
    """Print the memory plan of a training step, buffer by buffer.

    Of MODEL, or of the net that the options describe; the arena's size is exact, and `unplanned`
    is what a buffer for every result would take.
    """
    if svg is not None:
        check_picture(svg)
    refuse_settings(ctx, "a plan holds sizes and places, and no values", [*VALUES, "backend"])
    program = program_of(ctx, model, settings)
    memory_plan = program.plan(N=settings.batch_size)
    click.echo(json.dumps(memory_plan.as_dict()) if as_json else str(memory_plan))
    if svg is not None:
        memory_plan.to_svg(svg)
        click.echo(f"figure in {svg}", err=True)

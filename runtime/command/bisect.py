"""`verigrad bisect`: who is guilty where a program does not compute what was declared."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .models import model_argument, program_of
from .settings import Settings, refuse_settings
from .training_command import training_command


@training_command()
@model_argument
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
    help="Write a test for pytest there that fails as long as the fault is there.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def bisect(
    ctx: click.Context, model: Path | None, settings: Settings, output: Path | None, as_json: bool
) -> None:
    """Find the pass, the rewrite or the kernel that changes what a program computes.

    Of MODEL, or of the net that the options describe. Each pass is held to the graph before it,
    and the compiled step to the interpreter. Exit code 1 where somebody is guilty.
    """
    drawn = ["batch_size", "init", "split_seed"]
    refuse_settings(ctx, "what it runs on is drawn, a few rows of it", drawn)
    found = program_of(ctx, model, settings).bisect()
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    else:
        click.echo(str(found))
    if found and output is not None:
        found.write(output)
        click.echo(f"a test that fails as long as it is there: pytest {output}", err=True)
    if found:
        ctx.exit(1)

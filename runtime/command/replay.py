"""`verigrad replay`: makes a step again that was not finite, from the file that keeps it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ...graph.writing import reaching
from ..backends.registry import BACKENDS, Backend
from ..training.replay import replay
from .folder import BUNDLE


@click.command("replay")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--backend", type=click.Choice([*BACKENDS]), help="Make it on another backend.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.pass_context
def replay_command(
    ctx: click.Context, bundle: Path, backend: Backend | None, as_json: bool
) -> None:
    """Make a step again that was not finite, and say where that began.

    BUNDLE is what train --out, or vg.fit(..., bundle=PATH), has left of it; or the run's folder.
    Exit code 0 where the step fails as it did then, at the same node, by the same value and rows; 1
    where it does not.
    """
    with reaching(bundle):
        file = bundle / BUNDLE if bundle.is_dir() else bundle
    made = replay(file, backend=backend)
    click.echo(json.dumps({"bundle": str(file), **made.as_dict()}) if as_json else str(made))
    if not made.reproduced:
        ctx.exit(1)

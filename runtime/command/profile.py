"""`verigrad profile`: what each kernel of a step takes, beside what it should take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np

from ...graph import Array, Graph
from .models import model_argument, program_of
from .outputs import check_figure
from .settings import VALUES, Settings, refuse_settings
from .threads import limited, threads_option
from .training_command import training_command


@training_command()
@model_argument
@click.option(
    "--steps", default=100, show_default=True, type=click.IntRange(min=1), help="Steps to time."
)
@threads_option
@click.option(
    "--svg", type=click.Path(path_type=Path), metavar="FILE", help="Draw bars, one a kernel, there."
)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as one JSON object.")
@click.pass_context
def profile(
    ctx: click.Context,
    model: Path | None,
    settings: Settings,
    steps: int,
    threads: int | None,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Time each kernel of a training step beside the least that this machine should take for it.

    Of MODEL, or of the net that the options describe, on numbers that are drawn. The prediction
    comes from the operations and bytes of the graph, at rates that are measured meanwhile.
    Nothing is trained: MODEL stays as it is.
    """
    if svg is not None:
        check_figure(svg)
    refuse_settings(ctx, "the time of a step does not depend on values", VALUES)
    program = program_of(ctx, model, settings)
    with limited(threads):
        report = program.profile(
            drawn_feeds(program.executable.graph, {"N": settings.batch_size}), steps=steps
        )
    click.echo(json.dumps(report.as_dict()) if as_json else str(report))
    if svg is not None:
        report.to_svg(svg)
        click.echo(f"figure in {svg}", err=True)


def drawn_feeds(g: Graph, sizes: Mapping[str, int]) -> dict[str, Array]:
    """Standard normal numbers for each input; labels are all 0, a class that every net has."""
    rng = np.random.default_rng(0)
    feeds: dict[str, Array] = {}
    for n in g.inputs:
        shape = n.type.bind(sizes)
        drawn = rng.standard_normal(shape) if n.type.is_float else np.zeros(shape)
        feeds[g.names[n]] = drawn.astype(n.type.numpy)
    return feeds

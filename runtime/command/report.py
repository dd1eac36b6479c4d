"""`verigrad report`: all that is known of a model, or of a net, on one page."""

from __future__ import annotations

from pathlib import Path

import click

from ...graph import Array
from ..checking.gradcheck import gradcheck
from ..checking.report import GradcheckReport
from ..data.parts import TaskData
from ..report.text import as_text
from ..report.write import Asked, checked_paths, data_of, write_report
from .models import model_argument, program_of
from .network import declare
from .outputs import STDOUT
from .profile import drawn_feeds
from .settings import Settings
from .training_command import training_command

_CHECKED = 5
"""So many rows of the data a gradient check takes."""


@training_command()
@model_argument
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE",
    default="report.html", show_default=True,
    help="The page, with its twin in text beside it; FILE.txt: the text alone; -: to stdout.",
)  # fmt: skip
@click.option("--profile", is_flag=True, help="Time each kernel of a step, too.")
@click.option("--check", is_flag=True, help="Check the gradients, too. Not of MODEL.")
@click.pass_context
def report(
    ctx: click.Context,
    model: Path | None,
    settings: Settings,
    output: Path,
    profile: bool,
    check: bool,
) -> None:
    """Write all that is known of a program as one page, which needs no other file and no network.

    Of MODEL, or of the net that the options describe; of the latter with values, on a batch of
    the data, before any training. It shows stages and reasons, what became of each node,
    gradients, memory, cost and the certificate.
    """
    if output != STDOUT:
        checked_paths(output)
    if check and model is not None:
        raise click.UsageError("--check takes rows of the data, which MODEL does not hold", ctx)
    program = program_of(ctx, model, settings)
    g = program.executable.graph
    sizes = dict.fromkeys(g.symbols, settings.batch_size)
    asked = Asked(sizes=sizes)
    if model is None:
        data = settings.load_data()
        asked = Asked(one_batch(data, settings.batch_size))
        if check:
            asked = asked._replace(gradcheck=_checked(data, settings))
    if profile:
        batch = asked.feeds if asked.feeds is not None else drawn_feeds(g, sizes)
        asked = asked._replace(profile=program.profile(batch))
    if output == STDOUT:
        click.echo(as_text(data_of(program._variants, asked)), nl=False)
        return
    write_report(program._variants, output, asked)
    click.echo(f"report in {output}", err=True)


def one_batch(data: TaskData, rows: int) -> dict[str, Array]:
    """So many rows of the training part, evenly spaced: a file may be sorted by class."""
    x, y = data.train
    step = max(1, len(y) // rows)
    return {"x": x[::step][:rows], "y": y[::step][:rows]}


def _checked(data: TaskData, settings: Settings) -> GradcheckReport:
    """The gradient check of the net on a few rows."""
    return gradcheck(
        declare(data, settings),
        one_batch(data, _CHECKED),
        regularizer=settings.make_regularizer(),
        dropout=settings.make_dropout(),
        seed=settings.seed,
        memory_limit=settings.memory_limit,
        recompute=settings.recompute,
        backend=settings.backend,
    )

"""`verigrad check`: gradients against numeric ones."""

from __future__ import annotations

import click
import numpy as np

from ...passes import L2
from ..checking.gradcheck import gradcheck
from .network import declare
from .settings import Settings, takes_settings


@click.command()
@takes_settings
@click.option(
    "--reg", multiple=True, default=(0.0, 0.7), show_default=True, type=float, metavar="STRENGTH",
    help="L2 strength to check with; can be given more than once.",
)  # fmt: skip
@click.option(
    "--rows", default=5, show_default=True, type=click.IntRange(min=1), help="Rows of the batch."
)
@click.pass_context
def check(ctx: click.Context, settings: Settings, reg: tuple[float, ...], rows: int) -> None:
    """Check the gradients of the net that the options describe, in f64.

    Prints a row a parameter for each --reg. Exit code 1 where a gradient is wrong.
    """
    data = settings.load_data()
    net = declare(data, settings)
    x, y = data.train
    feeds = {"x": x[:rows].astype(np.float64), "y": y[:rows]}
    failed = False
    for strength in reg:
        report = gradcheck(
            net,
            feeds,
            regularizer=L2(strength),
            dropout=settings.make_dropout(),
            seed=settings.seed,
        )
        click.echo(f"L2 strength {strength:g}: {report}")
        failed = failed or not report.ok
    if failed:
        ctx.exit(1)

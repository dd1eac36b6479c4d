"""`verigrad check`: gradients against numeric ones."""

from __future__ import annotations

import json

import click
import numpy as np

from ...passes import L2
from ..checking.entries import PASS
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
@click.option("--json", "as_json", is_flag=True, help="Print the checks as one JSON object.")
@click.pass_context
def check(
    ctx: click.Context, settings: Settings, reg: tuple[float, ...], rows: int, as_json: bool
) -> None:
    """Check the gradients of the net that the options describe, in f64.

    Prints a row a parameter for each --reg. Exit code 1 where a gradient is wrong.
    """
    data = settings.load_data()
    net = declare(data, settings)
    x, y = data.train
    feeds = {"x": x[:rows].astype(np.float64), "y": y[:rows]}
    told: list[dict[str, object]] = []
    for strength in reg:
        report = gradcheck(
            net,
            feeds,
            regularizer=L2(strength),
            dropout=settings.make_dropout(),
            seed=settings.seed,
        )
        told.append({"strength": strength, **report.as_dict()})
        if not as_json:
            click.echo(f"L2 strength {strength:g}: {report}")
    ok = all(check["verdict"] == PASS for check in told)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": told}))
    if not ok:
        ctx.exit(1)

"""`verigrad check`: gradients against numeric ones."""

from __future__ import annotations

import json

import click
import numpy as np

from ..checking.entries import PASS
from ..checking.gradcheck import gradcheck
from .network import declare
from .settings import Settings, refuse_settings
from .training_command import training_command

_LATER = (
    "optimizer",
    "dialect",
    "lr",
    "schedule",
    "weight_decay",
    "clip_value",
    "clip_norm",
    "batch_size",
    "dtype",
)
"""Settings of what is done with gradients, and of how exactly."""


@training_command()
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
    """Check the gradients of the net that the options describe, in f64, as a backend makes them.

    Prints a row a parameter for each --reg. Exit code 1 where a gradient is wrong.
    """
    refuse_settings(ctx, "the strengths to check with are those of --reg", ["l2"])
    refuse_settings(ctx, "gradients are checked in f64, and before they are used", _LATER)
    refuse_settings(ctx, "gradients are checked of a whole batch; see selfcheck", ["shards"])
    data = settings.load_data()
    net = declare(data, settings)
    x, y = data.train
    feeds = {"x": x[:rows].astype(np.float64), "y": y[:rows]}
    checks: list[dict[str, object]] = []
    for strength in reg:
        report = gradcheck(
            net,
            feeds,
            regularizer=settings._replace(l2=strength).make_regularizer(),
            dropout=settings.make_dropout(),
            seed=settings.seed,
            memory_limit=settings.memory_limit,
            recompute=settings.recompute,
            backend=settings.backend,
        )
        checks.append({"strength": strength, **report.as_dict()})
        if not as_json:
            click.echo(f"L2 strength {strength:g}: {report}")
    ok = all(check["verdict"] == PASS for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": checks}))
    if not ok:
        ctx.exit(1)

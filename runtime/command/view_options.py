"""How a picture of a graph is asked for on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ...graph.pictures.options import DETAILS, DIRECTIONS
from ...graph.pictures.view import COLUMNS


def takes_view(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of pictures, handed over by the names that `Graph.to_svg` gives them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _parts(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[str, ...]:
    return COLUMNS if text is None else tuple(part.strip() for part in text.split(","))


_OPTIONS = [
    click.option(
        "--detail", type=click.Choice(DETAILS),
        help="What a picture shows as a box. Unsaid, nodes where they are few, else layers.",
    ),
    click.option(
        "--parts", callback=_parts, metavar="PARTS",
        help=f"What a picture shows, of {','.join(COLUMNS)}. Unsaid, all.",
    ),
    click.option(
        "--direction", type=click.Choice(DIRECTIONS), default="TB", show_default=True,
        help="Where a picture runs: top to bottom, or left to right.",
    ),
    click.option("--types/--no-types", default=True, help="Types and bytes, or none."),
    click.option("--bookkeeping", is_flag=True, help="Sizes, casts and scalars as nodes, too."),
]  # fmt: skip

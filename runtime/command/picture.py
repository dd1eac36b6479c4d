"""`verigrad graph`: any stage as text, DOT or SVG."""

from __future__ import annotations

from pathlib import Path

import click

from ...graph import Graph, RunError, suggest
from ..files import replacing
from ..program import Program
from .models import model_argument, program_of
from .settings import Settings, takes_settings

_SUFFIXES = {".svg": "svg", ".dot": "dot", ".gv": "dot"}


@click.command("graph")
@model_argument
@takes_settings
@click.option(
    "--stage", default="declared", show_default=True, metavar="NAME",
    help="declared, a pass that has run, training or inference; --stage list names them.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["svg", "dot", "text"]),
    help="Unsaid, as the ending of FILE says, or else text.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Not stdout.")
@click.pass_context
def graph_command(
    ctx: click.Context,
    model: Path | None,
    settings: Settings,
    stage: str,
    form: str | None,
    output: Path | None,
) -> None:
    """Show a stage of MODEL, or of the net that the options describe."""
    program = program_of(ctx, model, settings)
    stages = _stages(program)
    if stage == "list":
        click.echo("\n".join(stages))
        return
    if stage not in stages:
        raise RunError(f"there is no stage {stage!r}{suggest(stage, stages)}")
    if form is None:
        form = _SUFFIXES.get(output.suffix.lower(), "text") if output is not None else "text"
    text = _drawn(stages[stage], form, {"N": settings.batch_size})
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    with replacing(output) as temporary:
        temporary.write_text(text if text.endswith("\n") else f"{text}\n", "utf-8", newline="\n")


def _stages(program: Program) -> dict[str, Graph]:
    stages = program.stages
    if program.declared.loss is not None:
        stages["training"] = program.training
    stages["inference"] = program.inference
    return stages


def _drawn(g: Graph, form: str, sizes: dict[str, int]) -> str:
    if form == "text":
        return str(g)
    from ...graph.drawing import to_dot, to_svg

    known = {s: n for s, n in sizes.items() if s in g.symbols}
    return to_svg(g, known) if form == "svg" else to_dot(g, known)

"""`verigrad graph`: any stage as text, DOT or SVG."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ...graph import Graph, GraphError, RunError, roles, suggest
from ...graph.text.printer import print_whole
from ...graph.writing import check_writable, write_whole
from ..program import Program
from .models import model_argument, program_of
from .outputs import STDOUT, form_of
from .settings import Settings, refuse_settings, takes_settings

_ELSEWHERE = ("backend", "memory_limit", "recompute")
"""Settings of how a graph is run."""


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
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE",
    help="Not stdout.",
)  # fmt: skip
@click.option(
    "--written-out", "whole", is_flag=True,
    help="Write every number of its arrays into the text, for verigrad opt to read.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the graph as one JSON object.")
@click.pass_context
def graph_command(
    ctx: click.Context,
    model: Path | None,
    settings: Settings,
    stage: str,
    form: str | None,
    output: Path | None,
    whole: bool,
    as_json: bool,
) -> None:
    """Show a stage of MODEL, or of the net that the options describe."""
    if output is not None and output != STDOUT:
        form = form_of(output, form)
        check_writable(output)
    if as_json and (form is not None or output is not None):
        raise click.UsageError("--json goes to stdout, and has a form of its own", ctx)
    refuse_settings(ctx, "a graph is the same for all of them", _ELSEWHERE)
    if as_json or form in (None, "text"):
        refuse_settings(ctx, "it is that of a picture's sizes: --format svg or dot", ["batch_size"])
    if stage == "list" and (form is not None or output is not None):
        raise click.UsageError("--stage list goes to stdout, as text or --json", ctx)
    if whole and (as_json or form not in (None, "text")):
        raise click.UsageError("--written-out is of a text", ctx)
    program = program_of(ctx, model, settings)
    stages = _stages(program)
    if stage == "list":
        click.echo(json.dumps({"stages": list(stages)}) if as_json else "\n".join(stages))
        return
    if stage not in stages:
        raise RunError(f"there is no stage {stage!r}{suggest(stage, stages)}")
    g, sizes = stages[stage], {"N": settings.batch_size}
    if as_json:
        click.echo(json.dumps({"stage": stage, **_plain(g)}))
    elif output is None or output == STDOUT:
        text = _drawn(g, form or "text", sizes, whole)
        click.echo(text, nl=not text.endswith("\n"))
    else:
        _write(ctx, output, g, form or "text", sizes, whole)


def _write(
    ctx: click.Context, path: Path, g: Graph, form: str, sizes: dict[str, int], whole: bool
) -> None:
    """Writes the file; where none can be drawn, DOT beside it, and exits with 1."""
    try:
        text = _drawn(g, form, sizes, whole)
    except GraphError as e:
        dot = path.with_suffix(".dot")
        if path.suffix.lower() != ".svg" or dot.exists():
            raise
        write_whole(dot, _drawn(g, "dot", sizes))
        click.echo(f"{dot} stands for {path}: {str(e).splitlines()[0]}", err=True)
        ctx.exit(1)
    write_whole(path, text if text.endswith("\n") else f"{text}\n")


def _plain(g: Graph) -> dict[str, object]:
    """A graph in types that JSON has: its text, and its nodes with what they read."""
    part = roles(g)
    nodes = [
        {
            "name": g.names[n],
            "op": n.op.name,
            "dtype": n.type.dtype,
            "shape": list(n.type.shape),
            "inputs": [g.names[i] for i in n.inputs],
            "role": part[n],
            "layer": g.layer(n),
        }
        for n in g.nodes
    ]
    outputs = {key: g.names[n] for key, n in g.outputs.items()}
    updates = {g.names[target]: g.names[value] for target, value in g.updates.items()}
    return {
        "graph": g.name, "nodes": nodes, "outputs": outputs, "updates": updates, "text": str(g)
    }  # fmt: skip


def _stages(program: Program) -> dict[str, Graph]:
    stages = program.stages
    if program.declared.loss is not None:
        stages["training"] = program.training
    stages["inference"] = program.inference
    return stages


def _drawn(g: Graph, form: str, sizes: dict[str, int], whole: bool = False) -> str:
    if form == "text":
        return print_whole(g) if whole else str(g)
    from ...graph.pictures.drawing import to_dot, to_svg

    known = {s: n for s, n in sizes.items() if s in g.symbols}
    return to_svg(g, known) if form == "svg" else to_dot(g, known)

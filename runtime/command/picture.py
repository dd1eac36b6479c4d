"""`verigrad graph`: any stage as text, as DOT, or drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from ...graph import Difference, Graph, GraphError, RunError, roles, suggest
from ...graph.pictures.files import ENDINGS, IMAGES
from ...graph.text.printer import print_whole
from ...graph.writing import check_writable, write_whole
from ..program import Program
from .models import model_argument, program_of
from .outputs import STDOUT, form_of
from .settings import Settings, refuse_settings
from .training_command import training_command
from .view_options import takes_view

_ELSEWHERE = ("backend", "memory_limit", "recompute")
"""Settings of how a graph is run."""


@training_command("graph")
@model_argument
@click.option(
    "--stage", default="declared", show_default=True, metavar="NAME",
    help="declared, a pass that has run, training or inference; --stage list names them.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice([*ENDINGS]),
    help="Unsaid, as the ending of FILE says, or else text.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE",
    help="Not stdout.",
)  # fmt: skip
@click.option(
    "--diff", metavar="PASS", help="What a pass added, removed and rewrote, in place of a stage."
)
@takes_view
@click.option(
    "--written-out", "whole", is_flag=True,
    help="Write every number of its arrays into the text, for verigrad opt to read.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the graph as one JSON object.")
@click.pass_context
def graph_command(
    ctx: click.Context,
    /,
    model: Path | None,
    settings: Settings,
    stage: str,
    form: str | None,
    output: Path | None,
    diff: str | None,
    whole: bool,
    as_json: bool,
    **view: Any,
) -> None:
    """Show a stage of MODEL, or of the net that the options describe."""
    if output is not None and output != STDOUT:
        form = form_of(output, form)
        check_writable(output)
    elif output is None and form in IMAGES:
        raise click.UsageError(f"--format {form} is no text; name a file with -o", ctx)
    if as_json and (form is not None or output is not None):
        raise click.UsageError("--json goes to stdout, and has a form of its own", ctx)
    refuse_settings(ctx, "a graph is the same for all of them", _ELSEWHERE)
    if as_json or form in (None, "text"):
        refuse_settings(ctx, "it is that of a picture's sizes: --format svg or dot", ["batch_size"])
        refuse_settings(ctx, "it is how a picture looks: --format svg, png, pdf or dot", view)
    if diff is not None:
        refuse_settings(ctx, "--diff shows what a pass changed, and that alone", [*view, "stage"])
        if as_json:
            raise click.UsageError("--diff is text or a picture, and not --json", ctx)
    if stage == "list" and (form is not None or output is not None):
        raise click.UsageError("--stage list goes to stdout, as text or --json", ctx)
    other = as_json or diff is not None or stage == "list" or form not in (None, "text")
    if whole and other:
        raise click.UsageError("--written-out is of a text", ctx)
    program = program_of(ctx, model, settings)
    stages = _stages(program)
    if stage == "list":
        click.echo(json.dumps({"stages": list(stages)}) if as_json else "\n".join(stages))
        return
    if stage not in stages:
        raise RunError(f"there is no stage {stage!r}{suggest(stage, stages)}")
    g = stages[stage]
    if as_json:
        click.echo(json.dumps({"stage": stage, **_plain(g)}))
        return
    if diff is not None:
        draw = partial(_compared, _difference(stages, diff))
    else:
        sizes = {s: n for s, n in {"N": settings.batch_size}.items() if s in g.symbols}
        draw = partial(_drawn, g, sizes, view, whole=whole)
    if output is None or output == STDOUT:
        click.echo(_ended(draw(form or "text")), nl=False)
    else:
        _write(ctx, output, draw, form or "text")


def _write(ctx: click.Context, path: Path, draw: Callable[[str], str | bytes], form: str) -> None:
    """Writes the file; where none can be drawn, DOT beside it, and exits with 1."""
    try:
        content = draw(form)
    except GraphError as e:
        dot = path.with_suffix(".dot")
        if path.suffix.lower() not in ENDINGS[form] or dot.exists():
            raise
        write_whole(dot, draw("dot"))
        click.echo(f"{dot} stands for {path}: {str(e).splitlines()[0]}", err=True)
        ctx.exit(1)
    write_whole(path, _ended(content))


def _ended(content: str | bytes) -> str | bytes:
    """Text with the end of its last line; images as they are."""
    return content if isinstance(content, bytes) or content.endswith("\n") else f"{content}\n"


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


def _difference(stages: dict[str, Graph], name: str) -> Difference:
    """What the pass of that name changed: the stage before it beside its own."""
    passes = [stage for stage in stages if stage not in ("declared", "training", "inference")]
    if name not in passes:
        raise RunError(f"there is no pass {name!r}{suggest(name, passes)}")
    order = list(stages)
    return stages[order[order.index(name) - 1]].diff(stages[name])


def _compared(difference: Difference, form: str) -> str | bytes:
    if form == "text":
        return str(difference)
    if form in IMAGES:
        from ...graph.pictures.comparing import difference_view
        from ...graph.pictures.drawing import drawn_image

        return drawn_image(difference_view(difference), form)
    return difference.to_svg() if form == "svg" else difference.to_dot()


def _drawn(
    g: Graph, sizes: dict[str, int], view: dict[str, Any], form: str, whole: bool
) -> str | bytes:
    if form == "text":
        return print_whole(g) if whole else str(g)
    from ...graph.pictures.drawing import to_dot, to_image, to_svg
    from ...graph.pictures.options import checked

    options = checked(g, sizes, **view)
    if form in IMAGES:
        return to_image(g, form, options)
    return to_svg(g, options) if form == "svg" else to_dot(g, options)

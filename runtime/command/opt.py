"""`verigrad opt`: passes run on a graph that is given as text."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TypeVar

import click

from ...graph import Graph, GraphError, RunError, parse, verify
from ...graph.text.printer import print_whole
from ...graph.writing import check_writable, write_whole
from ...passes import Pass
from ...passes.pipeline import check_order, check_pass
from ...passes.text import parse_passes
from ..bisection.steps import Step, StepError, checked_steps, reduced
from .outputs import STDOUT, form_of
from .pass_files import PassFiles
from .step_texts import changes, pass_list, reasons, time_table

T = TypeVar("T")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--pass", "--pipeline", "texts", multiple=True, metavar="PASSES",
    help="Passes to run, with commas between them; can be given more than once.",
)  # fmt: skip
@click.option(
    "--load", "loaded", multiple=True, type=click.Path(path_type=Path), metavar="FILE.py",
    help="Run a Python file first, for its ops and passes.",
)  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="Print the passes that there are, and end.")
@click.option("--print-after-all", is_flag=True, help="Print the graph after each pass.")
@click.option("--diff", is_flag=True, help="Print what each pass changed in place of the graph.")
@click.option(
    "--reasons", "told", is_flag=True, help="Say what each pass did, and refused to do, and why."
)
@click.option(
    "--verify/--no-verify", "verified", default=True, show_default=True,
    help="Whether the graph is verified after each pass; without it, what is wrong can be seen.",
)  # fmt: skip
@click.option(
    "--check", is_flag=True,
    help="Compare what each pass gives with what it was given, exactly and in numbers. Of those "
    "that define what is computed, gradients alone are compared.",
)  # fmt: skip
@click.option(
    "--reduce", is_flag=True,
    help="Where a pass fails, print the smallest graph that fails in the same way.",
)  # fmt: skip
@click.option("--time", "timed", is_flag=True, help="Say how many seconds each pass took.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE",
    help="Write the graph there.",
)  # fmt: skip
@click.pass_context
def opt(
    ctx: click.Context,
    file: Path | None,
    texts: tuple[str, ...],
    loaded: tuple[Path, ...],
    listed: bool,
    print_after_all: bool,
    diff: bool,
    told: bool,
    verified: bool,
    check: bool,
    reduce: bool,
    timed: bool,
    output: Path | None,
) -> None:
    """Run passes on FILE, the text of a graph, and print what they make of it.

    FILE is what str(graph) and verigrad graph --written-out print; without it, or as -, stdin.
    After each pass the graph is verified.

    \b
      verigrad graph --written-out | verigrad opt --pass simplify --diff
      verigrad opt g.ir --pass "training{optimizer=sgd(0.1)}" --time
      verigrad opt g.ir --pass "simplify,mine.py:MyPass{times=2}" --check
      verigrad opt g.ir --pass mine.py:MyPass --check --reduce -o small.ir

    A pass is named as in a pipeline's text, with its options in braces, or by the file and the
    class of one's own. training and inference stand for all passes of these pipelines, and a
    method for the pass that takes it: clip_norm{limit=1}, adam{lr=0.001}, l2{0.01},
    dropout{keep=0.5}. The graph is taken to have whatever a pass needs, unless an earlier pass
    breaks that.

    Exit code 1 where a pass fails, or gives what is no sound graph or, with --check, one that
    computes something else.
    """
    if print_after_all + diff + reduce > 1:
        raise click.UsageError("--print-after-all, --diff and --reduce are one of them", ctx)
    if output is not None and output != STDOUT:
        form_of(output, "text")
        check_writable(output)
    passes = _quietly(lambda: _passes(texts, loaded))
    if listed:
        click.echo("\n".join(pass_list()))
        return
    g = _quietly(lambda: _graph(ctx, file))
    seen = _Seen(print_after_all, diff, told)
    steps = checked_steps(passes, g, compared=check, verified=verified)
    try:
        for step in _each_quietly(steps):
            seen.tell(step)
    except StepError as e:
        click.echo(f"Error: {e}", err=True)
        if reduce:
            with redirect_stdout(io.StringIO()):  # what it prints has been seen
                small = reduced(e, passes, g, verified=verified)
            there = ":" if output in (None, STDOUT) else f", is in {output}"
            click.echo(f"{small.words}{there}", err=True)
            _print(small.graph, output)
        ctx.exit(1)
    except KeyboardInterrupt as e:
        click.echo("\n".join(getattr(e, "__notes__", [])), err=True)
        raise
    finally:
        if timed:
            click.echo(time_table(seen.steps), err=True)
    if diff and not any(step.after is not step.before for step in seen.steps):
        click.echo("no pass changed anything", err=True)
    if reduce:
        click.echo("nothing fails, so there is nothing to reduce", err=True)
    elif output not in (None, STDOUT) or not (print_after_all or diff):
        _print(seen.steps[-1].after if seen.steps else g, output)


class _Seen:
    """Tells of steps as they come, and keeps them."""

    def __init__(self, stages: bool, diff: bool, told: bool) -> None:
        self.stages = stages
        self.diff = diff
        self.told = told
        self.steps: list[Step] = []

    def tell(self, step: Step) -> None:
        self.steps.append(step)
        name, changed = step.one.name, step.after is not step.before
        if self.stages:
            click.echo(f"// ----- after {name}{'' if changed else ': nothing changed'}")
            click.echo(f"{step.after}\n" if changed else "")
        if self.diff and changed:
            click.echo(changes(step))
        for line in reasons(step) if self.told else ():
            click.echo(line, err=True)
        if step.compared:
            click.echo(f"check: {name}: {step.compared}", err=True)


def _passes(texts: Iterable[str], loaded: Iterable[Path]) -> list[Pass]:
    files = PassFiles()
    for path in loaded:
        files.load(path)
    passes = [p for text in texts for p in parse_passes(text, files.kind)]
    for p in passes:
        check_pass(p)
    check_order(passes, {need for p in passes for need in p.needs})
    return passes


def _graph(ctx: click.Context, file: Path | None) -> Graph:
    """The graph whose text a file or stdin holds, verified."""
    if file is None and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("name the file of a graph, or give its text on stdin", ctx)
    name = "stdin" if file is None or file == STDOUT else str(file)
    try:
        if file is not None and file != STDOUT:
            data = file.read_bytes()
        elif sys.stdin is None:
            raise RunError("stdin is closed; name the file of a graph")
        else:
            data = sys.stdin.buffer.read()
        text = data.decode("utf-8-sig")
    except OSError as e:
        raise RunError(f"{name} cannot be read: {e.strerror or e}") from None
    except UnicodeDecodeError as e:
        raise RunError(f"{name} is no text in UTF-8: byte {e.start} is {data[e.start]}") from None
    try:
        g = parse(text)
        verify(g)
    except GraphError as e:
        raise RunError(f"{name}, {e}{_fix(str(e))}") from None
    return g


def _fix(problem: str) -> str:
    """What to do about a text that names what it does not hold."""
    if "stored with the arrays" in problem:
        return "\nfix: print it with verigrad graph --written-out"
    return "\nfix: --load FILE.py" if "import the module" in problem else ""


def _print(g: Graph, output: Path | None) -> None:
    if output is None or output == STDOUT:
        click.echo(print_whole(g))
    else:
        write_whole(output, f"{print_whole(g)}\n")


def _quietly(action: Callable[[], T]) -> T:
    """Does it, and what a user's code prints meanwhile goes to stderr: stdout has the result."""
    with redirect_stdout(sys.stderr):
        return action()


def _each_quietly(steps: Iterator[Step]) -> Iterator[Step]:
    while (step := _quietly(lambda: next(steps, None))) is not None:
        yield step

"""`verigrad selfcheck`: the course's sanity checks, as a page of green and red."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator

import click

from ..optional import require
from .sanity import sanity_checks
from .settings import Settings, refuse_settings
from .subject import Result, Subject
from .threads import limited, threads_option
from .training_command import training_command

_NAME, _FOUND = 34, 36


@training_command()
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON object.")
@click.pass_context
def selfcheck(ctx: click.Context, settings: Settings, threads: int | None, as_json: bool) -> None:
    """Check the net that the options describe: is it ready to be trained?

    The first loss is near ln C, a penalty makes it grow, 50 samples are overfitted, the gradients
    are right, no pass changes the loss, the backend's steps have the losses of another, a resumed
    run ends with the same bits, and every method follows its formula. A line for each with the
    number that was measured and its bound. Exit code 1 where one is red.
    """
    refuse_settings(ctx, "each check takes a batch of its own", ["batch_size"])
    with limited(threads):
        data = settings.load_data()
        if data.task == "regression":
            raise click.UsageError(
                f"the checks are those of a classifier, and {data.name} is {data.task}; verigrad "
                "check has the gradients of its net",
                ctx,
            )
        subject = Subject(data, settings)
        subject.program()  # Options that cannot be are errors of usage, and no red lines.
        results = sanity_checks(subject)
        done = list(results) if as_json else list(_shown(results))
    if as_json:
        checks = [result._asdict() for result in done]
        click.echo(json.dumps({"ok": all(r.ok for r in done), "checks": checks}))
    red = sum(not r.ok for r in done)
    if not as_json:
        click.echo(f"{len(done) - red} of {len(done)} checks are green")
    if red:
        ctx.exit(1)


def _shown(results: Iterable[Result]) -> Iterator[Result]:
    """Prints each result as it comes: in colour on a terminal, else plain."""
    if not sys.stdout.isatty():
        for r in results:
            click.echo(f"{'ok' if r.ok else 'FAIL':<5} {_line(r)}")
            yield r
        return
    console = require("rich.console", "cli").Console()
    text = require("rich.text", "cli").Text
    for r in results:
        mark = ("✓ ", "bold green") if r.ok else ("✗ ", "bold red")
        console.print(text.assemble(mark, (_line(r), "" if r.ok else "red")), soft_wrap=True)
        yield r


def _line(r: Result) -> str:
    return f"{r.name:<{_NAME}} {r.found:<{_FOUND}} {r.bound}"

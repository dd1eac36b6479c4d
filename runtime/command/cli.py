"""The group of commands, and what each error means as an exit code.

0: done; 1: a check failed, or a result could not be written; 2: wrong usage, or data or files that
do not fit; 3: a loss that was not finite; 130: interrupted; 143: ended by
SIGTERM; 129: by SIGHUP.
"""

from __future__ import annotations

from contextlib import suppress

import click

from ...graph import VerigradError
from ..ranks.connect import tells
from .bisect import bisect
from .check import check
from .compare import compare_command
from .export import export
from .info import info
from .opt import opt
from .picture import graph_command
from .plan import plan
from .predict import predict
from .profile import profile
from .replay import replay_command
from .report import report
from .resume import resume
from .selfcheck import selfcheck
from .telling import ending, telling
from .train import train
from .tune import tune_command


class _Commands(click.Group):
    """Commands whose errors are one clear message on stderr, and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            with telling():
                return super().invoke(ctx)
        except (VerigradError, MemoryError, KeyboardInterrupt) as e:
            words, code = ending(e)
            if _tells(ctx, e):
                with suppress(OSError):  # where the terminal is gone
                    click.echo("\n".join([words, *getattr(e, "__notes__", ())]), err=True)
            ctx.exit(code)
        except click.ClickException as e:
            if _tells(ctx, e):
                raise
            ctx.exit(e.exit_code)


def _tells(ctx: click.Context, e: BaseException) -> bool:
    """Whether this process tells of an error, or another that mpiexec has started with it to train
    together."""
    return ctx.invoked_subcommand not in (train.name, resume.name) or tells(e)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="verigrad", prog_name="verigrad")
def cli() -> None:
    """A computation-graph compiler that you can check: train, predict, look, prove.

    The result goes to stdout, everything else to stderr. Exit codes: 0 done, 1 a check failed
    or a result could not be written, 2 wrong usage, 3 a loss that is not finite, 130 interrupted
    (143 by SIGTERM, 129 by SIGHUP).
    """


for command in (
    train,
    resume,
    replay_command,
    predict,
    export,
    compare_command,
    tune_command,
    graph_command,
    check,
    selfcheck,
    bisect,
    opt,
    plan,
    profile,
    report,
    info,
):
    cli.add_command(command)

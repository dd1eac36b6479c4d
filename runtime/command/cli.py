"""The group of commands, and what each error means as an exit code.

0: done; 1: a check failed, or a result could not be written; 2: wrong usage, or data or files that
do not fit; 3: a loss that was not finite; 130: interrupted; 143: ended by
SIGTERM; 129: by SIGHUP.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

import click

from ...graph import NonFiniteError, VerigradError, VerigradWarning, unplaced
from ...graph.errors import WriteError
from .bisect import bisect
from .check import check
from .compare import compare_command
from .ending import exit_code, raising
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
from .train import train
from .tune import tune_command

CHECK_FAILED: Final = 1
UNWRITTEN: Final = 1
USAGE: Final = 2
NON_FINITE: Final = 3


class _Commands(click.Group):
    """Commands whose errors are one clear message on stderr, and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            with _warnings_in_a_line(), raising(), unplaced():
                return super().invoke(ctx)
        except NonFiniteError as e:
            click.echo(f"Error: {e}", err=True)
            ctx.exit(NON_FINITE)
        except WriteError as e:
            click.echo(f"Error: {e}", err=True)
            ctx.exit(UNWRITTEN)
        except VerigradError as e:
            click.echo(f"Error: {e}", err=True)
            ctx.exit(USAGE)
        except MemoryError as e:
            click.echo(f"Error: there is not enough memory: {e or 'none is left'}", err=True)
            ctx.exit(USAGE)
        except KeyboardInterrupt as e:
            with suppress(OSError):  # where the terminal is gone
                click.echo("Interrupted.", err=True)
            ctx.exit(exit_code(e))


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Ours are told like errors, without a line of code that no user of a command wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", VerigradWarning)
        before = warnings.showwarning

        def tell(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, VerigradWarning):
                click.echo(f"Warning: {message}", err=True)
            else:
                before(message, category, filename, lineno, file, line)

        warnings.showwarning = tell
        yield


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

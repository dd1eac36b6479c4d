"""TrainingRun the command line in this process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from verigrad.runtime.command.cli import cli


def run(*arguments: object) -> Result:
    """What a command prints and exits with; a traceback in place of a message fails the test."""
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result

"""The command line `verigrad`: a file a command, and what several of them share.

`settings` holds the options that say what is trained and how, `run_options` those for how long.
What a name stands for, and its default, is in the tables of `methods`: `--optimizer adam` has the
learning rate of its row there, unless `--lr` gives another, and `--schedule` says what becomes of
it over the run. What a command does stands in the rooms below; here are options, output and exit
codes.
"""

from __future__ import annotations

import sys

from ...graph.installed import install_line
from .streams import UnwritableError, prepare_streams


def main() -> None:
    """Runs the command line; ends the process with its exit code."""
    prepare_streams()
    try:
        from .cli import cli
    except ModuleNotFoundError as e:
        if e.name != "click":
            raise
        print(
            "Error: the command line needs the package 'click', which is not installed; "
            f"run: {install_line('cli')}",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        cli(prog_name="verigrad")
    except UnwritableError as e:
        print(f"Error: the result cannot be written: {e.strerror}", file=sys.stderr)
        sys.exit(1)

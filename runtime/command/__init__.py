"""The command line `verigrad`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line; ends the process with its exit code."""
    try:
        from .cli import cli
    except ModuleNotFoundError as e:
        if e.name != "click":
            raise
        print(
            "Error: the command line needs the package 'click', which is not installed; "
            "run: pip install 'verigrad[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    cli(prog_name="verigrad")

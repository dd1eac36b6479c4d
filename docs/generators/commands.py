"""The page of the command line: what each command says of itself with --help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from verigrad.runtime.command.cli import cli

from .page import fenced, write_page


def helps() -> Iterator[str]:
    """A section for each command, in the order of `verigrad --help`."""
    top = click.Context(cli, info_name="verigrad", terminal_width=96, max_content_width=96)
    yield f"# Commands\n\n{fenced(cli.get_help(top))}"
    for name in cli.list_commands(top):
        command = cli.commands[name]
        inner = click.Context(command, parent=top, info_name=name, max_content_width=96)
        yield f"## verigrad {name}\n\n{fenced(command.get_help(inner))}"


def write(folder: Path) -> None:
    """The page of all commands."""
    write_page(folder / "guide" / "commands.md", *helps())

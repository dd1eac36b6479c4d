"""Options in groups: the headings below which `--help` lists them."""

from __future__ import annotations

import functools
from typing import Any, Final

import click

DATA: Final = "Data"
NET: Final = "Net"
TRAINING: Final = "Training"
REGULARIZATION: Final = "Regularization"
RUN: Final = "Run"
GROUPS: Final = (DATA, NET, TRAINING, REGULARIZATION, RUN)
"""The headings of --help, in order."""
_REST: Final = "Other options"
"""The last heading, of options without a group: what a command alone takes."""


class GroupedOption(click.Option):
    """An option that stands below a heading of --help."""

    def __init__(self, *names: Any, group: str, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.group = group


grouped_option: Final = functools.partial(click.option, cls=GroupedOption)


class GroupedCommand(click.Command):
    """A command whose --help lists its options by group."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes a list of options for each group that has any, then the command's own."""
        rows: dict[str, list[tuple[str, str]]] = {group: [] for group in (*GROUPS, _REST)}
        for param in self.get_params(ctx):
            row = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if row is not None:
                rows[getattr(param, "group", _REST)].append(row)
        for group, listed in rows.items():
            if listed:
                with formatter.section(group):
                    formatter.write_dl(listed)

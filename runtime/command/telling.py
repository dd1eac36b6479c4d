"""How commands tell what goes wrong: a line on stderr, and what each error means as exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import click

from ...graph import NonFiniteError, unplaced, warnings_heard
from ...graph.errors import WriteError
from .ending import exit_code, raising

CHECK_FAILED: Final = 1
UNWRITTEN: Final = 1
USAGE: Final = 2
NON_FINITE: Final = 3


class Ending(NamedTuple):
    """What is told of an error, and the exit code."""

    words: str
    code: int


def ending(e: BaseException) -> Ending:
    """What an error means to the user of a command."""
    if isinstance(e, KeyboardInterrupt):
        return Ending("Interrupted.", exit_code(e))
    if isinstance(e, MemoryError):
        return Ending(f"Error: there is not enough memory: {e or 'none is left'}", USAGE)
    if isinstance(e, NonFiniteError):
        return Ending(f"Error: {e}", NON_FINITE)
    return Ending(f"Error: {e}", UNWRITTEN if isinstance(e, WriteError) else USAGE)


@contextmanager
def telling() -> Iterator[None]:
    """Within the block, our warnings and errors are told to the user of a command, and signals
    that ask it to end raise."""
    with warnings_heard(_in_a_line), raising(), unplaced():
        yield


def _in_a_line(warning: str) -> bool:
    """Told like an error, without a line of code that no user of a command wrote."""
    click.echo(f"Warning: {warning}", err=True)
    return True

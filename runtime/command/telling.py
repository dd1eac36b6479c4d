"""How commands tell what goes wrong: a line on stderr, and what each error means as exit code."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple, TextIO

import click

from ...graph import NonFiniteError, VerigradWarning, unplaced
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
    with _warnings_in_a_line(), raising(), unplaced():
        yield


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

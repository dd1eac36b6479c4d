"""The streams of the command line: what cannot be shown is escaped, what cannot be told is seen."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO


class UnwritableError(OSError):
    """A result that could not be written to stdout."""


class _Results(io.FileIO):
    """Stdout: raises UnwritableError where it cannot be written, once."""

    lost = False

    def write(self, data: Any) -> Any:
        if self.lost:
            return len(data)
        try:
            return super().write(data)
        except OSError as e:
            self.lost = True
            raise UnwritableError(e.errno, e.strerror) from None


class _Notes(io.FileIO):
    """Stderr: what cannot be told there ends no run."""

    def write(self, data: Any) -> Any:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def prepare_streams() -> None:
    """Makes stdout and stderr such that any text can be written to them, closed ones too."""
    sys.stdout = _prepared(sys.stdout, _Results)
    sys.stderr = _prepared(sys.stderr, _Notes)


def _prepared(stream: TextIO | None, kind: type[io.FileIO]) -> TextIO:
    if stream is None:
        # Without anything in its place, the next file that is opened would get its number.
        handle = os.open(os.devnull, os.O_RDONLY)
        encoding, on_terminal = "utf-8", False
    elif type(_raw(stream)) is io.FileIO:
        stream.flush()
        handle, encoding, on_terminal = stream.fileno(), stream.encoding, stream.isatty()
    else:  # the console of Windows, and what stands for a stream in a program around us
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(kind(handle, "w", closefd=False)),
        encoding,
        "backslashreplace",
        line_buffering=on_terminal or kind is _Notes,
    )


def _raw(stream: TextIO) -> object:
    """What writes a stream's bytes; its buffer itself where Python runs unbuffered."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)

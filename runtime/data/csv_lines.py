"""The lines of a CSV file: text in UTF-8, records over several lines, and quotes that close."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ...graph import RunError
from .kinds import kind_of

_DELIMITERS: Final = (",", ";", "\t")
_QUOTED: Final = re.compile(r'(^|[,;\t]) *"(?:[^"]|"")*(?:"|$)')
"""A value in quotes, which may go on over the end of the line."""


class CsvRecord(NamedTuple):
    """A row of a file: the number of its first line, its values, and, where a quoted value goes
    on over further lines, what values each of those would have by itself."""

    line: int
    cells: list[str]
    further: list[list[str]]


class Lines:
    """Hands lines to a reader, and remembers those of the record that is being read."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.number = 0
        self.held: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            self.held.append(line)
            yield line

    def next_record(self) -> None:
        """What was read so far is a record."""
        self.held = []

    @property
    def first(self) -> int:
        """The number of the record's first line."""
        return self.number - len(self.held) + 1

    def opened(self, before: int = 0) -> int | None:
        """The line in which a quote opened that is open still, `before` lines ago."""
        opening = None
        for number, line in enumerate(self.held[: len(self.held) - before], self.first):
            quotes = line.replace('""', "").count('"')
            if quotes:
                opening = number if (opening is None) == bool(quotes % 2) else None
        return opening


def records(path: Path) -> Iterator[CsvRecord]:
    """The records of the file that hold anything, the header among them.

    Commas, semicolons or tabs stand between values: what parts the first line into most. Raises
    RunError for another encoding, and with its line for a quote that does not close, or that
    closes within a value.
    """
    text = _text(path)
    first = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    parts = _delimiter(first)
    lines = Lines(text)
    reader = csv.reader(lines, delimiter=parts, skipinitialspace=True, strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as e:
            raise _unreadable(path, lines, str(e)) from None
        if cells is None:
            return
        if cells:
            further = [_parted(line, parts) for line in lines.held[1:]]
            yield CsvRecord(lines.first, cells, further)
        lines.next_record()


def _delimiter(header: str) -> str:
    """What parts the header into most names; the comma where that is a tie.

    What stands in quotes parts nothing, whatever is the delimiter.
    """
    return max(_DELIMITERS, key=_QUOTED.sub(r"\1", header).count)


def _parted(line: str, delimiter: str) -> list[str]:
    """The values of a line by itself; one, where it cannot be parted."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return [line]


def _unreadable(path: Path, lines: Lines, problem: str) -> RunError:
    """Names the line in which a quote opened, where what follows was taken for its value."""
    within = "expected after" in problem
    opened = lines.opened(before=int(within))
    doubled = 'a quote within a value is written ""'
    if opened is not None:
        return RunError(
            f"{path}, line {opened}: the quote that opens here does not close; {doubled}"
        )
    if within:
        problem = f"text stands behind the quote that closes a value; {doubled}"
    return RunError(f"{path}, line {lines.number}: {problem}")


def _text(path: Path) -> str:
    """The file's text, without a byte order mark."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None
    try:
        text = data.decode("utf-8-sig")
        if "\0" not in text:
            return text
        at, stray = data.index(0), "a NUL"
    except UnicodeDecodeError as e:
        # It counts from behind a byte order mark.
        at = e.start + len(codecs.BOM_UTF8) * data.startswith(codecs.BOM_UTF8)
        stray = f"the byte {data[at]:#04x}"
    line = len(re.findall(rb"\r\n?|\n", data[:at])) + 1
    kind = kind_of(data)
    known = kind not in ("a text", "no text", "no text in UTF-8")
    reason = f"it is {kind}" if known else f"line {line} holds {stray}"
    raise RunError(f"{path} is no CSV file in UTF-8: {reason}; save it as text in UTF-8")

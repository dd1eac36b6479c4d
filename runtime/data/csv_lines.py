"""The lines of a CSV file: text in UTF-8, records over several lines, and quotes that close."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from ...graph import RunError, shown
from .cells import is_missing, is_number
from .kinds import kind_of

_DELIMITERS: Final = (",", ";", "\t")
_QUOTED: Final = re.compile(r'(^|[,;\t]) *"(?:[^"]|"")*(?:"|$)')
"""A value in quotes, which may go on over the end of the line."""


_PIECE: Final = 1 << 18
"""How many bytes of a file are read at a time, and then the rest of a line."""
LINE_ENDS: Final = re.compile(rb"\r\n?|\n")


class CsvRecord(NamedTuple):
    """A row of a file: the number of its first line, and of the byte that it begins with; its
    values, and, where a quoted value goes on over further lines, what values each of those would
    have by itself."""

    line: int
    at: int
    cells: list[str]
    further: list[list[str]]


class Lines:
    """Hands the lines of texts to a reader, and remembers those of the record that is being read.

    `at` is the byte, of those of the file, that the record begins with.
    """

    def __init__(self, texts: Iterable[str], at: int) -> None:
        self._texts = texts
        self._end = self.at = at
        self.number = 0
        self.held: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for text in self._texts:
            ascii = text.isascii()
            for line in io.StringIO(text, newline=""):
                self.number += 1
                self._end += len(line) if ascii else len(line.encode())
                self.held.append(line)
                yield line

    def next_record(self) -> None:
        """What was read so far is a record."""
        self.held = []
        self.at = self._end

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
    texts = _texts(path)
    start = next(texts)
    parts = delimiter(start.text)
    lines = Lines((piece.text for piece in chain([start], texts)), start.at)
    reader = reading(lines, parts)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as e:
            raise _unreadable(path, lines, str(e)) from None
        if cells is None:
            return
        if cells:
            further = [_parted(line, parts) for line in lines.held[1:]]
            yield CsvRecord(lines.first, lines.at, cells, further)
        lines.next_record()


def table_rows(path: Path) -> tuple[list[str], Iterator[CsvRecord]]:
    """The names of a table's columns, and its rows, of which each has as many values. Raises
    RunError, with the line, for what is no table; at the end where it has no rows."""
    rows = records(path)
    first = next(rows, None)
    if first is None:
        raise RunError(f"{path} is empty: a header and a row a sample are expected")
    header = [name.strip() for name in first.cells]
    double = sorted({name for name in header if name and header.count(name) > 1})
    if double:
        raise RunError(f"{path}: the header names {shown(double[0])} twice")
    return header, _checked(path, rows, len(header))


def _checked(path: Path, rows: Iterator[CsvRecord], count: int) -> Iterator[CsvRecord]:
    row = None
    for row in rows:
        if len(row.cells) != count:
            raise RunError(
                f"{path}, line {row.line}: found {len(row.cells)} values, where the header has "
                f"{count}"
            )
        if row.further:
            _check_quotes(path, row)
        yield row
    if row is None:
        raise RunError(f"{path} is empty: it has a header, but no rows")


def _check_quotes(path: Path, row: CsvRecord) -> None:
    """Raises RunError where a quoted value goes on over what looks like a row of its own: as many
    values, and numbers where this row has numbers."""
    places = [i for i, cell in enumerate(row.cells) if is_number(cell)]
    for number, line in enumerate(row.further, row.line + 1):
        alike = len(line) == len(row.cells) and bool(places)
        if alike and all(is_number(line[i]) or is_missing(line[i]) for i in places):
            raise RunError(
                f"{path}, line {row.line}: a quoted value goes on in line {number}, which "
                "looks like a row of its own; close the quote"
            )


def reading(lines: Iterable[str], parts: str) -> Iterator[list[str]]:
    """The values of each record, of which none is had of an empty line."""
    return csv.reader(lines, delimiter=parts, skipinitialspace=True, strict=True)


def delimiter(text: str) -> str:
    """What parts the header into most names, the first line that is not empty; the comma where
    that is a tie.

    What stands in quotes parts nothing, whatever is the delimiter.
    """
    header = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    return max(_DELIMITERS, key=_QUOTED.sub(r"\1", header).count)


def _parted(line: str, parts: str) -> list[str]:
    """The values of a line by itself; one, where it cannot be parted."""
    try:
        return next(csv.reader([line], delimiter=parts), [])
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


class _Text(NamedTuple):
    """A piece of a file of whole lines, and the byte that it begins with."""

    text: str
    at: int


def _texts(path: Path) -> Iterator[_Text]:
    """The file's text, without a byte order mark, a piece at a time; one at least."""
    at, line = 0, 1
    try:
        with path.open("rb") as file:
            start = piece = _piece(file)
            if piece.startswith(codecs.BOM_UTF8):
                at, piece = len(codecs.BOM_UTF8), piece[len(codecs.BOM_UTF8) :]
            while True:
                yield _Text(_decoded(path, piece, start, line), at)
                at += len(piece)
                line += len(LINE_ENDS.findall(piece))
                piece = _piece(file)
                if not piece:
                    return
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None


def _piece(file: BinaryIO) -> bytes:
    """The next bytes of a file, up to the end of a line."""
    parts = [file.read(_PIECE)]
    if len(parts[0]) == _PIECE:
        parts.append(file.readline())
    return b"".join(parts)


def _decoded(path: Path, piece: bytes, start: bytes, line: int) -> str:
    """The text of a piece that begins with this line, of a file that starts so."""
    try:
        text = piece.decode()
        if "\0" not in text:
            return text
        at, stray = piece.index(0), "a NUL"
    except UnicodeDecodeError as e:
        at, stray = e.start, f"the byte {piece[e.start]:#04x}"
    kind = kind_of(start)
    known = kind not in ("a text", "no text", "no text in UTF-8")
    line += len(LINE_ENDS.findall(piece[:at]))
    reason = f"it is {kind}" if known else f"line {line} holds {stray}"
    raise RunError(f"{path} is no CSV file in UTF-8: {reason}; save it as text in UTF-8")

"""A user's texts and values where they are printed: on one line, and texts to be read again."""

from __future__ import annotations

import json
from reprlib import Repr
from typing import Final


def quoted(text: str) -> str:
    """The text in quotes, as JSON has it; in ASCII where it holds what breaks or hides in a line.

    JSON alone escapes the control characters of ASCII, but no others, such as U+2028 and U+202E.
    """
    return json.dumps(text, ensure_ascii=not text.isprintable())


def on_one_line(text: str) -> str:
    """The text as it is, or in quotes where not all of it can be printed."""
    return text if text.isprintable() else quoted(text)


def cut(text: str, most: int) -> str:
    """The text, of which `...` stands for what is beyond so many characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def shortened(text: str, most: int = 200) -> str:
    """The same on one line."""
    return on_one_line(cut(text, most))


def pointed(line: str, at: int, most: int = 200) -> str:
    """What stands below an error of a text: the line, and a mark under the character at fault."""
    told = line.strip()
    if not told:
        return ""
    place = at - (len(line) - len(line.lstrip()))
    if told.isprintable() and len(told) <= most and 0 <= place <= len(told):
        return f"\n  in: {told}\n      {' ' * place}^ column {at + 1}"
    return f"\n  in: {shortened(told, most)}\n  at column {at + 1}"


class _Short(Repr):
    """`repr` in at most some hundred characters, whatever it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = 80
        self.maxother = 160

    def repr_int(self, x: int, level: int) -> str:
        """A number of more digits than Python writes out is told by their count."""
        if x.bit_length() < 200:
            return super().repr_int(x, level)
        sign = "a negative" if x < 0 else "a"
        return f"{sign} whole number of about {int(x.bit_length() * 0.30103) + 1:,} digits"


_SHORT: Final = _Short()


def shown(value: object) -> str:
    """What an error says of a value that a user gave: its `repr`, cut where it is long or deep.

    A value whose `repr` fails is told by its type.
    """
    try:
        return _SHORT.repr(value)
    except Exception:
        return f"a {type(value).__name__}"

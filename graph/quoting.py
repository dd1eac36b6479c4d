"""A user's texts where they are printed: on one line, and to be read again."""

from __future__ import annotations

import json


def quoted(text: str) -> str:
    """The text in quotes, as JSON has it; in ASCII where it holds what breaks or hides in a line.

    JSON alone escapes the control characters of ASCII, but no others, such as U+2028 and U+202E.
    """
    return json.dumps(text, ensure_ascii=not text.isprintable())


def on_one_line(text: str) -> str:
    """The text as it is, or in quotes where not all of it can be printed."""
    return text if text.isprintable() else quoted(text)

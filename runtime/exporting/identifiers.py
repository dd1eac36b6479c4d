"""Identifiers of another language, made of names that a user chose; each given once."""

from __future__ import annotations

import re
from collections.abc import Callable

Reserved = Callable[[str], bool]
"""Whether a language, or its library, takes a word."""


def identifier(name: str, reserved: Reserved) -> str:
    """An identifier that tells the name: letters beyond ASCII by their numbers."""
    ascii_only = "".join(c if c.isascii() else f"u{ord(c):04x}" for c in name)
    text = re.sub(r"_+", "_", re.sub(r"\W", "_", ascii_only)).lstrip("_") or "v"
    text = f"v{text}" if text[0].isdigit() else text
    return f"{text}_" if reserved(text) else text


class Names:
    """Identifiers of one scope, each given once; `outer` is the scope around it."""

    def __init__(self, reserved: Reserved, outer: Names | None = None) -> None:
        self._reserved = reserved
        self._taken: set[str] = set(outer._taken) if outer is not None else set()

    def inner(self) -> Names:
        """A scope within this one, which takes none of its names."""
        return Names(self._reserved, self)

    def new(self, name: str) -> str:
        """An identifier for the name, with a number where another has it."""
        wanted = chosen = identifier(name, self._reserved)
        number = 1
        while chosen in self._taken:
            number += 1
            chosen = f"{wanted}_{number}"
        self._taken.add(chosen)
        return chosen

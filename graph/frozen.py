"""Objects that say what to do where an attribute is set on them to no effect."""

from __future__ import annotations

from typing import ClassVar

from .errors import ImmutableError


class Frozen:
    """An object whose public attributes are set while it is made, and never after."""

    _made: bool = False
    advice: ClassVar[str] = "make a new one"
    """What to do instead, as the error says it."""

    def __setattr__(self, name: str, value: object) -> None:
        if self._made and not name.startswith("_"):
            kind = type(self).__name__
            raise ImmutableError(f"{kind}.{name} cannot be set: {self._instead(name)}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise ImmutableError(f"{type(self).__name__}.{name} cannot be deleted")

    def _instead(self, name: str) -> str:
        """What to do instead of setting that attribute."""
        return self.advice

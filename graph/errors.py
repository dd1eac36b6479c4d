"""The errors that verigrad raises, all of them VerigradError, and what they suggest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .diagnosis import Diagnosis

from .quoting import shortened

_LONGEST: Final = 200
"""Of how many characters a name may be meant for another."""


class VerigradError(Exception):
    """Every error of ours: what was found, what was expected, and how to mend it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class GraphError(VerigradError):
    """A graph, a type or a text of one that cannot be."""


class NoRuleError(GraphError):
    """An op without an exact meaning, or a function in one without a derivative."""


class CallError(GraphError, TypeError):
    """Arguments that a call does not take, as Python's own TypeError; it is both."""


class ImmutableError(GraphError, AttributeError):
    """An attribute that cannot be set, as Python's own AttributeError; it is both."""


class PassError(VerigradError):
    """A pass or a pipeline that cannot run, or that broke what it promised."""


class RefutedError(PassError):
    """A compiled graph that does not compute what was declared."""


class RunError(VerigradError):
    """Feeds, data, files or settings that a run cannot work with."""


class MissingError(RunError, KeyError):
    """A name that is not there, as Python's own KeyError; it is both."""

    __str__ = Exception.__str__  # KeyError's is a repr


class WriteError(RunError):
    """A file that could not be written."""


class NonFiniteError(RunError):
    """The loss or a gradient of a step was not finite; the state is as before the step.

    `diagnosis` says where that began, in plain values, where that is known.
    """

    def __init__(self, message: str, diagnosis: Diagnosis | None = None) -> None:
        super().__init__(message)
        self.diagnosis = diagnosis


class VerigradWarning(UserWarning):
    """What is allowed and hardly meant, such as a frame whose columns have another order."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


def suggest(name: object, known: Iterable[str]) -> str:
    """`; did you mean 'fc1.weight'?`, or the first few names there are."""
    from difflib import get_close_matches

    names = list(known)
    likely = isinstance(name, str) and len(name) <= _LONGEST
    if likely and (close := get_close_matches(str(name), names, 1)):
        return f"; did you mean {close[0]!r}?"
    first = ", ".join([shortened(n, 80) for n in names[:8]])
    return f"; there are {first}{', ...' if len(names) > 8 else ''}" if names else ""

"""What a user's subclass overrides, looked at when its class is made: names and arguments."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Final

from .errors import GraphError, PassError

_OURS: Final = __name__.partition(".")[0]
_CLOSE: Final = 0.8


def check_hooks(cls: type, error: type[GraphError | PassError] = GraphError) -> None:
    """Raises where a user's class has a name that is almost one of its base's, which nothing
    would read, or a method that cannot be called as the base's is."""
    if is_ours(cls):
        return
    bases = [b for b in cls.__mro__[1:] if is_ours(b)]
    known = {name: b for b in reversed(bases) for name in vars(b) if not name.startswith("_")}
    fields = getattr(cls, "field_names", ())
    for name, value in vars(cls).items():
        if name.startswith("_") or name in fields:
            continue
        if name in known:
            _check_call(cls, name, value, vars(known[name])[name], error)
            continue
        likely = _likely(name, known)
        annotated = inspect.get_annotations(cls).get(name, "ClassVar")
        if likely is not None and "ClassVar" in str(annotated):
            raise error(
                f"{cls.__name__}.{name}: nothing reads it; did you mean {likely!r}, of "
                f"{known[likely].__name__}? If not, choose another name, such as _{name}"
            )


def is_ours(cls: type) -> bool:
    """Whether a class is this package's own, and no user's."""
    return cls.__module__.partition(".")[0] == _OURS


def _likely(name: str, known: dict[str, type]) -> str | None:
    """The known name that this one may be meant for: a letter off, two swapped, a few added."""
    from difflib import SequenceMatcher

    plain = name.replace("_", "").lower()
    for other in known:
        goal = other.replace("_", "")
        swapped = sorted(plain) == sorted(goal)
        if swapped or SequenceMatcher(None, plain, goal).ratio() >= _CLOSE:
            return other
        short = len(goal) <= 3 and len(plain) == len(goal)
        if short and sum(a != b for a, b in zip(plain, goal, strict=True)) == 1:
            return other
    return None


def _check_call(
    cls: type, name: str, own: object, base: object, error: type[GraphError | PassError]
) -> None:
    """Raises unless a method takes the arguments that the base's is called with."""
    if not (isinstance(own, FunctionType) and isinstance(base, FunctionType)):
        return
    theirs, mine = inspect.signature(base), inspect.signature(own)
    if any(p.kind is p.VAR_POSITIONAL for p in theirs.parameters.values()):
        return
    arguments = [None for p in theirs.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    try:
        mine.bind(*arguments)
    except TypeError as e:
        raise error(
            f"{cls.__name__}.{name} takes {mine}, but is called as {name}{theirs}: {e}"
        ) from None

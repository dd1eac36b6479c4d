"""What a user's subclass overrides, looked at when its class is made: names and arguments."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Final

from .errors import GraphError, PassError
from .quoting import shown

_OURS: Final = __name__.partition(".")[0]
_CLOSE: Final = 0.8


def check_hooks(cls: type, error: type[GraphError | PassError] = GraphError) -> None:
    """Raises where a user's class has a name that is almost one of its base's hooks, which nothing
    would read, a method that cannot be called as the base's is, or a value of another kind.

    What a base lists in `_not_hooks` is no hook: it is called by name and not overridden. What
    stands in `_given_by_name` is handed to a hook by name, whatever else it is given.
    """
    if is_ours(cls):
        return
    bases = [b for b in cls.__mro__[1:] if is_ours(b)]
    known = {name: b for b in reversed(bases) for name in vars(b) if not name.startswith("_")}
    called = {name for b in bases for name in vars(b).get("_not_hooks", ())}
    hooks = {name: b for name, b in known.items() if name not in called}
    given = {k: v for b in bases for k, v in vars(b).get("_given_by_name", {}).items()}
    fields = getattr(cls, "field_names", ())
    for name, value in _own(cls).items():
        if name.startswith("_") or name in fields:
            continue
        if name in known:
            _check_kind(cls, name, value, vars(known[name])[name], error)
            _check_call(cls, name, value, vars(known[name])[name], error)
            if name in given:
                _check_given(cls, name, value, given[name], error)
            continue
        likely = _likely(name, hooks)
        annotated = inspect.get_annotations(cls).get(name, "ClassVar")
        if likely is not None and "ClassVar" in str(annotated):
            raise error(
                f"{cls.__name__}.{name}: nothing reads it; did you mean {likely!r}, of "
                f"{hooks[likely].__name__}? If not, choose another name, such as _{name}"
            )


def _own(cls: type) -> dict[str, object]:
    """What a class defines, and what it takes from classes of its package that are mixed in before
    ours: nobody has looked at these."""
    package = cls.__module__.partition(".")[0]
    first = next(k for k, b in enumerate(cls.__mro__) if is_ours(b))
    mixed = [
        b
        for b in cls.__mro__[1:first]
        if b.__module__.partition(".")[0] == package and not any(map(is_ours, b.__mro__))
    ]
    return {name: value for c in (*reversed(mixed), cls) for name, value in vars(c).items()}


def is_ours(cls: type) -> bool:
    """Whether a class is this package's own, and no user's."""
    return cls.__module__.partition(".")[0] == _OURS


def _likely(name: str, known: dict[str, type]) -> str | None:
    """The known name that this one may be meant for: a letter off, two swapped, a few added."""
    from difflib import SequenceMatcher

    plain = name.replace("_", "").lower()
    for other in known:
        if name.startswith(f"{other}_"):  # such as flops_of
            continue
        goal = other.replace("_", "")
        swapped = sorted(plain) == sorted(goal)
        if swapped or SequenceMatcher(None, plain, goal).ratio() >= _CLOSE:
            return other
        short = len(goal) <= 3 and len(plain) == len(goal)
        if short and sum(a != b for a, b in zip(plain, goal, strict=True)) == 1:
            return other
    return None


def _check_kind(
    cls: type, name: str, own: object, base: object, error: type[GraphError | PassError]
) -> None:
    """Raises where a value stands in the place of a method, or another kind of value in that of a
    flag, a text or a tuple; what is worked out when it is asked for may be anything."""
    described = hasattr(own, "__get__") or hasattr(own, "default_factory")  # a dataclass's field
    if isinstance(base, FunctionType):
        fits, due = callable(own) or described, "a method"
    elif isinstance(base, tuple):
        fits, due = isinstance(own, (tuple, list)), "a tuple such as ('forward',)"
    elif isinstance(base, bool):
        fits, due = isinstance(own, bool), "True or False"
    else:
        return
    method = isinstance(own, FunctionType)
    if not fits and (method or not described):
        what = "a method" if method else shown(own)
        raise error(f"{cls.__name__}.{name} is {what}, where {due} is expected")


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


def _check_given(
    cls: type, name: str, own: object, keyword: str, error: type[GraphError | PassError]
) -> None:
    """Raises unless a method takes what it is given by this name."""
    if not isinstance(own, FunctionType):
        return
    mine = inspect.signature(own)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in mine.parameters.values())
    if keyword not in mine.parameters and not takes_any:
        raise error(
            f"{cls.__name__}.{name} takes {mine}, but is called as {name}(*arrays, {keyword}=array)"
        )

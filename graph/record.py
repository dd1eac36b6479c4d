"""Immutable values with typed fields, equal by class and field, without generated code."""

from __future__ import annotations

from typing import Any, ClassVar, Self, dataclass_transform

_REQUIRED: Any = object()


def _class_var(annotation: object) -> bool:
    return str(annotation).removeprefix("typing.").startswith("ClassVar")


@dataclass_transform(frozen_default=True)
class Record:
    """The part of a frozen dataclass that ops need, at a fiftieth of its import time.

    A subclass lists its fields as annotations, defaults included, and may check them in
    `__post_init__`, which sets a field anew with `self._set(name, value)`.
    """

    field_names: ClassVar[tuple[str, ...]] = ()
    field_defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own_annotations = cls.__dict__.get("__annotations__", {})  # noqa: RUF063 - much faster
        names = [n for n, a in own_annotations.items() if not _class_var(a)]
        own = {n: cls.__dict__[n] for n in names if n in cls.__dict__}
        cls.field_names = (*(n for n in cls.field_names if n not in names), *names)
        cls.field_defaults = {**cls.field_defaults, **own}

    def __init__(self, *args: Any, **fields: Any) -> None:
        names = self.field_names
        if len(args) == len(names) and not fields:
            self.__dict__.update(zip(names, args, strict=True))
            self.__post_init__()
            return
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__} has {len(names)} fields, {len(args)} given")
        given = dict(zip(names, args, strict=False))
        for n in fields:
            if n not in names or n in given:
                has = ", ".join(names) or "none"
                problem = "given twice" if n in given else f"unknown; the fields are: {has}"
                raise TypeError(f"{type(self).__name__}: field {n!r} is {problem}")
        given.update(fields)
        for n in names:
            value = given[n] if n in given else self.field_defaults.get(n, _REQUIRED)
            if value is _REQUIRED:
                raise TypeError(f"{type(self).__name__} needs the field {n!r}")
            object.__setattr__(self, n, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Checks the fields; raises where they cannot be."""

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; make a new one to set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def values(self) -> tuple[Any, ...]:
        """The fields' values, in order."""
        held = self.__dict__
        return tuple([held[n] for n in self.field_names])

    def changed(self) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        pairs = {n: getattr(self, n) for n in self.field_names}
        return {
            n: v
            for n, v in pairs.items()
            if n not in self.field_defaults or not _same(self.field_defaults[n], v)
        }

    def but(self, **fields: Any) -> Self:
        """The same value with some fields changed."""
        return type(self)(**{**dict(zip(self.field_names, self.values(), strict=True)), **fields})

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Record) or type(self) is not type(other):
            return False
        return _same(self.values(), other.values())

    def __hash__(self) -> int:
        return hash((type(self), self.values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{n}={v!r}" for n, v in self.changed().items())
        return f"{type(self).__name__}({fields})"


def _same(a: object, b: object) -> bool:
    """Equal, and 0 not for -0, which divide to infinities of other signs."""
    if a != b:
        return False
    if isinstance(a, tuple) and isinstance(b, tuple) and 0 in a:
        return all(map(_same, a, b))
    return not (a == 0 and isinstance(a, float)) or str(a) == str(float(b))  # type: ignore[arg-type]


class Value(Record):
    """A record that may stand as an attribute of an op: written `name(field=value)` in text."""

    name: ClassVar[str]

    @classmethod
    def kinds(cls) -> dict[str, type[Self]]:
        """Every concrete class below this one, by its name in text."""
        found: dict[str, type[Self]] = {}
        for sub in cls.__subclasses__():
            if "name" in sub.__dict__:
                found[sub.name] = sub
            found.update(sub.kinds())
        return found

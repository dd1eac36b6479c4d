"""Immutable values with typed fields, equal by class and field, without generated code."""

from __future__ import annotations

from inspect import Parameter, Signature, signature
from typing import Any, ClassVar, Self, dataclass_transform

from .errors import CallError, ImmutableError
from .hooks import check_hooks
from .quoting import shown

_REQUIRED: Any = object()


def _class_var(annotation: object) -> bool:
    return str(annotation).removeprefix("typing.").startswith("ClassVar")


class _ByName:
    """The mark of a field that is given by name alone, with its default."""

    def __init__(self, default: object) -> None:
        self.default = default


def field(*, default: Any = _REQUIRED, kw_only: bool) -> Any:
    """A field's default; with `kw_only=True` the field is given by name alone."""
    return _ByName(default) if kw_only else default


class _Fields:
    """What `inspect.signature` and `help` show of a record: its fields, made when asked for."""

    def __get__(self, record: Record | None, kind: type[Record]) -> Signature:
        if kind.__init__ is not Record.__init__:
            _, *own = signature(kind.__init__).parameters.values()
            return Signature(own)
        shown: list[Parameter] = []
        for k, n in enumerate(kind.field_names):
            default = kind.field_defaults.get(n, Parameter.empty)
            placed = k < kind.placed and (
                not shown or shown[-1].default is Parameter.empty or default is not Parameter.empty
            )
            how = Parameter.POSITIONAL_OR_KEYWORD if placed else Parameter.KEYWORD_ONLY
            shown.append(Parameter(n, how, default=default, annotation=kind.field_types[n]))
        return Signature(shown)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """The part of a frozen dataclass that ops need, at a fiftieth of its import time.

    A subclass lists its fields as annotations, defaults included, in the order in which they are
    given; those under `field(default=..., kw_only=True)` are given by name alone. A field that is
    declared anew keeps its place. `__post_init__` may check the fields, and set one anew with
    `self._set(name, value)`. What is given in another way than the fields can be is a CallError.
    """

    field_names: ClassVar[tuple[str, ...]] = ()
    field_defaults: ClassVar[dict[str, Any]] = {}
    field_types: ClassVar[dict[str, Any]] = {}
    """Each field's annotation, as it stands in the class."""
    placed: ClassVar[int] = 0
    """How many fields, the first ones, may be given by place."""
    _accepted: ClassVar[bool]
    _not_hooks: ClassVar[tuple[str, ...]] = (
        "field_names", "field_defaults", "field_types", "placed", "values", "changed", "but",
    )  # fmt: skip

    __signature__: ClassVar[Any] = _Fields()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own_annotations = cls.__dict__.get("__annotations__", {})  # noqa: RUF063 - much faster
        types = {n: a for n, a in own_annotations.items() if not _class_var(a)}
        if types:
            cls._take_fields(types)
        check_hooks(cls)
        cls._accepted = True

    @classmethod
    def _take_fields(cls, types: dict[str, Any]) -> None:
        own = {n: cls.__dict__[n] for n in types if n in cls.__dict__}
        by_name = [n for n, v in own.items() if isinstance(v, _ByName)]
        for n in by_name:
            own[n] = own[n].default
            setattr(cls, n, own[n])
        placed = [n for n in cls.field_names[: cls.placed] if n not in by_name]
        placed += [n for n in types if n not in placed and n not in by_name]
        named = [n for n in cls.field_names if n not in placed]
        cls.field_names = (*placed, *(n for n in by_name if n not in named), *named)
        cls.field_defaults = {**cls.field_defaults, **own}
        cls.field_types = {**cls.field_types, **types}
        cls.placed = len(placed)

    def __init__(self, *args: Any, **fields: Any) -> None:
        names = self.field_names
        if len(args) <= self.placed and not fields:
            values = dict(zip(names, args, strict=False))
        else:
            values = self._by_name(args, fields)
        if names:
            values = self._told(values)
            for n in names:
                if n not in values:
                    if n not in self.field_defaults:
                        raise CallError(f"{type(self).__name__} needs the field {n!r}")
                    values[n] = self.field_defaults[n]
            self.__dict__.update(values)
        self.__post_init__()

    def _by_name(self, args: tuple[Any, ...], fields: dict[str, Any]) -> dict[str, Any]:
        names, kind = self.field_names, type(self).__name__
        if len(args) > len(names):
            raise CallError(f"{kind} has {len(names)} fields, {len(args)} given")
        if len(args) > self.placed:
            n, value = names[self.placed], args[self.placed]
            raise CallError(f"{kind} takes {n!r} by name alone: write {kind}({n}={shown(value)})")
        values = dict(zip(names, args, strict=False))
        for n in fields:
            if n not in names or n in values:
                has = ", ".join(names) or "none"
                problem = "given twice" if n in values else f"unknown; the fields are: {has}"
                raise CallError(f"{kind}: field {n!r} is {problem}")
        return {**values, **fields}

    def _told(self, values: dict[str, Any]) -> dict[str, Any]:
        """The given fields as they are held, before the defaults stand for the others."""
        return values

    def __post_init__(self) -> None:
        """Checks the fields; raises where they cannot be."""

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        kind = type(self).__name__
        raise ImmutableError(
            f"{kind} is immutable; make a new one to set {name!r}, such as .but({name}=...), and "
            "compile with it"
        )

    def __delattr__(self, name: str) -> None:
        raise ImmutableError(f"{type(self).__name__} is immutable")

    def __getstate__(self) -> dict[str, Any]:
        """What pickles hold: the fields, and nothing that was worked out from them."""
        return dict(zip(self.field_names, self.values(), strict=True))

    def values(self) -> tuple[Any, ...]:
        """The fields' values, in order."""
        fields = self.__dict__
        return tuple([fields[n] for n in self.field_names])

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
    _not_hooks: ClassVar[tuple[str, ...]] = ("kinds",)

    @classmethod
    def kinds(cls) -> dict[str, type[Self]]:
        """Every concrete class below this one, by its name in text."""
        kinds: dict[str, type[Self]] = {}
        for sub in cls.__subclasses__():
            if "_accepted" not in vars(sub):  # one that was refused may still be there
                continue
            if "name" in sub.__dict__:
                kinds[sub.name] = sub
            kinds.update(sub.kinds())
        return kinds

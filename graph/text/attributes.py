"""The text of attributes: numbers, names, strings, lists, types and records."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from ..errors import GraphError, VerigradError
from ..op import Op, Source
from ..quoting import quoted
from ..record import Record, Value
from ..sources import STORED, WRITTEN_OUT, ArrayValue
from ..types import TensorType, name_pattern, parse_type, whole

R = TypeVar("R", bound=Record)
T = TypeVar("T")

_DEEPEST: Final = 100
"""How deep a value may be nested."""
_WORDS: Final[dict[str, object]] = {
    "true": True,
    "false": False,
    "none": None,
    "inf": math.inf,
    "nan": math.nan,
}
_WORD_OF: Final = {True: "true", False: "false", None: "none"}
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<string>\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<type>(?:f32|f64|i64|bool)\[[^\]]*\])"
    r"|(?P<number>-?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|inf\b|nan\b))"
    r"|(?P<name>[A-Za-z_][\w.-]*)"
    r"|(?P<mark>[\[\](){}=,:]))"
)


def print_value(value: Any) -> str:
    """The text that `parse_value` reads as the same value."""
    if value is None or isinstance(value, bool):
        return _WORD_OF[value]
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        plain = name_pattern.fullmatch(value) and value not in _WORDS
        return value if plain else quoted(value)
    if isinstance(value, (tuple, list)):
        return f"[{','.join(map(print_value, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{print_value(k)}:{print_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, TensorType):
        return str(value)
    if isinstance(value, ArrayValue):
        if value.array.size > WRITTEN_OUT:
            return f"{STORED}{value.digest}"
        return print_value(value.array.tolist())
    if isinstance(value, Value):
        fields = print_fields(value)
        return f"{value.name}({fields})" if fields else value.name
    raise GraphError(f"{value!r} cannot be written as an attribute")


def print_fields(record: Record) -> str:
    """`a=1,b=[2,3]`; the only required field of a record stands without its name."""
    shown = {
        n: v for n, v in record.changed().items() if not isinstance(record, Source) or n != "type"
    }
    bare = bare_field(type(record))
    return ",".join(
        (v if n == bare else f"{n}={v}") for n, v in ((n, print_value(v)) for n, v in shown.items())
    )


def bare_field(kind: type[Record]) -> str | None:
    """The field that is written without its name: the one without a default, if it is the only."""
    required = [n for n in kind.field_names if n not in kind.field_defaults]
    if issubclass(kind, Source):
        required = [n for n in required if n != "type"]
    return required[0] if len(required) == 1 else None


class Reader:
    """Reads attribute values from a text; errors say where."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def peek(self) -> str:
        m = _TOKEN.match(self.text, self.at)
        return m.group().strip() if m else ""

    def take(self, mark: str) -> bool:
        m = _TOKEN.match(self.text, self.at)
        if m is None or m["mark"] != mark:
            return False
        self.at = m.end()
        return True

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            token = self.peek() or self.text[self.at : self.at + 10].strip() or "the end"
            raise GraphError(f"{mark!r} is expected where {token!r} stands")

    def done(self) -> bool:
        return not self.text[self.at :].strip()

    def value(self) -> Any:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise GraphError(f"values are nested more than {_DEEPEST} deep")
        value = self._value()
        self.depth -= 1
        return value

    def _value(self) -> Any:
        m = _TOKEN.match(self.text, self.at)
        if m is None:
            raise GraphError(f"a value is expected at {self.text[self.at :][:20]!r}")
        self.at = m.end()
        if m["string"]:
            return _text(m["string"])
        if m["type"]:
            return parse_type(m["type"])
        if m["number"]:
            text = m["number"]
            return whole(text) if re.fullmatch(r"-?\d+", text) else float(text)
        if m["name"]:
            if self.take("("):
                kinds = Value.kinds()
                if m["name"] not in kinds:
                    raise GraphError(
                        f"{m['name']!r} is unknown here; known are {', '.join(sorted(kinds))}"
                    )
                return self.fields(kinds[m["name"]], ")")
            return _WORDS.get(m["name"], m["name"])
        if m["mark"] == "[":
            return tuple(self._list("]", self.value))
        if m["mark"] == "{":
            return dict(self._list("}", self._pair))
        raise GraphError(f"a value is expected where {m['mark']!r} stands")

    def fields(self, kind: type[R], close: str, **known: Any) -> R:
        """The record of that kind whose fields stand up to `close`."""
        fields: dict[str, Any] = dict(known)

        def field() -> None:
            start = self.at
            m = _TOKEN.match(self.text, self.at)
            if m is not None and m["name"]:
                self.at = m.end()
                if self.take("="):
                    if m["name"] in fields:
                        raise GraphError(f"{m['name']!r} is given twice")
                    fields[m["name"]] = self.value()
                    return
            self.at = start
            bare = bare_field(kind)
            if bare is None or bare in fields:
                raise GraphError(
                    f"a field such as name=value is expected at {self.text[start:][:20]!r}"
                )
            fields[bare] = self.value()

        self._list(close, field)
        return made(kind, **fields)

    def _list(self, close: str, item: Callable[[], T]) -> list[T]:
        items: list[T] = []
        while not self.take(close):
            if items:
                self.expect(",")
            items.append(item())
        return items

    def _pair(self) -> tuple[Any, Any]:
        key = self.value()
        if not isinstance(key, str):
            raise GraphError(f"a key is {print_value(key)}, where a name or a text is expected")
        self.expect(":")
        return key, self.value()


def made(kind: type[R], **fields: Any) -> R:
    """The record of these fields; whatever a user's record raises is an error of its text."""
    try:
        return kind(**fields)
    except VerigradError:
        raise
    except Exception as e:
        raise GraphError(f"{getattr(kind, 'name', kind.__name__)}: {e}") from e


def _text(quoted: str) -> str:
    try:
        text: str = json.loads(quoted)
    except ValueError as e:
        raise GraphError(f"the text {quoted[:40]} cannot be read: {e}") from None
    return text


def print_op(op: Op) -> str:
    """`linear`, `reshape{[N,4]}`, `slice{axis=1,stop=3}`."""
    fields = print_fields(op)
    return f"{op.name}{{{fields}}}" if fields else op.name

"""Passes and pipelines as text: `simplify,fuse_linear_relu`, and `name{option=value}`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from ..graph import GraphError, PassError, Value, VerigradError, cut, shown, suggest
from ..graph.quoting import pointed
from ..graph.text.attributes import Reader, made, print_value
from .attach_optimizer import AttachOptimizer
from .base import Pass, chosen_by_name
from .clip_gradients import ClipGradients
from .insert_dropout import InsertDropout
from .insert_regularization import InsertRegularization
from .methods.clip import Clip
from .methods.dropout import Dropout
from .methods.optimizers import Optimizer
from .methods.regularizers import Regularizer
from .methods.shards import Shards
from .pipeline import Pipeline
from .pipelines import INFERENCE, TRAINING
from .sharding import ShardBatch

Kinds = Callable[[str], type[Pass] | None]
"""The pass of a name that stands in a text; None where there is none."""

PIPELINES: Final = {"training": TRAINING, "inference": INFERENCE}
METHODS: Final[dict[type[Value], Callable[[Any], Pass]]] = {
    Clip: ClipGradients,
    Dropout: InsertDropout,
    Optimizer: AttachOptimizer,
    Regularizer: InsertRegularization,
    Shards: ShardBatch,
}
"""The pass that a method stands for where it stands in the place of one."""

_NAME: Final = re.compile(r"\s*([^{},\s](?:[^{},]*[^{},\s])?)\s*")
_SPACE: Final = re.compile(r"\s*")


def print_pass(p: Pass) -> str:
    """`fuse_linear_relu`, or `name{option=value}`."""
    defaults = {f.name: f.default for f in _fields(type(p))}
    changed = {k: v for k, v in p.options().items() if v != defaults[k]}
    written = ",".join(f"{k}={print_value(v)}" for k, v in changed.items())
    return f"{p.name}{{{written}}}" if written else p.name


def print_passes(passes: Iterable[Pass]) -> str:
    """`simplify,schedule{in_place=false}`: what `parse_passes` reads."""
    return ",".join(map(print_pass, passes))


def pipeline(text: str) -> Pipeline:
    """The pipeline that a text names, such as `simplify,fuse_linear_relu`; `str` of one gives it.

    A pass has its options in braces, `schedule{in_place=false}`. `training` and `inference` stand
    for all passes of these pipelines, and hand their options to those that have them:
    `training{seed=1}`. A method stands for the pass that takes it: `clip_norm{limit=1}`,
    `adam{lr=0.001}`. Raises PassError with the column of what is wrong.
    """
    if not isinstance(text, str):
        raise PassError(f"a pipeline is told by a text, not by {shown(text)}")
    return Pipeline(parse_passes(text))


def parse_pass(text: str) -> Pass:
    """The pass that `print_pass` wrote."""
    passes = parse_passes(text)
    if len(passes) != 1:
        raise PassError(f"{shown(text)} are {len(passes)} passes, where one is expected")
    return passes[0]


def parse_passes(text: str, kinds: Kinds | None = None) -> tuple[Pass, ...]:
    """The passes of a text, those that are named looked up by `kinds`."""
    found = _Passes(text, kinds or Pass.kinds().get)
    try:
        return tuple(found)
    except (GraphError, PassError) as e:
        raise PassError(f"{cut(str(e), 1000)}{pointed(text, found.at)}") from None


class _Passes:
    """Reads passes one after another; `at` is where it is."""

    def __init__(self, text: str, kinds: Kinds) -> None:
        self.reader = Reader(text)
        self.kinds = kinds
        self.at = 0

    def __iter__(self) -> Iterator[Pass]:
        reader = self.reader
        while self.at or not reader.done():
            m = _NAME.match(reader.text, reader.at)
            if m is None:
                raise PassError(f"the name of a pass is expected where {self._next()} stands")
            self.at, reader.at = m.start(1), m.end()
            yield from self._passes(m[1])
            if reader.done():
                return
            self._expect(",")

    def _passes(self, name: str) -> Iterable[Pass]:
        every = PIPELINES.get(name.lower())
        if every is not None:
            known = dict.fromkeys([option for p in every for option in p.options()])
            return every.with_options(self._options(name, known)).passes
        kind, method = self.kinds(name), Value.kinds().get(name)
        if kind is not None:
            fields = {f.name: f for f in _fields(kind)}
            options = self._options(name, fields)
            for f in fields.values():
                if f.name not in options and f.default is f.default_factory is dataclasses.MISSING:
                    raise PassError(f"{name} needs the option {f.name}: {name}{{{f.name}=...}}")
            return (_made(kind, options),)
        for base, taking in METHODS.items():
            if method is not None and issubclass(method, base):
                braces = self.reader.take("{")
                return (taking(self.reader.fields(method, "}") if braces else made(method)),)
        raise PassError(
            f"there is no pass {shown(name)}{suggest(name, [*Pass.kinds(), *PIPELINES])}"
        )

    def _options(self, owner: str, known: Iterable[str]) -> dict[str, Any]:
        """What stands in braces, such as `{limit=1,clip=none}`; nothing where there are none."""
        reader, options = self.reader, dict[str, Any]()
        if not reader.take("{"):
            return options
        while not reader.take("}"):
            if options:
                self._expect(",")
            self.at = self._start()
            key = reader.value()
            chosen_by_name([key], known, f"option of {owner}", PassError)
            if key in options:
                raise PassError(f"{key!r} is given twice")
            self._expect("=")
            self.at = self._start()
            options[key] = reader.value()
        return options

    def _expect(self, mark: str) -> None:
        self.at = self._start()
        self.reader.expect(mark)

    def _start(self) -> int:
        """Where the next token begins."""
        m = _SPACE.match(self.reader.text, self.reader.at)
        assert m is not None
        return m.end()

    def _next(self) -> str:
        self.at = self._start()
        return repr(self.reader.text[self.at : self.at + 10] or "the end")


def _fields(kind: type[Pass]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()


def _made(kind: type[Pass], options: Mapping[str, Any]) -> Pass:
    """The pass of these options; what a user's class raises is an error of its text."""
    try:
        return kind(**options)
    except VerigradError:
        raise
    except Exception as e:
        raise PassError(f"{kind.name} cannot be made: {e}") from e
